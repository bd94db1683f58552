// Images: a file, or a drawing for models of 28x28 grey pixels, as the request that asks the model.

import { Drawing, SIZE, opposite, pixelsOf, plain, prepared } from "./digit.js";
import { element } from "./elements.js";

// Whether an input is one that can be drawn.
export function isDrawn(input) {
  return String(input.shape) === `${SIZE},${SIZE},1`;
}

// Fill a place of the page; `ask` gets {body, file?}, or null when there is nothing to ask any more.
export function images(model, input, place, ask, problem) {
  let newest = 0; // the number of the newest file or stroke: a file that is read late is dropped
  const sheet = isDrawn(input) ? sheetOf(model, input, (pixels) => {
    newest += 1;
    empty();
    ask(pixels && ofPixels(pixels));
  }) : null;
  const choose = element("input", { type: "file", accept: "image/*", id: "file" });
  const label = element("label", { htmlFor: "file", textContent: "Choose an image, drop it here, or paste it" });
  const preview = element("img", { className: "preview", alt: "", id: "preview", hidden: true });
  const note = element("p", { className: "note", id: "turned" });
  const box = element("div", { className: "drop" }, label, element("br"), choose, preview, note);
  preview.onload = () => preview.classList.toggle("small", preview.naturalWidth < 128);
  preview.onerror = () => { preview.hidden = true; }; // of a kind that only the server reads

  function empty() {
    URL.revokeObjectURL(preview.src);
    preview.removeAttribute("src");
    preview.hidden = true;
    choose.value = note.textContent = "";
  }

  async function take(file) {
    const number = ++newest;
    URL.revokeObjectURL(preview.src);
    preview.src = URL.createObjectURL(file);
    preview.alt = file.name;
    preview.hidden = false;
    note.textContent = "";
    const [bytes, grey] = await Promise.all([file.arrayBuffer(), sheet && greyOf(file)]);
    if (number !== newest) return;
    const pixels = sheet ? sheet.put(grey) : null;
    if (pixels) note.textContent = sheet.said(grey);
    ask(pixels ? ofPixels(pixels) : ofFile(new Uint8Array(bytes), file.name));
  }

  choose.onchange = () => { if (choose.files[0]) take(choose.files[0]); };
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
  const sees = height && width ? `; the model sees ${width} x ${height} pixels` : "";
  const size = element("p", { className: "note", textContent: `Any size${sees}.` });
  place.replaceChildren(element("div", {}, ...(sheet ? [sheet.place] : []), box, size));
}

// Whether what was written is to be cut out and centred: where classes are single letters or digits.
function written(model) {
  return model.outputs.length === 1 && model.outputs[0].classes.length > 0 && model.outputs[0].classes.every((name) => name.length === 1);
}

// A sheet to draw on, and what the model gets of a drawing or a file; `changed` gets the pixels of the drawing, null of an empty sheet.
function sheetOf(model, input, changed) {
  const how = { cut: written(model), light: (input.training.mean ?? 0) < 128, mean: input.training.mean };
  const canvas = element("canvas", { className: "drawing", width: 280, height: 280, tabIndex: 0, id: "drawing" });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Draw here with a mouse, a pen or a finger. With the keyboard: arrows move the pen, Space puts it down and lifts it.");
  const got = element("canvas", { className: "seen", width: SIZE, height: SIZE, id: "seen" });
  got.setAttribute("role", "img");
  got.setAttribute("aria-label", "What the model gets");
  const seen = (pixels) => paint(got, pixels ?? new Uint8Array(SIZE * SIZE).fill(how.light ? 0 : 255));
  const pen = element("i", { className: "pen" });
  const pad = new Drawing(canvas, pen, () => {
    const pixels = prepared(pixelsOf(canvas), how);
    seen(pixels);
    changed(pixels);
  });
  const clear = element("button", { type: "button", textContent: "Clear", id: "clear", onclick: () => pad.clear() });
  const dark = element("input", { type: "checkbox", id: "dark", onchange: () => pad.clear(dark.checked) });
  const place = element("div", {},
    element("p", { textContent: how.cut ? "Draw one sign, or choose a file below." : "Draw, or choose a file below." }),
    element("div", { className: "paper" }, canvas, pen),
    element("div", { className: "row below" },
      element("div", { className: "row" }, clear, element("label", { className: "row" }, dark, "Light on dark")),
      element("div", {}, element("div", { className: "note", textContent: "The model gets" }), got),
    ),
  );
  seen(null);
  // The pixels that the model should get instead of a file; null where it gets the file.
  const put = (grey) => {
    pad.wipe();
    const pixels = grey && (how.cut || opposite(grey, how.mean)) ? prepared(grey, how) : null;
    seen(pixels ?? (grey && plain(grey)));
    return pixels;
  };
  const said = (grey) => (opposite(grey, how.mean) ? `Turned to ${how.light ? "light on dark" : "dark on light"}, as in training.` : "");
  return { place, put, said };
}

function paint(canvas, pixels) {
  const image = new ImageData(SIZE, SIZE);
  pixels.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// The grey values of a file; null of one that the browser cannot read: the server says what it makes of it.
async function greyOf(file) {
  try {
    return pixelsOf(await createImageBitmap(file));
  } catch {
    return null;
  }
}

function ofBase64(text, file) {
  return { body: { signature_name: "serving_bytes", instances: [{ b64: text }] }, file };
}

function ofFile(bytes, name) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return ofBase64(btoa(text), name);
}

// As a PNG, which is a tenth of the numbers written out.
function ofPixels(pixels) {
  const canvas = element("canvas", { width: SIZE, height: SIZE });
  paint(canvas, pixels);
  return ofBase64(canvas.toDataURL("image/png").split(",")[1]);
}
