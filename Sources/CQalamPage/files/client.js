// SPDX-License-Identifier: Apache-2.0

/** An error of the API: the server's sentence, and a code the page may know a better sentence for. */
class APIError extends Error {
  constructor(error, status = 0) {
    super(error?.message ?? "");
    this.code = error?.code ?? error?.type ?? null;
    this.status = status;
  }
}

async function checked(response) {
  if (response.ok) return response;
  // Without a key that holds, the server shows its door instead of the page.
  if (response.status === 401) location.reload();
  const body = await response.json().catch(() => null);
  throw new APIError(body?.error ?? { message: `${response.status} ${response.statusText}` }, response.status);
}

async function send(method, path, body, options = {}) {
  const json = body !== undefined && !(body instanceof FormData);
  let response;
  try {
    response = await fetch(path, {
      method, headers: json ? { "content-type": "application/json" } : {}, body: json ? JSON.stringify(body) : body,
      ...options,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new APIError({ code: "network" });
  }
  return checked(response);
}

/** Asks for JSON. */
export const get = async (path, options) => (await send("GET", path, undefined, options)).json();

/** Sends JSON (or a form) and returns what the server answers. */
export const post = async (path, body, options) => (await send("POST", path, body, options)).json();

/** Deletes what is there. */
export const remove = (path) => send("DELETE", path);

/** Sends JSON (or a form), and yields the JSON of each event that the server answers with. */
export async function* stream(path, body, signal) {
  const response = await send("POST", path, body, { signal });
  for await (const data of events(response.body)) {
    if (data === "[DONE]") return;
    const event = JSON.parse(data);
    if (event.error) throw new APIError(event.error);
    yield event;
  }
  throw new APIError({ code: "broken" });
}

/** The `data` of each server-sent event in a body, as text. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      pending += value;
      let end;
      while ((end = pending.indexOf("\n\n")) >= 0) {
        const lines = pending.slice(0, end).split("\n");
        pending = pending.slice(end + 2);
        const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
        if (data.length) yield data.join("\n");
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
