// SPDX-License-Identifier: Apache-2.0

/**
 * Renders the part of Markdown that models write. Everything is built from DOM nodes and text, never from HTML, and
 * there are no links: nothing that a model writes can run or lead anywhere.
 */
export function render(text, codeBlock) {
  const fragment = document.createDocumentFragment();
  blocks(text.replace(/\r\n?/g, "\n").split("\n"), fragment, codeBlock, 0);
  return fragment;
}

/** "ltr" or "rtl", by the first letter of a text; null: it has none. */
export function direction(text) {
  const letter = text.match(/\p{L}/u)?.[0];
  if (!letter) return null;
  const rightToLeft = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
  return rightToLeft.test(letter) ? "rtl" : "ltr";
}

const maximumDepth = 6;
const fence = /^ {0,3}(```+|~~~+)\s*([\w+#.-]*)\s*$/;
const heading = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const rule = /^ {0,3}([-*_])(\s*\1){2,}\s*$/;
const quote = /^ {0,3}> ?/;
const item = /^(\s*)([-*+•]|\d{1,9}[.)])\s+(.*)$/;

function element(name, parent, direction = true) {
  const node = document.createElement(name);
  if (direction) node.dir = "auto";
  parent.append(node);
  return node;
}

/** Takes lines from the front while `test` holds. */
function takeWhile(lines, start, test) {
  let end = start;
  while (end < lines.length && test(lines[end])) end += 1;
  return end;
}

function blocks(lines, parent, codeBlock, depth) {
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    let match;
    if (!line.trim()) {
      at += 1;
    } else if ((match = line.match(fence))) {
      const close = new RegExp(`^ {0,3}${match[1][0]}{${match[1].length},}\\s*$`);
      const end = takeWhile(lines, at + 1, (line) => !close.test(line));
      parent.append(codeBlock(lines.slice(at + 1, end).join("\n"), match[2]));
      at = end + 1;
    } else if ((match = line.match(heading))) {
      inline(match[2], element(`h${Math.min(match[1].length + 2, 6)}`, parent));
      at += 1;
    } else if (rule.test(line)) {
      element("hr", parent, false);
      at += 1;
    } else if (quote.test(line) && depth < maximumDepth) {
      const end = takeWhile(lines, at, (line) => quote.test(line));
      const inside = lines.slice(at, end).map((line) => line.replace(quote, ""));
      blocks(inside, element("blockquote", parent), codeBlock, depth + 1);
      at = end;
    } else if (item.test(line) && depth < maximumDepth) {
      at = list(lines, at, parent, codeBlock, depth);
    } else {
      const end = takeWhile(lines, at + 1, (line) =>
        line.trim() && !fence.test(line) && !heading.test(line) && !rule.test(line) && !quote.test(line) &&
        !item.test(line));
      paragraph(lines.slice(at, end), element("p", parent));
      at = end;
    }
  }
}

/** One list; lines indented deeper than its markers belong to its items. Returns the line after it. */
function list(lines, start, parent, codeBlock, depth) {
  const [, indent, marker] = lines[start].match(item);
  const ordered = /\d/.test(marker);
  const node = element(ordered ? "ol" : "ul", parent);
  if (ordered && parseInt(marker, 10) !== 1) node.start = parseInt(marker, 10);
  let at = start;
  while (at < lines.length) {
    const match = lines[at].match(item);
    if (!match || match[1].length > indent.length || /\d/.test(match[2]) !== ordered) break;
    const deeper = (line) => !line.trim() || /^\s/.test(line) && line.search(/\S/) > indent.length;
    let end = takeWhile(lines, at + 1, deeper);
    while (end > at + 1 && !lines[end - 1].trim()) end -= 1;
    const inside = lines.slice(at + 1, end);
    const cut = Math.min(...inside.filter((line) => line.trim()).map((line) => line.search(/\S/)), 99);
    const child = element("li", node);
    const rest = inside.map((line) => line.slice(cut));
    const own = takeWhile(rest, 0, (line) => line.trim() && !item.test(line) && !fence.test(line));
    paragraph([match[3], ...rest.slice(0, own)], child);
    blocks(rest.slice(own), child, codeBlock, depth + 1);
    at = takeWhile(lines, end, (line) => !line.trim());
    if (at > end && !(at < lines.length && item.test(lines[at]))) break;
  }
  return at;
}

function paragraph(lines, parent) {
  lines.forEach((line, index) => {
    if (index) parent.append(document.createElement("br"));
    inline(line.trim(), parent);
  });
}

// In order: code, bold, italic. Markers must touch the text they mark, and underscores must not stand inside words.
const spans = new RegExp(
  [
    "(`+)(?<code>.+?)\\1(?!`)",
    "\\*\\*(?=\\S)(?<bold>.+?\\S|\\S)\\*\\*",
    "(?<![\\p{L}\\p{N}_])__(?=\\S)(?<bold2>.+?\\S|\\S)__(?![\\p{L}\\p{N}_])",
    "\\*(?=[^\\s*])(?<italic>[^*]*?[^\\s*])\\*",
    "(?<![\\p{L}\\p{N}_])_(?=[^\\s_])(?<italic2>[^_]*?[^\\s_])_(?![\\p{L}\\p{N}_])",
  ].join("|"), "gu");

function inline(text, parent, depth = 0) {
  let at = 0;
  for (const match of depth < maximumDepth ? text.matchAll(spans) : []) {
    parent.append(text.slice(at, match.index));
    at = match.index + match[0].length;
    const { code, bold, bold2, italic, italic2 } = match.groups;
    if (code !== undefined) {
      element("code", parent).textContent = code;
    } else {
      const strong = bold ?? bold2;
      inline(strong ?? italic ?? italic2, element(strong === undefined ? "em" : "strong", parent, false), depth + 1);
    }
  }
  parent.append(text.slice(at));
}
