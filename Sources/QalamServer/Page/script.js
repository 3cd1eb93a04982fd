// SPDX-License-Identifier: Apache-2.0

import { chat, models } from "./client.js";
import { direction, render } from "./markdown.js";
import { button, copyButton, make, makeCodeBlock, setIcon, setLabel } from "./parts.js";
import { choice, conversations as stored, settings as storedSettings } from "./store.js";
import { strings } from "./strings.js";

const $ = (id) => document.getElementById(id);
const root = document.documentElement;
const firstLanguage = navigator.languages.find((name) => /^(ar|en)/.test(name)) ?? "en";

let language = choice.get("language") ?? firstLanguage.slice(0, 2);
let theme = choice.get("theme") ?? "auto";
let settings = storedSettings.load();
let list = stored.load();
let current = null; // the conversation shown; null: the welcome
const running = new Map(); // conversation id → {controller, message, node}

const t = (key) => strings[language][key];
const number = (value, digits = 0) => new Intl.NumberFormat(language === "ar" ? "ar-EG" : "en",
  { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);
const copier = (text) => copyButton(t("copy"), text, () => { $("live").textContent = t("copied"); });
const codeBlock = (text, name) => makeCodeBlock(text, name, copier);

// MARK: Conversations

function save() {
  if (!stored.save(list)) toast(t("notSaved"));
}

/** Shows a conversation; null: the welcome. */
function open(conversation) {
  current = conversation;
  showMenu(false);
  drawList();
  drawThread();
  $("draft").focus();
}

function drawList() {
  const words = $("search").value.trim().toLowerCase();
  const found = list.filter((conversation) => !words || conversation.title.toLowerCase().includes(words)
    || conversation.messages.some((message) => message.content.toLowerCase().includes(words)));
  $("list").replaceChildren(...found.map(row));
  $("none").hidden = found.length > 0;
  $("none").textContent = list.length ? t("noMatch") : t("noChats");
  document.title = current ? `${current.title} · Qalam` : "Qalam";
}

function row(conversation) {
  const name = make("button", "name", conversation.title);
  name.type = "button";
  name.dir = "auto";
  name.addEventListener("click", () => open(conversation));
  const node = make("li", "", name,
    button("icon small", t("rename"), "rename", () => rename(conversation, node)),
    button("icon small", t("delete"), "delete", () => remove(conversation)));
  if (conversation === current) {
    node.classList.add("current");
    name.setAttribute("aria-current", "true");
  }
  if (running.has(conversation.id)) node.classList.add("running");
  return node;
}

function rename(conversation, node) {
  const input = make("input");
  input.value = conversation.title;
  input.dir = "auto";
  input.setAttribute("aria-label", t("rename"));
  let done = false;
  const finish = (keep) => {
    if (done) return;
    done = true;
    conversation.title = keep && input.value.trim() || conversation.title;
    save();
    drawList();
  };
  input.addEventListener("blur", () => finish(true));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) finish(true);
    if (event.key === "Escape") {
      event.stopPropagation();
      finish(false);
    }
  });
  node.replaceChildren(input);
  input.select();
}

function remove(conversation) {
  const place = list.indexOf(conversation);
  running.get(conversation.id)?.controller.abort();
  list.splice(place, 1);
  save();
  if (conversation === current) open(null);
  else drawList();
  toast(t("deleted"), () => {
    list.splice(place, 0, conversation);
    save();
    open(conversation);
  });
}

let toastTimer;

function toast(text, undo) {
  const node = $("toast");
  node.firstElementChild.textContent = text;
  node.lastElementChild.hidden = !undo;
  node.lastElementChild.onclick = () => {
    node.hidden = true;
    undo();
  };
  node.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { node.hidden = true; }, 7000);
}

// MARK: The thread

function drawThread() {
  $("welcome").hidden = current !== null;
  $("thread").replaceChildren();
  for (const message of current?.messages ?? []) {
    const node = messageNode(message);
    $("thread").append(node);
    const run = running.get(current.id);
    if (run?.message === message) run.node = node;
  }
  drawComposer();
  $("scroll").scrollTop = $("scroll").scrollHeight;
}

function messageNode(message) {
  const node = make("li", message.role);
  const who = make("span", "hidden", message.role === "user" ? t("you") : "Qalam");
  const body = make("div", "body");
  node.append(who, body);
  fill(node, message);
  return node;
}

/** Writes the message into its node; called again whenever it has grown. */
function fill(node, message) {
  const body = node.querySelector(".body");
  const busy = running.get(current?.id)?.message === message;
  node.classList.toggle("busy", busy);
  node.querySelector(".below")?.remove();
  if (message.role === "user") {
    body.dir = "auto";
    body.textContent = message.content;
    return;
  }
  node.dir = direction(message.content) ?? root.dir;
  body.replaceChildren(render(message.content, codeBlock));
  if (busy) {
    const cursor = make("span", "cursor");
    const last = [...body.querySelectorAll("p, li, h3, h4, h5, h6")].pop();
    (last && last.closest("figure") === null ? last : body).append(cursor);
    return;
  }
  node.append(below(message));
}

