// Label one photograph in six ways against the clock, and see what ten hours buy at that speed.

import { bytes, escaped } from "./maps.js";
import { boxOf, makePad } from "./pad.js";

const HOURS = 10;
const STILL = matchMedia("(prefers-reduced-motion: reduce)").matches;
const TICK = STILL ? 1000 : 100; // milliseconds
const TRUTH = "#d55e00";

function bits(text, count) {
  const packed = bytes(text);
  return Uint8Array.from({ length: count }, (_, n) => (packed[n >> 3] >> (7 - (n & 7))) & 1);
}

export function filledBox(places, width, height) {
  const [x0, y0, x1, y1] = boxOf(places);
  const inside = (_, n) => n % width >= x0 && n % width < x1 && n >= y0 * width && n < y1 * width;
  return Uint8Array.from({ length: width * height }, inside);
}

// Pixels whose centre a line around the centres of these places surrounds an odd number of times.
export function filledOutline(places, width, height) {
  const region = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const crossed = [];
    places.forEach(([x1, y1], n) => {
      const [x0, y0] = places[(n || places.length) - 1];
      if (y0 > y !== y1 > y) crossed.push(x0 + ((y - y0) * (x1 - x0)) / (y1 - y0));
    });
    crossed.sort((one, other) => one - other);
    for (let n = 0; n < crossed.length; n += 2) {
      region.fill(1, y * width + Math.ceil(crossed[n]), y * width + Math.ceil(crossed[n + 1]));
    }
  }
  return region;
}

export function iou(region, truth, unknown) {
  let [both, either] = [0, 0];
  for (let n = 0; n < region.length; n += 1) {
    if (unknown[n]) continue;
    both += region[n] && truth[n];
    either += region[n] || truth[n];
  }
  return both / either;
}

// On a curve of [hours, mean IoU]: straight between measurements on an axis of log hours, and the
// value at its end beyond it.
export function expected(curve, hours) {
  const after = curve.findIndex(([measured]) => measured >= hours);
  if (after <= 0) return (after ? curve.at(-1) : curve[0])[1];
  const [[h0, m0], [h1, m1]] = curve.slice(after - 1, after + 1);
  return m0 + ((m1 - m0) * Math.log(hours / h0)) / Math.log(h1 / h0);
}

function edgeOf(truth, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context.fillStyle = TRUTH;
  for (let n = 0; n < truth.length; n += 1) {
    const inner = truth[n - 1] && truth[n + 1] && truth[n - width] && truth[n + width];
    if (truth[n] && !inner) context.fillRect((n % width) - 1, Math.floor(n / width) - 1, 2, 2);
  }
  return canvas.toDataURL();
}

