// SPDX-License-Identifier: Apache-2.0

/** Small pieces that the page is built from. */

/** An element with a class and children; strings become text, never markup. */
export function make(name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

function icon(name) {
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

/** A button that copies `text()`, shows so for a moment, and calls `done`. */
export function copyButton(label, text, done) {
  const node = button("icon small", label, "copy", async () => {
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      // Without https the clipboard is out of reach from other machines: copy a selection.
      const area = make("textarea", "hidden");
      area.value = text();
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      node.focus();
    }
    setIcon(node, "done");
    done();
    setTimeout(() => setIcon(node, "copy"), 1500);
  });
  return node;
}

/** A block of code under a bar with its language and a copy button. */
export function makeCodeBlock(text, language, copier) {
  const pre = make("pre", "", make("code", "", text));
  pre.tabIndex = 0;
  const block = make("figure", "code", make("div", "bar", make("span", "", language), copier(() => text)), pre);
  block.dir = "ltr";
  return block;
}