/** What stands under an answer: how it ended, what can be done with it, and how fast it came. */
function below(message) {
  const node = make("div", "below");
  if (message.error) {
    const text = t("errors")[message.error.code] ?? (message.error.text || t("errors").network);
    node.append(spoken("p", "error", text));
  }
  const actions = make("div", "actions");
  if (message.content) actions.append(copier(() => message.content));
  if (message === current?.messages.at(-1)) {
    actions.append(button("icon small", message.error ? t("tryAgain") : t("again"), "again", regenerate));
  }
  if (message.stopped) actions.append(spoken("span", "stats", t("stopped")));
  if (message.cut) actions.append(spoken("span", "stats", t("cut")));
  if (message.stats) actions.append(spoken("span", "stats", statistics(message.stats)));
  node.append(actions);
  return node;
}

/** A text of the page's own, inside an answer that may run the other way. */
function spoken(name, className, text) {
  const node = make(name, className, text);
  node.dir = "auto";
  return node;
}

function statistics({ tokens, seconds, first }) {
  const parts = [`${number(tokens)} ${t("tokens")}`];
  if (seconds > 0) parts.unshift(`${number(tokens / seconds, 1)} ${t("perSecond")}`);
  parts.push(`${t("firstToken")} ${number(first, 2)} ${language === "ar" ? "ث" : "s"}`);
  return parts.join(" · ");
}

const atEnd = () => $("scroll").scrollHeight - $("scroll").scrollTop - $("scroll").clientHeight < 60;

// MARK: Asking

function ask(text) {
  if (!current) {
    const title = text.replace(/\s+/g, " ").trim();
    current = { id: crypto.randomUUID?.() ?? String(Math.random()), title: title.slice(0, 60), messages: [] };
    list.unshift(current);
  }
  current.messages.push({ role: "user", content: text });
  answer(current);
}

function regenerate() {
  if (!current || running.has(current.id)) return;
  if (current.messages.at(-1)?.role === "assistant") current.messages.pop();
  answer(current);
}

function request(conversation) {
  const all = conversation.messages;
  // A question that got no answer, and its place for one, are not part of the conversation.
  const messages = all.filter((message, at) => message.content && all[at + 1]?.content !== "")
    .map(({ role, content }) => ({ role, content }));
  if (settings.system.trim()) messages.unshift({ role: "system", content: settings.system });
  const body = { model: $("model").value, messages, temperature: settings.temperature, top_p: settings.topP };
  if (settings.maxTokens) body.max_completion_tokens = settings.maxTokens;
  if (settings.seed !== null) body.seed = settings.seed;
  return body;
}

async function answer(conversation) {
  const body = request(conversation);
  const message = { role: "assistant", content: "" };
  const run = { controller: new AbortController(), message, node: null };
  conversation.messages.push(message);
  conversation.updated = Date.now();
  list = [conversation, ...list.filter((other) => other !== conversation)];
  running.set(conversation.id, run);
  save();
  drawList();
  drawThread();
  $("live").textContent = t("writing");

  const start = performance.now();
  let first = null;
  let drawing = false;
  try {
    if (!body.model) throw Object.assign(new Error(), { code: "noModel" });
    const { finish, usage } = await chat(body, run.controller.signal, (text) => {
      first ??= performance.now();
      message.content += text;
      if (drawing) return;
      drawing = true;
      requestAnimationFrame(() => {
        drawing = false;
        if (running.has(conversation.id)) redraw(conversation, run);
      });
    });
    const end = performance.now();
    message.cut = finish === "length";
    if (usage && first) {
      message.stats = {
        // Over the whole wait: a quick answer comes in one piece, so the time after the first one says nothing.
        tokens: usage.completion_tokens, seconds: (end - start) / 1000, first: (first - start) / 1000,
      };
    }
  } catch (error) {
    if (run.controller.signal.aborted) message.stopped = true;
    else message.error = { code: error.code ?? (first ? "broken" : "network"), text: error.code ? error.message : "" };
  }
  running.delete(conversation.id);
  redraw(conversation, run);
  save();
  drawList();
  drawComposer();
  $("live").textContent = message.error ? run.node?.querySelector(".error")?.textContent ?? "" : message.content;
}

function redraw(conversation, run) {
  if (conversation !== current || !run.node) return;
  const follow = atEnd();
  fill(run.node, run.message);
  if (follow) $("scroll").scrollTop = $("scroll").scrollHeight;
  else drawLatest();
}

function drawLatest() {
  $("latest").hidden = atEnd() || !current;
}

// MARK: The composer

