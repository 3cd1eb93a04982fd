// SPDX-License-Identifier: Apache-2.0

/** The list of conversations: search, labels, and what can be done with each. */

import { exportChat } from "./export.js";
import { editLabels } from "./labels.js";
import { go, list, removeChat, update } from "./chats.js";
import { openMenu } from "./menus.js";
import { $, button, make, textButton } from "./parts.js";
import { change, state, watch } from "./state.js";
import { t } from "./words.js";

/** The conversation whose title is being changed. */
let renaming = null;

function draw() {
  const groups = [];
  for (const chat of state.chats) {
    const name = age(chat.updated_at);
    if (groups.at(-1)?.name === name) groups.at(-1).chats.push(chat);
    else groups.push({ name, chats: [chat] });
  }
  const focused = document.activeElement?.closest?.("#list li")?.dataset.id;
  $("list").replaceChildren(...groups.map(({ name, chats }) => {
    const heading = make("h2", "faint", t("ages")[name]);
    return make("section", "", heading, make("ul", "", ...chats.map(row)));
  }));
  if (focused && !renaming) $("list").querySelector(`[data-id="${CSS.escape(focused)}"] .name`)?.focus();
  const isNarrowed = state.search.trim() || state.label !== null;
  $("none").hidden = state.chats.length > 0;
  $("none").textContent = isNarrowed ? t("noMatch") : t("noChats");
  $("more").hidden = !state.hasMore;
}

/** Which heading a conversation stands under. */
function age(seconds) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const days = Math.ceil((midnight - seconds * 1000) / 86_400_000);
  return days <= 0 ? "today" : days === 1 ? "yesterday" : days <= 7 ? "week" : days <= 30 ? "month" : "older";
}

function row(chat) {
  if (renaming === chat.id) return make("li", "", renamer(chat));
  const title = make("span", "title", chat.title);
  title.dir = "auto";
  const name = make("a", "name", title);
  name.href = `#/c/${chat.id}`;
  if (chat.labels.length) {
    const labels = make("span", "labels", ...chat.labels.map((label) => make("bdi", "label", label)));
    name.append(labels);
  }
  const node = make("li", "", name);
  const more = button("icon small", `${t("more")}: ${chat.title}`, "more", () => openMenu(more, actions(chat)));
  more.setAttribute("aria-haspopup", "menu");
  node.append(more);
  node.dataset.id = chat.id;
  if (chat.id === state.chat?.id && state.view === "chat") {
    node.classList.add("current");
    name.setAttribute("aria-current", "page");
  }
  if ([...state.running.values()].some((run) => run.chat.id === chat.id)) node.classList.add("running");
  return node;
}

/** What can be done with a conversation. */
function actions(chat) {
  return [
    { label: t("rename"), icon: "edit", action: () => rename(chat.id) },
    { label: t("editLabels"), icon: "label", action: () => editLabels(chat) },
    null,
    { label: t("exportMarkdown"), icon: "download", action: () => exportChat(chat.id, "markdown") },
    { label: t("exportJSON"), icon: "download", action: () => exportChat(chat.id, "json") },
    null,
    { label: t("delete"), icon: "delete", action: () => removeChat(chat.id) },
  ];
}

/** The menu of the open conversation. */
export function openChatMenu(anchor) {
  if (state.chat) openMenu(anchor, actions(state.chat));
}

/** Lets a person change a title, in the list. */
export function rename(id) {
  renaming = id;
  showSidebar(true);
  draw();
}

function renamer(chat) {
  const input = make("input");
  input.value = chat.title;
  input.maxLength = 200;
  input.dir = "auto";
  input.setAttribute("aria-label", t("rename"));
  const finish = (keeps) => {
    if (renaming !== chat.id) return;
    renaming = null;
    const title = input.value.trim();
    if (keeps && title && title !== chat.title) update(chat.id === state.chat?.id ? state.chat : chat, { title });
    draw();
    $("list").querySelector(`[data-id="${CSS.escape(chat.id)}"] .name`)?.focus();
  };
  input.addEventListener("blur", () => finish(true));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) finish(true);
    if (event.key === "Escape") {
      event.stopPropagation();
      finish(false);
    }
  });
  requestAnimationFrame(() => input.select());
  return input;
}

function drawLabels() {
  const choose = (label) => {
    change({ label });
    list();
  };
  const chip = (text, label) => {
    const node = textButton("chip", "", () => choose(state.label === label ? null : label));
    node.append(make("bdi", "", text));
    node.setAttribute("aria-pressed", String(state.label === label));
    return node;
  };
  $("labels").hidden = !state.labels.length;
  $("labels").replaceChildren(...state.labels.map(({ label }) => chip(label, label)));
}

/** Shows the sidebar where it has no room of its own, or hides it. */
export function showSidebar(shown) {
  const isOver = matchMedia("(max-width: 56rem)").matches;
  document.body.classList.toggle("menu", shown && isOver);
  $("open-menu").setAttribute("aria-expanded", String(shown && isOver));
  $("main").inert = shown && isOver;
}

/** Sets the sidebar up. */
export function startSidebar() {
  watch(["chats", "chat", "view", "running", "hasMore", "language"], draw);
  watch(["labels", "label", "language"], drawLabels);
  // Whoever has chosen where to go wants to see it.
  $("sidebar").addEventListener("click", (event) => { if (event.target.closest("a")) showSidebar(false); });
  let typing;
  $("search").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      change({ search: $("search").value });
      list();
    }, 200);
  });
  $("more").addEventListener("click", () => list({ more: true }));
  $("new").addEventListener("click", () => {
    go(null);
    showSidebar(false);
    $("draft").focus();
  });
  $("open-menu").addEventListener("click", () => {
    showSidebar(true);
    $("close-menu").focus();
  });
  $("close-menu").addEventListener("click", () => {
    showSidebar(false);
    $("open-menu").focus();
  });
  $("shade").addEventListener("click", () => showSidebar(false));
}
