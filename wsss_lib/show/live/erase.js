// Erase with the mouse: a small classifier runs in the page and looks again at what is left.
// Pictures and features are rows of pixels, each with its channels side by side. The same module
// serves pages, which hand it a small model, and anywidget in notebooks.

import { bytes, escaped } from "./text.js";

const AT_ONCE = 8; // outputs whose sums are kept while the inputs are read once
const ZOOM = 6; // pixels of a canvas for a pixel of the picture
const [HEAD, BODY] = [1, 2];
const OPACITY = 0.65;

function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

// A stored convolution, its weights in the order in which they are read: by eight outputs, then by
// tap and input, then by output.
export function unpacked({ inputs, outputs, kernel, stride, dilation, ...stored }) {
  const [steps, scale] = [new Int8Array(bytes(stored.steps).buffer), floats(stored.scale)];
  const wide = Math.ceil(outputs / AT_ONCE) * AT_ONCE;
  const taps = kernel * kernel;
  const weights = new Float32Array(wide * inputs * taps);
  for (let o = 0; o < outputs; o += 1) {
    const first = o - (o % AT_ONCE);
    for (let i = 0; i < inputs; i += 1) {
      for (let tap = 0; tap < taps; tap += 1) {
        const to = first * inputs * taps + (tap * inputs + i) * AT_ONCE + (o % AT_ONCE);
        weights[to] = steps[(o * inputs + i) * taps + tap] * scale[o];
      }
    }
  }
  return { inputs, outputs, kernel, stride, dilation, weights, wide, shift: floats(stored.shift) };
}

// What a convolution makes of a square of features; zeros surround it. More than half of the
// features are 0 behind a rectifier, so the others are gathered once for all outputs of a pixel.
export function convolved(layer, features, side) {
  const { inputs, outputs, kernel, stride, dilation, weights, wide, shift } = layer;
  const [size, reach] = [Math.ceil(side / stride), (dilation * (kernel - 1)) / 2];
  const length = inputs * kernel * kernel;
  const [places, values] = [new Int32Array(length), new Float32Array(length)];
  const [sums, out] = [new Float32Array(wide), new Float32Array(size * size * outputs)];
  const f = Math.fround;
  for (let at = 0; at < size * size; at += 1) {
    const top = Math.floor(at / size) * stride - reach;
    const left = (at % size) * stride - reach;
    let count = 0;
    for (let tap = 0; tap < kernel * kernel; tap += 1) {
      const y = top + Math.floor(tap / kernel) * dilation;
      const x = left + (tap % kernel) * dilation;
      if (y < 0 || x < 0 || y >= side || x >= side) continue;
      const from = (y * side + x) * inputs;
      for (let i = 0; i < inputs; i += 1) {
        const value = features[from + i];
        if (value !== 0) {
          places[count] = (tap * inputs + i) * AT_ONCE;
          values[count] = value;
          count += 1;
        }
      }
    }
    for (let o = 0; o < wide; o += AT_ONCE) {
      let a = f(0), b = f(0), c = f(0), d = f(0), e = f(0), g = f(0), h = f(0), k = f(0);
      for (let n = 0; n < count; n += 1) {
        const value = values[n];
        const w = o * length + places[n];
        a = f(a + f(value * weights[w]));
        b = f(b + f(value * weights[w + 1]));
        c = f(c + f(value * weights[w + 2]));
        d = f(d + f(value * weights[w + 3]));
        e = f(e + f(value * weights[w + 4]));
        g = f(g + f(value * weights[w + 5]));
        h = f(h + f(value * weights[w + 6]));
        k = f(k + f(value * weights[w + 7]));
      }
      sums[o] = a; sums[o + 1] = b; sums[o + 2] = c; sums[o + 3] = d;
      sums[o + 4] = e; sums[o + 5] = g; sums[o + 6] = h; sums[o + 7] = k;
    }
    for (let o = 0; o < outputs; o += 1) out[at * outputs + o] = sums[o] + shift[o];
  }
  return { features: out, side: size };
}

