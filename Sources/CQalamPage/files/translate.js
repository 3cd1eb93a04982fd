// SPDX-License-Identifier: Apache-2.0

/** Translating a message between Arabic and English: the model of the conversation does it. */

import { chosenModels, settings, request } from "./answers.js";
import { keep } from "./chats.js";
import { stream } from "./client.js";
import { say, sentence, toast } from "./parts.js";
import { change, state } from "./state.js";
import { direction, t } from "./words.js";

const prompts = {
  en: "Translate the user's text into English. Write the translation and nothing else.",
  ar: "ترجم نص المستخدم إلى العربية. اكتب الترجمة وحدها دون أي كلام آخر.",
};

/** The language that a text is translated into. */
const target = (text) => direction(text) === "rtl" ? "en" : "ar";

/** Translates a message and keeps the translation with it; asked again, it is taken away. */
export async function translate(chat, message) {
  if (message.translation) return keep(chat, [{ ...message, translation: undefined }]).catch(failed);
  if (state.running.has(message.id)) return undefined;
  const language = target(message.content);
  const controller = new AbortController();
  const translated = { ...message, translation: { language, text: "" } };
  const run = { controller, chat, message: translated, isTranslation: true };
  replace(chat, translated);
  change({ running: new Map(state.running).set(message.id, run), chat: state.chat });
  try {
    const body = request(chosenModels()[0], [
      { role: "system", content: prompts[language] }, { role: "user", content: message.content },
    ], { ...settings(), temperature: 0 });
    for await (const chunk of stream("v1/chat/completions", body, controller.signal)) {
      translated.translation.text += chunk.choices[0]?.delta.content ?? "";
      run.draw?.();
    }
  } catch (error) {
    if (!controller.signal.aborted) failed(error);
  }
  const running = new Map(state.running);
  running.delete(message.id);
  if (!translated.translation.text) delete translated.translation;
  say(translated.translation?.text ?? t("noTranslation"));
  change({ running });
  return keep(chat, [translated]).catch(failed);
}

const failed = (error) => toast(sentence(error));

function replace(chat, message) {
  chat.messages = chat.messages.map((other) => other.id === message.id ? message : other);
}
