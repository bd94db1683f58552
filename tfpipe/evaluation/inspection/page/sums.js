// Softmax, sigmoid and pools over whole maps: the formula is all there is to see.
const MOST_ROWS = 40;

const SUMMED = {
  softmax: (step, unit) => {
    const logits = valuesOf(inputOf(step)), { most, powers, total } = softmax(logits);
    return probabilities(step, unit, ["class", "logit z", "e^(z − greatest z)", "share: probability"],
      (k) => [logits[k], powers[k]],
      line(["e^(", logits[unit], "−", most, ") /", total, "=", powers[unit] / total]),
      `The greatest logit is taken off first, which changes no share. The sum of the powers is ${short(total)}.`);
  },
  sigmoid: (step, unit) => {
    const logits = valuesOf(inputOf(step)), z = logits[unit];
    const other = step.shape[0] === 1 && model.classes.length === 2 ? ` ${model.classes[0]} has the rest, ${short(1 - valuesOf(step)[0])}.` : "";
    return probabilities(step, unit, ["class", "logit z", "e^−z", "1 / (1 + e^−z): probability"], (k) => [logits[k], Math.exp(-logits[k])],
      line(["1 / (1 + e^−(", z, ")) =", 1 / (1 + Math.exp(-z))]), `A logit of 0 is a probability of one half.${other}`);
  },
  globalavg: (step, map) => overall(step, map, (all) => all.reduce((a, b) => a + b, 0) / all.length, "mean"),
  globalmax: (step, map) => overall(step, map, (all) => Math.max(...all), "greatest"),
};

function probabilities(step, unit, titles, numbers, formula, note) {
  const all = valuesOf(step), order = Array.from(all.keys());
  if (all.length > MOST_ROWS) order.sort((a, b) => all[b] - all[a]);
  const rows = order.slice(0, MOST_ROWS).map((k) => {
    const bar = el("i");
    bar.style.width = `${Math.round(100 * all[k])}px`;
    const name = el("button", { type: "button", class: "link", "aria-pressed": String(k === unit), onclick: () => go({ map: k }, true) }, unitName(step, k));
    return el("tr", { class: k === unit ? "chosen" : "" }, el("th", { scope: "row" }, name), ...numbers(k).map((v) => shown(v, "td")), el("td", {}, shown(all[k], "span"), " ", bar));
  });
  const rest = all.length - rows.length;
  return [
    el("p", { class: "formula", id: "total" }, ...formula), el("p", {}, "The model's own: ", own(step, unit)), el("p", { class: "note" }, note),
    el("div", { class: "scroller" }, el("table", { class: "classes" },
      el("thead", {}, el("tr", {}, ...titles.map((t) => el("th", { scope: "col" }, t)))), el("tbody", {}, ...rows))),
    rest ? el("p", { class: "note" }, `and ${rest} more`) : null,
  ];
}

function own(step, unit) {
  const found = shown(valuesOf(step)[unit]);
  found.id = "own";
  return found;
}

function overall(step, map, combine, word) {
  const source = inputOf(step), grid = board(source, map), all = [];
  for (let r = 0; r < grid.height; r++) for (let c = 0; c < grid.width; c++) all.push(grid.at(r, c));
  const text = word === "mean" ? ["sum", all.reduce((a, b) => a + b, 0), `/ ${all.length} =`, combine(all)] : [`the ${word} of ${all.length} numbers =`, combine(all)];
  return [
    el("p", { class: "formula", id: "total" }, ...line(text)), el("p", {}, "The model's own: ", own(step, map)),
    titled(`${source.name}, map ${map}`, picture(grid, spanOf(source), 260, `${source.name}, map ${map}`), legend(spanOf(source))),
    grid.width <= 16 ? el("div", { class: "scroller" }, table(all, grid.width, spanOf(source))) : null,
  ];
}
