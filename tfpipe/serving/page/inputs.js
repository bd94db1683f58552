// Inputs: what a person fills in, drops or draws, as the request that asks the model.

import { brief } from "./answers.js";
import { Drawing, prepared, pixelsOf } from "./digit.js";

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// Fill a place of the page with the inputs of a model; `ask` gets {body, file?} when there is something to ask, null when there is nothing any more.
export function inputsOf(model, place, ask, problem) {
  const kinds = new Set(model.inputs.map((input) => input.kind));
  const one = model.inputs.length === 1 ? model.inputs[0] : null;
  const live = (yes) => place.closest(".columns").classList.toggle("live", yes);
  live(false);
  if (one && model.files) {
    const drawn = one.shape[0] === 28 && one.shape[1] === 28 && one.shape[2] === 1;
    live(drawn);
    place.replaceChildren(...(drawn ? [drawing(model, one, ask)] : []), files(model, one, drawn, ask, problem));
  } else if (one && one.kind === "text") {
    place.replaceChildren(sentence(ask));
  } else if (model.inputs.length && [...kinds].every((kind) => ["number", "category", "text", "date"].includes(kind)) && model.inputs.every((input) => !input.shape.length)) {
    place.replaceChildren(row(model, ask));
    live(true);
  } else {
    place.replaceChildren(json(model, ask, problem));
  }
}

// Whether what was written is to be cut out and centred: where classes are single letters or digits.
function written(model) {
  return model.outputs.length === 1 && model.outputs[0].classes.every((name) => name.length === 1);
}

function lightOnDark(input) {
  return (input.training.mean ?? 0) < 128;
}

function ofPixels(pixels) {
  const rows = [];
  for (let y = 0; y < 28; y++) rows.push(Array.from(pixels.subarray(28 * y, 28 * y + 28), (value) => [value]));
  return { body: { instances: [rows] } };
}

