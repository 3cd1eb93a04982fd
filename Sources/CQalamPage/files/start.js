// SPDX-License-Identifier: Apache-2.0

// Before anything is drawn: the language, the direction and the colours, so that the page never shows the wrong ones.
{
  const read = (name) => {
    try {
      return JSON.parse(localStorage.getItem(`qalam.${name}`));
    } catch {
      return null;
    }
  };
  const first = navigator.languages.find((name) => /^(ar|en)/.test(name)) ?? "en";
  const language = ["ar", "en"].includes(read("language")) ? read("language") : first.slice(0, 2);
  document.documentElement.lang = language;
  document.documentElement.dir = language === "ar" ? "rtl" : "ltr";
  if (["light", "dark"].includes(read("theme"))) document.documentElement.dataset.theme = read("theme");
}
