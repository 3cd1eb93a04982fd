// SPDX-License-Identifier: Apache-2.0

/** Pictures in a conversation: when one is asked for, and how it is drawn and shown. */

import { make } from "./parts.js";
import { state } from "./state.js";

const command = /^\s*(?:\/draw|\/?ارسم(?:ي|وا)?|\/رسم)(?=\s|$)\s*/u;
const largestSeed = 2 ** 31;

/** The model that draws; nothing if none is served. */
export const painter = () => state.models.find((model) => model.draws)?.id;

/** The words to draw in what a person wrote; null: no picture is asked for, or none can be had. */
export function wish({ content, draws }) {
  if (!painter() || !draws && !command.test(content)) return null;
  return content.replace(command, "").trim() || null;
}

/** Draws the picture that `message` is for; `show` is called with each state of it. */
export async function paint(message, prompt, signal, show) {
  // Most conversations need none of it.
  const { generate } = await import("./draw/images.js");
  const seed = Math.floor(Math.random() * largestSeed);
  const request = { model: message.model, prompt, seed };
  const picture = await generate(request, signal, (partial) => show(URL.createObjectURL(partial)));
  if (!picture) throw Object.assign(new Error(), { code: "broken" });
  message.pictures = [{ data: await base64(picture), type: picture.type, alt: prompt.slice(0, 1000), seed }];
  message.ended = "stop";
}

async function base64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** A picture's address, which holds all of it. */
export const address = ({ data, type }) => `data:${type};base64,${data}`;

/** A message's picture while it forms, or all of them once they are done. */
export function pictureNodes(message, run) {
  const shown = (message.pictures ?? []).map((picture) => ({ source: address(picture), alt: picture.alt }));
  if (!shown.length && run?.prompt) shown.push({ source: run.partial, alt: run.prompt });
  return shown.map(({ source, alt }) => {
    const image = make("img");
    image.alt = alt;
    if (source) image.src = source;
    else image.hidden = true;
    const caption = make("figcaption", "faint", alt);
    caption.dir = "auto";
    return make("figure", "drawn", image, caption);
  });
}
