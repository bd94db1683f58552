// Drawings as MNIST has its digits: 28 x 28 pixels, the ink in 20 x 20, its centre of mass in the middle.

export const SIZE = 28;
const INK = 20;
const FAINT = [0.06, 0.4]; // of the strongest ink: what is less is paper, by how even the border is
const EVEN = 30; // from the paper's grey, at most, to that of what belongs to it
const CLEAR = 80; // from light or dark to what is neither

const STEP = 10; // of 280, at a press of an arrow
const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

// A canvas that is drawn on with a mouse, a pen, fingers or arrows; `changed` is called after each stroke's part.
export class Drawing {
  constructor(canvas, pen, changed) {
    this.canvas = canvas;
    this.mark = pen;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.changed = changed;
    this.dark = false;
    this.wipe();
    let last = null;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
    };
    canvas.onpointerdown = (event) => {
      event.preventDefault();
      if (!event.isPrimary || event.button) return; // one finger draws, and one button
      try { canvas.setPointerCapture(event.pointerId); } catch { /* of an event that was made up */ }
      last = at(event);
      this.line(last, last);
    };
    canvas.onpointermove = (event) => {
      if (!last || !event.isPrimary) return;
      const here = at(event);
      this.line(last, here);
      last = here;
    };
    canvas.onpointerup = canvas.onpointercancel = (event) => { if (event.isPrimary) last = null; };
    canvas.onkeydown = (event) => this.pressed(event);
  }

  // Begin anew, on paper that is light or dark.
  clear(dark = this.dark) {
    this.wipe(dark);
    this.changed();
  }

  // The same when the drawing is not what is asked about any more.
  wipe(dark = this.dark) {
    this.dark = dark;
    this.context.fillStyle = dark ? "#000" : "#fff";
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.pen = [this.canvas.width / 2, this.canvas.height / 4];
    this.down = false;
    this.show();
  }

  // Move the pen by a key: with it, what is below is drawn on when it is down.
  pressed(event) {
    const way = ARROWS[event.key];
    if (!way && event.key !== " ") return;
    event.preventDefault();
    const from = this.pen;
    if (way) this.pen = from.map((place, i) => Math.max(STEP, Math.min(this.canvas.width - STEP, place + way[i])));
    else this.down = !this.down;
    if (this.down) this.line(from, this.pen);
    this.show();
  }

  // Put the mark, which is seen while the canvas has the keyboard's focus, where the pen is.
  show() {
    this.mark.style.left = `${(100 * this.pen[0]) / this.canvas.width}%`;
    this.mark.style.top = `${(100 * this.pen[1]) / this.canvas.height}%`;
    this.mark.classList.toggle("down", this.down);
  }

  line([x0, y0], [x1, y1]) {
    const context = this.context;
    context.lineWidth = this.canvas.width / 13;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = this.dark ? "#fff" : "#000";
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1 + 0.01, y1);
    context.stroke();
    this.changed();
  }
}

// The grey values of a canvas or an image, on white where it is transparent: {width, height, values}.
export function pixelsOf(source) {
  const scale = Math.min(1, 560 / Math.max(source.width, source.height));
  const width = Math.max(1, Math.round(source.width * scale));
  const height = Math.max(1, Math.round(source.height * scale));
  const context = surface(width, height);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, width, height);
  const data = context.getImageData(0, 0, width, height).data;
  const values = new Float32Array(width * height);
  for (let i = 0; i < values.length; i++) values[i] = 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2];
  return { width, height, values };
}

// What the model gets of grey values: 784 numbers from 0 to 255; null of an empty sheet.
//   cut: whether the ink is cut out and centred; else, and of what has the size already, the whole is shrunk.
//   light: whether the model was trained on light ink on dark paper.
export function prepared({ width, height, values }, { cut: wanted, light }) {
  const cut = wanted && (width !== SIZE || height !== SIZE);
  const ink = inkOf({ width, height, values });
  if (!ink) return null;
  const out = cut ? centred(ink, width, height) : shrunk(ink, width, height, 0, 0, width, height, SIZE, SIZE, 0, 0);
  const strongest = Math.max(...out) || 1;
  return Uint8Array.from(out, (value) => {
    const level = Math.round((255 * value) / (cut ? strongest : 1));
    return light ? level : 255 - level;
  });
}

