// SPDX-License-Identifier: Apache-2.0

/** Menus and dialogs. */

import { $, button, icon, make, textButton } from "./parts.js";
import { t } from "./words.js";

/**
 * Opens a menu below `anchor`. Items: {label, icon, checked, action}, or null for a line; arrow keys move between them.
 */
export function openMenu(anchor, items) {
  const menu = $("menu");
  menu.replaceChildren(...items.map(item));
  menu.onkeydown = (event) => move(menu, event);
  menu.ontoggle = (event) => {
    anchor.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState === "closed" && menu.contains(document.activeElement)) anchor.focus();
  };
  menu.showPopover();
  place(menu, anchor);
  (menu.querySelector("[aria-checked=true]") ?? menu.querySelector("button"))?.focus();
}

function item(entry) {
  if (!entry) return make("hr");
  const node = make("button", "", icon(entry.icon ?? (entry.checked ? "done" : "none")), make("span", "", entry.label));
  node.type = "button";
  node.lastElementChild.dir = "auto";
  node.setAttribute("role", entry.checked === undefined ? "menuitem" : "menuitemradio");
  if (entry.checked !== undefined) node.setAttribute("aria-checked", String(entry.checked));
  node.addEventListener("click", () => {
    $("menu").hidePopover();
    entry.action();
  });
  return node;
}

function move(menu, event) {
  const nodes = [...menu.querySelectorAll("button")];
  const at = nodes.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: nodes.length - 1 }[event.key];
  if (next === undefined) {
    if (event.key === "Tab") menu.hidePopover();
    return;
  }
  event.preventDefault();
  nodes[(next + nodes.length) % nodes.length].focus();
}

/** Below the anchor, or above it if there is no room, and never outside the window. */
function place(menu, anchor) {
  const box = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const rightToLeft = document.documentElement.dir === "rtl";
  const left = rightToLeft ? box.right - width : box.left;
  const below = box.bottom + 4;
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  menu.style.top = `${below + height > innerHeight - 8 ? Math.max(8, box.top - height - 4) : below}px`;
}

/**
 * Opens a dialog with a title and content; `buttons` are [label, class, action], and an action that returns false keeps
 * it open. Returns a promise of its end.
 */
export function openDialog(title, content, buttons = [], className = "") {
  const dialog = make("dialog", className);
  const heading = make("h2", "", title);
  heading.id = "dialog-title";
  dialog.setAttribute("aria-labelledby", heading.id);
  const form = make("form", "", make("div", "head", heading, button("icon", t("close"), "close", () => dialog.close())),
    ...content);
  if (buttons.length) {
    form.append(make("div", "buttons", ...buttons.map(([label, style, action]) => {
      const node = textButton(style, label, () => { if (style !== "primary") dialog.close(); });
      if (style === "primary") node.type = "submit";
      if (style !== "primary" && action) node.onclick = action;
      return node;
    })));
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const action = buttons.find(([, style]) => style === "primary")?.[2];
    if (await action?.() !== false) dialog.close();
  });
  dialog.append(form);
  // A press on the dialog itself is one on its backdrop: all that it shows is in the form.
  dialog.addEventListener("mousedown", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve();
    });
  });
}

/** A labelled input. */
export function field(label, input, hint) {
  return make("label", "", make("span", "", label), input, hint ? make("small", "", hint) : null);
}
