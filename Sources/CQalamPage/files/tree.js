// SPDX-License-Identifier: Apache-2.0

/**
 * A conversation as a tree: a message follows its parent; an edited message, or another answer, is another child of the
 * same parent. Functions of values: they know neither the page nor the server.
 */

/** The messages from the first to `head`. */
export function branch(messages, head) {
  const byID = new Map(messages.map((message) => [message.id, message]));
  const result = [];
  for (let at = byID.get(head); at && result.length < messages.length; at = byID.get(at.parent)) result.unshift(at);
  return result;
}

/** The messages that follow the same one as `message` does, in the order of their making. */
export function siblings(messages, message) {
  return messages.filter((other) => (other.parent ?? null) === (message.parent ?? null));
}

/** The siblings of `message` in groups: those that were asked for side by side are one. */
export function variants(messages, message) {
  const groups = [];
  for (const sibling of siblings(messages, message)) {
    const last = sibling.pair && groups.find((group) => group[0].pair === sibling.pair);
    if (last) last.push(sibling);
    else groups.push([sibling]);
  }
  return groups;
}

/** The end of the newest branch through `message`. */
export function leaf(messages, message) {
  let at = message;
  for (let steps = 0; steps < messages.length; steps += 1) {
    const next = messages.findLast((other) => other.parent === at.id);
    if (!next) break;
    at = next;
  }
  return at;
}

/** A text with the files that came with it, as the model reads it. */
export function fullText(message) {
  const files = (message.files ?? []).map(({ name, text }) => {
    // A fence longer than any in the file.
    const longest = Math.max(2, ...[...text.matchAll(/`{3,}/g)].map((match) => match[0].length));
    const fence = "`".repeat(longest + 1);
    return `${name}:\n${fence}\n${text}\n${fence}`;
  });
  return [message.content, ...files].filter(Boolean).join("\n\n");
}

/**
 * A branch as the API takes it; an answer that failed or is a picture, and the question that led to it, are no part of
 * it.
 */
export function asMessages(path, system) {
  const usable = path.filter((message, at) => {
    const answer = message.role === "user" ? path[at + 1] : message;
    return !answer || answer.content !== "";
  });
  const messages = usable.map((message) => ({ role: message.role, content: fullText(message) }));
  return system?.trim() ? [{ role: "system", content: system }, ...messages] : messages;
}
