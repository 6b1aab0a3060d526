// A threshold to drag: the mask that it cuts from a score, its IoU, and the point on the curve.
// The same module serves pages, which hand it a small model, and anywidget in notebooks.

const STEPS = 100;
const VOID = 255;

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// IoU of the object and of the ground where a pixel is called object if its score exceeds t.
export function ious(score, truth, t) {
  const cut = (255 * t) / STEPS;
  const count = { both: 0, said: 0, there: 0, total: 0 };
  for (let i = 0; i < score.length; i += 1) {
    if (truth[i] === VOID) continue;
    const said = score[i] > cut;
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

function draw(canvas, picture, score, t) {
  const { width, height } = canvas;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height);
  const cut = (255 * t) / STEPS;
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && score[y * width + x] > cut;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = 4 * (y * width + x);
      const here = inside(x, y);
      const border = here && !(inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) && inside(x, y + 1));
      for (let c = 0; c < 3; c += 1) {
        if (border) pixels.data[at + c] = 255;
        else if (!here) pixels.data[at + c] *= 0.35;
      }
    }
  }
  context.putImageData(pixels, 0, 0);
}

function curveOf(means, width, height) {
  const points = means.map((mean, t) => `${(t / STEPS) * width},${(1 - mean) * height}`);
  return `<svg viewBox="-34 -6 ${width + 44} ${height + 40}" role="img" aria-label="Mean IoU over the threshold">
    <g fill="none" stroke="currentColor">
      <path d="M0 0V${height}H${width}" opacity="0.5"/>
      <polyline points="${points.join(" ")}" stroke="#d55e00" stroke-width="2"/>
    </g>
    <circle r="6" fill="#d55e00" stroke="currentColor"/>
    <g fill="currentColor" font-size="11">
      <text x="-6" y="6" text-anchor="end">1</text><text x="-6" y="${height}" text-anchor="end">0</text>
      <text x="0" y="${height + 14}">0</text>
      <text x="${width}" y="${height + 14}" text-anchor="end">1</text>
      <text x="${width / 2}" y="${height + 28}" text-anchor="middle">threshold; up: mean IoU</text>
    </g></svg>`;
}

export function render({ model, el }) {
  const [width, height] = [model.get("width"), model.get("height")];
  const score = bytes(model.get("score"));
  const truth = bytes(model.get("truth"));
  const name = model.get("name");
  const means = Array.from({ length: STEPS }, (_, t) => {
    const found = ious(score, truth, t);
    return (found.object + found.ground) / 2;
  });
  el.classList.add("live-threshold");
  el.innerHTML = `
    <canvas width="${width}" height="${height}" role="img" aria-label="The photograph; what lies below the threshold is dark"></canvas>
    <div class="live-side">${curveOf(means, 240, 120)}</div>
    <label>threshold <input type="range" min="0" max="${STEPS - 1}" step="1"></label>
    <output aria-live="polite"></output>`;
  const [canvas, dot] = [el.querySelector("canvas"), el.querySelector("circle")];
  const [slider, said] = [el.querySelector("input"), el.querySelector("output")];
  const picture = new Image();

  function show() {
    const t = Number(slider.value);
    const found = ious(score, truth, t);
    if (picture.complete) draw(canvas, picture, score, t);
    dot.setAttribute("cx", (t / STEPS) * 240);
    dot.setAttribute("cy", (1 - means[t]) * 120);
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
