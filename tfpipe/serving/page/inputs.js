// Inputs: what a person fills in, drops or draws, as the request that asks the model.

import { brief, element } from "./elements.js";
import { images, isDrawn } from "./images.js";

const MOST = 64; // numbers of a vector that get a field each
const MOST_WORDS = 50; // that an export tells: there may be others

// Fill a place of the page with the inputs of a model; `ask` gets {body, file?} when there is something to ask, null when there is nothing any more.
export function inputsOf(model, place, ask, problem) {
  const one = model.inputs.length === 1 ? model.inputs[0] : null;
  const mark = (name, yes) => place.closest(".columns").classList.toggle(name, Boolean(yes));
  const fields = model.inputs.length > 0 && model.inputs.every((input) => isScalar(input) || isVector(input));
  const drawn = one && model.files && isDrawn(one);
  mark("drawn", drawn);
  mark("live", drawn || (fields && one?.kind !== "text"));
  document.onpaste = null;
  if (one && model.files) images(model, one, place, ask, problem);
  else if (one && one.kind === "text" && isScalar(one)) place.replaceChildren(sentence(ask));
  else if (fields) place.replaceChildren(row(model, ask));
  else place.replaceChildren(json(model, ask, problem));
}

function isScalar({ kind, shape }) {
  return ["number", "category", "text", "date"].includes(kind) && !shape.length;
}

function isVector({ kind, shape, dtype }) {
  return kind === "vector" && shape.length === 1 && shape[0] > 0 && shape[0] <= MOST && /^u?int|float/.test(dtype);
}

function sentence(ask) {
  const text = element("textarea", { id: "sentence", maxLength: 100000 });
  text.oninput = () => ask(text.value.trim() ? { body: { instances: [text.value] } } : null);
  return element("div", {}, element("label", { htmlFor: "sentence", textContent: "Write something" }), text);
}

// A field for each column, and for each number of a vector.
function row(model, ask) {
  const missing = element("p", { className: "note", id: "missing" });
  const fields = model.inputs.flatMap((input) => {
    const titles = input.shape.length ? Array.from({ length: input.shape[0] }, (_, i) => `${input.name} ${i + 1}`) : [input.name];
    return titles.map((title) => ({ input, title, value: undefined }));
  });
  const changed = () => {
    const empty = fields.filter((field) => field.value === undefined).map((field) => field.title);
    missing.textContent = empty.length ? `Not filled in: ${empty.join(", ")}.` : "";
    ask(empty.length ? null : { body: { instances: [sample(model, fields)] } });
  };
  const boxes = fields.map((field, i) => {
    const set = (value) => { field.value = value; };
    const [start, controls] = field.input.dtype === "string" ? word(field.input, i, set, changed) : number(field, i, set, changed);
    set(start);
    return element("div", {}, element("label", { htmlFor: `field-${i}`, textContent: field.title }), ...controls);
  });
  if (model.inputs.every((input) => Object.keys(input.training).length || input.categories.length)) changed();
  return element("div", {}, element("div", { className: "fields" }, ...boxes), missing);
}

// One input is given bare, several by name.
function sample(model, fields) {
  const named = model.inputs.map((input) => {
    const values = fields.filter((field) => field.input === input).map((field) => field.value);
    return [input.name, input.shape.length ? values : values[0]];
  });
  return named.length === 1 ? named[0][1] : Object.fromEntries(named);
}

function word(input, i, set, changed) {
  const known = Object.entries(input.training.words ?? {}).sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const words = input.categories.length ? input.categories : known;
  const open = input.kind !== "category" || (!input.categories.length && (!known.length || known.length >= MOST_WORDS));
  const usual = known.find((name) => words.includes(name)) ?? words[0] ?? "";
  if (open) {
    const list = element("datalist", { id: `words-${i}` }, ...known.map((name) => new Option(name, name)));
    const box = element("input", { id: `field-${i}`, type: "text", value: usual });
    box.setAttribute("list", list.id);
    box.oninput = () => { set(box.value); changed(); };
    return [usual, [box, list]];
  }
  const choice = element("select", { id: `field-${i}` }, ...words.map((name) => new Option(name, name)));
  choice.onchange = () => { set(choice.value); changed(); };
  choice.value = usual;
  return [usual, [choice]];
}

function number({ input, title }, i, set, changed) {
  const { min, max, mean } = input.training;
  const integer = !input.dtype.startsWith("float");
  const whole = integer || input.training.whole === true;
  const start = mean === undefined ? 0 : whole ? Math.round(mean) : Number(mean.toPrecision(4));
  const box = element("input", { id: `field-${i}`, type: "number", step: integer ? 1 : "any", value: String(start) });
  const slider = element("input", { type: "range", min, max, step: whole ? 1 : (max - min) / 200, value: start });
  box.oninput = () => {
    const value = box.value === "" ? NaN : Number(box.value);
    slider.value = box.value;
    set(Number.isFinite(value) && (!integer || Number.isInteger(value)) ? value : undefined);
    changed();
  };
  if (min === undefined || !(max > min)) return [start, [box]];
  slider.setAttribute("aria-label", `${title}, ${brief(min)} to ${brief(max)}`);
  slider.oninput = () => {
    const value = whole ? Math.round(slider.valueAsNumber) : Number(slider.valueAsNumber.toPrecision(4));
    box.value = String(value);
    set(value);
    changed();
  };
  return [start, [box, slider, element("span", { className: "note", textContent: `${brief(min)} to ${brief(max)}` })]];
}

function json(model, ask, problem) {
  const name = Object.keys(model.signatures).includes("serving_default") ? "serving_default" : Object.keys(model.signatures)[0];
  const text = element("textarea", { id: "json", spellcheck: false });
  const button = element("button", { type: "button", textContent: "Ask" });
  button.onclick = () => {
    try {
      ask({ body: { signature_name: name, instances: [JSON.parse(text.value)] } });
    } catch (error) {
      problem(`This is no JSON: ${error.message}`);
    }
  };
  const takes = Object.entries(model.signatures[name]).map(([input, [dtype, shape]]) => `${input}: ${dtype} ${JSON.stringify((shape ?? []).slice(1))}`);
  return element("div", {}, element("label", { htmlFor: "json", textContent: `One sample as JSON. ${name} takes ${takes.join(", ")}` }), text, button);
}
