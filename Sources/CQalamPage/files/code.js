// SPDX-License-Identifier: Apache-2.0

/** Blocks of code: a bar with the language and a copy button, and colours by highlight.js, loaded when first needed. */

import { copyButton, make } from "./parts.js";

/** What people call languages, where highlight.js calls them otherwise. */
const names = {
  "c": "cpp", "c++": "cpp", "h": "cpp", "hpp": "cpp", "cc": "cpp", "c#": "cs", "csharp": "cs", "js": "javascript",
  "jsx": "javascript", "mjs": "javascript", "ts": "typescript", "tsx": "typescript", "py": "python", "rb": "ruby",
  "rs": "rust", "sh": "bash", "shell": "bash", "zsh": "bash", "console": "bash", "html": "xml", "svg": "xml",
  "yml": "yaml", "toml": "ini", "md": "markdown", "golang": "go", "kt": "kotlin", "hs": "haskell", "ex": "elixir",
  "erl": "erlang", "objc": "objectivec", "latex": "tex", "ps1": "powershell", "make": "makefile",
  "docker": "dockerfile", "jl": "julia", "pl": "perl", "json5": "json", "jsonc": "json", "patch": "diff",
};

/** The languages that are there (scripts/page-libraries.sh). */
const known = new Set(`bash cmake cpp cs css dart diff dockerfile elixir erlang fortran go haskell http ini java
  javascript json julia kotlin lua makefile markdown matlab nginx objectivec perl php powershell python r ruby rust
  scala scss sql swift tex typescript vim xml yaml`.split(/\s+/));

/** Longer texts keep one colour: they would make the page slow. */
const longest = 100_000;

let highlighter = null;
const loaded = new Map();

/** A block of code; it gets its colours a moment later. */
export function codeBlock(text, language) {
  const code = make("code", "", text);
  const pre = make("pre", "", code);
  pre.tabIndex = 0;
  const block = make("figure", "code",
    make("figcaption", "bar", make("span", "", language), copyButton(() => text)), pre);
  block.dir = "ltr";
  const name = names[language.toLowerCase()] ?? language.toLowerCase();
  if (known.has(name) && text.length <= longest) colour(code, text, name);
  return block;
}

async function colour(code, text, name) {
  try {
    highlighter ??= import("./libraries/highlight.js");
    const hljs = (await highlighter).default;
    if (!loaded.has(name)) loaded.set(name, import(`./libraries/highlight/${name}.js`));
    const language = (await loaded.get(name)).default;
    if (!hljs.getLanguage(name)) hljs.registerLanguage(name, language);
    const { value } = hljs.highlight(name, text, true);
    const nodes = globalThis.DOMPurify.sanitize(value, {
      ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], ALLOW_DATA_ATTR: false, RETURN_DOM_FRAGMENT: true,
    });
    // What is shown must be the text and nothing else, whatever the library made of it.
    if (nodes.textContent === text) code.replaceChildren(nodes);
  } catch {
    // It stays as it is: plain.
  }
}