// The classifier: from a picture to the raw map of each class and its mean, the logit.
export function classifier({ mean, std, blocks, head }) {
  const body = blocks.map(({ conv, skip, adds }) => ({
    conv: unpacked(conv), skip: skip && unpacked(skip), adds,
  }));
  const last = unpacked(head);
  return (picture, width) => {
    let features = picture.map((value, i) => (value - mean[i % 3]) / std[i % 3]);
    let side = width;
    for (const { conv, skip, adds } of body) {
      const next = convolved(conv, features, side);
      const beside = skip ? convolved(skip, features, side).features : features;
      features = next.features.map((value, i) => Math.max(0, adds ? value + beside[i] : value));
      side = next.side;
    }
    const raw = convolved(last, features, side).features;
    const maps = Array.from({ length: last.outputs }, (_, c) =>
      Float32Array.from({ length: side * side }, (_, at) => raw[at * last.outputs + c]));
    const logits = maps.map((map) => map.reduce((sum, value) => sum + value, 0) / map.length);
    return { maps, logits, side };
  };
}

// A map, rectified and divided by its maximum, at the size of the picture (bilinear).
export function score(map, side, width) {
  const peak = Math.max(...map);
  const small = map.map((value) => (peak > 1e-5 ? Math.max(0, value) / peak : 0));
  const ends = Array.from({ length: width }, (_, at) => {
    const place = Math.max(0, ((at + 0.5) * side) / width - 0.5);
    const low = Math.floor(place);
    return [low, Math.min(low + 1, side - 1), place - low];
  });
  return Float32Array.from({ length: width * width }, (_, at) => {
    const [top, bottom, down] = ends[Math.floor(at / width)];
    const [left, right, across] = ends[at % width];
    const row = (y) => small[y * side + left] * (1 - across) + small[y * side + right] * across;
    return row(top) * (1 - down) + row(bottom) * down;
  });
}

// Share of a score on the head and on the body of a class; NaN for a score that is 0 everywhere.
export function shares(values, regions) {
  const sums = [0, 0, 0];
  values.forEach((value, at) => { sums[regions[at]] += value; });
  const total = sums[0] + sums[1] + sums[2];
  return { head: sums[HEAD] / total, body: sums[BODY] / total };
}

const percent = (share) => `${Math.round(100 * share)} %`;

function thumbnail(pixels, width) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = width;
  const context = canvas.getContext("2d");
  const content = context.createImageData(width, width);
  for (let at = 0; at < width * width; at += 1) {
    for (let c = 0; c < 3; c += 1) content.data[4 * at + c] = 255 * pixels[3 * at + c];
    content.data[4 * at + 3] = 255;
  }
  context.putImageData(content, 0, 0);
  return canvas;
}

function drawOn(canvas, pixels, width) {
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(thumbnail(pixels, width), 0, 0, canvas.width, canvas.height);
  return context;
}

