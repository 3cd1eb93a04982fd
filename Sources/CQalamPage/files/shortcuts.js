// SPDX-License-Identifier: Apache-2.0

/** Everything can be done from the keyboard; what has keys of its own is here, and in a dialog. */

import { stop } from "./answers.js";
import { go } from "./chats.js";
import { openDialog } from "./menus.js";
import { regenerateLast } from "./message.js";
import { toggleCompare } from "./models.js";
import { $, make } from "./parts.js";
import { openSettings } from "./settings.js";
import { rename, showSidebar } from "./sidebar.js";
import { state } from "./state.js";
import { t } from "./words.js";

const isApple = /Mac|iPhone|iPad/.test(navigator.platform);

/** With Control, or Command on Apple's machines: [code, with Shift, name, action]. */
const withControl = [
  ["KeyO", true, "newChat", () => {
    go(null);
    $("draft").focus();
  }],
  ["KeyK", false, "search", () => {
    showSidebar(true);
    $("search").select();
  }],
  ["Comma", false, "settings", openSettings],
  ["Slash", false, "shortcuts", showShortcuts],
];

/** Where nothing is being typed: [key, name, action]. */
const plain = [
  ["/", "toDraft", () => $("draft").focus()],
  ["r", "again", regenerateLast],
  ["e", "rename", () => { if (state.chat) rename(state.chat.id); }],
  ["[", "previousVersion", () => version(-1)],
  ["]", "nextVersion", () => version(1)],
  ["m", "model", () => $("model").click()],
  ["c", "compare", toggleCompare],
  ["j", "nextChat", () => step(1)],
  ["k", "previousChat", () => step(-1)],
  ["?", "shortcuts", showShortcuts],
];

/** Presses the last message's button for another version. */
function version(by) {
  [...$("thread").querySelectorAll(`[data-step="${by}"]:not(:disabled)`)].pop()?.click();
}

/** Goes to the next conversation in the list. */
function step(by) {
  const at = state.chats.findIndex((chat) => chat.id === state.chat?.id);
  const next = state.chats[at < 0 ? 0 : at + by];
  if (next) go(next.id);
}

/** The dialog that lists them. */
export function showShortcuts() {
  const control = isApple ? "⌘" : "Ctrl";
  const key = (...names) => {
    const node = make("dd", "", ...names.map((name) => make("kbd", "", name)));
    node.dir = "ltr";
    return node;
  };
  const row = (name, ...keys) => make("div", "", make("dt", "", t(name)), key(...keys));
  const letters = { KeyO: "O", KeyK: "K", Comma: ",", Slash: "/" };
  openDialog(t("shortcuts"), [
    make("dl", "shortcuts", row("send", "Enter"), row("newLine", "Shift", "Enter"), row("editLast", "↑"),
      row("stop", "Esc"),
      ...withControl.map(([code, shift, name]) => row(name, control, ...shift ? ["Shift"] : [], letters[code]))),
    make("h3", "", t("whenNotTyping")),
    make("dl", "shortcuts", ...plain.slice(0, -1).map(([name, words]) => row(words, name.toUpperCase()))),
    licences(),
  ]);
}

function licences() {
  const link = make("a", "", t("licences"));
  link.href = "libraries/licenses.txt";
  link.target = "_blank";
  return make("p", "faint", link);
}

function isTyping(event) {
  return event.target.closest?.("input, textarea, select, [contenteditable], dialog, [popover]");
}

/** Sets the keys up. */
export function startShortcuts() {
  $("new").querySelector("kbd").textContent = isApple ? "⇧⌘O" : "Ctrl ⇧ O";
  document.addEventListener("keydown", (event) => {
    const control = isApple ? event.metaKey : event.ctrlKey;
    const found = control && !event.altKey
      ? withControl.find(([code, shift]) => code === event.code && shift === event.shiftKey) : null;
    if (found && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      found[3]();
    } else if (event.key === "Escape" && !document.querySelector("dialog[open], :popover-open")) {
      if (document.body.classList.contains("menu")) showSidebar(false);
      else stop();
    } else if (!control && !event.altKey && !event.metaKey && state.view === "chat" && !isTyping(event)) {
      const action = plain.find(([key]) => key === event.key.toLowerCase())?.[2];
      if (!action) return;
      event.preventDefault();
      action();
    }
  });
}
