// SPDX-License-Identifier: Apache-2.0

/** Which model answers, a second one to compare it with, and getting further models. */

import { chosenModels, settings } from "./answers.js";
import { update } from "./chats.js";
import { get, stream } from "./client.js";
import { field, openDialog, openMenu } from "./menus.js";
import { $, attempt, bytes, make, say, sentence, textButton } from "./parts.js";
import { setDefaults } from "./settings.js";
import { change, state, watch } from "./state.js";
import { t } from "./words.js";

/** Asks which models are served, and what the browser's key may do, until the server answers. */
export async function listModels() {
  try {
    const [{ data }, session] = await Promise.all([get("v1/models"), get("page/session")]);
    const models = data.map(({ id }) => ({
      id, writes: session.writers.includes(id), draws: session.painters.includes(id),
    }));
    change({ models, session });
  } catch {
    setTimeout(listModels, 3000);
  }
}

function set(members) {
  const chosen = { ...settings(), ...members };
  for (const name of Object.keys(chosen)) if (chosen[name] === undefined) delete chosen[name];
  if (state.chat) update(state.chat, { settings: chosen });
  // The next new conversation begins with the same models.
  const { model, other_model: other } = chosen;
  const defaults = { ...state.defaults, model, other_model: other };
  if (!other) delete defaults.other_model;
  setDefaults(defaults);
}

function menu(anchor, name) {
  const served = state.models.filter((model) => model.writes);
  const current = chosenModels()[name === "model" ? 0 : 1];
  const items = served.map(({ id }) => ({
    label: id, checked: id === current, action: () => set({ [name]: id }),
  }));
  if (mayFetch()) items.push(null, { label: t("getModel"), icon: "new", action: getModel });
  openMenu(anchor, items);
}

const mayFetch = () => !state.session?.key || state.session.key.scopes.includes("admin");

function draw() {
  const [first, second] = chosenModels();
  $("model").querySelector("bdi").textContent = first ?? t("noModel");
  $("other-model").hidden = !second;
  $("other-model").querySelector("bdi").textContent = second ?? "";
  $("compare").setAttribute("aria-pressed", String(Boolean(second)));
  $("versus").hidden = !second;
}

/** Asks a second model too, or no longer. */
export function toggleCompare() {
  const served = state.models.filter((model) => model.writes).map((model) => model.id);
  const [first, second] = chosenModels();
  if (second) return set({ other_model: undefined });
  return set({ model: first, other_model: served.find((id) => id !== first) ?? first });
}

/** The dialog for models that are not served yet: those on this machine, and those of the hub by their names. */
export async function getModel() {
  const known = await attempt(() => get("page/models"));
  if (!known) return;
  const input = make("input");
  Object.assign(input, { placeholder: "owner/name:Q4_K_M", dir: "ltr", required: true, autocomplete: "off" });
  input.spellcheck = false;
  const bar = make("progress");
  bar.hidden = true;
  bar.setAttribute("aria-label", t("getModel"));
  const status = make("p", "faint", "");
  status.setAttribute("role", "status");
  const content = [];
  const controller = new AbortController();
  const fetchModel = (name) => follow(name, { bar, status, signal: controller.signal });
  if (known.data.length) {
    content.push(make("h3", "", t("onThisMachine")), make("ul", "models", ...known.data.map((model) => make("li", "",
      make("bdi", "", model.name), make("span", "faint", bytes(model.bytes)),
      textButton("plain", t("serve"), async () => {
        if (await fetchModel(model.name)) input.closest("dialog")?.close();
      })))));
  }
  if (known.can_fetch) content.push(field(t("fromHub"), input, t("fromHubHint")), bar, status);
  const end = openDialog(t("getModel"), content, known.can_fetch
    ? [[t("close"), "plain"], [t("get"), "primary", () => fetchModel(input.value.trim())]] : []);
  input.focus();
  await end;
  controller.abort();
}

/** Fetches a model and shows how far it is; true: it is served and chosen. */
async function follow(name, { bar, status, signal }) {
  bar.hidden = false;
  bar.removeAttribute("value");
  status.textContent = t("fetching");
  try {
    for await (const event of stream("page/models", { name }, signal)) {
      if (event.total) {
        bar.value = event.done / event.total;
        status.textContent = `${bytes(event.done)} / ${bytes(event.total)}`;
      }
      if (event.model) {
        await listModels();
        set({ model: event.model });
        say(event.model);
      }
    }
    return true;
  } catch (error) {
    if (!signal.aborted) status.textContent = sentence(error);
    bar.hidden = true;
    return false;
  }
}

/** Sets the choice of models up. */
export function startModels() {
  watch(["models", "chat", "defaults", "language"], draw);
  $("model").addEventListener("click", () => menu($("model"), "model"));
  $("other-model").addEventListener("click", () => menu($("other-model"), "other_model"));
  $("compare").addEventListener("click", toggleCompare);
}