function drawComposer() {
  const busy = running.has(current?.id);
  const send = $("send");
  setIcon(send, busy ? "stop" : "send");
  setLabel(send, busy ? t("stop") : t("send"));
  send.classList.toggle("stop", busy);
  send.disabled = !busy && !$("draft").value.trim();
  const draft = $("draft");
  draft.style.height = "auto";
  draft.style.height = `${draft.scrollHeight}px`;
  drawLatest();
}

function submit() {
  const text = $("draft").value.trim();
  if (running.has(current?.id) || !text) return;
  $("draft").value = "";
  ask(text);
}

function stop() {
  running.get(current?.id)?.controller.abort();
}

// MARK: Language, theme, settings, menu

function applyLanguage() {
  root.lang = language;
  root.dir = language === "ar" ? "rtl" : "ltr";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = t(node.dataset.text);
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = t(node.dataset.placeholder);
  for (const node of document.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", t(node.dataset.label));
    if (node.matches("button")) node.title = t(node.dataset.label);
  }
  $("language").textContent = t("otherLanguage");
  $("suggestions").replaceChildren(...t("suggestions").map(([title, text]) => {
    const node = make("button", "", make("b", "", title), make("span", "", text));
    node.type = "button";
    node.addEventListener("click", () => ask(text));
    return make("li", "", node);
  }));
  applyTheme();
  drawList();
  drawThread();
}

function applyTheme() {
  if (theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = theme;
  setIcon($("theme"), theme);
  setLabel($("theme"), t({ auto: "themeAuto", light: "themeLight", dark: "themeDark" }[theme]));
}

function showMenu(shown) {
  document.body.classList.toggle("menu", shown);
  $("open-menu").setAttribute("aria-expanded", String(shown));
  $("main").inert = shown;
  if (shown) $("close-menu").focus();
}

function showSettings() {
  const form = $("settings").querySelector("form");
  const show = (values) => {
    for (const [name, value] of Object.entries(values)) form.elements[name].value = value ?? "";
    outputs();
  };
  const outputs = () => {
    for (const output of form.querySelectorAll("output")) {
      output.textContent = number(form.elements[output.htmlFor.value].value, 2);
    }
  };
  const whole = (name) => form.elements[name].value === "" ? null : Math.trunc(Number(form.elements[name].value));
  form.oninput = outputs;
  form.onsubmit = () => {
    settings = {
      system: form.elements.system.value, temperature: Number(form.elements.temperature.value),
      topP: Number(form.elements.topP.value), maxTokens: whole("maxTokens"), seed: whole("seed"),
    };
    storedSettings.save(settings);
  };
  $("reset").onclick = () => show(storedSettings.defaults);
  $("cancel").onclick = () => $("settings").close();
  show(settings);
  $("settings").showModal();
}

async function loadModels() {
  const select = $("model");
  try {
    const names = await models();
    select.replaceChildren(...names.map((name) => new Option(name, name)));
    const chosen = choice.get("model");
    if (names.includes(chosen)) select.value = chosen;
    if (!names.length) select.replaceChildren(new Option(t("noModel"), ""));
  } catch {
    select.replaceChildren(new Option(t("noModel"), ""));
    setTimeout(loadModels, 3000);
  }
}

// MARK: Events

const apple = /Mac|iPhone|iPad/.test(navigator.platform);
$("new").querySelector("kbd").textContent = apple ? "⇧⌘O" : "Ctrl ⇧ O";
$("new").addEventListener("click", () => open(null));
$("search").addEventListener("input", drawList);
$("open-menu").addEventListener("click", () => showMenu(true));
$("close-menu").addEventListener("click", () => {
  showMenu(false);
  $("open-menu").focus();
});
$("shade").addEventListener("click", () => showMenu(false));
$("open-settings").addEventListener("click", showSettings);
$("language").addEventListener("click", () => {
  language = language === "ar" ? "en" : "ar";
  choice.set("language", language);
  applyLanguage();
});
$("theme").addEventListener("click", () => {
  theme = { auto: "light", light: "dark", dark: "auto" }[theme];
  choice.set("theme", theme);
  applyTheme();
});
$("model").addEventListener("change", () => choice.set("model", $("model").value));
$("scroll").addEventListener("scroll", drawLatest, { passive: true });
$("latest").addEventListener("click", () => $("scroll").scrollTo({ top: $("scroll").scrollHeight }));
$("draft").addEventListener("input", drawComposer);
$("draft").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  }
});
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  if (running.has(current?.id)) stop();
  else submit();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !$("settings").open) {
    if (document.body.classList.contains("menu")) showMenu(false);
    else stop();
  }
  if (event.code === "KeyO" && event.shiftKey && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    open(null);
  }
});
window.addEventListener("pagehide", () => running.size && stored.save(list));
window.addEventListener("storage", (event) => {
  if (!stored.isKey(event.key) || running.size) return;
  list = stored.load();
  current = list.find((conversation) => conversation.id === current?.id) ?? null;
  drawList();
  drawThread();
});

applyLanguage();
loadModels();
if (matchMedia("(pointer: fine)").matches) $("draft").focus();