export function render({ model, el }) {
  const [width, height] = [model.get("width"), model.get("height")];
  const truth = bits(model.get("truth"), width * height);
  const unknown = bits(model.get("unknown"), width * height);
  const [tasks, name, choices] = [model.get("tasks"), model.get("name"), model.get("choices")];
  const found = {}; // by kind: own seconds, and what they were worth
  let [task, started, timer] = [tasks[0], 0, 0];
  el.classList.add("live-clock");
  el.innerHTML = `
    <div class="clock-work">
      <div class="clock-picture"><button class="clock-start"></button></div>
      <div class="clock-tags" role="group" aria-label="Classes"></div>
      <p class="clock-now"><b class="clock-digits" aria-hidden="true">0.0 s</b>
        <button class="clock-done">That is all</button>
        <button class="clock-next"></button></p>
      <output class="clock-said" aria-live="polite" tabindex="-1"></output>
    </div>
    <table class="clock-labels"><caption>One label of this photograph</caption>
      <thead><tr><th>label</th><th>yours</th><th>published</th><th>IoU of yours</th></tr></thead>
      <tbody></tbody></table>
    <table class="clock-hours"><caption>What ten hours buy</caption><thead>
      <tr><th rowspan="2">label</th><th colspan="2">images</th>
      <th colspan="2">mean IoU, toy world</th></tr>
      <tr><th>published</th><th>yours</th><th>published</th><th>yours</th></tr>
      </thead><tbody></tbody></table>
    <p class="clock-note"></p>`;
  const part = (which) => el.querySelector(`.clock-${which}`);
  const [start, done, next, said] = ["start", "done", "next", "said"].map(part);
  const pad = makePad({ colours: model.get("colours"), touched() {}, marked: finish });
  part("picture").prepend(pad.canvas);
  pad.show({ image: model.get("image"), width, height });

  const ticks = choices.map((choice, n) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "checkbox" });
    label.append(input, `${n + 1} ${choice}`);
    part("tags").append(label);
    return input;
  });

  const seconds = (figure) => `${figure.toFixed(1)} s`;
  const rows = tasks.map(({ kind, called, single }) => {
    const lines = ["labels", "hours"].map((table) => {
      const row = el.querySelector(`.clock-${table} tbody`).insertRow();
      row.dataset.kind = kind;
      row.append(document.createElement("th"));
      for (let n = 0; n < (table === "labels" ? 3 : 4); n += 1) row.insertCell();
      return row;
    });
    const again = Object.assign(document.createElement("button"), { textContent: called });
    again.addEventListener("click", () => ask(tasks.find((one) => one.kind === kind)));
    lines[0].cells[0].append(again);
    lines[1].cells[0].textContent = called;
    lines[0].cells[2].textContent = seconds(single);
    return lines;
  });

  // Seconds for an average image of VOC: those for looking through the classes, and its marks.
  function imageSeconds({ kind, fixed, each, times }, own) {
    const look = own && found.tags ? found.tags.seconds / choices.length : 1;
    return fixed * look + (own ? found[kind]?.seconds || 0 : each) * times;
  }

  function bought(one, own) {
    const price = imageSeconds(one, own);
    const hours = (HOURS * one.priced) / price;
    const [least, most] = [one.curve[0][0], one.curve.at(-1)[0]];
    return {
      images: Math.floor((HOURS * 3600) / price),
      miou: expected(one.curve, hours),
      beyond: hours < least || hours > most ? "†" : "",
    };
  }

  function fill() {
    let best = -1;
    tasks.forEach((one, n) => {
      const [label, hours] = rows[n];
      const mine = found[one.kind];
      label.classList.toggle("now", one === task);
      label.cells[1].textContent = mine ? seconds(mine.seconds) : "";
      label.cells[3].textContent = mine ? mine.worth : "";
      const both = [bought(one, false), mine && bought(one, true)];
      both.forEach((buys, own) => {
        hours.cells[1 + own].textContent = buys ? buys.images.toLocaleString("en") : "";
        hours.cells[3 + own].textContent = buys ? buys.miou.toFixed(3) + buys.beyond : "";
      });
      if (mine) best = Math.max(best, both[1].miou);
    });
    for (const [, { cells, classList }] of rows) {
      classList.toggle("best", Math.abs(parseFloat(cells[4].textContent) - best) < 5e-4);
    }
  }

  function ask(one) {
    [task, started] = [one, 0];
    clearInterval(timer);
    el.dataset.state = "asked";
    part("digits").textContent = "0.0 s";
    pad.overlay("");
    pad.mark([]);
    pad.rest();
    pad.canvas.setAttribute("aria-label", `The photograph. ${one.how}`);
    start.innerHTML = `<b>${tasks.indexOf(one) + 1} of ${tasks.length}: ${one.called}</b>
      <span>${escaped(one.how)}</span><i>The clock starts when you touch.</i>`;
    said.value = "";
    for (const tick of ticks) tick.checked = false;
    fill();
  }

  function begin() {
    pad.use(task.kind, 1);
    started = performance.now();
    timer = setInterval(() => {
      part("digits").textContent = seconds((performance.now() - started) / 1000);
    }, TICK);
    el.dataset.state = "running";
    el.dataset.kind = task.kind;
    said.value = task.how;
    (task.kind === "tags" ? ticks[0] : pad.canvas).focus({ preventScroll: true });
  }

  // What a label says about the object, in words and as IoU where it has an extent.
  function worth(places) {
    const on = places.filter(([x, y]) => truth[y * width + x]).length / places.length;
    if (task.kind === "points") {
      return { worth: "no extent", say: `${on ? "on" : "beside"} the ${name}` };
    }
    if (task.kind === "scribble") {
      return { worth: "no extent", say: `${Math.round(100 * on)} % of its places on the ${name}` };
    }
    const fillIn = task.kind === "masks" ? filledOutline : filledBox;
    const figure = iou(fillIn(places, width, height), truth, unknown).toFixed(3);
    return { worth: figure, say: `IoU ${figure}` };
  }

  function finish(marks) {
    if (el.dataset.state !== "running" || (task.kind !== "tags" && !marks.length)) return;
    const own = (performance.now() - started) / 1000;
    clearInterval(timer);
    pad.rest();
    if (task.kind === "tags") {
      const right = ticks.every((tick, n) => tick.checked === (choices[n] === name));
      const say = right ? "right" : `not right, it shows a ${name} alone`;
      found.tags = { seconds: own, worth: "no extent", say };
    } else found[task.kind] = { seconds: own, ...worth(marks[0].places) };
    part("digits").textContent = seconds(own);
    el.dataset.state = "done";
    const { say } = found[task.kind];
    said.value = `${task.called}: ${seconds(own)}, ${say}. Published: ${seconds(task.single)}.`;
    if (task.kind === "masks") {
      said.value += " The orange line is the outline that the book goes by.";
      pad.overlay(edgeOf(truth, width, height));
    }
    const after = tasks.find((one) => !found[one.kind]);
    next.textContent = after ? `Next: ${after.called}` : "Begin anew";
    next.onclick = () => {
      if (!after) for (const { kind } of tasks) delete found[kind];
      ask(after || tasks[0]);
      start.focus({ preventScroll: true });
    };
    fill();
    (after ? next : said).focus({ preventScroll: true }); // Enter once more must not begin anew
    const all = Object.entries(found).map(([kind, label]) => [kind, label.seconds]);
    model.set("seconds", Object.fromEntries(all));
    model.save_changes();
  }

  start.addEventListener("click", begin);
  done.addEventListener("click", () => finish([]));
  part("tags").addEventListener("keydown", (event) => {
    const tick = ticks[Number(event.key) - 1];
    if (event.key !== "Enter" && !tick) return;
    event.preventDefault(); // Enter would press the button that is focused next
    if (tick) tick.click();
    else finish([]);
  });
  part("note").textContent = model.get("note");
  ask(task);
  return () => clearInterval(timer);
}

export default { render };
