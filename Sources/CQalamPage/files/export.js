// SPDX-License-Identifier: Apache-2.0

/** Conversations as files. */

import { get } from "./client.js";
import { attempt, download } from "./parts.js";
import { address } from "./pictures.js";
import { branch, fullText } from "./tree.js";
import { t } from "./words.js";

/** Gives the browser a conversation: the branch that is shown as Markdown, or all of it as JSON. */
export function exportChat(id, format) {
  return attempt(async () => {
    const chat = await get(`page/chats/${id}`);
    const name = chat.title.replace(/[\\/:*?"<>|\p{Cc}]+/gu, " ").trim().slice(0, 80) || "qalam";
    if (format === "json") download(`${name}.json`, "application/json", `${JSON.stringify(chat, null, 2)}\n`);
    else download(`${name}.md`, "text/markdown", markdown(chat));
  });
}

/** A picture, all of it in the text. */
function pictureMarkdown(picture) {
  return `![${picture.alt.replace(/[\[\]\\]/g, "\\$&").replace(/\s+/g, " ")}](${address(picture)})`;
}

/** The branch that is shown. */
export function markdown(chat) {
  const parts = [`# ${chat.title}`];
  if (chat.settings.system?.trim()) parts.push(`> ${chat.settings.system.trim().replace(/\n/g, "\n> ")}`);
  for (const message of branch(chat.messages, chat.head)) {
    const who = message.role === "user" ? t("you") : message.model ?? "Qalam";
    parts.push(`## ${who}`, fullText(message), ...(message.pictures ?? []).map(pictureMarkdown));
    if (message.translation) parts.push(`*${t("translation")}*`, message.translation.text);
  }
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}
