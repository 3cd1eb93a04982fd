// SPDX-License-Identifier: Apache-2.0

/** The page's words, in the language it is shown in. */

import { arabic } from "./words-ar.js";
import { english } from "./words-en.js";

const languages = { ar: arabic, en: english };

/** "ar" or "en". */
export const language = () => document.documentElement.lang;

/** A word of the page. */
export const t = (name) => languages[language()][name];

/** A number as people write it. */
export const number = (value, digits = 0) => new Intl.NumberFormat(language() === "ar" ? "ar-EG" : "en",
  { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);

/** A day as people write it. */
export const day = (seconds) => new Intl.DateTimeFormat(language() === "ar" ? "ar-EG" : "en",
  { dateStyle: "medium" }).format(new Date(seconds * 1000));

/** "ltr" or "rtl", by the first letter of a text; null: it has none. */
export function direction(text) {
  const letter = text.match(/\p{L}/u)?.[0];
  if (!letter) return null;
  const rightToLeft = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
  return rightToLeft.test(letter) ? "rtl" : "ltr";
}

/** Writes the page's words into what index.html has marked. */
export function translatePage() {
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = t(node.dataset.text);
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = t(node.dataset.placeholder);
  for (const node of document.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", t(node.dataset.label));
    if (node.matches("button")) node.title = t(node.dataset.label);
  }
}
