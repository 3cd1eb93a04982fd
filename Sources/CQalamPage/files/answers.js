// SPDX-License-Identifier: Apache-2.0

/** Asking models, and what comes back. */

import { create, keep, list } from "./chats.js";
import { stream } from "./client.js";
import { attempt, say, sentence, toast } from "./parts.js";
import { paint, painter, wish } from "./pictures.js";
import { change, state } from "./state.js";
import { asMessages, branch } from "./tree.js";
import { t } from "./words.js";

/** A new id: without https `randomUUID` isn't there. */
const newID = () => [...crypto.getRandomValues(new Uint8Array(12))]
  .map((byte) => byte.toString(16).padStart(2, "0")).join("");

const now = () => Math.floor(Date.now() / 1000);

/** The settings that the open conversation is answered with. */
export const settings = () => state.chat?.settings ?? state.defaults;

/** The models that are asked: two to compare them. */
export function chosenModels() {
  const served = state.models.filter((model) => model.writes).map((model) => model.id);
  const wanted = settings();
  const first = served.includes(wanted.model) ? wanted.model : served[0];
  return wanted.other_model && served.includes(wanted.other_model) ? [first, wanted.other_model] : [first];
}

/** Whether the conversation is being answered. */
export const isBusy = (chat) => [...state.running.values()].some((run) => run.chat.id === chat?.id);

/** Sends what a person wrote after `parent` (by default after the branch shown), and has it answered or drawn. */
export async function ask(content, files = [], parent = state.chat?.head ?? null, draws = false) {
  const message = { id: newID(), role: "user", content, created_at: now() };
  if (draws) message.draws = true;
  if (parent) message.parent = parent;
  if (files.length) message.files = files;
  await attempt(async () => {
    let { chat } = state;
    if (chat) {
      await keep(chat, [message], message.id);
    } else {
      const title = (content || files[0]?.name || "").replace(/\s+/g, " ").trim();
      chat = await create(title.slice(0, 80), [message], message.id);
    }
    answer(chat, message);
  });
}

/** Has a question answered by the chosen models. */
export function answer(chat, question) {
  const prompt = wish(question);
  const models = prompt ? [painter()] : chosenModels();
  if (!models[0]) return toast(t("errors").noModel);
  const pair = models.length > 1 ? newID() : undefined;
  const runs = models.map((model) => {
    const message = { id: newID(), parent: question.id, role: "assistant", content: "", model, created_at: now() };
    if (pair) message.pair = pair;
    return { controller: new AbortController(), chat, message, prompt };
  });
  chat.messages = [...chat.messages, ...runs.map((run) => run.message)];
  chat.head = runs[0].message.id;
  const running = new Map(state.running);
  for (const run of runs) running.set(run.message.id, run);
  change({ running, chat: state.chat?.id === chat.id ? chat : state.chat });
  say(t(prompt ? "drawing" : "writing"));
  return Promise.all(runs.map((run) => write(run, branch(chat.messages, question.id))));
}

/** Stops the answers of the open conversation. */
export function stop() {
  for (const run of state.running.values()) if (run.chat.id === state.chat?.id) run.controller.abort();
}

/** The body of a request, by the settings of a conversation. */
export function request(model, messages, { model: _, other_model: __, system: ___, max_tokens: limit, ...sampling }) {
  return {
    model, messages, ...sampling, ...limit && { max_completion_tokens: limit }, stream: true,
    stream_options: { include_usage: true },
  };
}

async function write(run, path) {
  const { chat, message } = run;
  const meter = new Meter();
  try {
    if (run.prompt) await draw(run);
    else await converse(run, path, meter);
  } catch (error) {
    if (run.controller.signal.aborted) message.ended = "stopped";
    else Object.assign(message, { ended: "error", error: { code: error.code ?? "", message: error.message } });
  }
  if (meter.statistics) message.statistics = meter.statistics;
  const running = new Map(state.running);
  running.delete(message.id);
  change({ running, chat: state.chat });
  say(message.error ? sentence(message.error) : run.prompt ? `${t("drawn")}: ${run.prompt}` : message.content);
  await save(chat, message);
}

async function draw(run) {
  try {
    await paint(run.message, run.prompt, run.controller.signal, (partial) => {
      if (run.partial) URL.revokeObjectURL(run.partial);
      run.partial = partial;
      run.draw?.();
    });
  } finally {
    if (run.partial) URL.revokeObjectURL(run.partial);
    run.partial = null;
  }
}

async function converse(run, path, meter) {
  const { chat, message } = run;
  const body = request(message.model, asMessages(path, chat.settings.system), chat.settings);
  for await (const chunk of stream("v1/chat/completions", body, run.controller.signal)) {
    meter.take(chunk);
    const choice = chunk.choices[0];
    if (choice?.delta.content) message.content += choice.delta.content;
    if (choice?.delta.reasoning_content) {
      message.reasoning = (message.reasoning ?? "") + choice.delta.reasoning_content;
    }
    if (choice?.finish_reason) message.ended = choice.finish_reason === "length" ? "length" : "stop";
    run.draw?.();
  }
}

/** Keeps an answer, unless its conversation has been deleted meanwhile. */
async function save(chat, message) {
  try {
    await keep(chat, [message], chat.head);
    await list();
  } catch (error) {
    if (error.status !== 404) toast(sentence(error));
  }
}

/** Measures an answer: tokens, the time to the first of them, and the time of all. */
class Meter {
  start = performance.now();
  first = null;
  last = null;
  chunks = 0;
  tokens = null;

  take(chunk) {
    const delta = chunk.choices[0]?.delta;
    if (delta?.content || delta?.reasoning_content) {
      this.first ??= performance.now();
      this.last = performance.now();
      this.chunks += 1;
    }
    if (chunk.usage) this.tokens = chunk.usage.completion_tokens;
  }

  /** An answer that was stopped has no count of tokens: its pieces are nearly that. */
  get statistics() {
    if (this.first === null) return null;
    const seconds = (from, to) => Math.round(to - from) / 1000;
    return {
      tokens: this.tokens ?? this.chunks, seconds: seconds(this.start, this.last),
      first: seconds(this.start, this.first),
    };
  }
}

/** Before the page goes away: what has been written so far is kept. */
window.addEventListener("pagehide", () => {
  for (const { chat, message } of state.running.values()) {
    if (message.content) keep(chat, [{ ...message, ended: "stopped" }], chat.head, { keepalive: true }).catch(() => {});
  }
});
