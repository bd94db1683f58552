// Elements, numbers as people read them, and numbers as colours.
function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function short(v) {
  if (!Number.isFinite(v)) return Number.isNaN(v) ? "NaN" : v > 0 ? "∞" : "−∞";
  const size = Math.abs(v);
  const text = size !== 0 && (size < 1e-4 || size >= 1e6) ? v.toExponential(2) : String(Number(v.toPrecision(4)));
  return text.replaceAll("-", "−");
}

const shown = (v, name = "b") => el(name, { class: "number", title: String(v) }, short(v));
// A formula: numbers as such, those below zero in brackets after an operator.
const line = (parts) => parts.flatMap((p, i) => {
  const next = parts[i + 1], gap = /\($/.test(p) || /^\)/.test(next ?? "") ? "" : " ";
  if (typeof p !== "number") return [p, gap];
  return p < 0 && /[+−·×]$/.test(parts[i - 1] ?? "") ? ["(", shown(p), ")", gap] : [shown(p), gap];
});
const shape = (step) => step.shape.join("×");

const SHADES = 255;
let inks = {}, palette = [];  // of -SHADES to SHADES, from the least colour to the greatest
function readInks() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["zero", "more", "less", "pad"]) {
    inks[name] = style.getPropertyValue(`--${name}`).trim().split(" ").map(Number);
  }
  palette = Array.from({ length: 2 * SHADES + 1 }, (_, i) => {
    const share = (i - SHADES) / SHADES, to = share > 0 ? inks.more : inks.less;
    return inks.zero.map((z, k) => z + (to[k] - z) * Math.abs(share));
  });
}

// From the least value to the greatest: orange above zero, blue below; where all are of one sign, from
// the colour of zero to that of the greatest.
function colour(v, [low, high]) {
  if (Number.isNaN(v)) return inks.pad;
  let share;
  if (low < 0 && high > 0) share = v / Math.max(-low, high);
  else if (low >= 0) share = high > low ? (v - low) / (high - low) : Number(high > 0);
  else share = high > low ? (v - high) / (high - low) : -1;
  return palette[SHADES + Math.round(SHADES * Math.max(-1, Math.min(1, share)))];
}

const css = (ink) => `rgb(${ink.map(Math.round).join(" ")})`;
const readable = (ink) => (0.3 * ink[0] + 0.59 * ink[1] + 0.11 * ink[2] > 140 ? "#14171a" : "#fff");

function pixels(image, grid, range, top = 0, left = 0, zoom = 1) {
  const { data, width } = image;
  for (let y = 0; y < grid.height; y++) {
    for (let x = 0; x < grid.width; x++) {
      if (grid.size !== undefined && y * grid.width + x >= grid.size) continue;
      const ink = colour(grid.at(y, x), range);
      for (let r = 0; r < zoom; r++) {
        let at = 4 * ((top + y * zoom + r) * width + left + x * zoom);
        for (let c = 0; c < zoom; c++, at += 4) {
          data[at] = ink[0];
          data[at + 1] = ink[1];
          data[at + 2] = ink[2];
          data[at + 3] = 255;
        }
      }
    }
  }
}

function canvas(height, width, fill, label) {
  const made = el("canvas", { height, width, ...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }) });
  const context = made.getContext("2d"), image = context.createImageData(width, height);
  fill(image);
  context.putImageData(image, 0, 0);
  return made;
}

// A grid of numbers as a picture of a size.
function picture(grid, range, size, label) {
  const made = canvas(grid.height, grid.width, (image) => pixels(image, grid, range), label);
  const longer = Math.max(grid.height, grid.width);
  made.style.width = `${Math.round((size * grid.width) / longer)}px`;
  made.style.aspectRatio = `${grid.width} / ${grid.height}`;
  return made;
}

const gridOf = (numbers, height, width) => ({ height, width, size: height * width, at: (r, c) => numbers[r * width + c] });
const rangeText = ([low, high]) => `from ${short(low)} to ${short(high)}`;

function legend(range) {
  const [low, high] = range, count = 64;
  const bar = canvas(1, count, (image) => pixels(image, { height: 1, width: count, at: (_, c) => low + ((high - low) * c) / (count - 1) }, range));
  return el("div", { class: "legend" }, shown(low, "span"), bar, shown(high, "span"));
}

// The image itself, as it went in.
function photo(which, size) {
  const [height, width, count] = steps[0].shape, all = decoded[`image-${which}`].subarray(0, product(steps[0].shape));
  const range = model.bytes ? [0, 255] : span(all), scale = (v) => (255 * (v - range[0])) / (range[1] - range[0] || 1);
  const made = canvas(height, width, (image) => {
    for (let i = 0; i < height * width; i++) {
      for (let k = 0; k < 3; k++) image.data[4 * i + k] = scale(all[i * count + (count >= 3 ? k : 0)]);
      image.data[4 * i + 3] = 255;
    }
  });
  made.style.width = `${size}px`;
  made.style.aspectRatio = `${width} / ${height}`;
  return made;
}

function choice(label, options, value, change, id) {
  const select = el("select", { id, onchange: () => change(select.value) },
    ...options.map(([v, text]) => el("option", { value: v, selected: String(v) === String(value) }, text)));
  return el("label", { class: "choice" }, `${label} `, select);
}

function table(numbers, columns, range, marked = () => "") {
  const body = [];
  for (let i = 0; i < numbers.length; i += columns) {
    body.push(el("tr", {}, ...Array.from(numbers.slice(i, i + columns), (v, j) => {
      const cell = shown(v, "td"), ink = colour(v, range);
      cell.style.background = css(ink);
      cell.style.color = readable(ink);
      const mark = marked(i + j);
      if (mark) cell.classList.add(mark);
      return cell;
    })));
  }
  return el("table", { class: "numbers" }, el("tbody", {}, ...body));
}

const titled = (title, ...children) => el("figure", {}, el("figcaption", {}, title), ...children);
const say = (text) => { $("said").textContent = text; };
