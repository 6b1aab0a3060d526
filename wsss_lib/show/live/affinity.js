// A pixel to point at: whom each affinity asks for its new score, side by side.
// A walk is kept as a list of neighbours of each pixel and their weights, which sum to one. After n
// steps the score of pixel q is a mean of the first scores; the weights of this mean are where a
// walker from q stands after n steps.

import { escaped, plasma, inflated } from "./maps.js";
import { neighboursOf, pamrWeights } from "./refine.js";

const SCALE = 4;
const STOPS = [1, 2, 4, 8, 16, 32, 64];

function normalised(neighbours, weights, each) {
  for (let i = 0; i < weights.length; i += each) {
    let total = 0;
    for (let k = i; k < i + each; k += 1) total += weights[k];
    for (let k = i; k < i + each; k += 1) weights[k] /= total;
  }
  return { neighbours, weights, each, count: weights.length / each };
}

// Links (K, h, w) in bytes, of which each pair is stored once; a pixel is its own neighbour.
function linked({ size: [h, w], offsets, beta }, links) {
  const each = 2 * offsets.length + 1;
  const neighbours = new Int32Array(h * w * each);
  const weights = new Float64Array(h * w * each);
  for (let i = 0; i < h * w; i += 1) {
    neighbours.fill(i, i * each, (i + 1) * each);
    weights[i * each] = 1;
  }
  offsets.forEach(([dy, dx], k) => {
    for (let y = 0; y + dy < h; y += 1) {
      for (let x = Math.max(0, -dx); x < w - Math.max(0, dx); x += 1) {
        const [one, other] = [y * w + x, (y + dy) * w + x + dx];
        const weight = (links ? links[k * h * w + one] / 255 : 1) ** beta;
        neighbours[one * each + 2 * k + 1] = other;
        neighbours[other * each + 2 * k + 2] = one;
        weights[one * each + 2 * k + 1] = weight;
        weights[other * each + 2 * k + 2] = weight;
      }
    }
  });
  return normalised(neighbours, weights, each);
}

// Pixels on the way to an offset, as ``path_to`` of the library has them.
function wayTo([dy, dx]) {
  const found = [];
  for (let y = 0; y <= dy; y += 1) {
    for (let x = Math.min(0, dx); x <= Math.max(0, dx); x += 1) {
      if ((dy * x - dx * y) ** 2 < dy * dy + dx * dx) found.push([y, x]);
    }
  }
  return found;
}

// Boundaries (h, w) in bytes: a link is as weak as the strongest of them on its way is strong.
function barred(walk, boundary) {
  const { size: [h, w], offsets } = walk;
  const links = boundary && new Uint8Array(offsets.length * h * w);
  if (boundary) {
    offsets.forEach(([dy, dx], k) => {
      const on = wayTo([dy, dx]);
      for (let y = 0; y + dy < h; y += 1) {
        for (let x = Math.max(0, -dx); x < w - Math.max(0, dx); x += 1) {
          const highest = Math.max(...on.map(([down, along]) => boundary[(y + down) * w + x + along]));
          links[(k * h + y) * w + x] = 255 - highest;
        }
      }
    });
  }
  return linked(walk, links);
}

// A matrix (N, N) in bytes; without one, all weigh the same.
function full({ size: [h, w] }, matrix) {
  const count = h * w;
  const neighbours = Int32Array.from({ length: count * count }, (_, i) => i % count);
  const weights = Float64Array.from({ length: count * count }, (_, i) => (matrix ? matrix[i] : 1));
  return normalised(neighbours, weights, count);
}

// A symmetric matrix, of which the rows up to the diagonal are kept.
function alike(walk, half) {
  const count = walk.size[0] * walk.size[1];
  const at = (row, column) => (row * (row + 1)) / 2 + column;
  const whole = half && Uint8Array.from({ length: count * count }, (_, i) => {
    const [row, column] = [Math.floor(i / count), i % count];
    return half[at(Math.max(row, column), Math.min(row, column))];
  });
  return full(walk, whole);
}

