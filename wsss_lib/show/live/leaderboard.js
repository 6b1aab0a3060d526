// A leaderboard to sort, filter and search. Rows are data; nothing here knows a system by name.

// ``brief`` stands before a figure on a phone, where a row has no heads above it.
const COLUMNS = [
  { key: "name", head: "system", brief: "" },
  { key: "family", head: "family", brief: "" },
  { key: "label", head: "label", brief: "" },
  { key: "hidden", head: "hidden", brief: "hidden:\u00a0" },
  { key: "miou", head: "mIoU", brief: "", down: true },
  { key: "gain", head: "gain at home", brief: "gain at home\u00a0", down: true },
  { key: "seconds", head: "seconds", brief: "seconds\u00a0" },
  { key: "memory", head: "memory (MB)", brief: "MB\u00a0" },
];
const NONE = "none";

const hiddenOf = (row) => (row.hidden.length ? row.hidden : [NONE]);

function valueOf(row, key) {
  if (key === "hidden") return hiddenOf(row).join(", ");
  return key === "gain" ? row.gain && row.gain.mean : row[key];
}

function compare(a, b) {
  return typeof a === "string" ? a.localeCompare(b, "en", { sensitivity: "base" }) : a - b;
}

// Rows in the order of a column; what has no value comes last. Gains that count different things
// do not compare: they are grouped by what they count.
export function ordered(rows, key, down) {
  const known = rows.filter((row) => valueOf(row, key) !== null);
  const unknown = rows.filter((row) => valueOf(row, key) === null);
  known.sort((a, b) => {
    const group = key === "gain" ? compare(a.gain.response, b.gain.response) : 0;
    const order = compare(valueOf(a, key), valueOf(b, key));
    return group || (down ? -order : order) || compare(a.name, b.name);
  });
  return [...known, ...unknown];
}

// Rows whose label and whose every hidden supervision are allowed, and which hold the words.
export function kept(rows, { labels, hidden, controls, words }) {
  const sought = words.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    const text = [row.name, row.family, row.label, ...hiddenOf(row)].join(" ").toLowerCase();
    return (row.system || controls) && labels.has(row.label)
      && hiddenOf(row).every((need) => hidden.has(need)) && sought.every((word) => text.includes(word));
  });
}

