// SPDX-License-Identifier: Apache-2.0

/** The open conversation. */

import { ask, isBusy } from "./answers.js";
import { $, make } from "./parts.js";
import { messageNode, pairNode } from "./message.js";
import { state, watch } from "./state.js";
import { branch, siblings, variants } from "./tree.js";
import { language, t } from "./words.js";

/** The nodes of messages, so that only what has changed is drawn anew: id → {key, node}. */
let nodes = new Map();
let shown = null;
/** Whether the end stays in sight. */
let follows = true;

const scroll = () => $("scroll");
const atEnd = () => scroll().scrollHeight - scroll().scrollTop - scroll().clientHeight < 80;

/** All that a message's node depends on. */
function key(chat, message) {
  const groups = variants(chat.messages, message);
  return JSON.stringify([
    language(), message, groups.length, groups.findIndex((group) => group.includes(message)),
    state.running.has(message.id), isBusy(chat), state.editing === message.id,
    new Set(chat.messages.map((other) => other.model)).size, message.pair ? chat.head : null,
  ]);
}

function draw() {
  const { chat } = state;
  const isNew = shown !== (chat?.id ?? null);
  if (isNew) follows = true;
  $("welcome").hidden = chat !== null;
  $("thread").hidden = chat === null;
  document.body.classList.toggle("empty", chat === null);
  if (isNew) nodes = new Map();
  shown = chat?.id ?? null;
  const next = new Map();
  const items = (chat ? branch(chat.messages, chat.head) : []).map((message) => {
    const pair = message.pair ? siblings(chat.messages, message).filter((other) => other.pair === message.pair) : [];
    const group = pair.length > 1 ? pair : [message];
    const wanted = group.map((each) => key(chat, each)).join();
    const old = nodes.get(group[0].id);
    const node = old?.key === wanted ? old.node
      : make("li", "", group.length > 1 ? pairNode(chat, group) : messageNode(chat, message));
    next.set(group[0].id, { key: wanted, node });
    return node;
  });
  nodes = next;
  place(items);
  if (follows) scroll().scrollTop = scroll().scrollHeight;
  drawLatest();
}

/** Puts the items into the list; what stands there already is not moved, so that the focus stays. */
function place(items) {
  const list = $("thread");
  const focused = document.activeElement?.closest?.("[data-id]")?.dataset.id;
  const label = document.activeElement?.getAttribute?.("aria-label");
  items.forEach((item, at) => {
    if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
  });
  while (list.children.length > items.length) list.lastElementChild.remove();
  for (const child of [...list.children]) if (!items.includes(child)) child.remove();
  if (focused && !list.contains(document.activeElement)) {
    const buttons = list.querySelectorAll(`[data-id="${CSS.escape(focused)}"] button`);
    [...buttons].find((node) => node.getAttribute("aria-label") === label)?.focus();
  }
}

function drawLatest() {
  $("latest").hidden = atEnd() || !state.chat;
}

function drawSuggestions() {
  $("suggestions").replaceChildren(...t("suggestions").map(([title, text]) => {
    const node = make("button", "", make("b", "", title), make("span", "", text));
    node.type = "button";
    node.addEventListener("click", () => ask(text));
    return make("li", "", node);
  }));
}

/** Keeps the end in sight while it grows, unless the reader has gone upwards. */
function followEnd() {
  let last = 0;
  scroll().addEventListener("scroll", () => {
    const { scrollTop } = scroll();
    if (scrollTop < last) follows = false;
    if (atEnd()) follows = true;
    last = scrollTop;
    drawLatest();
  }, { passive: true });
  new ResizeObserver(() => {
    if (follows) scroll().scrollTop = scroll().scrollHeight;
    drawLatest();
  }).observe($("thread"));
}

/** Sets the thread up. */
export function startThread() {
  watch(["chat", "running", "editing", "language"], draw);
  watch(["language"], drawSuggestions);
  followEnd();
  $("latest").addEventListener("click", () => {
    follows = true;
    scroll().scrollTo({ top: scroll().scrollHeight });
  });
}