// PAMR's weights of an image in bytes, colours beside each other; without one, all weigh the same.
function coloured({ size: [h, w], offsets, beta }, image) {
  const size = h * w;
  const neighbours = neighboursOf(w, h, offsets.map(([, distance]) => distance));
  const planes = image && Float32Array.from({ length: 3 * size }, (_, i) => image[3 * (i % size) + Math.floor(i / size)] / 255);
  const weights = planes ? pamrWeights(planes, neighbours, beta) : new Float32Array(neighbours.length).fill(1);
  return normalised(neighbours, weights, 8 * offsets.length);
}

const MADE = { links: linked, paths: barred, matrix: full, likeness: alike, colours: coloured };

// Where a walker from a pixel stands after some steps.
function walked({ neighbours, weights, each, count }, start, steps) {
  let here = new Float64Array(count);
  here[start] = 1;
  for (let step = 0; step < steps; step += 1) {
    const next = new Float64Array(count);
    for (let i = 0; i < count; i += 1) {
      if (here[i] === 0) continue;
      for (let k = i * each; k < (i + 1) * each; k += 1) next[neighbours[k]] += here[i] * weights[k];
    }
    here = next;
  }
  return here;
}

// For every pixel at once: the share of its walkers that stand in a region.
function held({ neighbours, weights, each, count }, region, steps) {
  let shares = region;
  for (let step = 0; step < steps; step += 1) {
    const next = new Float64Array(count);
    for (let i = 0; i < count; i += 1) {
      for (let k = i * each; k < (i + 1) * each; k += 1) next[i] += weights[k] * shares[neighbours[k]];
    }
    shares = next;
  }
  return shares;
}

// The share of each cell of a coarser map that a class covers.
function covered(truth, kind, width, height, size) {
  const shares = new Float64Array(size[0] * size[1]);
  const cell = (height / size[0]) * (width / size[1]);
  truth.forEach((value, i) => {
    if (value === kind) shares[cellOf(Math.floor(i / width), i % width, width, height, size)] += 1 / cell;
  });
  return shares;
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

// The share of walkers that stand in a region, and that of the region which they fill as evenly.
export function spreadIn(here, region) {
  const [own, area] = [sum(here.map((value, i) => value * region[i])), sum(region)];
  return { own, reach: sum(region.map((part, i) => Math.min((here[i] * part) / own, part / area))) };
}

// The cell of a coarser map, of so many rows and columns, in which a pixel lies.
function cellOf(y, x, width, height, size) {
  return Math.floor((y * size[0]) / height) * size[1] + Math.floor((x * size[1]) / width);
}

function outlineOf({ width, height, truth, outlines }, kind) {
  if (!outlines.has(kind)) {
    const outline = new Path2D();
    const inside = (row, column) => truth[row * width + column] === kind;
    const line = (fromX, fromY, toX, toY) => {
      outline.moveTo(fromX * SCALE, fromY * SCALE);
      outline.lineTo(toX * SCALE, toY * SCALE);
    };
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        if (x + 1 < width && inside(y, x) !== inside(y, x + 1)) line(x + 1, y, x + 1, y + 1);
        if (y + 1 < height && inside(y, x) !== inside(y + 1, x)) line(x, y + 1, x + 1, y + 1);
      }
    }
    outlines.set(kind, outline);
  }
  return outlines.get(kind);
}

