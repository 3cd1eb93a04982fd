// SPDX-License-Identifier: Apache-2.0

/** Words to pictures: the form, the pictures as they form, and the gallery. */

import { edit, generate, vary } from "./images.js";
import { forgetPicture, keepPicture, pictures } from "./gallery.js";
import { editPicture } from "./mask.js";
import { field } from "../menus.js";
import { $, attempt, button, download, make, say, sentence, toast } from "../parts.js";
import { choice, state, watch } from "../state.js";
import { t } from "../words.js";

const sizes = ["", "32x32", "64x64", "128x128", "256x256"];
const largestSeed = 2 ** 31;

/** Pictures being drawn: {id, prompt, …, controller, node}. */
const running = new Set();
let gallery = null;
let ids = 0;

const model = () => state.models.find((each) => each.draws)?.id;
const newID = () => `${Date.now()}-${String(ids++).padStart(4, "0")}`;

function drawForm() {
  const wanted = { count: 4, size: "", ...choice.get("drawing") };
  const prompt = make("textarea");
  Object.assign(prompt, { name: "prompt", rows: 2, required: true, dir: "auto", placeholder: t("promptHint") });
  prompt.value = $("draw-view").querySelector("[name=prompt]")?.value ?? "";
  const count = make("input");
  Object.assign(count, { type: "number", name: "count", min: 1, max: 8, value: wanted.count, required: true });
  const size = make("select");
  size.name = "size";
  for (const name of sizes) size.append(new Option(name ? name.replace("x", " × ") : t("usualSize"), name));
  size.value = wanted.size;
  const seed = make("input");
  Object.assign(seed, { type: "number", name: "seed", min: 0, placeholder: t("random") });
  const submit = make("button", "primary", t("draw"));
  const form = make("form", "draw-form", field(t("prompt"), prompt),
    make("div", "columns", field(t("count"), count), field(t("size"), size), field(t("seed"), seed)), submit);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    choice.set("drawing", { count: Number(count.value), size: size.value });
    drawAll(prompt.value.trim(), Number(count.value), size.value, seed.value === "" ? null : Number(seed.value));
  });
  prompt.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  return form;
}

/** Several pictures are several requests with seeds one after another: each can be had again alone. */
function drawAll(prompt, count, size, seed) {
  const first = seed ?? Math.floor(Math.random() * largestSeed);
  for (let at = 0; at < count; at += 1) {
    const entry = { id: newID(), prompt, model: model(), size, seed: first + at };
    run(entry, (signal, show) => generate(entry, signal, show));
  }
}

/** Has a picture drawn, shows it while it forms, and keeps it. */
async function run(entry, work) {
  const job = { ...entry, controller: new AbortController() };
  job.node = card(entry, job);
  running.add(job);
  $("gallery").prepend(job.node);
  $("gallery-none").hidden = true;
  try {
    const picture = await work(job.controller.signal, (partial) => showPicture(job.node, partial));
    if (!picture) throw Object.assign(new Error(), { code: "broken" });
    const done = { ...entry, picture };
    await keepPicture(done);
    gallery = [done, ...gallery ?? []];
    job.node.replaceWith(card(done));
    say(`${t("drawn")}: ${entry.prompt}`);
  } catch (error) {
    job.node.remove();
    if (!job.controller.signal.aborted) toast(sentence(error));
  }
  running.delete(job);
  $("gallery-none").hidden = $("gallery").childElementCount > 0;
}

function showPicture(node, picture) {
  const image = node.querySelector("img");
  const old = image.src;
  image.src = URL.createObjectURL(picture);
  image.hidden = false;
  if (old) image.decode().catch(() => {}).then(() => URL.revokeObjectURL(old));
}

/** A picture with what can be done with it; `job`: it is still being drawn. */
function card(entry, job) {
  const image = make("img");
  image.alt = entry.prompt;
  image.hidden = true;
  const words = make("p", "", entry.prompt);
  words.dir = "auto";
  const node = make("li", job ? "picture forming" : "picture", make("div", "canvas", image), words);
  const actions = make("div", "actions");
  if (job) {
    actions.append(button("icon small", t("stopDrawing"), "stop", () => job.controller.abort()));
  } else {
    showPicture(node, entry.picture);
    actions.append(
      button("icon small", t("reuse"), "again", () => reuse(entry)),
      button("icon small", t("vary"), "vary", () => {
        const next = { ...entry, id: newID(), picture: undefined };
        run(next, (signal) => vary({ model: model(), image: entry.picture }, signal));
      }),
      button("icon small", t("editPicture"), "edit", () => editPicture(entry, (prompt, mask) => {
        const next = { ...entry, id: newID(), prompt, picture: undefined };
        run(next, (signal, show) => edit({ ...next, model: model(), image: entry.picture, mask }, signal, show));
      })),
      button("icon small", t("download"), "download",
        () => download(`${fileName(entry)}.png`, "image/png", entry.picture)),
      button("icon small", t("delete"), "delete", () => removePicture(entry, node)));
  }
  node.append(actions);
  return node;
}

const fileName = (entry) => entry.prompt.replace(/[\\/:*?"<>|\p{Cc}]+/gu, " ").trim().slice(0, 60) || "qalam";

/** Puts a picture's words, size and seed into the form. */
function reuse(entry) {
  const form = $("draw-view").querySelector("form").elements;
  form.prompt.value = entry.prompt;
  form.seed.value = entry.seed ?? "";
  form.size.value = sizes.includes(entry.size) ? entry.size : "";
  form.prompt.focus();
}

async function removePicture(entry, node) {
  await attempt(() => forgetPicture(entry.id));
  gallery = gallery.filter((other) => other !== entry);
  node.remove();
  toast(t("pictureDeleted"), async () => {
    await attempt(() => keepPicture(entry));
    gallery = [entry, ...gallery];
    $("gallery").prepend(card(entry));
  });
}

async function draw() {
  if (state.view !== "draw") return;
  gallery ??= await attempt(pictures) ?? [];
  const forming = [...running].toReversed().map((job) => job.node);
  const list = make("ul", "", ...forming, ...gallery.map((entry) => card(entry)));
  list.id = "gallery";
  list.setAttribute("aria-label", t("gallery"));
  const none = make("p", "faint", t("noPictures"));
  none.id = "gallery-none";
  none.hidden = list.childElementCount > 0;
  $("draw-view").replaceChildren(make("h1", "", t("drawTitle")), drawForm(), none, list);
}

/** Sets the drawing view up. */
export function startDraw() {
  watch(["view", "language"], draw);
  draw();
}