// The borders between regions: white, with a dark rim that shows on bright pixels.
function outline(context, regions, width) {
  context.beginPath();
  for (let y = 0; y < width; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const here = regions[y * width + x];
      if (x + 1 < width && regions[y * width + x + 1] !== here) {
        context.moveTo((x + 1) * ZOOM, y * ZOOM);
        context.lineTo((x + 1) * ZOOM, (y + 1) * ZOOM);
      }
      if (y + 1 < width && regions[(y + 1) * width + x] !== here) {
        context.moveTo(x * ZOOM, (y + 1) * ZOOM);
        context.lineTo((x + 1) * ZOOM, (y + 1) * ZOOM);
      }
    }
  }
  for (const [colour, thick] of [["#000a", 5], ["#fff", 2.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.stroke();
  }
}

function page(classes, pictures, number) {
  const says = classes.map((name, c) => `
    <label><input type="radio" name="erase-${number}" value="${c}"><span>${escaped(name)}</span>
    <span class="live-bar"><i></i><b></b></span><span class="live-number"></span></label>`);
  const lies = ["before", "now"].map((when) => `
    <div><span>${when}</span><span class="live-parts"><i></i><i></i></span><span class="live-number"></span></div>`);
  return `
    <div class="live-choices" role="group" aria-label="Pictures">${pictures.map(({ name }) => `
      <button type="button" aria-pressed="false"><span>${escaped(name)}</span></button>`).join("")}</div>
    <div class="live-pair">
      <div><canvas tabindex="0" role="application" aria-label="The picture. Arrow keys move the brush, with Shift by one pixel; space or Enter hides what is under it."></canvas>paint here</div>
      <div><canvas role="img" aria-label="Where the classifier sees the class, as a tint over what is left of the picture"></canvas><span class="live-whose"></span></div>
    </div>
    <div class="live-side">
      <div class="live-says" role="radiogroup" aria-label="Class whose map is shown"><em>Probability; line: before</em>${says.join("")}</div>
      <div class="live-lies"><em>The map: <i class="live-head"></i>&nbsp;head, <i class="live-body"></i>&nbsp;body, <i></i>&nbsp;elsewhere</em>${lies.join("")}</div>
    </div>
    <div class="live-tools">
      <button type="button" data-do="head">hide the head</button>
      <button type="button" data-do="body">hide the body</button>
      <button type="button" data-do="hot">hide what is hot</button>
      <button type="button" data-do="reset">show all again</button>
      <label>brush <input type="range" min="1" max="25" step="2" value="9"></label>
    </div>
    <output aria-live="polite"></output>`;
}

let figures = 0;

export function render({ model, el }) {
  const [width, classes, hot] = [model.get("width"), model.get("classes"), model.get("hot")];
  const [colour, tint] = [model.get("colour"), bytes(model.get("tint"))];
  const look = classifier(model.get("network"));
  const pictures = model.get("pictures").map((stored) => ({
    ...stored,
    pixels: Float32Array.from(bytes(stored.image), (value) => value / 255),
    regions: bytes(stored.regions),
  }));
  figures += 1;
  el.classList.add("live-erase");
  el.innerHTML = page(classes, pictures, figures);
  const [paper, map] = el.querySelectorAll("canvas");
  for (const canvas of [paper, map]) {
    canvas.width = width * ZOOM;
    canvas.height = width * ZOOM;
  }
  const choices = [...el.querySelectorAll(".live-choices button")];
  const radios = [...el.querySelectorAll(".live-says input")];
  const size = el.querySelector(".live-tools input");
  const said = el.querySelector("output");
  let picture; // which is shown
  let label; // class whose map is shown, 0..C-1
  let brush; // centre, or nothing while no brush is over the picture
  let last; // where the pointer was while it draws
  let waiting = false;
  let found; // what the classifier sees now
  const hidden = new Uint8Array(width * width);

  const left = () => picture.pixels.map((value, i) => (hidden[Math.floor(i / 3)] ? colour[i % 3] : value));
  const regions = () => picture.regions.map((region) => ([HEAD, BODY].includes(region - 2 * label) ? region - 2 * label : 0));
  const probability = ({ logits }, c) => 1 / (1 + Math.exp(-logits[c]));
  const there = () => regions().some((part) => part);

  function square([x, y], half) {
    const [from, to] = [(at) => Math.max(0, at - half), (at) => Math.min(width - 1, at + half)];
    return { left: from(x), right: to(x), top: from(y), bottom: to(y) };
  }

  function hide(centre) {
    const edges = square(centre, (Number(size.value) - 1) / 2);
    for (let y = edges.top; y <= edges.bottom; y += 1) {
      hidden.fill(1, y * width + edges.left, y * width + edges.right + 1);
    }
  }

  // From the last place of a pointer to this one, so that fast strokes have no gaps.
  function stroke(to) {
    const from = last ?? to;
    const steps = Math.max(1, Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]));
    for (let n = 0; n <= steps; n += 1) {
      hide([0, 1].map((axis) => Math.round(from[axis] + ((to[axis] - from[axis]) * n) / steps)));
    }
    last = to;
  }

  function drawBrush(context) {
    if (!brush) return;
    const edges = square(brush, (Number(size.value) - 1) / 2);
    for (const [shade, thick] of [["#000", 5], ["#fff", 2]]) {
      context.strokeStyle = shade;
      context.lineWidth = thick;
      context.strokeRect(
        edges.left * ZOOM, edges.top * ZOOM,
        (edges.right - edges.left + 1) * ZOOM, (edges.bottom - edges.top + 1) * ZOOM,
      );
    }
  }

  function draw() {
    const [pixels, values] = [left(), score(found.maps[label], found.side, width)];
    const tinted = pixels.map((value, i) => {
      const here = values[Math.floor(i / 3)];
      const painted = tint[3 * Math.round(255 * here) + (i % 3)] / 255;
      return value + OPACITY * here * (painted - value);
    });
    const context = drawOn(map, tinted, width);
    if (there()) outline(context, regions(), width);
    drawBrush(context);
    drawBrush(drawOn(paper, pixels, width));
    return values;
  }

  function say(values) {
    classes.forEach((_, c) => {
      const row = radios[c].parentElement;
      const [before, now] = [probability(picture.whole, c), probability(found, c)];
      row.querySelector("i").style.width = `${100 * now}%`;
      row.querySelector("b").style.left = `${100 * before}%`;
      row.querySelector(".live-number").textContent = now.toFixed(2);
    });
    const both = [score(picture.whole.maps[label], picture.whole.side, width), values];
    const parts = both.map((one) => shares(one, regions()));
    el.querySelectorAll(".live-lies > div").forEach((row, n) => {
      const { head, body } = parts[n];
      const known = there() && !Number.isNaN(head);
      [head, body].forEach((share, part) => {
        row.querySelectorAll("i")[part].style.width = known ? `${100 * share}%` : "0";
      });
      row.querySelector(".live-number").textContent = known ? `head ${percent(head)}, body ${percent(body)}` : "–";
    });
    const name = classes[label];
    el.querySelector(".live-whose").textContent = `the map of the ${name}`;
    const [before, now] = [probability(picture.whole, label), probability(found, label)];
    const covered = hidden.reduce((sum, one) => sum + one, 0) / hidden.length;
    const peaks = [picture.whole, found].map(({ maps }) => Math.max(0, ...maps[label]));
    const { head, body } = parts[1];
    const where = !there() ? `There is no ${name} in this picture.`
      : Number.isNaN(head) ? "The map is empty."
        : `Of its map ${percent(head)} lies on the head and ${percent(body)} on the body; its strongest value is ${percent(peaks[1] / peaks[0])} of what it was.`;
    said.value = `${percent(covered)} hidden. It says ${name} with probability ${now.toFixed(2)}; with nothing hidden, ${before.toFixed(2)}. ${where}`;
  }

  function show() {
    say(draw());
    for (const part of ["head", "body"]) el.querySelector(`[data-do=${part}]`).disabled = !there();
  }

  function lookAgain() {
    found = look(left(), width);
    show();
  }

  // At most once a frame, however many moves of a pointer come in between.
  function soon() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      lookAgain();
    });
  }

  function choose(number) {
    picture = pictures[number];
    picture.whole ??= look(picture.pixels, width);
    label = picture.number - 1;
    radios[label].checked = true;
    choices.forEach((button, n) => button.setAttribute("aria-pressed", String(n === number)));
    hidden.fill(0);
    lookAgain();
  }

  choices.forEach((button, n) => {
    button.prepend(thumbnail(pictures[n].pixels, width));
    button.addEventListener("click", () => choose(n));
  });
  radios.forEach((radio, c) => radio.addEventListener("change", () => {
    label = c;
    show();
  }));
  size.addEventListener("input", draw);

  const hiding = {
    head: () => regions().map((part) => part === HEAD),
    body: () => regions().map((part) => part === BODY),
    hot: () => score(found.maps[label], found.side, width).map((value) => value > hot),
  };
  el.querySelectorAll("[data-do]").forEach((button) => button.addEventListener("click", () => {
    if (button.dataset.do === "reset") hidden.fill(0);
    else hiding[button.dataset.do]().forEach((yes, at) => { hidden[at] ||= yes; });
    lookAgain();
  }));

  for (const canvas of [paper, map]) {
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      const inside = (share) => Math.min(width - 1, Math.max(0, Math.floor(share * width)));
      return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      brush = place(event);
      stroke(brush);
      soon();
    });
    canvas.addEventListener("pointermove", (event) => {
      brush = place(event);
      if (last) stroke(brush);
      if (last) soon();
      else draw();
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => { last = undefined; });
    }
    canvas.addEventListener("pointerleave", () => {
      brush = undefined;
      draw();
    });
  }
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  paper.addEventListener("keydown", (event) => {
    const way = ways[event.key];
    if (!way && event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    brush ??= [width / 2, width / 2];
    if (way) {
      const step = event.shiftKey ? 1 : 4;
      brush = brush.map((at, axis) => Math.min(width - 1, Math.max(0, at + step * way[axis])));
      draw();
      return;
    }
    hide(brush);
    soon();
  });
  paper.addEventListener("focus", () => {
    brush ??= [width / 2, width / 2];
    draw();
  });
  paper.addEventListener("blur", () => {
    brush = undefined;
    draw();
  });
  choose(0);
}

export default { render };
