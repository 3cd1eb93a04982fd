// SPDX-License-Identifier: Apache-2.0

/** What the page remembers, all of it in this browser. */

const defaults = { system: "", temperature: 0.7, topP: 1, maxTokens: null, seed: null };

function read(key, fallback) {
  try {
    return JSON.parse(localStorage.getItem(`qalam.${key}`)) ?? fallback;
  } catch {
    return fallback;
  }
}

/** Keeps `value`; false: the browser has no room, or doesn't allow it. */
function write(key, value) {
  try {
    localStorage.setItem(`qalam.${key}`, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

const isText = (value) => typeof value === "string";

function isConversation(value) {
  return isText(value?.id) && isText(value.title) && Array.isArray(value.messages)
    && value.messages.every((message) => isText(message?.role) && isText(message.content));
}

/** Conversations, newest first: {id, title, updated, messages: [{role, content, …}]}. */
export const conversations = {
  load: () => [read("conversations", [])].flat().filter(isConversation),
  save: (list) => write("conversations", list),
  isKey: (key) => key === "qalam.conversations",
};

/** The sampling settings and the system prompt. */
export const settings = {
  defaults,
  load: () => ({ ...defaults, ...read("settings", {}) }),
  save: (value) => write("settings", value),
};

/** Small choices: language, theme, model. */
export const choice = {
  get: (name) => read(name, null),
  set: (name, value) => write(name, value),
};