function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function signed(value, places) {
  return (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(places);
}

function boxes(title, values, colours, changed) {
  const chosen = new Set(values);
  const field = made("fieldset", {}, made("legend", { textContent: title }));
  for (const value of values) {
    const box = made("input", { type: "checkbox", checked: true, value });
    box.addEventListener("change", () => {
      chosen[box.checked ? "add" : "delete"](value);
      changed();
    });
    const label = made("label", {}, box);
    if (colours[value]) label.append(made("i", { className: "live-key", style: `background: ${colours[value]}` }));
    label.append(value);
    field.append(label);
  }
  return [field, chosen];
}

function dotOf(row, colour, [low, high], places) {
  const at = (value) => (100 * (Math.min(high, Math.max(low, value)) - low)) / (high - low);
  const [left, right] = [at(row.miou - row.spread), at(row.miou + row.spread)];
  const track = made("span", { className: "live-track" });
  track.append(
    made("i", { className: "live-bar", style: `left: ${left}%; width: ${right - left}%; background: ${colour}` }),
    made("i", { className: "live-dot", style: `left: ${at(row.miou)}%; background: ${colour}` }),
  );
  const text = `${row.miou.toFixed(places)} \u00b1\u00a0${row.spread.toFixed(places)}`;
  return [track, made("span", { className: "live-number", textContent: text })];
}

function gainOf(gain, places) {
  if (!gain) return ["\u2013"];
  const text = `${signed(gain.mean, places)} \u00b1\u00a0${gain.error.toFixed(places)}`;
  const shown = Math.abs(gain.mean) > gain.error;
  return [
    made("span", { className: shown ? "live-number" : "live-number live-unshown", textContent: text }),
    made("small", { textContent: gain.response }),
  ];
}

function cellsOf(row, colour, span, places) {
  const name = row.address ? made("a", { href: row.address, textContent: row.name }) : row.name;
  const contents = {
    name: [name],
    family: [row.family],
    label: [row.label],
    hidden: [valueOf(row, "hidden")],
    miou: dotOf(row, colour, span, places),
    gain: gainOf(row.gain, places),
    seconds: [row.seconds.toFixed(0)],
    memory: [row.memory.toFixed(0)],
  };
  return COLUMNS.map(({ key, brief }) => {
    const cell = made(key === "name" ? "th" : "td", { className: `live-${key}` }, ...contents[key]);
    if (key === "name") cell.scope = "row";
    cell.dataset.brief = brief;
    return cell;
  });
}

// The axis holds what there is with its spread, whatever filters leave of it.
function spanOf(rows) {
  const low = Math.min(...rows.map((row) => row.miou - row.spread));
  const high = Math.max(...rows.map((row) => row.miou + row.spread));
  return [Math.max(0, Math.floor(10 * low) / 10), Math.min(1, Math.ceil(10 * high) / 10)];
}

function ticksOf([low, high]) {
  const ticks = [];
  for (let tick = Math.ceil(5 * low); tick <= Math.floor(5 * high + 1e-9); tick += 1) {
    const left = (100 * (tick / 5 - low)) / (high - low);
    ticks.push(made("i", { style: `left: ${left}%`, textContent: (tick / 5).toFixed(1) }));
  }
  return ticks;
}

export function render({ model, el }) {
  const rows = model.get("rows");
  const [colours, places] = [model.get("colours"), model.get("places")];
  const sort = { key: "miou", down: true };
  const needs = [...new Set(rows.flatMap(hiddenOf))].sort((a, b) => (b === NONE) - (a === NONE));
  const [labelField, labels] = boxes("learns from", Object.keys(colours), colours, show);
  const [hiddenField, hidden] = boxes("hidden supervision allowed", needs, {}, show);
  const controls = made("input", { type: "checkbox" });
  const search = made("input", { type: "search", placeholder: "such as \u201cerasing\u201d" });
  const said = made("output");
  const body = made("tbody");
  const axis = made("span", { className: "live-axis" });
  axis.setAttribute("aria-hidden", "true");
  const heads = COLUMNS.map((column) => {
    const button = made("button", { type: "button", textContent: column.head });
    const head = made("th", { scope: "col", className: `live-${column.key}` }, button);
    if (column.key === "miou") head.append(axis);
    button.addEventListener("click", () => {
      sort.down = sort.key === column.key ? !sort.down : Boolean(column.down);
      sort.key = column.key;
      show();
    });
    return head;
  });

  function show() {
    const state = { labels, hidden, controls: controls.checked, words: search.value };
    const span = spanOf(rows.filter((row) => row.system || controls.checked));
    axis.replaceChildren(...ticksOf(span));
    const shown = ordered(kept(rows, state), sort.key, sort.down);
    body.replaceChildren(...shown.map((row) => made("tr", {}, ...cellsOf(row, colours[row.label], span, places))));
    COLUMNS.forEach(({ key }, number) => {
      if (key === sort.key) heads[number].setAttribute("aria-sort", sort.down ? "descending" : "ascending");
      else heads[number].removeAttribute("aria-sort");
    });
    said.value = shown.length ? `${shown.length} of ${rows.length} rows` : "No row is left: allow more, or search for less.";
  }

  controls.addEventListener("change", show);
  search.addEventListener("input", show);
  el.classList.add("live-leaderboard");
  el.replaceChildren(
    made("div", { className: "live-controls" }, labelField, hiddenField,
      made("label", { className: "live-search" }, "search ", search),
      made("label", {}, controls, "controls and variants too"), said),
    made("table", {}, made("thead", {}, made("tr", {}, ...heads)), body),
  );
  show();
}

export default { render };
