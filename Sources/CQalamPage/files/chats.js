// SPDX-License-Identifier: Apache-2.0

/** What can be done with conversations. They are kept by the server; these functions tell it, then the state. */

import { get, post, remove } from "./client.js";
import { attempt, sentence, toast } from "./parts.js";
import { change, state } from "./state.js";
import { leaf } from "./tree.js";
import { t } from "./words.js";

const pageSize = 100;
let listing = 0;

/** Lists the conversations that fit the search and the label; with `more`, those after the ones listed. */
export async function list({ more = false } = {}) {
  const turn = ++listing;
  const query = new URLSearchParams({ limit: pageSize, offset: more ? state.chats.length : 0 });
  if (state.search.trim()) query.set("search", state.search.trim().slice(0, 256));
  if (state.label !== null) query.set("label", state.label);
  try {
    const page = await get(`page/chats?${query}`);
    // Only the answer to what was asked last is shown.
    if (turn !== listing) return;
    change({ chats: more ? [...state.chats, ...page.data] : page.data, hasMore: page.has_more });
  } catch (error) {
    toast(sentence(error));
  }
}

/** Counts the labels. */
export async function listLabels() {
  await attempt(async () => change({ labels: (await get("page/labels")).data }));
  if (state.label !== null && !state.labels.some(({ label }) => label === state.label)) {
    change({ label: null });
    await list();
  }
}

/** Goes to the conversation of this id; null: to a new one. */
export function go(id) {
  const hash = id ? `#/c/${id}` : "#/";
  if (location.hash === hash || !id && !location.hash) change({ view: "chat", chat: id ? state.chat : null });
  else location.hash = hash;
}

/** Opens a conversation; one that is being answered is as it is here, not as the server has it so far. */
export async function open(id) {
  if (!id) return change({ view: "chat", chat: null, editing: null });
  if (state.chat?.id === id) return change({ view: "chat" });
  const busy = [...state.running.values()].find((run) => run.chat.id === id);
  try {
    const chat = busy?.chat ?? await get(`page/chats/${encodeURIComponent(id)}`);
    change({ view: "chat", chat, editing: null });
  } catch (error) {
    toast(error.status === 404 ? t("noSuchChat") : sentence(error));
    history.replaceState(null, "", "#/");
    change({ view: "chat", chat: null, editing: null });
  }
}

/** Makes a conversation that begins with these messages, and opens it. */
export async function create(title, messages, head) {
  const chat = await post("page/chats", {
    title, settings: state.defaults, labels: state.label === null ? [] : [state.label], messages, head,
  });
  history.replaceState(null, "", `#/c/${chat.id}`);
  change({ chat });
  await list();
  return chat;
}

/** Keeps messages of a conversation; `head` becomes the end of the branch that is shown. */
export async function keep(chat, messages, head, options = {}) {
  const byID = new Map(messages.map((message) => [message.id, message]));
  chat.messages = [
    ...chat.messages.map((old) => byID.get(old.id) ?? old),
    ...messages.filter((message) => !chat.messages.some((old) => old.id === message.id)),
  ];
  if (head) chat.head = head;
  if (state.chat?.id === chat.id) change({ chat });
  await post(`page/chats/${chat.id}/messages`, { messages, ...head && { head } }, options);
}

/** Changes the title, labels, settings or head of a conversation. */
export async function update(chat, members) {
  Object.assign(chat, members);
  if (state.chat?.id === chat.id) change({ chat: Object.assign(state.chat, members) });
  change({ chats: state.chats.map((other) => other.id === chat.id ? { ...other, ...members } : other) });
  await attempt(() => post(`page/chats/${chat.id}`, members));
  if (members.labels) await listLabels();
}

/** Shows the branch through `message`. */
export function show(chat, message) {
  return update(chat, { head: leaf(chat.messages, message).id });
}

/** Deletes a conversation, which can be taken back for some seconds. */
export async function removeChat(id) {
  const whole = await attempt(() => get(`page/chats/${id}`));
  if (!whole) return;
  for (const run of state.running.values()) if (run.chat.id === id) run.controller.abort();
  if (!await attempt(() => remove(`page/chats/${id}`))) return;
  if (state.chat?.id === id) go(null);
  await Promise.all([list(), listLabels()]);
  toast(t("deleted"), () => attempt(async () => {
    const { title, labels, settings, messages, head } = whole;
    const chat = await post("page/chats", { title, labels, settings, messages, ...head && { head } });
    await Promise.all([list(), listLabels()]);
    go(chat.id);
  }));
}
