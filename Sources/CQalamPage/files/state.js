// SPDX-License-Identifier: Apache-2.0

/**
 * What the page shows. It flows one way: people's actions call functions that talk to the server and then `change`
 * the state; the parts of the page that watch what was changed draw themselves anew.
 */
export const state = {
  /** "chat", "draw", "usage" or "keys". */
  view: "chat",
  /** Whose key the browser has, as the server says; null until it has said. */
  session: null,
  /** The models served. */
  models: [],
  /** The conversations listed, as the server lists them, and whether there are more. */
  chats: [],
  hasMore: false,
  /** What the list is narrowed to. */
  search: "",
  label: null,
  /** Labels in use: [{label, count}]. */
  labels: [],
  /** The conversation that is open; null: a new one. */
  chat: null,
  /** How conversations that are not made yet will be answered. */
  defaults: {},
  /** Answers being written: message id → {controller, chat, message}. */
  running: new Map(),
  /** The message that is being edited. */
  editing: null,
};

const watchers = [];
let changed = null;

/** Calls `draw` after each change of one of these members of the state. */
export function watch(names, draw) {
  watchers.push({ names, draw });
}

/** Changes the state; what watches it is drawn once all changes of the moment are made. */
export function change(members) {
  Object.assign(state, members);
  if (!changed) {
    changed = new Set();
    queueMicrotask(() => {
      const names = changed;
      changed = null;
      for (const { names: wanted, draw } of watchers) if (wanted.some((name) => names.has(name))) draw();
    });
  }
  for (const name of Object.keys(members)) changed.add(name);
}

/** Small choices that belong to this browser: language, colours, the last model. */
export const choice = {
  get(name) {
    try {
      return JSON.parse(localStorage.getItem(`qalam.${name}`));
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(`qalam.${name}`, JSON.stringify(value));
    } catch {
      // A browser that keeps nothing: the choice lasts as long as the page.
    }
  },
};
