// SPDX-License-Identifier: Apache-2.0

/** The drawer with the system prompt and the sampling: those of the open conversation, or of new ones. */

import { settings } from "./answers.js";
import { update } from "./chats.js";
import { field, openDialog } from "./menus.js";
import { make, toast } from "./parts.js";
import { change, choice, state } from "./state.js";
import { number, t } from "./words.js";

/** What can be set: sliders have a range and what the server does without them, numbers may be left out. */
const sliders = [
  { name: "temperature", from: 0, to: 2, step: 0.05, usual: 0.7 },
  { name: "top_p", from: 0.05, to: 1, step: 0.05, usual: 1 },
  { name: "min_p", from: 0, to: 1, step: 0.01, usual: 0 },
  { name: "frequency_penalty", from: -2, to: 2, step: 0.1, usual: 0 },
  { name: "presence_penalty", from: -2, to: 2, step: 0.1, usual: 0 },
  { name: "repetition_penalty", from: 0.5, to: 2, step: 0.05, usual: 1 },
];
const numbers = [
  { name: "max_tokens", from: 1, empty: "noLimit" },
  { name: "top_k", from: 0, empty: "noLimit" },
  { name: "seed", empty: "random" },
];

/** Settings that are there, without what the server does anyway. */
function read(form) {
  const result = {};
  if (form.system.value.trim()) result.system = form.system.value;
  for (const { name, usual } of sliders) {
    const value = Number(form[name].value);
    if (value !== usual) result[name] = value;
  }
  for (const { name } of numbers) {
    if (form[name].value !== "" && form[name].validity.valid) result[name] = Math.trunc(Number(form[name].value));
  }
  return result;
}

function slider({ name, from, to, step, usual }, value) {
  const input = make("input");
  Object.assign(input, { type: "range", name, min: from, max: to, step, value: value ?? usual });
  const output = make("output");
  const show = () => { output.textContent = number(Number(input.value), 2); };
  input.addEventListener("input", show);
  input.show = show;
  show();
  const hint = t(`${name}_hint`);
  return make("label", "slider", make("span", "", t(name)), output, input, hint ? make("small", "", hint) : null);
}

function numberField({ name, from, empty }, value) {
  const input = make("input");
  Object.assign(input, { type: "number", name, step: 1, value: value ?? "", placeholder: t(empty) });
  if (from !== undefined) input.min = from;
  input.inputMode = "numeric";
  return field(t(name), input);
}

/** Opens the drawer. */
export function openSettings() {
  const current = settings();
  const system = make("textarea");
  Object.assign(system, { name: "system", rows: 5, value: current.system ?? "", placeholder: t("systemHint") });
  system.dir = "auto";
  const content = [
    make("p", "faint", state.chat ? t("settingsOfChat") : t("settingsOfNew")), field(t("system"), system),
    ...sliders.slice(0, 3).map((entry) => slider(entry, current[entry.name])),
    make("div", "columns", ...numbers.map((entry) => numberField(entry, current[entry.name]))),
    make("details", "", make("summary", "", t("penalties")),
      ...sliders.slice(3).map((entry) => slider(entry, current[entry.name]))),
  ];
  const form = () => system.form.elements;
  const save = () => {
    const { model, other_model: other } = current;
    const chosen = { ...read(form()), ...model && { model }, ...other && { other_model: other } };
    if (state.chat) update(state.chat, { settings: chosen });
    else setDefaults(chosen);
  };
  const reset = () => {
    for (const { name, usual } of sliders) {
      form()[name].value = usual;
      form()[name].show();
    }
    for (const { name } of numbers) form()[name].value = "";
    system.value = "";
  };
  const useForNew = () => {
    setDefaults({ ...state.defaults, ...read(form()) });
    toast(t("usedForNew"));
  };
  openDialog(t("settings"), content, [
    [t("reset"), "plain start", reset], ...state.chat ? [[t("useForNew"), "plain", useForNew]] : [],
    [t("save"), "primary", save],
  ], "drawer");
}

/** How conversations are answered that are not made yet; this browser remembers it. */
export function setDefaults(defaults) {
  choice.set("defaults", defaults);
  change({ defaults });
}
