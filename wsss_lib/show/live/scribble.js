// Strokes on a photograph, and what the random walker or PAMR makes of them while they are drawn.

import { cutOut, dashedLine, escaped, ious, planesOf, unrolled } from "./maps.js";
import { FREE, colourEdges, neighboursOf, pamrStep, pamrWeights, walk } from "./refine.js";

const COLOURS = ["#56b4e9", "#e69f00"]; // ground, object
const BY_HAND = [240, 228, 66];

// Labels under strokes, 255 elsewhere: pixels whose middle lies within a radius of the pen's way.
export function drawn(strokes, width, height, radius) {
  const seeds = new Uint8Array(width * height).fill(FREE);
  for (const { label, places } of strokes) {
    places.forEach(([x1, y1], i) => {
      const [x0, y0] = places[Math.max(i - 1, 0)];
      const [dx, dy] = [x1 - x0, y1 - y0];
      const from = (a, b) => Math.max(Math.floor(Math.min(a, b) - radius), 0);
      const to = (a, b, side) => Math.min(Math.ceil(Math.max(a, b) + radius), side);
      for (let y = from(y0, y1); y < to(y0, y1, height); y += 1) {
        for (let x = from(x0, x1); x < to(x0, x1, width); x += 1) {
          const [px, py] = [x + 0.5 - x0, y + 0.5 - y0];
          const along = Math.min(Math.max((px * dx + py * dy) / Math.max(dx * dx + dy * dy, 1e-9), 0), 1);
          if ((px - along * dx) ** 2 + (py - along * dy) ** 2 <= radius ** 2) seeds[y * width + x] = label;
        }
      }
    });
  }
  return seeds;
}

const TOOLS = `
  <label>photograph <select></select></label>
  <fieldset><legend>pen</legend>
    <label class="object"><input type="radio" name="pen" value="1" checked> object</label>
    <label class="ground"><input type="radio" name="pen" value="0"> ground</label>
  </fieldset>
  <span><button type="button" data-do="undo">undo</button>
    <button type="button" data-do="clear">clear</button>
    <button type="button" data-do="ours">our strokes</button></span>`;
const SETTINGS = `
  <fieldset><legend>refiner</legend>
    <label><input type="radio" name="refiner" value="walker" checked> random walker</label>
    <label><input type="radio" name="refiner" value="pamr"> PAMR</label>
  </fieldset>
  <label class="steps" hidden>steps <input type="range" min="0" step="1"> <span></span></label>
  <label><input type="checkbox"> outline drawn by hand</label>`;