// What the model gets of grey values that are only shrunk, as the server does it.
export function plain({ width, height, values }) {
  const levels = values.map((value) => value / 255);
  return Uint8Array.from(shrunk(levels, width, height, 0, 0, width, height, SIZE, SIZE, 0, 0), (value) => Math.round(255 * value));
}

// Whether a picture is clearly dark on light where a model was trained on light on dark, or the reverse.
export function opposite({ width, height, values }, mean) {
  if (mean === undefined) return false;
  const { border, paper } = borderOf({ width, height, values });
  const even = border.filter((value) => Math.abs(value - paper) <= EVEN).length > 0.6 * border.length;
  return even && (paper > 255 - CLEAR ? mean < 128 : paper < CLEAR && mean >= 128);
}

// The grey values along the border, sorted, and that of the paper: the one in the middle.
function borderOf({ width, height, values }) {
  const border = [];
  for (let x = 0; x < width; x++) border.push(values[x], values[(height - 1) * width + x]);
  for (let y = 0; y < height; y++) border.push(values[y * width], values[y * width + width - 1]);
  border.sort((a, b) => a - b);
  return { border, paper: border[border.length >> 1] };
}

// How much ink each pixel has, from 0 to 1: the paper is what the border is, light or dark.
function inkOf({ width, height, values }) {
  const { border, paper } = borderOf({ width, height, values });
  const range = paper > 127 ? paper : 255 - paper;
  const ink = values.map((value) => Math.min(1, Math.max(0, (paper > 127 ? paper - value : value - paper) / range)));
  const strongest = ink.reduce((a, b) => Math.max(a, b), 0);
  if (strongest < 0.05) return null;
  border.sort((a, b) => Math.abs(a - paper) - Math.abs(b - paper));
  const apart = Math.abs(border[Math.floor(0.95 * border.length)] - paper);
  if (apart > EVEN) return inkInLight({ width, height, values });
  const uneven = (1.5 * apart) / range / strongest;
  const faint = strongest * Math.min(FAINT[1], Math.max(FAINT[0], uneven));
  return ink.map((value) => (value < faint ? 0 : value));
}

// The same in uneven light: as tfpipe/data/images/ink.py has it, the paper is a surface of the second order, fitted to
// most of the pixels; those far from it are ink.
function inkInLight({ width, height, values }) {
  const terms = (x, y) => {
    const [a, b] = [(2 * x) / Math.max(1, width - 1) - 1, (2 * y) / Math.max(1, height - 1) - 1];
    return [1, a, b, a * a, a * b, b * b];
  };
  const step = Math.max(1, Math.round(Math.sqrt((width * height) / 8000)));
  const some = [];
  for (let y = 0; y < height; y += step) for (let x = 0; x < width; x += step) some.push({ terms: terms(x, y), value: values[y * width + x], kept: true });
  let [weights, spread] = [[], 0];
  for (let pass = 0; pass < 8; pass++) {
    weights = fitted(some.filter((one) => one.kept));
    for (const one of some) one.away = one.value - product(weights, one.terms);
    const sizes = some.filter((one) => one.kept).map((one) => Math.abs(one.away)).sort((a, b) => a - b);
    spread = 1.4826 * sizes[sizes.length >> 1];
    for (const one of some) one.kept = Math.abs(one.away) <= Math.max(2.5 * spread, 2);
  }
  const light = some.reduce((sum, one) => sum + (one.kept ? 0 : one.away), 0) < 0;
  const span = new Float32Array(values.length);
  let ink = values.map((value, i) => {
    const paper = Math.max(1, Math.min(254, product(weights, terms(i % width, Math.floor(i / width)))));
    span[i] = light ? paper : 255 - paper;
    return Math.max(0, Math.min(1, (light ? paper - value : value - paper) / span[i]));
  });
  const reach = Math.max(1, Math.round(Math.max(width, height) / 160));
  ink = blurred(blurred(ink, width, height, reach, 1), width, height, reach, width);
  const strongest = ink.reduce((a, b) => Math.max(a, b), 0);
  if (strongest < 0.08) return null;
  const strong = ink.filter((value) => value > 0.5 * strongest).sort();
  const least = 0.25 * strong[strong.length >> 1];
  return ink.map((value, i) => (value < Math.max(least, (1.5 * spread) / span[i]) ? 0 : value));
}

