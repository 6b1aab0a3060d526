// PAMR in the page: the map and its mask after each step, and the IoU of all steps as a curve.

import { bytes, curveOf, cutOut, drawCurve, escaped, ious, planesOf, tinted, unrolled } from "./maps.js";
import { neighboursOf, pamrStep, pamrWeights } from "./refine.js";

const TINT = [240, 228, 66];

export function render({ model, el }) {
  const photographs = model.get("photographs");
  const steps = model.get("steps");
  el.classList.add("live-pamr");
  el.innerHTML = `
    <label>photograph <select>${photographs.map(({ name }, i) => `<option value="${i}">${escaped(name)}</option>`).join("")}</select></label>
    <div class="live-pair">
      <figure><canvas role="img" aria-label="The photograph, tinted where the score is high"></canvas>
        <figcaption>score</figcaption></figure>
      <figure><canvas role="img" aria-label="The photograph; what lies outside the mask is dark"></canvas>
        <figcaption>mask</figcaption></figure>
    </div>
    <div class="live-side">${curveOf("IoU against the steps", "IoU against the steps", [0, steps])}</div>
    <div class="live-said"><label>steps <input type="range" min="0" max="${steps}" step="1"></label>
      <output aria-live="polite"></output></div>`;
  const [map, mask] = el.querySelectorAll("canvas");
  const [choice, slider] = [el.querySelector("select"), el.querySelector("input")];
  const [curve, said] = [el.querySelector("svg"), el.querySelector("output")];
  let run = null;

  function show() {
    const { about, picture, maps, figures } = run;
    const t = Math.min(Number(slider.value), maps.length - 1); // others are not there yet
    tinted(map, picture, maps[t], about.width, 255, TINT);
    cutOut(mask, picture, maps[t], about.width, 255 * about.threshold);
    drawCurve(curve, figures, steps, t);
    said.value = `${t} ${t === 1 ? "step" : "steps"}: IoU of the ${about.name} ${figures[t].toFixed(3)}, without PAMR ${figures[0].toFixed(3)}; cut at ${about.threshold.toFixed(2)}`;
  }

  function keep(current, map) {
    current.maps.push(map);
    current.figures.push(ious(map, current.truth, 255 * current.about.threshold).object);
    if (current === run) show();
  }

  // One step for each frame, so that the page answers meanwhile.
  function advance(current) {
    if (current !== run || current.maps.length > steps) return;
    keep(current, pamrStep(current.maps.at(-1), current.neighbours, current.weights));
    requestAnimationFrame(() => advance(current));
  }

  function start() {
    const about = photographs[Number(choice.value)];
    const { width, height } = about;
    const picture = new Image();
    const current = { about, picture, truth: unrolled(about.truth, width * height), maps: [], figures: [] };
    run = current;
    picture.addEventListener("load", () => {
      for (const canvas of [map, mask]) [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
      current.neighbours = neighboursOf(width, height, model.get("dilations"));
      current.weights = pamrWeights(planesOf(picture, width, height), current.neighbours, model.get("sharpness"));
      keep(current, Float32Array.from(bytes(about.score)));
      requestAnimationFrame(() => advance(current));
    });
    picture.src = about.image;
  }

  slider.value = model.get("start");
  slider.addEventListener("input", () => {
    if (run.maps.length) show();
    model.set("start", Number(slider.value));
    model.save_changes();
  });
  choice.addEventListener("change", start);
  start();
}

export default { render };
