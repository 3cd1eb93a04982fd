// SPDX-License-Identifier: Apache-2.0

/**
 * Maths by KaTeX, loaded when first needed. It builds nodes from a formula and trusts nothing in it: no links, no
 * pictures, no attributes, and sizes and expansions have limits.
 */

let library = null;

function load() {
  library ??= new Promise((resolve, reject) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = "libraries/katex.css";
    document.head.append(style);
    import("./libraries/katex.js").then(() => resolve(globalThis.katex), reject);
  });
  return library;
}

/** Fills a node that has a formula in `data-maths`. */
export async function drawMaths(node) {
  const text = node.dataset.maths;
  const display = node.hasAttribute("data-display");
  node.className = display ? "maths display" : "maths";
  node.dir = "ltr";
  node.textContent = text;
  if (text.length > 10_000) return;
  try {
    const katex = await load();
    katex.render(text, node, {
      displayMode: display, throwOnError: true, trust: false, strict: "ignore", maxSize: 20, maxExpand: 200,
    });
  } catch {
    node.className += " wrong";
    node.textContent = text;
  }
}
