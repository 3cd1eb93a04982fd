// SPDX-License-Identifier: Apache-2.0

/** Small pieces that the page is built from. */

import { number, t } from "./words.js";

export const $ = (id) => document.getElementById(id);

/** An element with a class and children; strings become text, never markup. */
export function make(name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** An icon of the page. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Shows another icon in a button. */
export function setIcon(node, name) {
  node.querySelector("use").setAttribute("href", `#i-${name}`);
}

/** Says what a button does, to eyes and to screen readers. */
export function setLabel(node, text) {
  node.title = text;
  node.setAttribute("aria-label", text);
}

/** A button with an icon. */
export function button(className, label, iconName, action) {
  const node = make("button", className, icon(iconName));
  node.type = "button";
  setLabel(node, label);
  node.addEventListener("click", action);
  return node;
}

/** A button with words. */
export function textButton(className, label, action) {
  const node = make("button", className, label);
  node.type = "button";
  node.addEventListener("click", action);
  return node;
}

/** A text of the page's own, inside something that may run the other way. */
export function spoken(name, className, text) {
  const node = make(name, className, text);
  node.dir = "auto";
  return node;
}

/** Tells screen readers. */
export function say(text) {
  $("live").textContent = text;
}

/** A button that copies `text()`, and shows so for a moment. */
export function copyButton(text, label = t("copy")) {
  const node = button("icon small", label, "copy", async () => {
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      copySelected(text());
      node.focus();
    }
    setIcon(node, "done");
    say(t("copied"));
    setTimeout(() => setIcon(node, "copy"), 1500);
  });
  return node;
}

/** Without https the clipboard is out of reach from other machines: copies a selection. */
function copySelected(text) {
  const area = make("textarea", "hidden");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** Gives the browser a file to keep. */
export function download(name, type, data) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([data], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Bytes for people: 12.3 MB. */
export function bytes(count) {
  const units = t("byteUnits");
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) {
    count /= 1000;
    unit += 1;
  }
  return `${number(count, unit ? 1 : 0)} ${units[unit]}`;
}

let toastTimer;

/** Shows a sentence for some seconds, with a button to take back what was done if `undo` is given. */
export function toast(text, undo) {
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

/** What people are told about an error. */
export function sentence(error) {
  return t("errors")[error.code] ?? (error.message || t("errors").network);
}

/** Runs an action; if it fails, says why. */
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    if (error.name !== "AbortError") toast(sentence(error));
    return undefined;
  }
}
