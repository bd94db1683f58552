// The model's numbers, and where the page is.
const $ = (id) => document.getElementById(id);
const model = JSON.parse($("model").textContent);
const steps = model.steps;
const state = { view: "overview", image: 0, scale: "layer", layer: 0, map: 0, channel: 0, row: 0,
  column: 0, branch: 0, order: "layer", size: 7, padding: 0, kernel: 3, stride: 2 };
let weights = new Float32Array();  // of all layers
let values = new Float32Array();   // of all steps, for the image that is chosen
const decoded = {};

// Float32 numbers that were written as their first bytes, then their second ones, and so on.
async function floats(text) {
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const all = new Uint8Array(planes.length), count = planes.length / 4;
  for (let b = 0; b < 4; b++) for (let i = 0; i < count; i++) all[4 * i + b] = planes[b * count + i];
  return new Float32Array(all.buffer);
}

async function numbersOf(id) {
  decoded[id] ??= await floats($(id).textContent);
  return decoded[id];
}

const product = (shape) => shape.reduce((a, b) => a * b, 1);
const isMaps = (step) => step.shape.length === 3;
const mapCount = (step) => (isMaps(step) ? step.shape[2] : 0);
const unitCount = (step) => (isMaps(step) ? step.shape[2] : step.shape[0]);
const inputOf = (step, which = 0) => steps[step.inputs[which]];
const valuesOf = (step) => values.subarray(step.at, step.at + product(step.shape));
const lastSteps = (() => {  // those whose units are the classes
  const last = steps[steps.length - 1], before = inputOf(last);
  return ["softmax", "sigmoid"].includes(last.form) ? [last, before] : [last];
})();

function weightOf(step, name) {
  const found = step.weights[name];
  return found && weights.subarray(found.at, found.at + product(found.shape));
}

// A grid of numbers: one map, or a row of units broken into lines.
function board(step, map) {
  if (isMaps(step)) {
    const [height, width, count] = step.shape, all = valuesOf(step);
    return { height, width, size: height * width, at: (r, c) => all[(r * width + c) * count + map] };
  }
  const all = valuesOf(step), size = all.length, width = Math.min(size, size > 1024 ? 64 : 16);
  const height = Math.ceil(size / width);
  return { height, width, size, at: (r, c) => all[r * width + c] };
}

function unitName(step, unit) {
  if (isMaps(step)) return `map ${unit}`;
  const { classes } = model;
  if (lastSteps.includes(step)) {
    if (step.shape[0] === classes.length) return classes[unit];
    if (step.shape[0] === 1 && classes.length === 2) return classes[1];
  }
  return `unit ${unit}`;
}

function span(numbers, found = [Infinity, -Infinity]) {
  for (const v of numbers) {
    if (v < found[0] && v > -Infinity) found[0] = v;
    if (v > found[1] && v < Infinity) found[1] = v;
  }
  return found;
}

function spanOfGrid(grid) {
  const found = [Infinity, -Infinity];
  for (let i = 0; i < grid.size; i++) span([grid.at(Math.floor(i / grid.width), i % grid.width)], found);
  return found[0] > found[1] ? [0, 0] : found;
}

let spans = new Map();  // of the chosen image
function spanOf(step, scale = state.scale) {
  const key = scale === "layer" ? step.name : scale === "module" ? `module ${step.module}` : "";
  if (step.form === "input" && scale !== "layer") return spanOf(step, "layer");
  if (!spans.has(scale + key)) {
    const found = [Infinity, -Infinity];
    for (const other of steps) {
      const same = scale === "layer" ? other === step : scale === "module" ? other.module === step.module
        : other.form !== "input";
      if (same) span(valuesOf(other), found);
    }
    spans.set(scale + key, found[0] > found[1] ? [0, 0] : found);
  }
  return spans.get(scale + key);
}
