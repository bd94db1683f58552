// One map or unit: what goes into it, the intermediate results, and what they come to.
const CARD = 76, MOST_CARDS = 64;

function heading(step, map) {
  const count = unitCount(step), name = `${step.name}, ${unitName(step, map)}`;
  const title = el("h2", { id: "title", tabindex: "-1" }, name);
  const by = (d) => el("button", { type: "button", disabled: map + d < 0 || map + d >= count, onclick: () => go({ map: map + d }, true),
    "aria-label": d < 0 ? "previous" : "next" }, d < 0 ? "‹" : "›");
  const number = el("input", { type: "number", min: 0, max: count - 1, value: map, id: "map", onchange: () => go({ map: Math.max(0, Math.min(count - 1, Math.round(number.value) || 0)) }, true) });
  const of = el("label", { class: "choice" }, `${isMaps(step) ? "map" : "unit"} `, number, ` of ${count}`);
  const up = el("button", { type: "button", id: "back", onclick: back }, state.view === "formula" ? "← the map" : "← all layers");
  return [el("div", { class: "row" }, up, title), el("div", { class: "row" }, by(-1), of, by(1), ...(model.pictures.length > 1 ? [imageChoice()] : []))];
}

const imageChoice = () => choice("image", model.pictures.map((p, i) => [i, `${p.name}: ${p.answer}`]), state.image, (v) => go({ image: Number(v) }, true), "image");

const EXPLAINED = {
  conv: "Each input map is convolved with its slice of the kernel. The intermediate results and the bias are added.",
  depthwise: "One input map is convolved with its own kernel, and the bias is added.",
  dense: "Each input is multiplied by the weight that leads from it to this unit. The products and the bias are added.",
  relu: "Each number below zero becomes zero; the others stay as they are.",
  batchnorm: "Each number is shifted and scaled as the averages of the training say.",
  rescale: "Each number is scaled.",
  maxpool: "Of each window the greatest number is kept.",
  avgpool: "Of each window the mean is kept.",
  globalavg: "The mean of a whole map is kept.",
  globalmax: "The greatest number of a whole map is kept.",
  flatten: "The maps become one row of numbers, place by place, at each place map by map.",
  add: "The maps of the same number are added.",
  concat: "The maps of several layers are put one after the other.",
  softmax: "The logits become probabilities that are 1 in sum.",
  sigmoid: "Each logit becomes a probability of its own.",
  input: "What the model is given.",
};

function elastic() {
  const step = steps[state.layer], map = state.map;
  const explained = el("p", {}, EXPLAINED[step.form] ?? `${step.kind}: the page has no formula for it. What goes in, and what comes out:`);
  if (SUMMED[step.form] && !(step.form === "sigmoid" && isMaps(step))) return [...heading(step, map), explained, ...SUMMED[step.form](step, map)];
  const parts = step.form === "conv" || step.form === "depthwise" ? convParts(step, map)
    : step.form === "dense" ? denseParts(step, map) : plainParts(step, map);
  const ordered = state.order === "size" ? [...parts.cards].sort((a, b) => b.weight - a.weight) : parts.cards;
  const few = ordered.slice(0, state.all ? ordered.length : MOST_CARDS);
  const more = ordered.length - few.length;
  return [
    ...heading(step, map), explained,
    el("div", { class: "elastic" },
      el("section", { class: "result", "aria-label": "Result" }, ...parts.result),
      el("section", { "aria-label": "Inputs" },
        ordered.length > 1 && ordered[0].weight !== undefined ? choice("Order", [["layer", "as in the layer"], ["size", "largest result first"]], state.order, (v) => go({ order: v }, true), "order") : null,
        el("div", { class: "cards" }, ...few.map((card) => card.make())),
        more ? el("button", { type: "button", id: "more", onclick: () => { state.all = true; render(); } }, `Show ${more} more`) : null,
        parts.more ?? null)),
  ];
}

// Where a window begins, as there is more to see than at an edge.
function middle() {
  const step = steps[state.layer], { height, width } = step.form === "dense" ? denseSource(step).grid : board(step, 0);
  return { row: Math.floor(height / 2), column: Math.floor(width / 2) };
}

function card(name, title, parts, position) {
  return el("button", { type: "button", class: "card", "aria-label": name, onclick: () => go({ view: "formula", ...middle(), ...position }) },
    el("span", { class: "name" }, title), el("span", { class: "parts" }, ...parts));
}

const legends = (named) => named.flatMap(([name, range]) => [el("p", { class: "note legend-name" }, name), legend(range)]);
const operator = (sign) => el("span", { class: "operator", "aria-hidden": "true" }, sign);

function resultOf(step, map, formula) {
  const range = spanOf(step), units = !isMaps(step);
  const made = units ? [el("p", { class: "big" }, shown(valuesOf(step)[map]))]
    : [picture(board(step, map), range, 220, `${step.name}, map ${map}, ${rangeText(range)}`), legend(range)];
  return [el("h3", {}, "Result"), ...formula, ...made,
    el("p", {}, el("button", { type: "button", id: "formula", class: "main", onclick: () => go({ view: "formula", ...middle() }) }, "Show the formula with numbers"))];
}

