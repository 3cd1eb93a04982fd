// SPDX-License-Identifier: Apache-2.0

/** The dialog in which a conversation gets its labels. */

import { update } from "./chats.js";
import { openDialog } from "./menus.js";
import { make, textButton } from "./parts.js";
import { state } from "./state.js";
import { t } from "./words.js";

/** Lets a person choose the labels of a conversation, and make new ones. */
export function editLabels(chat) {
  const names = [...new Set([...state.labels.map(({ label }) => label), ...chat.labels])];
  const list = make("div", "checks");
  const add = (name, checked) => {
    const box = make("input");
    box.type = "checkbox";
    box.value = name;
    box.checked = checked;
    list.append(make("label", "check", box, make("bdi", "", name)));
  };
  for (const name of names) add(name, chat.labels.includes(name));
  const input = make("input");
  input.maxLength = 64;
  input.dir = "auto";
  input.placeholder = t("newLabel");
  input.setAttribute("aria-label", t("newLabel"));
  const addNew = () => {
    const name = input.value.trim();
    const there = [...list.querySelectorAll("input")].find((box) => box.value === name);
    if (there) there.checked = true;
    else if (name) add(name, true);
    input.value = "";
    input.focus();
  };
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && input.value.trim()) {
      event.preventDefault();
      addNew();
    }
  });
  const save = () => {
    addNew();
    const labels = [...list.querySelectorAll("input:checked")].map((box) => box.value);
    update(chat.id === state.chat?.id ? state.chat : chat, { labels });
  };
  openDialog(t("editLabels"), [list, make("div", "pair-row", input, textButton("plain", t("add"), addNew))],
    [[t("cancel"), "plain"], [t("save"), "primary", save]]);
  input.focus();
}
