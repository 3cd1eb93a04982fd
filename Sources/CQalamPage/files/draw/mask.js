// SPDX-License-Identifier: Apache-2.0

/** The dialog in which people paint over what shall be drawn anew. */

import { field, openDialog } from "../menus.js";
import { make, textButton } from "../parts.js";
import { t } from "../words.js";

/** How large the canvas is drawn, whatever the picture's size. */
const shownSize = 384;

/** A canvas that is painted on with a pen or finger, or with the arrow keys and the space bar. */
class Painter {
  brush = 0.12;
  place = { x: 0.5, y: 0.5 };

  constructor(image) {
    this.image = image;
    const { width, height } = image;
    const scale = Math.max(1, Math.round(shownSize / Math.max(width, height)));
    this.canvas = make("canvas", "painter");
    Object.assign(this.canvas, { width: width * scale, height: height * scale, tabIndex: 0 });
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", t("paintHint"));
    this.mask = new OffscreenCanvas(width, height);
    this.listen();
    this.draw();
  }

  listen() {
    const move = (event) => {
      const box = this.canvas.getBoundingClientRect();
      this.place = { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
      if (event.buttons) this.paint();
      else this.draw();
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      move(event);
    });
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step && event.key !== " ") return;
      event.preventDefault();
      if (step) {
        const clamp = (value) => Math.min(1, Math.max(0, value));
        this.place = { x: clamp(this.place.x + step[0] / 24), y: clamp(this.place.y + step[1] / 24) };
      }
      if (event.key === " " || event.shiftKey) this.paint();
      else this.draw();
    });
  }

  paint() {
    const { width, height } = this.mask;
    const context = this.mask.getContext("2d");
    context.fillStyle = "#e3b84f";
    context.beginPath();
    context.arc(this.place.x * width, this.place.y * height, this.brush * Math.max(width, height) / 2, 0, 2 * Math.PI);
    context.fill();
    this.painted = true;
    this.draw();
  }

  clear() {
    this.mask.getContext("2d").clearRect(0, 0, this.mask.width, this.mask.height);
    this.painted = false;
    this.draw();
  }

  /** The picture, what is painted over it, and the brush. */
  draw() {
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    context.clearRect(0, 0, width, height);
    context.drawImage(this.image, 0, 0, width, height);
    context.globalAlpha = 0.75;
    context.drawImage(this.mask, 0, 0, width, height);
    context.globalAlpha = 1;
    context.beginPath();
    context.arc(this.place.x * width, this.place.y * height, this.brush * Math.max(width, height) / 2, 0, 2 * Math.PI);
    context.lineWidth = 2;
    context.strokeStyle = "#e3b84f";
    context.stroke();
  }

  /** The mask as the API takes it: transparent where the picture is to be drawn anew. */
  png() {
    const result = new OffscreenCanvas(this.mask.width, this.mask.height);
    const context = result.getContext("2d");
    context.fillRect(0, 0, result.width, result.height);
    context.globalCompositeOperation = "destination-out";
    context.drawImage(this.mask, 0, 0);
    return result.convertToBlob({ type: "image/png" });
  }
}

/** Asks what to draw where; calls `done` with the words and the mask. */
export async function editPicture(entry, done) {
  const painter = new Painter(await createImageBitmap(entry.picture));
  const prompt = make("textarea");
  Object.assign(prompt, { rows: 2, value: entry.prompt, required: true, dir: "auto" });
  const brush = make("input");
  Object.assign(brush, { type: "range", min: 0.03, max: 0.5, step: 0.01, value: painter.brush });
  brush.addEventListener("input", () => {
    painter.brush = Number(brush.value);
    painter.draw();
  });
  openDialog(t("editPicture"), [
    make("p", "faint", t("paintHint")), painter.canvas,
    make("div", "pair-row", field(t("brush"), brush), textButton("plain", t("clear"), () => painter.clear())),
    field(t("prompt"), prompt),
  ], [[t("cancel"), "plain"], [t("draw"), "primary", async () => {
    if (!painter.painted) {
      painter.canvas.focus();
      return false;
    }
    done(prompt.value.trim(), await painter.png());
    return true;
  }]]);
}
