// SPDX-License-Identifier: Apache-2.0

/** One message as it is shown: its text, what it came with, how it ended, and what can be done with it. */

import { answer, ask, isBusy } from "./answers.js";
import { keep, show } from "./chats.js";
import { render } from "./markdown.js";
import { attempt, bytes, button, copyButton, icon, make, say, sentence, spoken, textButton } from "./parts.js";
import { pictureNodes } from "./pictures.js";
import { change, state } from "./state.js";
import { branch, fullText, variants } from "./tree.js";
import { translate } from "./translate.js";
import { direction, number, t } from "./words.js";

/** A message's node. */
export function messageNode(chat, message) {
  const node = make("article", `message ${message.role}`);
  node.dataset.id = message.id;
  node.setAttribute("aria-label", message.role === "user" ? t("you") : message.model ?? "Qalam");
  if (state.editing === message.id) {
    node.append(editor(chat, message));
    return node;
  }
  node.append(make("div", "body"));
  fill(node, message);
  const run = state.running.get(message.id);
  if (run) run.draw = drawer(node, run);
  node.append(below(chat, message));
  return node;
}

/** Draws a message while it grows, not more often than people can read. */
function drawer(node, run) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => requestAnimationFrame(() => {
      waiting = false;
      if (!node.isConnected || !state.running.has(run.message.id)) return;
      fill(node, run.message);
    }), 40);
  };
}

function fill(node, message) {
  const body = node.querySelector(".body");
  const run = state.running.get(message.id);
  const isBusy = run && !run.isTranslation;
  node.classList.toggle("busy", Boolean(isBusy));
  const open = [...body.querySelectorAll("details")].map((details) => details.open);
  if (message.role === "user") {
    const text = make("div", "text", message.content);
    text.dir = "auto";
    body.replaceChildren(...message.content ? [text] : [], ...(message.files ?? []).map(fileNode));
  } else {
    node.dir = directionOf(message) ?? document.documentElement.dir;
    const parts = [];
    if (message.reasoning) parts.push(reasoning(message, isBusy));
    const text = make("div", "text");
    text.append(render(message.content));
    const pictures = pictureNodes(message, run);
    parts.push(...pictures, text);
    body.replaceChildren(...parts);
    if (isBusy && !pictures.length) cursor(text);
  }
  if (message.translation) body.append(translation(message, run));
  body.querySelectorAll("details").forEach((details, at) => { if (at in open) details.open = open[at]; });
}

/** The way a message runs: by its words, not by its code. */
function directionOf({ content, reasoning }) {
  const words = content.replace(/```[^]*?(?:```|$)/g, " ");
  return direction(words) ?? direction(content || reasoning || "");
}

/** Where the next word will stand. */
function cursor(text) {
  const last = [...text.querySelectorAll("p, li, h1, h2, h3, h4, h5, h6, td")].pop();
  (last && !last.closest("figure") ? last : text).append(make("span", "cursor"));
}

function reasoning(message, isBusy) {
  const label = isBusy && !message.content ? t("thinking") : t("thoughts");
  const text = make("div", "text");
  text.append(render(message.reasoning));
  return make("details", "reasoning", make("summary", "", make("bdi", "", label)), text);
}

function fileNode({ name, text }) {
  const pre = make("pre", "", text);
  pre.dir = "auto";
  pre.tabIndex = 0;
  const label = make("bdi", "", name);
  const size = make("span", "faint", bytes(new TextEncoder().encode(text).length));
  return make("details", "file", make("summary", "", icon("file"), label, size), pre);
}

function translation(message, run) {
  const { language, text } = message.translation;
  const node = make("div", "translation");
  node.lang = language;
  node.dir = language === "ar" ? "rtl" : "ltr";
  const label = make("p", "faint", t("translation"));
  label.dir = document.documentElement.dir;
  const content = make("div", "text");
  content.append(render(text));
  node.append(label, content);
  if (run?.isTranslation) cursor(content);
  return node;
}

/** What stands under a message. */
function below(chat, message) {
  const node = make("div", "below");
  const run = state.running.get(message.id);
  if (message.error) {
    const text = spoken("p", "error", sentence(message.error));
    text.setAttribute("role", "alert");
    node.append(text);
  }
  if (run && !run.isTranslation) return node;
  const actions = make("div", "actions", switcher(chat, message));
  if (message.content) actions.append(copyButton(() => fullText(message)));
  actions.append(button("icon small edit", t("edit"), "edit", () => change({ editing: message.id })));
  if (message.role === "assistant") {
    actions.append(button("icon small again", t("again"), "again", () => regenerate(chat, message)));
  }
  if (message.content) {
    const label = message.translation ? t("untranslate") : t("translate");
    const translator = button("icon small translate", label, "translate", () => translate(chat, message));
    translator.setAttribute("aria-pressed", String(Boolean(message.translation)));
    actions.append(translator);
  }
  actions.append(...facts(chat, message));
  node.append(actions);
  return node;
}

