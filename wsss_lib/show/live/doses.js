// A dose to slide over: the curve of gains with the dose marked, and the same pictures at it.

import { escaped, plasma, inflated } from "./maps.js";

const SCALE = 4;
const SHAPES = [
  "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0 -4 0Z", "M-3.5 -3.5H3.5V3.5H-3.5Z", "M0 -5L5 0L0 5L-5 0Z",
  "M0 -5L4.5 3.5H-4.5Z", "M0 5L4.5 -3.5H-4.5Z",
];
const DASHES = ["", "6 3", "8 3 2 3", "2 3"];

// Mean of the gains, and two standard errors where there are more than two worlds.
export function summary(gains) {
  const mean = gains.reduce((total, gain) => total + gain, 0) / gains.length;
  if (gains.length < 3) return { mean, error: null };
  const squares = gains.reduce((total, gain) => total + (gain - mean) ** 2, 0);
  return { mean, error: 2 * Math.sqrt(squares / (gains.length - 1) / gains.length) };
}

function signed(value) {
  return `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(3)}`;
}

function gainText(gains) {
  const { mean, error } = summary(gains);
  return error === null ? signed(mean) : `${signed(mean)} ±\u00a0${error.toFixed(3)}`;
}

function ticksOf(low, high) {
  const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].find((one) => (high - low) / one <= 5) ?? 1;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, n) => (first + n) * step);
}

function marker(number, x, y, size, filled) {
  return `<path d="${SHAPES[number % SHAPES.length]}" transform="translate(${x} ${y}) scale(${size})" fill="${filled ? "COLOUR" : "none"}" stroke="COLOUR" stroke-width="${1.4 / size}"/>`;
}

function plotOf(curves, doses, home, chosen, response, width) {
  const [left, right, top, height] = [46, 8, 8, 190];
  const inner = width - left - right;
  const band = inner / doses.length;
  const ends = curves.flatMap(({ gains }) => gains.flatMap((here) => {
    const { mean, error } = summary(here);
    return [...here, mean - (error ?? 0), mean + (error ?? 0)];
  })).concat(0);
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const room = (most - least) * 0.06 || 0.01;
  const up = (gain) => top + ((most + room - gain) / (most - least + 2 * room)) * height;
  const along = (place, number) => left + band * (place + 0.5) + 14 * (number - (curves.length - 1) / 2);
  const lines = curves.map(({ gains, colour }, number) => {
    const means = gains.map((here) => summary(here).mean);
    const path = means.map((mean, place) => `${along(place, number)},${up(mean)}`).join(" ");
    const marks = gains.map((here, place) => {
      const { mean, error } = summary(here);
      const x = along(place, number);
      const bar = error === null ? "" : `<path d="M${x} ${up(mean - error)}V${up(mean + error)}M${x - 4} ${up(mean - error)}h8M${x - 4} ${up(mean + error)}h8" fill="none" stroke="COLOUR" stroke-width="1.8"/>`;
      return here.map((gain) => marker(number, x, up(gain), 0.6, false)).join("") + bar
        + `<g class="live-mean" data-dose="${place}" data-gain="${mean}">${marker(number, x, up(mean), 1.15, true)}</g>`;
    });
    const line = `<polyline points="${path}" fill="none" stroke="COLOUR" stroke-width="1.8" stroke-dasharray="${DASHES[number % DASHES.length]}"/>`;
    return (line + marks.join("")).replaceAll("COLOUR", colour);
  });
  const ticks = ticksOf(least - room, most + room).map((tick) =>
    `<path d="M${left} ${up(tick)}H${left + inner}" stroke="currentColor" opacity="${Math.abs(tick) < 1e-9 ? 0.9 : 0.18}"/>`
    + `<text x="${left - 6}" y="${up(tick) + 4}" text-anchor="end">${tick < -1e-9 ? "\u2212" : ""}${Math.abs(tick).toFixed(2)}</text>`);
  const bands = doses.map((dose, place) =>
    `<g class="live-band" data-dose="${place}"><rect x="${left + band * place}" y="${top}" width="${band}" height="${height + 34}" fill="currentColor" opacity="${place === home ? 0.1 : 0}"/>`
    + `<text x="${left + band * (place + 0.5)}" y="${top + height + 18}" text-anchor="middle" font-weight="${place === chosen ? 700 : 400}">${dose}${place === home ? " (home)" : ""}</text></g>`);
  const at = left + band * chosen;
  return `<svg width="${width}" height="${top + height + 36}" viewBox="0 0 ${width} ${top + height + 36}" role="img" aria-label="${escaped(response)}: gains over the control by dose">
    <g fill="currentColor" font-size="13">${bands.join("")}${ticks.join("")}</g>
    ${lines.join("")}
    <rect class="live-chosen" data-dose="${chosen}" x="${at + 3}" y="${top + 1}" width="${band - 6}" height="${height + 28}" rx="5" fill="none" stroke="currentColor" stroke-width="2"/>
  </svg>`;
}

function edges(inside, width, height) {
  const path = new Path2D();
  const at = (x, y) => x >= 0 && y >= 0 && x < width && y < height && inside(y * width + x);
  for (let y = 0; y <= height; y += 1) {
    for (let x = 0; x <= width; x += 1) {
      if (at(x, y) !== at(x - 1, y)) { path.moveTo(x * SCALE, y * SCALE); path.lineTo(x * SCALE, (y + 1) * SCALE); }
      if (at(x, y) !== at(x, y - 1)) { path.moveTo(x * SCALE, y * SCALE); path.lineTo((x + 1) * SCALE, y * SCALE); }
    }
  }
  return path;
}

