// Boxes: the picture with what was found in it, above a score that can be chosen, and as a table.

import { element } from "./elements.js";

const USUAL = 0.5;
const TURN = 0.6180339887; // of the circle of hues, from a class to the next

// What was found in the picture that was asked about, as blocks of the page.
export function boxes(output, prediction) {
  const found = prediction.scores.slice(0, prediction.count).map((score, i) => ({
    score, corners: prediction.boxes[i], name: prediction.names[i], kind: prediction.classes[i],
  }));
  const said = element("p", { className: "first" });
  const canvas = element("canvas", { className: "answered", id: "boxes" });
  canvas.setAttribute("role", "img");
  const body = element("tbody");
  const table = element("table", { className: "boxes" },
    element("thead", {}, element("tr", {}, ...["found", "score", "left, top, right, bottom"].map((text) => element("th", { scope: "col", textContent: text })))), body);
  const least = element("input", { type: "range", min: 0, max: 1, step: 0.01, value: USUAL, id: "least" });
  const shown = element("output", { htmlFor: "least" });
  const picture = document.getElementById("preview");

  function draw() {
    const kept = found.filter((one) => one.score >= Number(least.value));
    shown.textContent = `${Math.round(100 * least.value)}%`;
    const counts = new Map();
    kept.forEach((one) => counts.set(one.name, (counts.get(one.name) ?? 0) + 1));
    said.textContent = [...counts].map(([name, count]) => `${count} ${name}`).join(", ") || "nothing";
    canvas.setAttribute("aria-label", `The picture with ${said.textContent}`);
    body.replaceChildren(...kept.map((one) => element("tr", {},
      element("th", { scope: "row" }, swatch(one.kind), one.name),
      element("td", { textContent: `${(100 * one.score).toFixed(0)}%` }),
      element("td", { textContent: one.corners.map((value) => value.toFixed(0)).join(", ") }))));
    paint(canvas, picture, kept);
  }

  least.oninput = draw;
  if (picture && !picture.complete) picture.addEventListener("load", draw, { once: true });
  draw();
  const choose = element("label", { className: "row note", htmlFor: "least" }, "from a score of ", least, shown);
  return [said, canvas, choose, table];
}

function swatch(kind) {
  const made = element("i", { className: "colour" });
  made.style.background = colour(kind);
  return made;
}

function colour(kind) {
  return `hsl(${(360 * (0.98 + kind * TURN)) % 360} 90% 50%)`;
}

// The picture with boxes; nothing of one that the browser cannot read.
function paint(canvas, picture, kept) {
  const there = Boolean(picture && !picture.hidden && picture.naturalWidth);
  canvas.hidden = !there;
  if (!there) return;
  canvas.width = picture.naturalWidth;
  canvas.height = picture.naturalHeight;
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0);
  const longest = Math.max(canvas.width, canvas.height);
  const line = Math.max(1, Math.round(longest / 250));
  const letters = Math.max(10, Math.round(longest / 32));
  pen.font = `${letters}px system-ui, sans-serif`;
  pen.textBaseline = "top";
  for (const one of [...kept].reverse()) {
    const [left, top, right, bottom] = one.corners;
    pen.lineWidth = line + 2;
    pen.strokeStyle = "#000";
    pen.strokeRect(left, top, right - left, bottom - top);
    pen.lineWidth = line;
    pen.strokeStyle = colour(one.kind);
    pen.strokeRect(left, top, right - left, bottom - top);
    const text = `${one.name} ${(100 * one.score).toFixed(0)}%`;
    const width = pen.measureText(text).width + 4;
    const above = top >= letters + 4 ? top - letters - 4 : top + line;
    pen.fillStyle = colour(one.kind);
    pen.fillRect(left, above, width, letters + 4);
    pen.fillStyle = "#000";
    pen.fillText(text, left + 2, above + 2);
  }
}