/** "‹ 2/3 ›": goes to the other versions of a message. */
function switcher(chat, message) {
  const groups = variants(chat.messages, message);
  if (groups.length < 2) return null;
  const at = groups.findIndex((group) => group.includes(message));
  const step = (by) => {
    const node = button("icon small", by < 0 ? t("previousVersion") : t("nextVersion"), by < 0 ? "back" : "forth",
      async () => {
        const next = groups[at + by][0];
        await show(chat, next);
        say(`${number(at + by + 1)} / ${number(groups.length)}`);
      });
    node.disabled = isBusy(chat) || !groups[at + by];
    node.dataset.step = by;
    return node;
  };
  const place = make("span", "stats", `${number(at + 1)}/${number(groups.length)}`);
  place.dir = "ltr";
  return make("span", "versions", step(-1), place, step(1));
}

function facts(chat, message) {
  const result = [];
  if (message.ended === "stopped") result.push(t("stopped"));
  if (message.ended === "length") result.push(t("cut"));
  const several = new Set(chat.messages.map((other) => other.model).filter(Boolean)).size > 1;
  const nodes = result.map((text) => spoken("span", "stats", text));
  if (message.model && several && !message.pair) nodes.push(make("bdi", "stats", message.model));
  if (message.statistics) nodes.push(spoken("span", "stats speed", speed(message.statistics)));
  return nodes;
}

function speed({ tokens, seconds, first }) {
  const parts = [`${number(tokens)} ${t("tokens")}`, `${t("firstToken")} ${number(first, 2)} ${t("seconds")}`];
  // Over the whole wait: a quick answer comes in one piece, so the time after the first token says nothing.
  if (seconds > 0) parts.unshift(`${number(tokens / seconds, 1)} ${t("perSecond")}`);
  return parts.join(" · ");
}

/** Has the question before an answer answered once more. */
function regenerate(chat, message) {
  const question = chat.messages.find((other) => other.id === message.parent);
  if (question && !isBusy(chat)) answer(chat, question);
}

/** Regenerates the last answer of the branch that is shown. */
export function regenerateLast() {
  const last = state.chat?.messages.find((message) => message.id === state.chat.head);
  if (last?.role === "assistant") regenerate(state.chat, last);
  else if (last && !isBusy(state.chat)) answer(state.chat, last);
}

/** A message being edited: what comes of it is another version beside it. */
function editor(chat, message) {
  const area = make("textarea");
  area.value = message.content;
  area.dir = "auto";
  area.setAttribute("aria-label", t("edit"));
  const fit = () => {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + 2}px`;
  };
  const cancel = () => change({ editing: null });
  const save = async () => {
    const text = area.value.trim();
    change({ editing: null });
    if (!text && !message.files?.length || text === message.content && message.role === "assistant") return;
    if (message.role === "user") await ask(text, message.files, message.parent ?? null, message.draws);
    else await reword(chat, message, text);
  };
  area.addEventListener("input", fit);
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      cancel();
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
  });
  requestAnimationFrame(() => {
    fit();
    area.focus();
  });
  return make("div", "editor", area, make("div", "buttons",
    textButton("plain", t("cancel"), cancel),
    textButton("primary", message.role === "user" ? t("saveAndAsk") : t("save"), save)));
}

/** An answer in a person's own words, beside the model's. */
function reword(chat, message, text) {
  const id = `${message.id.slice(0, 24)}-${Date.now().toString(36)}`;
  const { parent, role, model } = message;
  const other = { id, parent, role, model, content: text, created_at: Math.floor(Date.now() / 1000) };
  return attempt(() => keep(chat, [other], id));
}

/** Answers that were asked for side by side; one of them is gone on with. */
export function pairNode(chat, messages) {
  const shown = branch(chat.messages, chat.head);
  const columns = messages.map((message) => {
    const node = messageNode(chat, message);
    const isChosen = shown.includes(message);
    const choose = textButton("plain choose", t(isChosen ? "chosen" : "goOnWith"), () => show(chat, message));
    choose.setAttribute("aria-pressed", String(isChosen));
    choose.disabled = isBusy(chat);
    node.prepend(make("header", "", make("bdi", "name", message.model ?? ""), choose));
    node.classList.toggle("chosen", isChosen);
    return node;
  });
  const node = make("div", "pair", ...columns);
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", t("compare"));
  return node;
}
