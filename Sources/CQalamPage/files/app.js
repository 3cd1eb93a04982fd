// SPDX-License-Identifier: Apache-2.0

/** Starts the page: sets its parts up, and follows the address, the language and the colours. */

import { list, listLabels, open } from "./chats.js";
import { get } from "./client.js";
import { startComposer } from "./composer.js";
import { loadMarkdown } from "./markdown.js";
import { openMenu } from "./menus.js";
import { listModels, startModels } from "./models.js";
import { $, setIcon, setLabel } from "./parts.js";
import { openSettings } from "./settings.js";
import { showShortcuts, startShortcuts } from "./shortcuts.js";
import { openChatMenu, startSidebar } from "./sidebar.js";
import { change, choice, state, watch } from "./state.js";
import { startThread } from "./thread.js";
import { language, t, translatePage } from "./words.js";

const root = document.documentElement;

/** What is loaded when it is first looked at. */
const views = {
  draw: () => import("./draw/draw.js").then(({ startDraw }) => startDraw()),
  usage: () => import("./usage.js").then(({ startUsage }) => startUsage()),
  keys: () => import("./keys.js").then(({ startKeys }) => startKeys()),
};

/** Shows what the address says: #/c/ID, #/draw, #/usage, #/keys, or a new conversation. */
async function followAddress() {
  const [, name, id] = location.hash.match(/^#\/(\w*)\/?([\w-]*)/) ?? [];
  if (name === "c" && id) await open(id);
  else if (["draw", "usage", "keys"].includes(name)) change({ view: name });
  else await open(null);
}

function drawView() {
  views[state.view]?.();
  delete views[state.view];
  for (const name of ["chat", "draw", "usage", "keys"]) $(`${name}-view`).hidden = state.view !== name;
  for (const node of document.querySelectorAll("[data-view]")) {
    if (node.dataset.view === state.view) node.setAttribute("aria-current", "page");
    else node.removeAttribute("aria-current");
  }
  $("chat-tools").hidden = state.view !== "chat";
  $("chat-menu").hidden = state.view !== "chat" || !state.chat;
  $("tabs").hidden = !state.models.some((model) => model.draws);
  const title = state.view === "chat" ? state.chat?.title : t(state.view);
  document.title = title ? `${title} · Qalam` : "Qalam";
}

function setLanguage(name) {
  root.lang = name;
  root.dir = name === "ar" ? "rtl" : "ltr";
  choice.set("language", name);
  drawWords();
}

function drawWords() {
  translatePage();
  $("language").textContent = t("otherLanguage");
  drawTheme();
  change({ language: language() });
}

function setTheme(name) {
  if (name === "auto") delete root.dataset.theme;
  else root.dataset.theme = name;
  choice.set("theme", name);
  drawTheme();
}

function drawTheme() {
  const name = root.dataset.theme ?? "auto";
  setIcon($("theme"), name);
  setLabel($("theme"), t("themes")[name]);
}

function chooseTheme() {
  const current = root.dataset.theme ?? "auto";
  openMenu($("theme"), ["auto", "light", "dark"].map((name) => ({
    label: t("themes")[name], checked: name === current, action: () => setTheme(name),
  })));
}

/** Shows what another window or another browser has changed meanwhile. */
async function refresh() {
  if (document.visibilityState !== "visible" || state.running.size || state.editing) return;
  list();
  const id = state.chat?.id;
  const chat = id && await get(`page/chats/${id}`).catch(() => null);
  if (chat && state.chat?.id === id && !state.running.size) change({ chat });
}

async function start() {
  watch(["view", "chat", "models", "language"], drawView);
  for (const part of [startThread, startComposer, startSidebar, startModels, startShortcuts]) part();
  $("language").addEventListener("click", () => setLanguage(language() === "ar" ? "en" : "ar"));
  $("theme").addEventListener("click", chooseTheme);
  $("open-settings").addEventListener("click", openSettings);
  $("open-shortcuts").addEventListener("click", showShortcuts);
  $("chat-menu").addEventListener("click", () => openChatMenu($("chat-menu")));
  window.addEventListener("hashchange", followAddress);
  document.addEventListener("visibilitychange", refresh);
  change({ defaults: choice.get("defaults") ?? {}, view: "chat" });
  drawWords();
  listModels();
  list();
  listLabels();
  await loadMarkdown();
  await followAddress();
  if (matchMedia("(pointer: fine)").matches && state.view === "chat") $("draft").focus();
  document.body.dataset.ready = "";
}

start();
