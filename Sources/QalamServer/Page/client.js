// SPDX-License-Identifier: Apache-2.0

/** An error of the API: the server's sentence, and a code the page may know a better sentence for. */
export class APIError extends Error {
  constructor(error) {
    super(error?.message ?? "");
    this.code = error?.code ?? error?.type ?? null;
  }
}

async function failure(response) {
  const body = await response.json().catch(() => null);
  return new APIError(body?.error ?? { message: `${response.status} ${response.statusText}` });
}

/** The names of the models served. */
export async function models() {
  const response = await fetch("v1/models");
  if (!response.ok) throw await failure(response);
  return (await response.json()).data.map((model) => model.id);
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

/**
 * Asks for an answer and calls `onText` with each piece of it.
 * Returns why it ended, and how many tokens it took. Aborting `signal` makes the server stop, too.
 */
export async function chat(request, signal, onText) {
  const response = await fetch("v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...request, stream: true, stream_options: { include_usage: true } }),
    signal,
  });
  if (!response.ok) throw await failure(response);
  let finish = null;
  let usage = null;
  for await (const data of events(response.body)) {
    if (data === "[DONE]") return { finish, usage };
    const chunk = JSON.parse(data);
    if (chunk.error) throw new APIError(chunk.error);
    const choice = chunk.choices[0];
    if (choice?.delta.content) onText(choice.delta.content);
    finish = choice?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  throw new APIError({ code: "broken" });
}
