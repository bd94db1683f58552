"use strict";

// The trial under the pointer stands out in all charts, and a box tells of it.

const told = JSON.parse(document.getElementById("trials").textContent);
const tip = document.getElementById("tip");
const NEAR = 16; // pixels
const marks = new Map(); // trial: its elements
let lit = null;
let raised = [];

function places(mark) {
  if (mark.tagName === "circle") return [[+mark.getAttribute("cx"), +mark.getAttribute("cy")]];
  if (mark.dataset.x) return [[+mark.dataset.x, +mark.dataset.y]];
  const numbers = (mark.getAttribute("d") || "").match(/-?[\d.]+/g).map(Number);
  const found = [];
  for (let i = 0; i + 1 < numbers.length; i += 2) found.push([numbers[i], numbers[i + 1]]);
  return found;
}

function distance(points, x, y) {
  let least = Infinity;
  for (let i = 0; i < points.length; i++) {
    const [ax, ay] = points[Math.max(i - 1, 0)];
    const [bx, by] = points[i];
    const [dx, dy] = [bx - ax, by - ay];
    const length = dx * dx + dy * dy;
    const along = length ? Math.min(Math.max(((x - ax) * dx + (y - ay) * dy) / length, 0), 1) : 0;
    least = Math.min(least, Math.hypot(x - ax - along * dx, y - ay - along * dy));
  }
  return least;
}

function put(parent, tag, text) {
  const made = parent.appendChild(document.createElement(tag));
  made.textContent = text;
  return made;
}

function tell(trial) {
  const [state, objective, epoch, reason, values] = told.trials[trial];
  tip.replaceChildren();
  put(tip, "b", `trial ${trial}`);
  put(tip, "span", objective ? ` ${told.objective} ${objective}, epoch ${epoch}` : ` ${state}`);
  if (state === "stopped") put(tip, "span", ", stopped by the median rule");
  if (reason) put(tip, "p", reason);
  const table = put(tip, "table", "");
  values.slice(0, 16).forEach((value, i) => {
    if (value === "") return;
    const row = put(table, "tr", "");
    put(row, "th", told.names[i]);
    put(row, "td", value);
  });
  if (values.length > 16) put(tip, "p", `and ${values.length - 16} more`);
}

function light(trial) {
  if (trial === lit) return;
  for (const mark of marks.get(lit) || []) mark.classList.remove("on");
  for (const copy of raised) copy.remove();
  raised = [];
  lit = trial;
  document.body.classList.toggle("dimmed", trial !== null);
  tip.hidden = trial === null;
  if (trial === null) return;
  for (const mark of marks.get(trial)) {
    mark.classList.add("on");
    const copy = mark.cloneNode(); // on top of the others
    copy.removeAttribute("data-t");
    raised.push(mark.parentNode.appendChild(copy));
  }
  tell(trial);
}

function move(event) {
  const { clientX: x, clientY: y } = event;
  const left = x + 18 + tip.offsetWidth > innerWidth ? x - 18 - tip.offsetWidth : x + 18;
  tip.style.left = `${Math.max(left, 6)}px`;
  tip.style.top = `${Math.max(Math.min(y + 14, innerHeight - tip.offsetHeight - 6), 6)}px`;
}

for (const chart of document.querySelectorAll("svg.chart")) {
  const there = [...chart.querySelectorAll("[data-t]")].map((mark) => {
    const trial = mark.dataset.t;
    marks.set(trial, [...(marks.get(trial) || []), mark]);
    return { trial, points: places(mark) };
  });
  if (!there.length) continue;
  const follow = (event) => {
    const matrix = chart.getScreenCTM();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    let nearest = null;
    let least = NEAR / matrix.a;
    for (const { trial, points } of there) {
      const away = distance(points, at.x, at.y);
      if (away < least) [nearest, least] = [trial, away];
    }
    light(nearest);
    if (nearest !== null) move(event);
  };
  chart.addEventListener("pointermove", follow);
  chart.addEventListener("pointerdown", follow);
  chart.addEventListener("pointerleave", () => light(null));
}
