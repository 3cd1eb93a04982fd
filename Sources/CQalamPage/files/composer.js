// SPDX-License-Identifier: Apache-2.0

/** Where people write: the text, the files that go with it, and the button that sends or stops. */

import { ask, isBusy, stop } from "./answers.js";
import { $, bytes, button, icon, make, setIcon, setLabel, toast } from "./parts.js";
import { painter } from "./pictures.js";
import { change, state, watch } from "./state.js";
import { branch } from "./tree.js";
import { t } from "./words.js";

const maximumFiles = 8;
const maximumBytes = 256 * 1024;

let files = [];
/** Whether the next message is to be drawn. */
let draws = false;

function draw() {
  const busy = isBusy(state.chat);
  const send = $("send");
  setIcon(send, busy ? "stop" : "send");
  setLabel(send, busy ? t("stop") : t("send"));
  send.classList.toggle("stop", busy);
  send.disabled = !busy && !$("draft").value.trim() && !files.length;
  const draft = $("draft");
  const pen = $("draw-it");
  pen.hidden = !painter();
  draws &&= !pen.hidden;
  pen.setAttribute("aria-pressed", String(draws));
  draft.placeholder = t(draws ? "promptHint" : "ask");
  draft.style.height = "auto";
  draft.style.height = `${draft.scrollHeight}px`;
}

function drawFiles() {
  $("files").hidden = !files.length;
  $("files").replaceChildren(...files.map((file) => make("li", "", icon("file"), make("bdi", "", file.name),
    make("span", "faint", bytes(new TextEncoder().encode(file.text).length)),
    button("icon small", `${t("takeAway")}: ${file.name}`, "close", () => {
      files = files.filter((other) => other !== file);
      drawFiles();
      $("draft").focus();
    }))));
  draw();
}

/** Adds text files to the message; others, and what is too large, is told. */
async function attach(list) {
  for (const file of list) {
    if (files.length >= maximumFiles) {
      toast(t("tooManyFiles"));
      break;
    }
    if (file.size > maximumBytes) {
      toast(`${file.name}: ${t("fileTooLarge")} ${bytes(maximumBytes)}.`);
      continue;
    }
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
      if (text.includes("\0")) throw new TypeError();
      files = [...files, { name: file.name.slice(0, 256), text }];
    } catch {
      toast(`${file.name}: ${t("notText")}`);
    }
  }
  drawFiles();
}

function submit() {
  const text = $("draft").value.trim();
  if (isBusy(state.chat) || !text && !files.length) return;
  const sent = files;
  $("draft").value = "";
  files = [];
  drawFiles();
  const drawn = draws;
  setDraws(false);
  ask(text, sent, undefined, drawn);
}

function setDraws(value) {
  draws = value;
  draw();
}

/** In an empty box, the arrow upwards edits the last message that was sent. */
function editLast(event) {
  if (event.key !== "ArrowUp" || $("draft").value || !state.chat || isBusy(state.chat)) return;
  const last = branch(state.chat.messages, state.chat.head).findLast((message) => message.role === "user");
  if (!last) return;
  event.preventDefault();
  change({ editing: last.id });
}

function startDropping() {
  const main = $("chat-view");
  const carriesFiles = (event) => [...event.dataTransfer?.types ?? []].includes("Files");
  main.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    main.classList.add("dropping");
  });
  main.addEventListener("dragleave", (event) => {
    if (!main.contains(event.relatedTarget)) main.classList.remove("dropping");
  });
  main.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    main.classList.remove("dropping");
    attach(event.dataTransfer.files);
  });
}

/** Sets the composer up. */
export function startComposer() {
  watch(["chat", "running", "language", "models"], draw);
  watch(["language"], drawFiles);
  $("draft").addEventListener("input", draw);
  $("draft").addEventListener("keydown", (event) => {
    editLast(event);
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  });
  $("draft").addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    attach(event.clipboardData.files);
  });
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    if (isBusy(state.chat)) stop();
    else submit();
  });
  $("draw-it").addEventListener("click", () => {
    setDraws(!draws);
    $("draft").focus();
  });
  $("attach").addEventListener("click", () => $("file-input").click());
  $("file-input").addEventListener("change", async () => {
    await attach($("file-input").files);
    $("file-input").value = "";
    $("draft").focus();
  });
  startDropping();
}