function convParts(step, map) {
  const channels = channelsOf(step, map), source = inputOf(step), [height, width] = step.shape;
  const [rows, columns] = step.settings.size, input = spanOf(source);
  const kernels = channels.map((j) => kernelOf(step, map, j)), results = channels.map((j) => convolved(step, map, j));
  const kernelSpan = span(kernels.flatMap((k) => span(k))), resultSpan = span(results.flatMap((r) => span(r)));
  const cards = channels.map((j, i) => ({
    weight: results[i].reduce((a, b) => a + Math.abs(b), 0),
    make: () => card(`Input map ${j}, convolved with its kernel: ${rangeText(span(results[i]))}`, `map ${j}`, [
      picture(board(source, j), input, CARD), operator("∗"), picture(gridOf(kernels[i], rows, columns), kernelSpan, 42), operator("="),
      picture(gridOf(results[i], height, width), resultSpan, CARD)], { channel: j }),
  }));
  const bias = step.weights.bias ? ["+ bias ", shown(biasOf(step, map))] : ["without a bias"];
  const same = rows === columns && step.settings.strides[0] === step.settings.strides[1] && source.shape[0] === source.shape[1];
  const reach = (height - 1) * step.settings.strides[0] + rows - source.shape[0], padding = step.settings.padding === "same" ? reach / 2 : 0;
  const sizes = same && Number.isInteger(padding) && padding >= 0 && source.shape[0] <= 32 && rows <= 12 && step.settings.dilation[0] === 1
    ? el("p", {}, el("a", { href: `#view=sizes&size=${source.shape[0]}&padding=${padding}&kernel=${rows}&stride=${step.settings.strides[0]}` }, "Its sizes: where the kernel goes")) : null;
  return { cards, result: [...resultOf(step, map, [
    el("p", {}, channels.length > 1 ? `The sum of ${channels.length} intermediate results ` : "The intermediate result ", ...bias)]),
    el("p", { class: "note" }, `Kernels of ${rows}×${columns}, strides ${step.settings.strides.join("×")}, padding "${step.settings.padding}"`), sizes,
    ...legends([["Input maps", input], ["Kernels", kernelSpan], ["Intermediate results", resultSpan]])] };
}

function denseParts(step, unit) {
  const { source, count, grid } = denseSource(step), all = Array.from({ length: count }, (_, k) => denseProducts(step, unit, k));
  const kernelSpan = span(all.flatMap((p) => span(p.kernel))), productSpan = span(all.flatMap((p) => span(p.products)));
  const cards = all.map((p, k) => ({
    weight: Math.abs(p.sum),
    make: () => card(`Input ${isMaps(source) ? `map ${k}` : ""} times its weights, in sum ${short(p.sum)}`, isMaps(source) ? `map ${k}: sum ${short(p.sum)}` : `${grid.size} inputs: sum ${short(p.sum)}`, [
      picture(board(source, k), spanOf(source), CARD), operator("×"), picture(gridSized(gridOf(p.kernel, grid.height, grid.width), grid.size), kernelSpan, CARD),
      operator("="), picture(gridSized(gridOf(p.products, grid.height, grid.width), grid.size), productSpan, CARD)], { channel: k }),
  }));
  const bias = step.weights.bias ? ["+ bias ", shown(biasOf(step, unit))] : ["without a bias"];
  return { cards, more: isMaps(source) ? null : largest(step, unit, all[0]), result: [...resultOf(step, unit, [el("p", {}, `The sum of ${step.weights.kernel.shape[0]} products `, ...bias)]),
    ...legends([["Inputs", spanOf(source)], [`Weights to ${unitName(step, unit)}`, kernelSpan], ["Products", productSpan]])] };
}

// The inputs that count most for a unit.
function largest(step, unit, { kernel, products }) {
  const before = inputOf(step), inputs = valuesOf(before);
  const order = Array.from(products.keys()).sort((a, b) => Math.abs(products[b]) - Math.abs(products[a])).slice(0, 12);
  const rows = order.map((i) => el("tr", {}, el("th", { scope: "row" }, unitName(before, i)), ...[inputs[i], kernel[i], products[i]].map((v) => shown(v, "td"))));
  return el("section", { class: "largest" }, el("h3", {}, `What counts most for ${unitName(step, unit)}`), el("div", { class: "scroller" },
    el("table", { class: "classes" }, el("thead", {}, el("tr", {}, ...["input", "value", "weight", "product"].map((t) => el("th", { scope: "col" }, t)))), el("tbody", {}, ...rows))));
}

const gridSized = (grid, size) => ({ ...grid, size });

// The maps of the same number before and after.
function plainParts(step, map) {
  const sources = step.inputs.map((i) => steps[i]);
  let shownMaps;
  if (step.form === "concat") shownMaps = [concatSource(step, map)];
  else if (step.form === "flatten") shownMaps = [[sources[0], flatPlace(step, map).channel]];
  else if (isMaps(step)) shownMaps = sources.map((s) => [s, isMaps(s) && map < s.shape[2] ? map : 0]);
  else shownMaps = sources.map((s) => [s, 0]);
  const cards = shownMaps.map(([source, k], branch) => ({
    make: () => card(`${source.name}${isMaps(source) ? `, map ${k}` : ""}`, `${source.name}${isMaps(source) ? `, map ${k}` : ""}`,
      [picture(board(source, k), spanOf(source), 150)], { channel: k, branch }),
  }));
  return { cards, result: resultOf(step, map, []) };
}

function concatSource(step, map) {
  let first = 0;
  for (const i of step.inputs) {
    const count = steps[i].shape[2];
    if (map < first + count) return [steps[i], map - first];
    first += count;
  }
  return [steps[step.inputs[0]], 0];
}

function flatPlace(step, unit) {
  const [, width, count] = inputOf(step).shape, place = Math.floor(unit / count);
  return { row: Math.floor(place / width), column: place % width, channel: unit % count };
}
