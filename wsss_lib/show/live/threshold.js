// A threshold to drag: the mask that it cuts from a score, its IoU, and the point on the curve.
// The same module serves pages, which hand it a small model, and anywidget in notebooks.

import { bytes, curveOf, cutOut, drawCurve, ious } from "./maps.js";

const STEPS = 100;

export function render({ model, el }) {
  const [width, height] = [model.get("width"), model.get("height")];
  const score = bytes(model.get("score"));
  const truth = bytes(model.get("truth"));
  const name = model.get("name");
  const means = Array.from({ length: STEPS }, (_, t) => {
    const found = ious(score, truth, (255 * t) / STEPS);
    return (found.object + found.ground) / 2;
  });
  el.classList.add("live-threshold");
  el.innerHTML = `
    <canvas width="${width}" height="${height}" role="img" aria-label="The photograph; what lies below the threshold is dark"></canvas>
    <div class="live-side">${curveOf("Mean IoU against the threshold", "mean IoU against the threshold", [0, 1])}</div>
    <label>threshold <input type="range" min="0" max="${STEPS - 1}" step="1"></label>
    <output aria-live="polite"></output>`;
  const [canvas, curve] = [el.querySelector("canvas"), el.querySelector("svg")];
  const [slider, said] = [el.querySelector("input"), el.querySelector("output")];
  const picture = new Image();

  function show() {
    const t = Number(slider.value);
    const cut = (255 * t) / STEPS;
    const found = ious(score, truth, cut);
    if (picture.complete) cutOut(canvas, picture, score, width, cut);
    drawCurve(curve, means, STEPS, t);
    said.value = `above ${(t / STEPS).toFixed(2)}: IoU of the ${name} ${found.object.toFixed(3)}, of the ground ${found.ground.toFixed(3)}, mean ${means[t].toFixed(3)}`;
  }

  slider.value = model.get("start");
  slider.addEventListener("input", () => {
    show();
    model.set("start", Number(slider.value));
    model.save_changes();
  });
  picture.addEventListener("load", show);
  picture.src = model.get("image");
  show();
}

export default { render };
