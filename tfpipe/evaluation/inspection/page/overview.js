// Every layer as a column of its maps.
const TALL = 680, GAP = 2;

function overview() {
  const columns = [];
  let module = null, row = null;
  steps.forEach((step, index) => {
    if (step.module !== module) {
      module = step.module;
      row = el("div", { class: "columns" });
      columns.push(el("section", { class: "module", "aria-label": module }, el("h2", {}, module), row));
    }
    row.append(columnOf(step, index));
  });
  const scale = choice("One scale of colours for", [["layer", "each layer"], ["module", "each module"],
    ["network", "the whole network"]], state.scale, (v) => go({ scale: v }, true), "scale");
  return [
    el("div", { class: "row" }, ...imageButtons()),
    el("div", { class: "row" }, scale, el("span", { class: "note" }, "Click a map to see what it is made of.")),
    el("div", { class: "scroller", id: "layers", tabindex: "0", role: "group", "aria-label": "Layers, from the image to the answer" }, ...columns),
  ];
}

function imageButtons() {
  return model.pictures.map((image, which) => {
    const truth = image.truth ? `true class: ${image.truth}` : "";
    const right = image.truth && image.answer.startsWith(image.truth) ? " right" : "";
    return el("button", { type: "button", class: `image${right}`, "aria-pressed": String(which === state.image), onclick: () => go({ image: which }, true) },
      photo(which, 56), el("span", {}, el("b", {}, image.answer), el("br"), truth || image.name,
        truth ? el("span", { class: "unseen" }, `, ${image.name}`) : null));
  });
}

function columnOf(step, index) {
  const range = spanOf(step), after = step.followedBy.length
    ? el("p", { class: "note" }, `then ${step.followedBy.map((n) => n.split("/").pop()).join(", ")}: changes nothing here`) : null;
  const units = step.shape[0];
  let body;
  if (isMaps(step)) body = tiles(step, index, range);
  else if (units <= (lastSteps.includes(step) ? 100 : 12)) body = bars(step, index, range);
  else body = strip(step, index, range);
  return el("section", { class: "column", "data-step": step.name, "aria-label": `${step.name}, ${step.kind}` },
    el("h3", {}, ...step.name.split(/(?<=[/_])/).flatMap((part) => [part, el("wbr")])),
    el("p", { class: "note" }, `${step.kind} · ${shape(step)}`), legend(range), body, after);
}

function zoomOf(width) {
  const wanted = width >= 24 ? 64 : width >= 12 ? 48 : 40;
  return Math.max(1, Math.floor(wanted / width));
}

// One canvas for all maps of a layer, and a button over each.
function tiles(step, index, range) {
  const [height, width, count] = step.shape, zoom = zoomOf(Math.max(height, width));
  const tall = height * zoom + GAP, wide = width * zoom + GAP;
  const most = Math.max(1, Math.floor(TALL / tall)), eights = count % 8 || most < 8 ? most : most - (most % 8);
  const rows = Math.min(count, eights), across = Math.ceil(count / rows);
  const drawn = canvas(rows * tall - GAP, across * wide - GAP, (image) => {
    for (let k = 0; k < count; k++) {
      pixels(image, board(step, k), range, Math.floor(k / across) * tall, (k % across) * wide, zoom);
    }
  });
  const buttons = Array.from({ length: count }, (_, k) => {
    const [low, high] = spanOfGrid(board(step, k));
    const button = el("button", { type: "button", class: "tile", "data-layer": index, "data-map": k, tabindex: k ? "-1" : "0",
      "aria-label": `${step.name}, map ${k} of ${count}, ${rangeText([low, high])}`, title: `map ${k}: ${rangeText([low, high])}` });
    button.style.left = `${(k % across) * wide}px`;
    button.style.top = `${Math.floor(k / across) * tall}px`;
    button.style.width = `${width * zoom}px`;
    button.style.height = `${height * zoom}px`;
    return button;
  });
  const whole = step.form === "input" && [1, 3, 4].includes(count) && count > 1 ? photo(state.image, 64) : null;
  return el("div", {}, whole, el("div", { class: "tiles", "data-across": across }, drawn, ...buttons));
}

function bars(step, index, range) {
  const all = valuesOf(step), top = Math.max(Math.abs(range[0]), Math.abs(range[1])) || 1;
  const best = all.indexOf(Math.max(...all));
  return el("div", { class: "bars tiles", "data-across": 1 }, ...Array.from(all, (v, unit) => {
    const bar = el("i"), button = el("button", { type: "button", class: `bar${unit === best && all.length > 1 ? " best" : ""}`, "data-layer": index, "data-map": unit,
      tabindex: unit ? "-1" : "0" }, el("span", {}, unitName(step, unit)), bar, shown(v, "span"));
    bar.style.width = `${Math.round((60 * Math.abs(v)) / top)}px`;
    bar.style.background = css(colour(v, range));
    return button;
  }));
}

// Many units: one picture, of which a click takes a unit.
function strip(step, index, range) {
  const units = step.shape[0], zoom = units <= 512 ? 8 : units <= 4096 ? 4 : 2;
  const rows = Math.min(units, Math.floor(512 / zoom)), across = Math.ceil(units / rows);
  const all = valuesOf(step);
  const drawn = canvas(rows * zoom, across * zoom, (image) =>
    pixels(image, { height: rows, width: across, size: units, at: (r, c) => all[r * across + c] }, range, 0, 0, zoom));
  const button = el("button", { type: "button", class: "tile strip", "data-layer": index, "data-map": 0, "data-zoom": zoom, "data-wide": across, "data-units": units,
    "aria-label": `${step.name}, ${units} units, ${rangeText(range)}` });
  return el("div", { class: "tiles", "data-across": 1 }, drawn, button);
}

function overviewClick(event) {
  const button = event.target.closest?.("#layers button");
  if (!button) return;
  let { map, zoom, wide, units } = button.dataset;
  if (zoom && event.detail) {  // a click of the mouse, not of a key
    const box = button.getBoundingClientRect();
    const unit = Math.floor((event.clientY - box.top) / zoom) * wide + Math.floor((event.clientX - box.left) / zoom);
    map = Math.max(0, Math.min(units - 1, unit));
  }
  go({ view: "elastic", layer: Number(button.dataset.layer), map: Number(map), channel: 0, row: 0, column: 0, branch: 0 });
}

function overviewKey(event) {
  const button = event.target.closest?.("#layers button");
  if (!button || !ARROWS[event.key]) return;
  const tiles = button.closest(".tiles"), all = [...tiles.querySelectorAll("button")];
  const [down, right] = ARROWS[event.key], across = Number(tiles.dataset.across), at = all.indexOf(button);
  const column = (at % across) + right;
  let next = all[at + down * across + right];
  if (right && (column < 0 || column >= across || !next)) {
    const layers = [...document.querySelectorAll("#layers .tiles")];
    const beside = layers[layers.indexOf(tiles) + right];
    next = beside?.querySelector("button[tabindex='0']") ?? beside?.querySelector("button");
  }
  event.preventDefault();
  if (next) focusTile(next);
}

function focusTile(button) {
  button.closest(".tiles").querySelectorAll("button").forEach((b) => b.setAttribute("tabindex", b === button ? "0" : "-1"));
  button.focus();
}