export function render({ model, el }) {
  const photographs = model.get("photographs");
  const radius = model.get("radius");
  el.classList.add("live-scribble");
  el.innerHTML = `<form><div class="live-tools">${TOOLS}</div>
    <canvas tabindex="0" role="application" aria-label="The photograph to draw on: with mouse, pen or finger; or move the cursor with the arrow keys and put a dot with the space bar"></canvas>
    <div class="live-tools">${SETTINGS}</div></form>
    <output aria-live="polite"></output>`;
  const [form, canvas, choice] = [el.querySelector("form"), el.querySelector("canvas"), el.querySelector("select")];
  const [steps, byHand] = [form.querySelector(".steps input"), form.querySelector("[type=checkbox]")];
  const said = el.querySelector("output");
  choice.innerHTML = photographs.map(({ name }, i) => `<option value="${i}">${escaped(name)}</option>`).join("");
  steps.max = model.get("steps");
  steps.value = model.get("start");

  let now = null; // the photograph that is shown, with what was computed of it
  let strokes = [];
  let current = null; // the stroke under the pen
  let [seconds, down] = [0, 0];
  let cursor = null; // of the keyboard, in pixels of the small picture
  let waiting = false;

  const label = () => Number(form.elements.pen.value);

  // The score of the object, and where it is cut; null without strokes.
  function refined(seeds) {
    if (!seeds.some((seed) => seed !== FREE)) return null;
    if (form.elements.refiner.value === "walker") {
      return { score: walk(now.edges, seeds, now.width), cut: 0.5 };
    }
    let score = Float32Array.from(seeds, (seed) => (seed === FREE ? 0 : 2 * seed - 1));
    now.weights ??= pamrWeights(now.planes, now.neighbours, model.get("sharpness"));
    for (let t = 0; t < Number(steps.value); t += 1) score = pamrStep(score, now.neighbours, now.weights);
    return { score, cut: 0 };
  }

  function paintStrokes() {
    const context = canvas.getContext("2d");
    const zoom = canvas.width / now.width;
    [context.lineCap, context.lineJoin] = ["round", "round"];
    for (const stroke of strokes) {
      for (const [colour, wide] of [["#000", 2 * radius * zoom + 2], [COLOURS[stroke.label], 2 * radius * zoom]]) {
        [context.strokeStyle, context.lineWidth] = [colour, wide];
        context.beginPath();
        context.moveTo(stroke.places[0][0] * zoom, stroke.places[0][1] * zoom);
        for (const [x, y] of stroke.places) context.lineTo(x * zoom, y * zoom);
        context.stroke();
      }
    }
    if (cursor && document.activeElement === canvas) {
      const [x, y] = cursor.map((place) => place * zoom);
      for (const [colour, wide] of [["#000", 4], [COLOURS[label()], 2]]) {
        [context.strokeStyle, context.lineWidth] = [colour, wide];
        context.beginPath();
        context.arc(x, y, 3 * radius * zoom, 0, 2 * Math.PI);
        context.stroke();
      }
    }
  }

  function show() {
    waiting = false;
    if (!now?.planes) return;
    const found = refined(drawn(strokes, now.width, now.height, radius));
    const { score, cut } = found ?? { score: new Float32Array(now.truth.length), cut: 0 };
    cutOut(canvas, now.picture, score, now.width, cut);
    if (byHand.checked) dashedLine(canvas, now.truth.map((value) => value === 1), now.width, 0.5, BY_HAND);
    paintStrokes();
    const pen = `your pen was down for ${seconds.toFixed(1)} s`;
    said.value = found
      ? `IoU of the ${now.name} ${ious(score, now.truth, cut).object.toFixed(3)}, ${pen}`
      : `Draw a stroke on the ${now.name} and one on the ground; ${pen}`;
  }

  // Many movements of the pen between two frames make one answer.
  function later() {
    if (!waiting) requestAnimationFrame(show);
    waiting = true;
  }

  function ours() {
    strokes = now.strokes.map(({ label: kind, places }) => ({ label: kind, places: [...places] }));
    later();
  }

  function open() {
    const about = photographs[Number(choice.value)];
    const { width, height } = about;
    const picture = new Image();
    const opened = { ...about, picture, truth: unrolled(about.truth, width * height) };
    now = opened;
    [seconds, current, cursor] = [0, null, null];
    picture.addEventListener("load", () => {
      [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
      opened.planes = planesOf(picture, width, height);
      opened.edges = colourEdges(opened.planes, width, height);
      opened.neighbours = neighboursOf(width, height, model.get("dilations"));
      if (opened === now) show();
    });
    picture.src = about.image;
    ours();
  }

  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * now.width, ((event.clientY - box.top) / box.height) * now.height];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button) return;
    canvas.setPointerCapture(event.pointerId);
    [current, down, cursor] = [{ label: label(), places: [placeOf(event)] }, event.timeStamp, null];
    strokes.push(current);
    later();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!current || !event.isPrimary) return;
    const between = event.getCoalescedEvents();
    current.places.push(...(between.length ? between : [event]).map(placeOf));
    later();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      if (!current || !event.isPrimary) return;
      seconds += (event.timeStamp - down) / 1000;
      current = null;
      later();
    });
  }
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    cursor ??= [now.width / 2, now.height / 2];
    const sides = [now.width, now.height];
    if (move) cursor = cursor.map((at, i) => Math.min(Math.max(at + 2 * move[i], 0), sides[i]));
    else strokes.push({ label: label(), places: [cursor] });
    later();
  });
  canvas.addEventListener("blur", later);

  const actions = {
    undo: () => { strokes.pop(); later(); },
    clear: () => { [strokes, seconds] = [[], 0]; later(); },
    ours: () => { seconds = 0; ours(); },
  };
  form.addEventListener("click", (event) => actions[event.target.dataset.do]?.());
  form.addEventListener("input", (event) => {
    if (event.target === choice) return open();
    form.querySelector(".steps").hidden = form.elements.refiner.value === "walker";
    form.querySelector(".steps span").textContent = steps.value;
    return later();
  });
  form.querySelector(".steps span").textContent = steps.value;
  open();
}

export default { render };