// Heat: one value in [0, 1] for each cell of a map of some size; null shows the picture alone.
function draw(canvas, picture, kind, [y, x], heat, size) {
  const { width, height, image } = picture;
  const context = canvas.getContext("2d");
  const small = new ImageData(width, height);
  const light = heat ? 0.45 : 1;
  for (let i = 0; i < width * height; i += 1) {
    const share = heat ? heat[cellOf(Math.floor(i / width), i % width, width, height, size)] : 0;
    const colour = plasma(share);
    const opacity = 0.85 * Math.sqrt(share);
    for (let c = 0; c < 3; c += 1) {
      const seen = image[3 * i + c] * light;
      small.data[4 * i + c] = seen + opacity * (colour[c] - seen);
    }
    small.data[4 * i + 3] = 255;
  }
  const sheet = new OffscreenCanvas(width, height);
  sheet.getContext("2d").putImageData(small, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(sheet, 0, 0, width * SCALE, height * SCALE);
  context.strokeStyle = "rgba(255, 255, 255, 0.8)";
  context.lineWidth = 1.2;
  context.stroke(outlineOf(picture, kind));
  const marker = new Path2D();
  marker.arc((x + 0.5) * SCALE, (y + 0.5) * SCALE, 6, 0, 2 * Math.PI);
  context.strokeStyle = "black";
  context.lineWidth = 4.5;
  context.stroke(marker);
  context.strokeStyle = "white";
  context.lineWidth = 2;
  context.stroke(marker);
}

const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

export async function render({ model, el }) {
  const [width, height] = [model.get("width"), model.get("height")];
  const [classes, walks] = [model.get("classes"), model.get("walks")];
  const content = await inflated(model.get("content"));
  let at = 0;
  const cut = (length) => content.subarray(at, (at += length));
  const pictures = model.get("pictures").map((one) => ({
    ...one, width, height, outlines: new Map(), image: cut(3 * width * height), truth: cut(width * height),
  }));
  const last = Math.max(...walks.map(({ steps }) => steps));
  const stops = STOPS.filter((stop) => stop < last).concat(last);

  el.classList.add("live-affinity");
  el.innerHTML = `
    <div class="live-choices" role="group" aria-label="Picture">${pictures.map(({ title }) => `<button type="button">${escaped(title)}</button>`).join("")}</div>
    <fieldset><legend>who is asked</legend>${walks.map(({ name }) => `<label><input type="checkbox"> ${escaped(name)}</label>`).join("")}</fieldset>
    <div class="live-panels">
      <div class="live-panel"><b>point at a pixel</b>
        <canvas width="${width * SCALE}" height="${height * SCALE}" tabindex="0" role="application" aria-label="The picture; arrow keys move the pixel"></canvas>
        <span class="live-asked"></span></div>
      ${walks.map(({ name }) => `<div class="live-panel" hidden><b>${escaped(name)}</b>
        <canvas width="${width * SCALE}" height="${height * SCALE}" role="img" aria-label="${escaped(name)}: what the pixel's score is the mean of"></canvas>
        <span class="live-bar"><i></i><u></u></span><span class="live-share"></span></div>`).join("")}
    </div>
    <label>steps <input type="range" min="0" max="${stops.length - 1}" step="1"><span class="live-steps"></span></label>
    <output aria-live="polite"></output>`;
  const buttons = [...el.querySelectorAll("button")];
  const boxes = [...el.querySelectorAll("fieldset input")];
  const [asked, ...panels] = el.querySelectorAll(".live-panel");
  const [slider, said] = [el.querySelector("[type=range]"), el.querySelector("output")];
  let [shown, pixel] = [pictures[0], pictures[0].pixel];
  const unpacked = new Map();
  const known = new Map();

  function once(key, make) {
    const name = key.join();
    if (!known.has(name)) known.set(name, make());
    return known.get(name);
  }

  // What an affinity has of each picture.
  async function unpack(n) {
    if (walks[n].kind === "colours") return pictures.map(({ image }) => image);
    const all = await inflated(walks[n].content);
    const each = all.length / pictures.length;
    return pictures.map((_, i) => all.subarray(i * each, (i + 1) * each));
  }

  // A blind walk looks at nothing.
  function way(n, looks) {
    const i = pictures.indexOf(shown);
    return once(["way", n, looks && i], () => MADE[walks[n].kind](walks[n], looks ? unpacked.get(n)[i] : null));
  }

  // What the walkers from each pixel leave on a class after some steps.
  function kept(n, kind, steps, looks) {
    return once([pictures.indexOf(shown), n, kind, steps, looks], () => {
      const region = covered(shown.truth, kind, width, height, walks[n].size);
      return held(way(n, looks), region, steps);
    });
  }

  function show() {
    const [y, x] = pixel;
    const kind = shown.truth[y * width + x];
    const most = stops[slider.value];
    draw(asked.querySelector("canvas"), shown, kind, pixel, null);
    panels.forEach((panel, n) => {
      panel.hidden = !(boxes[n].checked && unpacked.has(n));
    });
    const chosen = walks.map((_, n) => n).filter((n) => !panels[n].hidden);
    const told = chosen.map((n) => {
      const walk = walks[n];
      const steps = Math.min(most, walk.steps);
      const start = cellOf(y, x, width, height, walk.size);
      const region = covered(shown.truth, kind, width, height, walk.size);
      const here = walked(way(n, true), start, steps);
      const { own, reach } = spreadIn(here, region);
      const none = kept(n, kind, steps, false)[start];
      const whole = sum(kept(n, kind, steps, true).map((value, i) => value * region[i])) / sum(region);
      const strongest = here.reduce((top, value, i) => (i === start ? top : Math.max(top, value)), 0);
      const [canvas, bar, tick] = ["canvas", "i", "u"].map((part) => panels[n].querySelector(part));
      const heat = here.map((value) => Math.sqrt(Math.min(1, value / strongest)));
      draw(canvas, shown, kind, pixel, heat, walk.size);
      bar.style.width = `${100 * own}%`;
      tick.style.left = `${100 * none}%`;
      panels[n].querySelector(".live-share").innerHTML =
        `own <strong>${percent(own)}</strong><br>blind ${percent(none)}<br>reach ${percent(reach)}<br>` +
        `${escaped(walk.asks)}<br>${steps} step${steps > 1 ? "s" : ""}`;
      return `${walk.name} ${percent(whole)}`;
    });
    el.querySelector(".live-steps").textContent = most === last ? "as far as each goes" : `${most} at most`;
    asked.querySelector(".live-asked").textContent = `row ${y}, column ${x}: ${classes[kind]}`;
    said.value = told.length
      ? `Averaged over all pixels of the ${classes[kind]}, this much comes from the ${classes[kind]}: ${told.join(", ")}.`
      : "Nobody is asked: choose at least one above.";
  }

  async function ask(n) {
    if (boxes[n].checked && !unpacked.has(n)) unpacked.set(n, await unpack(n));
    show();
  }

  function choose(picture) {
    [shown, pixel] = [picture, picture.pixel];
    buttons.forEach((button, n) => button.setAttribute("aria-pressed", pictures[n] === picture));
    show();
  }

  function move(y, x) {
    const clamped = (value, end) => Math.min(end - 1, Math.max(0, value));
    const there = [clamped(y, height), clamped(x, width)];
    if (there[0] === pixel[0] && there[1] === pixel[1]) return;
    pixel = there;
    show();
  }

  buttons.forEach((button, n) => button.addEventListener("click", () => choose(pictures[n])));
  slider.value = stops.length - 1;
  slider.addEventListener("input", show);
  for (const canvas of el.querySelectorAll("canvas")) {
    const point = (event) => {
      const box = canvas.getBoundingClientRect();
      move(Math.floor(((event.clientY - box.top) / box.height) * height), Math.floor(((event.clientX - box.left) / box.width) * width));
    };
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerdown", point);
  }
  const keys = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  asked.querySelector("canvas").addEventListener("keydown", (event) => {
    if (!(event.key in keys)) return;
    event.preventDefault();
    const [dy, dx] = keys[event.key];
    move(pixel[0] + dy, pixel[1] + dx);
  });
  boxes.forEach((box, n) => {
    box.checked = n < model.get("shown");
    box.addEventListener("change", () => ask(n));
  });
  await Promise.all(boxes.map((_, n) => ask(n)));
  choose(pictures[0]);
}

export default { render };
