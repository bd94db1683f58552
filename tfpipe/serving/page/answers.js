// Answers: a name and bars for classes, a value and its place for numbers, a picture for images,
// boxes for objects.

import { boxes } from "./boxes.js";
import { brief, element } from "./elements.js";

const SHOWN = 10;

// Put a model's answer to one sample into a place of the page; return it in a few words.
export function showAnswer(place, model, prediction) {
  if (!model.outputs.length) {
    place.replaceChildren(element("pre", { textContent: JSON.stringify(prediction, null, 1) }));
    return "";
  }
  const bare = model.outputs.length === 1 && (Array.isArray(prediction) || typeof prediction !== "object");
  const blocks = model.outputs.map((output) => {
    const found = bare || output.image || output.boxes ? prediction : prediction[output.field];
    if (output.boxes) return element("div", {}, ...boxes(output, prediction));
    if (output.image) return element("div", {}, ...picture(found));
    const values = Array.isArray(found) ? found.flat(Infinity) : [found];
    const shown = output.classes.length ? classes(output, values) : numbers(output, values, model.outputs.length === 1);
    const title = model.outputs.length > 1 ? [element("h3", { textContent: output.name })] : [];
    return element("div", {}, ...title, ...shown);
  });
  place.replaceChildren(...blocks);
  const words = (block) => [...block.querySelectorAll("h3, .first")].map((part) => part.textContent).join(": ");
  return blocks.map(words).join(", ");
}

function classes(output, values) {
  const pairs = output.classes.map((name, i) => [name, values[i] === undefined ? 0 : values[i]]).sort((a, b) => b[1] - a[1]);
  if (pairs.some(([, value]) => value === null)) return [element("p", { className: "first", textContent: "not a number" })];
  const chosen = output.several ? pairs.filter(([, value]) => value >= 0.5).map(([name]) => name).join(", ") || "none" : pairs[0][0];
  const rows = pairs.slice(0, SHOWN).map(([name, value], i) =>
    element("tr", { className: i ? "" : "best" },
      element("th", { scope: "row", textContent: name }),
      element("td", {}, element("progress", { max: 1, value, ariaLabel: `probability of ${name}` })),
      element("td", { textContent: `${(100 * value).toFixed(1)}%` }),
    ),
  );
  const table = element("table", { className: "bars" }, element("tbody", {}, ...rows));
  const more = pairs.length > SHOWN ? [element("p", { className: "note", textContent: `and ${pairs.length - SHOWN} more, each less probable` })] : [];
  return [element("p", { className: "first", textContent: chosen }), table, ...more];
}

// A PNG file in base64, with its size and a link that saves it.
function picture({ b64 }) {
  const source = `data:image/png;base64,${b64}`;
  const shown = element("img", { className: "answered", alt: "The answer", src: source });
  const size = element("span", { className: "note" });
  shown.onload = () => { size.textContent = `${shown.naturalWidth} x ${shown.naturalHeight} pixels`; };
  const save = element("a", { href: source, download: "answer.png", textContent: "Save it" });
  return [element("p", { className: "first unseen", textContent: "an image" }), shown, element("p", { className: "row" }, size, save)];
}

function numbers(output, values, alone) {
  const { min, max } = output.training;
  const names = output.columns.length === values.length ? output.columns : values.map((_, i) => (values.length > 1 ? `${output.name} ${i + 1}` : output.name));
  const left = values.length - SHOWN;
  const more = left > 0 ? [element("p", { className: "note", textContent: `and ${left.toLocaleString("en")} more` })] : [];
  const blocks = values.slice(0, SHOWN).flatMap((value, i) => {
    const text = value === null ? "not a number" : Math.abs(value) < 1e-4 && value ? value.toExponential(3) : Number(value.toPrecision(5)).toLocaleString("en", { maximumFractionDigits: 6 });
    const title = values.length > 1 ? [element("h3", { textContent: names[i] })] : [];
    const shown = [...title, element("p", { className: "first", textContent: values.length > 1 || !alone ? text : `${names[i]}: ${text}` })];
    if (min === undefined || !(max > min) || value === null) return shown;
    const share = Math.min(1, Math.max(0, (value - min) / (max - min)));
    const outside = value < min || value > max ? "; this is outside of it" : "";
    return [
      ...shown,
      element("progress", { max: 1, value: share, ariaLabel: `${names[i]} within the range of training` }),
      element("p", { className: "note", textContent: `training had ${brief(min)} to ${brief(max)}${outside}` }),
    ];
  });
  return [...blocks, ...more];
}
