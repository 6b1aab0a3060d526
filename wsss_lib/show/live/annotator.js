// The pictures of a folder, one after another, to be labelled; Python writes down what is drawn.

import { makePad } from "./pad.js";

const HOW = {
  tags: "Digits tick, ← and → turn pages.",
  points: "One click on each object.",
  boxes: "Drag a box from corner to corner.",
  extremes: "Click the leftmost, rightmost, topmost and bottommost end of an object.",
  scribble: "Draw a stroke through each object, and some on the background.",
  masks: "Draw around the object, or click its corners; the first corner, or Enter, closes it.",
};
const KEYS = "Keys: digits choose a class, arrows move, space marks, Enter ends, Backspace takes back.";
const WITH_GROUND = ["points", "scribble"];

export function render({ model, el }) {
  const kind = model.get("kind");
  const colours = model.get("colours");
  const names = model.get("names");
  const tags = kind === "tags";
  const first = WITH_GROUND.includes(kind) ? 0 : 1;
  let [started, seconds] = [0, 0];
  el.classList.add("annotator");
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab has keys of its own
  el.innerHTML = `
    <div class="annotator-head"><b></b> <span class="annotator-clock"></span></div>
    <div class="annotator-picture"></div>
    <div class="annotator-classes" role="group" aria-label="classes"></div>
    <div class="annotator-buttons">
      <button data-do="back">← previous</button>
      <button data-do="undo">take back</button>
      <button data-do="clear">clear</button>
      <button data-do="next">next →</button>
    </div>
    <p class="annotator-how">${HOW[kind]}${tags ? "" : ` ${KEYS}`}</p>
    <p class="annotator-note" role="alert"></p>`;
  const [title, clock] = [el.querySelector("b"), el.querySelector(".annotator-clock")];
  const pad = makePad({ colours, touched: touch, marked: write });
  pad.canvas.setAttribute("aria-label", `The picture. ${HOW[kind]} ${KEYS}`);
  el.querySelector(".annotator-picture").append(pad.canvas);

  const choices = names.slice(first).map((name, n) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = tags ? "checkbox" : "radio";
    input.name = `class-${model.cid || kind}`;
    input.value = n + first;
    input.checked = !tags && n + first === 1;
    const swatch = document.createElement("i");
    swatch.style.background = colours[(n + first) % colours.length];
    label.append(input, swatch, `${n + first < 10 ? `${n + first} ` : ""}${name}`);
    el.querySelector(".annotator-classes").append(label);
    input.addEventListener("change", choose);
    return input;
  });

  // The clock runs from when a picture appears, the first one's from when somebody turns to it.
  function touch() {
    started ||= performance.now();
  }

  function tick() {
    const passed = started ? (performance.now() - started) / 1000 : 0;
    clock.textContent = `${passed.toFixed(1)} s, last mark at ${seconds.toFixed(1)} s`;
  }

  const chosen = () => choices.filter((one) => one.checked).map((one) => Number(one.value));

  function write() {
    touch();
    seconds = (performance.now() - started) / 1000;
    const marks = tags ? chosen().map((label) => ({ label, places: [] })) : pad.marks;
    model.set("drawn", { id: model.get("picture").id, marks: [...marks], seconds });
    model.save_changes();
  }

  function choose() {
    touch();
    if (tags) return write();
    pad.finish(); // what is begun belongs to the class that it was begun with
    pad.use(kind, chosen()[0]);
  }

  function turn(by) {
    const place = model.get("place") + by;
    if (tags) write(); // no tick says that no class is there
    else pad.finish();
    if (place < 0 || place >= model.get("count")) return;
    model.set("place", place);
    model.save_changes();
  }

  function show() {
    const picture = model.get("picture");
    [started, seconds] = [started && performance.now(), 0];
    title.textContent = `${model.get("place") + 1} of ${model.get("count")}: ${picture.id}`;
    pad.use(kind, tags ? 1 : chosen()[0]);
    pad.show(tags ? { ...picture, marks: [] } : picture);
    if (tags) {
      const ticked = picture.marks.map((mark) => mark.label);
      for (const one of choices) one.checked = ticked.includes(Number(one.value));
    }
  }

  const actions = {
    back: () => turn(-1),
    next: () => turn(1),
    undo: () => pad.undo(),
    clear: () => {
      pad.mark([]);
      for (const one of tags ? choices : []) one.checked = false;
      write();
    },
  };
  for (const button of el.querySelectorAll("button")) {
    button.addEventListener("click", () => actions[button.dataset.do]());
    button.hidden = tags && button.dataset.do === "undo";
  }
  el.addEventListener("keydown", (event) => {
    const choice = choices.find((one) => one.value === event.key);
    if (choice) choice.click();
    else if (tags && event.key === "ArrowLeft") turn(-1);
    else if (tags && (event.key === "ArrowRight" || event.key === "Enter")) turn(1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  for (const turned of ["pointermove", "pointerdown", "focusin"]) el.addEventListener(turned, touch);
  model.on("change:picture", show);
  const layOver = () => pad.overlay(model.get("overlay"));
  model.on("change:overlay", layOver);
  const say = () => {
    el.querySelector(".annotator-note").textContent = model.get("note");
  };
  model.on("change:note", say);
  show();
  say();
  layOver();
  const ticks = setInterval(tick, 100);
  return () => clearInterval(ticks);
}

export default { render };
