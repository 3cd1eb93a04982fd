// SPDX-License-Identifier: Apache-2.0

/**
 * Markdown to nodes: marked writes HTML, DOMPurify keeps what is harmless of it, and the browser takes HTML from nobody
 * else (`trusted-types` in the page's policy). HTML in the text is shown as text; pictures become links, so that a text
 * can't make the browser fetch anything. Code and maths are put in afterwards, from plain text.
 */

import { codeBlock } from "./code.js";
import { drawMaths } from "./maths.js";
import { make } from "./parts.js";
import { direction } from "./words.js";

let libraries = null;

/** Loads the libraries; without them (see docs/decisions.md) texts are shown as they are. */
export async function loadMarkdown() {
  try {
    const [{ marked }] = await Promise.all([import("./libraries/marked.js"), import("./libraries/purify.js")]);
    marked.use({ gfm: true, breaks: true, renderer, extensions: [blockMaths, lineMaths] });
    libraries = { marked, purify: globalThis.DOMPurify };
    guardLinks(libraries.purify);
  } catch {
    libraries = null;
  }
}

const escape = (text) => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** The few tags without attributes that people write in Markdown. */
const harmlessTag = /^<\/?(?:br|sub|sup|kbd|mark|u|b|i|em|strong|del|s)\s*\/?>$/i;

const renderer = {
  html: (html) => harmlessTag.test(html.trim()) ? html : escape(html),
  image: (href, title, text) => `<a href="${escape(href ?? "")}">${escape(text || href || "")}</a>`,
  checkbox: (checked) => checked ? "☑ " : "☐ ",
  code: (code, language) => `<pre data-language="${escape((language ?? "").split(/\s/)[0])}">${escape(code)}</pre>`,
};

const mathsToken = (type, raw, text, display) => ({ type, raw, text, display });
const mathsHTML = ({ text, display }) => `<span data-maths="${escape(text)}"${display ? " data-display" : ""}></span>`;

/** `$$ … $$` and `\[ … \]`. */
const blockMaths = {
  name: "blockMaths", level: "block", renderer: (token) => `<p>${mathsHTML(token)}</p>`,
  start: (source) => source.match(/\$\$|\\\[/)?.index,
  tokenizer(source) {
    const match = source.match(/^ {0,3}(?:\$\$([^]+?)\$\$|\\\[([^]+?)\\\]) *(?:\n|$)/);
    return match ? mathsToken("blockMaths", match[0], (match[1] ?? match[2]).trim(), true) : undefined;
  },
};

/** `$ … $` (which must touch what they enclose, and no digit may follow: prices are no maths), `\( … \)`, `$$ … $$`. */
const lineMaths = {
  name: "lineMaths", level: "inline", renderer: mathsHTML,
  start: (source) => source.match(/\$|\\[([]/)?.index,
  tokenizer(source) {
    const whole = source.match(/^(?:\$\$([^$\n]+?)\$\$|\\\[([^\n]+?)\\\])/);
    if (whole) return mathsToken("lineMaths", whole[0], whole[1] ?? whole[2], true);
    const match = source.match(/^\$((?:[^\s$\\]|\\.)(?:(?:[^$\\\n]|\\.)*?(?:[^\s$\\]|\\.))?)\$(?!\d)/)
      ?? source.match(/^\\\((.+?)\\\)/);
    return match ? mathsToken("lineMaths", match[0], match[1], false) : undefined;
  },
};

const allowed = {
  ALLOWED_TAGS: [
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong",
    "del", "s", "u", "b", "i", "sub", "sup", "kbd", "mark", "a", "table", "thead", "tbody", "tr", "th", "td", "span",
  ],
  ALLOWED_ATTR: ["href", "title", "start", "align", "data-maths", "data-display", "data-language"],
  // All other attributes' values must be addresses.
  ADD_URI_SAFE_ATTR: ["start", "align", "data-maths", "data-display", "data-language"],
  ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false, ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  RETURN_DOM_FRAGMENT: true,
};

function guardLinks(purify) {
  purify.addHook("afterSanitizeAttributes", (node) => {
    if (node.nodeName !== "A" || !node.hasAttribute("href")) return;
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer nofollow");
  });
}

/** The nodes of a text in Markdown. */
export function render(text) {
  const fragment = parsed(text);
  if (!fragment) {
    const plain = make("p", "plain-text", text);
    plain.dir = "auto";
    return plain;
  }
  // Each block runs as its own letters do. "auto" passes over what has a direction of its own, so it is of no use to
  // what holds blocks.
  for (const node of fragment.querySelectorAll("p, h1, h2, h3, h4, h5, h6, li, th, td")) node.dir = "auto";
  for (const node of fragment.querySelectorAll("ul, ol, blockquote, table")) {
    const way = direction(node.textContent);
    if (way) node.dir = way;
  }
  for (const node of fragment.querySelectorAll("pre")) {
    node.replaceWith(codeBlock(node.textContent.replace(/\n$/, ""), node.dataset.language ?? ""));
  }
  for (const node of fragment.querySelectorAll("table")) {
    const frame = make("div", "table");
    frame.tabIndex = 0;
    node.replaceWith(frame);
    frame.append(node);
  }
  for (const node of fragment.querySelectorAll("[data-maths]")) drawMaths(node);
  return fragment;
}

function parsed(text) {
  if (!libraries) return null;
  try {
    return libraries.purify.sanitize(libraries.marked.parse(text), allowed);
  } catch {
    return null;  // a text that the library can't read is still a text
  }
}