function tint(share) {
  return [...plasma(share), 255 * 0.7 * share];
}

// Paint (R, G, B, A) for each pixel over the picture, and a line around a region.
function paint(canvas, width, height, colourOf, inside) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  const small = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) small.data.set(colourOf(i), 4 * i);
  const sheet = new OffscreenCanvas(width, height);
  sheet.getContext("2d").putImageData(small, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(sheet, 0, 0, canvas.width, canvas.height);
  if (!inside) return;
  const outline = edges(inside, width, height);
  for (const [style, thick] of [["black", 4], ["white", 1.8]]) {
    [context.strokeStyle, context.lineWidth] = [style, thick];
    context.stroke(outline);
  }
}

export async function render({ model, el }) {
  const [width, height, doses, home] = ["width", "height", "doses", "home"].map((key) => model.get(key));
  const [curves, names, images] = ["curves", "names", "images"].map((key) => model.get(key));
  const colours = model.get("colours").map((text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)));
  const content = await inflated(model.get("content"));
  let start = 0;
  const cut = () => content.subarray(start, (start += width * height));
  const pictures = model.get("pictures").map(({ title, doses: each }) => ({
    title,
    doses: each.map((one) => ({ ...one, truth: cut(), label: one.given ? cut() : null, answers: names.map(cut) })),
  }));
  const labelled = pictures[0].doses.some(({ given }) => given);

  el.classList.add("live-doses");
  el.innerHTML = `
    <div class="live-legend">${curves.map(({ name, colour }, number) =>
      `<span><svg width="34" height="12" viewBox="-17 -6 34 12" aria-hidden="true"><path d="M-17 0H17" stroke="${colour}" stroke-width="1.8" stroke-dasharray="${DASHES[number % DASHES.length]}"/>${marker(number, 0, 0, 1.1, true).replaceAll("COLOUR", colour)}</svg> ${escaped(name)} <b class="live-gain"></b></span>`).join("")}</div>
    <p class="live-response">gain in ${escaped(model.get("response"))}</p>
    <div class="live-plot"></div>
    <label><span>${escaped(model.get("axis"))}</span> <input type="range" min="0" max="${doses.length - 1}" step="1"><output aria-live="polite"></output></label>
    <div class="live-choices" role="group" aria-label="Picture">${pictures.map(({ title }) => `<button type="button">${escaped(title)}</button>`).join("")}</div>
    <div class="live-panels">${["truth", ...(labelled ? ["label"] : []), ...names].map((name) => `
      <div class="live-panel"><b></b><span class="live-stack"><img alt="" width="${width}" height="${height}"><canvas width="${width * SCALE}" height="${height * SCALE}" role="img"></canvas></span><span class="live-note"></span></div>`).join("")}</div>`;
  const [slider, said, plot] = ["input", "output", ".live-plot"].map((part) => el.querySelector(part));
  const buttons = [...el.querySelectorAll("button")];
  const panels = [...el.querySelectorAll(".live-panel")];
  let shown = pictures[0];

  function panel(number, seen, name, note, colourOf, inside) {
    const [head, image, canvas, foot] = ["b", "img", "canvas", ".live-note"].map((part) => panels[number].querySelector(part));
    [head.textContent, foot.textContent, image.src] = [name, note, images[seen.image]];
    canvas.setAttribute("aria-label", `${name} ${note}`);
    paint(canvas, width, height, colourOf, inside);
  }

  function show() {
    const chosen = Number(slider.value);
    const seen = shown.doses[chosen];
    plot.innerHTML = plotOf(curves, doses, home, chosen, model.get("response"), Math.min(640, plot.clientWidth || 640));
    curves.forEach(({ gains }, number) => { el.querySelectorAll(".live-gain")[number].textContent = gainText(gains[chosen]); });
    said.value = `${doses[chosen]}${chosen === home ? " (home)" : ""}: ${curves[0].gains[chosen].length} worlds`;
    const clear = () => [0, 0, 0, 0];
    panel(0, seen, "picture", `the ${seen.name}`, clear, (i) => seen.truth[i] === 1);
    if (labelled) {
      const drawn = (i) => (seen.label[i] === 255 ? [0, 0, 0, 170] : [...(seen.label[i] ? colours[(seen.label[i] - 1) % colours.length] : [255, 255, 255]), 255]);
      panel(1, seen, seen.given, "the weak label", seen.scored ? (i) => tint(seen.label[i] / 255) : drawn, null);
    }
    names.forEach((name, number) => {
      const values = seen.answers[number];
      panel(number + 1 + labelled, seen, name, `IoU ${seen.iou[number].toFixed(2)}`, (i) => tint((values[i] & 127) / 127), (i) => values[i] > 127);
    });
  }

  function choose(number) {
    shown = pictures[number];
    buttons.forEach((button, place) => button.setAttribute("aria-pressed", place === number));
    show();
  }

  slider.value = home;
  slider.addEventListener("input", show);
  plot.addEventListener("click", (event) => {
    const box = plot.getBoundingClientRect();
    const across = Math.min(640, plot.clientWidth || 640) - 54;
    const place = Math.floor(((event.clientX - box.left - 46) / across) * doses.length);
    slider.value = Math.min(doses.length - 1, Math.max(0, place));
    show();
  });
  buttons.forEach((button, number) => button.addEventListener("click", () => choose(number)));
  let last = plot.clientWidth;
  new ResizeObserver(() => {
    if (plot.clientWidth === last) return;
    last = plot.clientWidth;
    show();
  }).observe(plot);
  choose(0);
}

export default { render };