function seenAs(pixels, canvas) {
  const image = new ImageData(28, 28);
  pixels.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function drawing(model, input, ask) {
  const canvas = element("canvas", { className: "drawing", width: 280, height: 280, tabIndex: 0, id: "drawing" });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Draw here with a mouse, a pen or a finger. With the keyboard: arrows move the pen, Space puts it down and lifts it.");
  const seen = element("canvas", { className: "seen", width: 28, height: 28, id: "seen" });
  seen.setAttribute("role", "img");
  seen.setAttribute("aria-label", "What the model gets");
  const pen = element("i", { className: "pen" });
  const pad = new Drawing(canvas, pen, () => {
    const pixels = prepared(pixelsOf(canvas), { cut: written(model), light: lightOnDark(input) });
    seenAs(pixels ?? new Uint8Array(28 * 28).fill(lightOnDark(input) ? 0 : 255), seen);
    ask(pixels && ofPixels(pixels));
  });
  const clear = element("button", { type: "button", textContent: "Clear", id: "clear", onclick: () => pad.clear() });
  const dark = element("input", { type: "checkbox", id: "dark", onchange: () => pad.clear(dark.checked) });
  return element("div", {},
    element("p", { textContent: written(model) ? "Draw one sign, or choose a file below." : "Draw, or choose a file below." }),
    element("div", { className: "paper" }, canvas, pen),
    element("div", { className: "row" }, clear, element("label", { className: "row" }, dark, "Light on dark")),
    element("div", { className: "row" }, element("span", { className: "note", textContent: "The model gets" }), seen),
  );
}

function files(model, input, drawn, ask, problem) {
  const choose = element("input", { type: "file", accept: "image/*", id: "file" });
  const label = element("label", { htmlFor: "file", textContent: "Choose an image, drop it here, or paste it" });
  const preview = element("img", { className: "preview", alt: "", id: "preview", hidden: true });
  const box = element("div", { className: "drop" }, label, element("br"), choose, preview);
  const take = async (file) => {
    if (!file) return;
    URL.revokeObjectURL(preview.src);
    preview.src = URL.createObjectURL(file);
    preview.alt = file.name;
    preview.onload = () => preview.classList.toggle("small", preview.naturalWidth < 128);
    preview.hidden = false;
    if (drawn && written(model)) {
      try {
        const image = await createImageBitmap(file);
        const pixels = prepared(pixelsOf(image), { cut: true, light: lightOnDark(input) });
        const seen = document.getElementById("seen");
        if (pixels && seen) {
          seenAs(pixels, seen);
          ask(ofPixels(pixels));
          return;
        }
      } catch {
        // What the browser cannot read is left to the server, which says what it makes of it.
      }
    }
    const bytes = new Uint8Array(await file.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    ask({ body: { signature_name: "serving_bytes", instances: [{ b64: btoa(text) }] }, file: file.name });
  };
  choose.onchange = () => take(choose.files[0]);
  box.ondragover = (event) => { event.preventDefault(); box.classList.add("over"); };
  box.ondragleave = () => box.classList.remove("over");
  box.ondrop = (event) => {
    event.preventDefault();
    box.classList.remove("over");
    const file = event.dataTransfer.files[0];
    if (file) take(file);
    else problem("This was no file: save the image first, then drop it.");
  };
  document.onpaste = (event) => {
    const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
    if (file && document.contains(box)) take(file);
  };
  const [height, width] = input.shape;
  return element("div", {}, box, element("p", { className: "note", textContent: `Any size; the model sees ${width} x ${height} pixels.` }));
}

function sentence(ask) {
  const text = element("textarea", { id: "sentence", maxLength: 100000 });
  text.oninput = () => ask(text.value.trim() ? { body: { instances: [text.value] } } : null);
  return element("div", {}, element("label", { htmlFor: "sentence", textContent: "Write something" }), text);
}

function row(model, ask) {
  const values = {};
  const changed = () => ask({ body: { instances: [{ ...values }] } });
  const fields = model.inputs.map((input, i) => {
    const set = (value) => { values[input.name] = value; };
    const [start, controls] = input.dtype === "string" ? word(input, i, set, changed) : number(input, i, set, changed);
    set(start);
    return element("div", {}, element("label", { htmlFor: `field-${i}`, textContent: input.name }), ...controls);
  });
  if (model.inputs.every((input) => Object.keys(input.training).length || input.categories.length)) changed();
  return element("div", { className: "fields" }, ...fields);
}

function word(input, i, set, changed) {
  const words = input.categories.length ? input.categories : Object.keys(input.training.words ?? {});
  if (!words.length) {
    const box = element("input", { id: `field-${i}`, type: "text" });
    box.oninput = () => { set(box.value); changed(); };
    return ["", [box]];
  }
  const choice = element("select", { id: `field-${i}` }, ...words.map((name) => new Option(name, name)));
  choice.onchange = () => { set(choice.value); changed(); };
  const shares = Object.entries(input.training.words ?? {}).sort((a, b) => b[1] - a[1]);
  const usual = shares.length && words.includes(shares[0][0]) ? shares[0][0] : words[0];
  choice.value = usual;
  return [usual, [choice]];
}

function number(input, i, set, changed) {
  const { min, max, mean } = input.training;
  const whole = !input.dtype.startsWith("float") || input.training.whole === true;
  const start = mean === undefined ? 0 : whole ? Math.round(mean) : Number(mean.toPrecision(4));
  const box = element("input", { id: `field-${i}`, type: "number", step: "any", value: String(start) });
  if (min === undefined || !(max > min)) {
    box.oninput = () => { if (box.value !== "") { set(Number(box.value)); changed(); } };
    return [start, [box]];
  }
  const slider = element("input", { type: "range", min, max, step: whole ? 1 : (max - min) / 200, value: start });
  slider.setAttribute("aria-label", `${input.name}, ${brief(min)} to ${brief(max)}`);
  slider.oninput = () => {
    const value = whole ? Math.round(slider.valueAsNumber) : Number(slider.valueAsNumber.toPrecision(4));
    box.value = String(value);
    set(value);
    changed();
  };
  box.oninput = () => {
    if (box.value === "") return;
    slider.value = box.value;
    set(whole ? Math.round(Number(box.value)) : Number(box.value));
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
