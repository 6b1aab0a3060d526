// A picture to mark by mouse, finger or keyboard. A mark is a class and the pixels it was drawn on.
// Live figures and the annotator of notebooks share it.

// How many places a mark has; a free one is drawn in one go, or place by place until it is ended.
const MOST = { tags: 0, points: 1, boxes: 2, extremes: 4, scribble: Infinity, masks: Infinity };
const FEWEST = { points: 1, boxes: 2, extremes: 4, scribble: 1, masks: 3 };
const FREE = ["scribble", "masks"];
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const LONGEST = 1000; // dots of the canvas
const NEAR = 9; // dots of the screen that a finger may miss a place by
const A_DRAG = 8; // places after which a line is drawn in one go

export function boxOf(places) {
  const [xs, ys] = [places.map(([x]) => x), places.map(([, y]) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys) + 1];
}

// colours: of the classes, that of the background first. touched() is called at every touch,
// marked(marks) whenever a mark is complete or taken back.
export function makePad({ colours, touched, marked }) {
  const canvas = document.createElement("canvas");
  const [photograph, shade] = [new Image(), new Image()];
  const state = { width: 1, height: 1, kind: "points", label: 1, marks: [], open: null, awake: true };
  let [dragged, hover, cursor] = [0, null, null];
  canvas.className = "pad";
  canvas.tabIndex = 0;
  canvas.style.cssText = "width: 100%; height: auto;";

  const dots = () => canvas.width / (canvas.clientWidth || canvas.width); // of one on the screen
  const zoom = () => canvas.width / state.width;

  function stroke(context, colour, width) {
    for (const [style, wide] of [["rgba(0, 0, 0, 0.7)", width + 2], [colour, width]]) {
      context.strokeStyle = style;
      context.lineWidth = wide * dots();
      context.stroke();
    }
  }

  function drawMark(context, mark, open) {
    const at = ([x, y]) => [(x + 0.5) * zoom(), (y + 0.5) * zoom()];
    const colour = colours[mark.label % colours.length];
    const free = FREE.includes(state.kind);
    const lines = open && hover && state.kind === "boxes" ? [...mark.places, hover] : mark.places;
    context.beginPath();
    if (free && lines.length > 1) {
      lines.forEach((place, n) => context[n ? "lineTo" : "moveTo"](...at(place)));
      if (state.kind === "masks" && !open) {
        context.closePath();
        context.save();
        context.globalAlpha = 0.3;
        context.fillStyle = colour;
        context.fill();
        context.restore();
      }
      stroke(context, colour, 3);
    } else if (lines.length > 1 && (state.kind === "boxes" || !open)) {
      const [x0, y0, x1, y1] = boxOf(lines).map((side) => side * zoom());
      context.rect(x0, y0, x1 - x0, y1 - y0);
      stroke(context, colour, 2);
    }
    const dotted = state.kind === "points" || state.kind === "extremes" || lines.length === 1;
    const shown = dotted ? lines : open && state.kind === "masks" ? lines.slice(0, 1) : [];
    for (const place of shown) {
      context.beginPath();
      context.arc(...at(place), 5 * dots(), 0, 2 * Math.PI);
      context.fillStyle = colour;
      context.fill();
      stroke(context, "#fff", 1);
    }
  }

  function draw() {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (photograph.complete && photograph.naturalWidth) {
      context.drawImage(photograph, 0, 0, canvas.width, canvas.height);
    }
    if (shade.complete && shade.naturalWidth) {
      context.imageSmoothingEnabled = false;
      context.drawImage(shade, 0, 0, canvas.width, canvas.height);
      context.imageSmoothingEnabled = true;
    }
    context.lineJoin = "round";
    for (const mark of state.marks) drawMark(context, mark, false);
    if (state.open) drawMark(context, state.open, true);
    if (cursor) {
      const [x, y] = cursor.map((side) => (side + 0.5) * zoom());
      context.beginPath();
      for (const [dx, dy] of Object.values(STEPS)) {
        context.moveTo(x + 4 * dx * dots(), y + 4 * dy * dots());
        context.lineTo(x + 14 * dx * dots(), y + 14 * dy * dots());
      }
      stroke(context, "#fff", 2);
    }
  }

  function placeOf(event) {
    const frame = canvas.getBoundingClientRect();
    const inside = (value, side) => Math.max(0, Math.min(side - 1, Math.floor(value * side)));
    return [
      inside((event.clientX - frame.left) / frame.width, state.width),
      inside((event.clientY - frame.top) / frame.height, state.height),
    ];
  }

  const apart = (one, other) =>
    (Math.hypot(one[0] - other[0], one[1] - other[1]) * zoom()) / dots();

  function finish() {
    if (!state.open || state.open.places.length < FEWEST[state.kind]) return;
    state.marks.push(state.open);
    state.open = null;
    draw();
    marked(state.marks);
  }

  function add(place) {
    if (!MOST[state.kind]) return;
    state.open = state.open || { label: state.label, places: [] };
    state.open.places.push(place);
    if (state.open.places.length >= MOST[state.kind]) finish();
    draw();
  }

  // Asleep, it shows what was drawn, and a finger that moves over it scrolls the page.
  function wake(awake) {
    state.awake = awake;
    const draws = awake && MOST[state.kind] > 0;
    canvas.style.touchAction = draws ? "none" : "auto";
    canvas.style.cursor = draws ? "crosshair" : "auto";
  }

  function undo() {
    const whole = !state.open;
    if (whole) state.marks.pop();
    state.open = null;
    draw();
    if (whole) marked(state.marks);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!state.awake) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    [dragged, cursor] = [0, null];
    touched();
    const place = placeOf(event);
    const closes = state.kind === "masks" && state.open && state.open.places.length > 2;
    if (closes && apart(place, state.open.places[0]) < NEAR) finish();
    else add(place);
  });

  canvas.addEventListener("pointermove", (event) => {
    if (!state.open) return;
    const place = placeOf(event);
    const last = state.open.places.at(-1);
    if (FREE.includes(state.kind) && event.buttons && apart(place, last) > 2) {
      dragged += 1;
      add(place);
    }
    hover = place;
    draw();
  });

  canvas.addEventListener("pointerup", (event) => {
    if (!state.open) return;
    if (state.kind === "boxes" && state.open.places.length === 1) {
      const place = placeOf(event);
      if (apart(place, state.open.places[0]) > 4) add(place);
    } else if (state.kind === "scribble" || dragged >= A_DRAG) finish();
  });

  canvas.addEventListener("keydown", (event) => {
    if (!state.awake) return;
    const step = STEPS[event.key];
    if (step && MOST[state.kind]) {
      const far = event.shiftKey ? 1 : Math.max(1, Math.round(state.width / 50));
      const from = cursor || [Math.floor(state.width / 2), Math.floor(state.height / 2)];
      const sides = [state.width, state.height];
      cursor = from.map((at, n) => Math.max(0, Math.min(sides[n] - 1, at + far * step[n])));
      hover = cursor;
    } else if (event.key === " " && cursor) {
      touched();
      add(cursor);
    } else if (event.key === "Enter" && state.open) finish();
    else if (event.key === "Escape" && state.open) state.open = null;
    else if (event.key === "Backspace") undo();
    else return;
    event.preventDefault();
    event.stopPropagation();
    draw();
  });

  canvas.addEventListener("blur", () => {
    cursor = null;
    draw();
  });
  photograph.addEventListener("load", draw);
  shade.addEventListener("load", draw);

  return {
    canvas,
    finish,
    undo,
    draw,
    // A picture of width x height pixels at an address, and the marks that it has.
    show({ image, width, height, marks = [] }) {
      Object.assign(state, { width, height, marks: [...marks], open: null });
      const scale = LONGEST / Math.max(width, height);
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      shade.removeAttribute("src");
      photograph.src = image;
      draw();
    },
    rest: () => wake(false),
    // What is drawn from now on.
    use(kind, label) {
      Object.assign(state, { kind, label, open: null });
      wake(true);
      draw();
    },
    mark(marks) {
      Object.assign(state, { marks: [...marks], open: null });
      draw();
    },
    // A picture with clear parts to lay over the photograph; "" takes it away.
    overlay(address) {
      if (address) shade.src = address;
      else shade.removeAttribute("src");
      draw();
    },
    get marks() {
      return state.marks;
    },
  };
}
