// SPDX-License-Identifier: Apache-2.0

/** OpenAI's images API: pictures from words, from pictures with a mask, and variations. */

import { post, stream } from "../client.js";

const partialImages = 3;

function blob(base64, type = "png") {
  return new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type: `image/${type}` });
}

/** Follows a stream: calls `show` with each picture as it forms, and returns the last one. */
async function follow(path, body, signal, show) {
  let picture = null;
  for await (const event of stream(path, body, signal)) {
    if (!event.b64_json) continue;
    picture = blob(event.b64_json, event.output_format);
    show(picture);
    if (event.type?.endsWith(".completed")) return picture;
  }
  return picture;
}

/** Draws one picture. */
export function generate({ model, prompt, size, seed }, signal, show) {
  const body = { model, prompt, n: 1, ...size && { size }, seed, stream: true, partial_images: partialImages };
  return follow("v1/images/generations", body, signal, show);
}

function form(fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Blob) body.set(name, value, `${name}.png`);
    else if (value !== undefined && value !== "") body.set(name, String(value));
  }
  return body;
}

/** Draws what is transparent in the mask anew. */
export function edit({ model, prompt, image, mask, seed }, signal, show) {
  const body = form({ model, prompt, image, mask, seed, n: 1, stream: true, partial_images: partialImages });
  return follow("v1/images/edits", body, signal, show);
}

/** Draws another picture like this one. */
export async function vary({ model, image }, signal) {
  const body = form({ model, image, n: 1, response_format: "b64_json" });
  const { data } = await post("v1/images/variations", body, { signal });
  return blob(data[0].b64_json);
}