function product(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

// The weights of the terms by which values are met best: least squares, by elimination.
function fitted(some) {
  const size = some[0].terms.length;
  const rows = Array.from({ length: size }, (_, i) => Array.from({ length: size + 1 }, (_, j) => (i === j ? 1e-6 : 0)));
  for (const { terms, value } of some) {
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) rows[i][j] += terms[i] * terms[j];
      rows[i][size] += terms[i] * value;
    }
  }
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < size; k++) {
      if (k === i) continue;
      const share = rows[k][i] / rows[i][i];
      for (let j = i; j <= size; j++) rows[k][j] -= share * rows[i][j];
    }
  }
  return rows.map((row, i) => row[size] / row[i]);
}

// The mean of each pixel and those up to `reach` beside it, along a row (stride 1) or a column (stride width).
function blurred(values, width, height, reach, stride) {
  const length = stride === 1 ? width : height;
  return values.map((_, i) => {
    const place = stride === 1 ? i % width : Math.floor(i / width);
    let sum = 0;
    for (let d = -reach; d <= reach; d++) sum += values[i + (Math.max(0, Math.min(length - 1, place + d)) - place) * stride];
    return sum / (2 * reach + 1);
  });
}

function centred(ink, width, height) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!ink[y * width + x]) continue;
      left = Math.min(left, x); right = Math.max(right, x);
      top = Math.min(top, y); bottom = Math.max(bottom, y);
    }
  }
  const scale = INK / Math.max(right - left + 1, bottom - top + 1);
  const w = Math.max(1, Math.round((right - left + 1) * scale));
  const h = Math.max(1, Math.round((bottom - top + 1) * scale));
  const at = (x, y) => shrunk(ink, width, height, left, top, right - left + 1, bottom - top + 1, w, h, x, y);
  const first = at((SIZE - w) >> 1, (SIZE - h) >> 1);
  let [mass, mx, my] = [0, 0, 0];
  first.forEach((value, i) => { mass += value; mx += value * (i % SIZE); my += value * Math.floor(i / SIZE); });
  const place = (size, mean) => Math.max(0, Math.min(SIZE - size, ((SIZE - size) >> 1) + Math.round((SIZE - 1) / 2 - mean / mass)));
  return at(place(w, mx), place(h, my));
}

// A part of the ink, shrunk or enlarged to w x h by area and put at (x, y) of 28 x 28.
function shrunk(ink, width, height, left, top, wide, high, w, h, x, y) {
  const source = surface(width, height);
  const image = new ImageData(width, height);
  ink.forEach((value, i) => image.data.set([255 * value, 255 * value, 255 * value, 255], 4 * i));
  source.putImageData(image, 0, 0);
  const target = surface(SIZE, SIZE);
  target.fillStyle = "#000";
  target.fillRect(0, 0, SIZE, SIZE);
  target.imageSmoothingEnabled = true;
  target.imageSmoothingQuality = "high";
  target.drawImage(source.canvas, left, top, wide, high, x, y, w, h);
  const data = target.getImageData(0, 0, SIZE, SIZE).data;
  return Float32Array.from({ length: SIZE * SIZE }, (_, i) => data[4 * i] / 255);
}

function surface(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas.getContext("2d", { willReadFrequently: true });
}
