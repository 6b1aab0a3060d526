// What figures share: names as HTML, bytes, colours of scores, IoU, the region cut out, a curve.

import { bytes, escaped } from "./text.js";

const VOID = 255;
const DARK = 0.45;
const PLASMA = [[13, 8, 135], [126, 3, 168], [204, 71, 120], [248, 149, 64], [240, 249, 33]];
const CURVE = { width: 240, height: 120 };

// Bytes that were compressed.
export async function inflated(text) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// RGB of a score in [0, 1], about as Matplotlib's "plasma" has it.
export function plasma(share) {
  const at = share * (PLASMA.length - 1);
  const low = Math.min(Math.floor(at), PLASMA.length - 2);
  return PLASMA[low].map((value, c) => value + (at - low) * (PLASMA[low + 1][c] - value));
}

// Labels that were written as value, how often it follows, value, how often, ...
export function unrolled(runs, size) {
  const labels = new Uint8Array(size);
  for (let i = 0, at = 0; i < runs.length; i += 2, at += runs[i - 1]) labels.fill(runs[i], at, at + runs[i + 1]);
  return labels;
}

// IoU of the object and of the ground where a pixel is called object if its value exceeds the cut.
export function ious(values, truth, cut) {
  const count = { both: 0, said: 0, there: 0, total: 0 };
  for (let i = 0; i < values.length; i += 1) {
    if (truth[i] === VOID) continue;
    const said = values[i] > cut;
    count.total += 1;
    count.said += said;
    count.there += truth[i];
    count.both += said && truth[i] === 1;
  }
  const either = count.said + count.there - count.both;
  const neither = count.total - either;
  const grounds = count.total - count.both;
  return { object: either ? count.both / either : NaN, ground: grounds ? neither / grounds : NaN };
}

// RGB in [0, 1], channel after channel, of a picture that is a whole number of times as wide.
export function planesOf(picture, width, height) {
  const zoom = picture.naturalWidth / width;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * zoom, height * zoom];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const planes = new Float32Array(3 * width * height);
  for (let i = 0; i < data.length; i += 4) {
    const [x, y] = [(i / 4) % canvas.width, Math.floor(i / 4 / canvas.width)];
    const at = Math.floor(y / zoom) * width + Math.floor(x / zoom);
    for (let c = 0; c < 3; c += 1) planes[c * width * height + at] += data[i + c];
  }
  return planes.map((sum) => sum / (255 * zoom * zoom));
}

// Values between pixels, at every pixel of a larger canvas.
export function enlarged(values, width, canvas) {
  const height = values.length / width;
  const found = new Float32Array(canvas.width * canvas.height);
  const places = (many, few) => {
    const at = Array.from({ length: many }, (_, i) => Math.min(Math.max(((i + 0.5) * few) / many - 0.5, 0), few - 1));
    const first = at.map(Math.floor);
    return { first, second: first.map((i) => Math.min(i + 1, few - 1)), share: at.map((place, i) => place - first[i]) };
  };
  const [columns, rows] = [places(canvas.width, width), places(canvas.height, height)];
  for (let y = 0, at = 0; y < canvas.height; y += 1) {
    const [top, bottom, down] = [rows.first[y] * width, rows.second[y] * width, rows.share[y]];
    for (let x = 0; x < canvas.width; x += 1, at += 1) {
      const [left, right, along] = [columns.first[x], columns.second[x], columns.share[x]];
      const above = values[top + left] * (1 - along) + values[top + right] * along;
      const below = values[bottom + left] * (1 - along) + values[bottom + right] * along;
      found[at] = above * (1 - down) + below * down;
    }
  }
  return found;
}

const [OUTSIDE, INSIDE, BORDER] = [0, 1, 2];

// Where the pixels of a canvas lie: where a map exceeds a cut, at the border of that, or outside.
function regionOf(map, mapWidth, cut, canvas) {
  const { width } = canvas;
  const inside = Uint8Array.from(enlarged(map, mapWidth, canvas), (value) => value > cut);
  return inside.map((here, i) => {
    if (!here) return OUTSIDE;
    const x = i % width;
    const alone = x === 0 || x === width - 1 || i < width || i >= inside.length - width;
    return alone || !(inside[i - 1] && inside[i + 1] && inside[i - width] && inside[i + width]) ? BORDER : INSIDE;
  });
}

// Calls back with the bytes of a canvas and where each pixel's begin; then shows what became of them.
function repaint(canvas, colour) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < pixels.data.length; i += 4) colour(pixels.data, i);
  context.putImageData(pixels, 0, 0);
}

function lay(canvas, picture) {
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(picture, 0, 0, canvas.width, canvas.height);
}

// A picture in which a region stays bright, within a white line.
export function cutOut(canvas, picture, map, width, cut) {
  const region = regionOf(map, width, cut, canvas);
  lay(canvas, picture);
  repaint(canvas, (data, at) => {
    const where = region[at / 4];
    if (where === INSIDE) return;
    for (let c = at; c < at + 3; c += 1) data[c] = where === BORDER ? 255 : data[c] * DARK;
  });
}

// A dashed line around a region, over what the canvas shows.
export function dashedLine(canvas, map, width, cut, colour) {
  const region = regionOf(map, width, cut, canvas);
  repaint(canvas, (data, at) => {
    const [x, y] = [(at / 4) % canvas.width, Math.floor(at / 4 / canvas.width)];
    if (region[at / 4] === BORDER && (x + y) % 8 < 5) data.set(colour, at);
  });
}

// A darkened picture with a tint, the stronger the higher the map, which runs from 0 to a highest value.
export function tinted(canvas, picture, map, width, highest, colour) {
  const values = enlarged(map, width, canvas);
  lay(canvas, picture);
  repaint(canvas, (data, at) => {
    const share = (0.8 * values[at / 4]) / highest;
    for (let c = 0; c < 3; c += 1) data[at + c] = 0.6 * data[at + c] * (1 - share) + colour[c] * share;
  });
}

// An empty curve of figures between 0 and 1, with the ends of its horizontal axis.
export function curveOf(label, title, ends) {
  const { width, height } = CURVE;
  return `<svg viewBox="-34 -6 ${width + 44} ${height + 40}" role="img" aria-label="${label}">
    <g fill="none" stroke="currentColor">
      <path d="M0 0V${height}H${width}" opacity="0.5"/>
      <polyline stroke="#d55e00" stroke-width="2"/>
    </g>
    <circle r="6" fill="#d55e00" stroke="currentColor"/>
    <g fill="currentColor" font-size="11">
      <text x="-6" y="6" text-anchor="end">1</text><text x="-6" y="${height}" text-anchor="end">0</text>
      <text x="0" y="${height + 14}">${ends[0]}</text>
      <text x="${width}" y="${height + 14}" text-anchor="end">${ends[1]}</text>
      <text x="${width / 2}" y="${height + 28}" text-anchor="middle">${title}</text>
    </g></svg>`;
}

// Figures along the curve, of which the last would be at the end of the axis, and the point.
export function drawCurve(svg, figures, last, at) {
  const place = (i) => [(i / last) * CURVE.width, (1 - figures[i]) * CURVE.height];
  svg.querySelector("polyline").setAttribute("points", figures.map((_, i) => place(i)).join(" "));
  const [x, y] = place(at);
  svg.querySelector("circle").setAttribute("cx", x);
  svg.querySelector("circle").setAttribute("cy", y);
}
