// A window that slides over the input, with the numbers in it and what becomes of them.
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
let playing = null;

function stop() {
  clearInterval(playing);
  playing = null;
  const button = $("play");
  if (button) button.textContent = "▶ Play";
}

function play() {
  if (playing) return stop();
  $("play").textContent = "❚❚ Pause";
  playing = setInterval(() => {
    const { slides } = scene();
    let row = state.row, column = state.column + 1;
    if (column >= slides.width) [row, column] = [row + 1, 0];
    if (row >= slides.height) row = 0;
    slide(row, column);
  }, 700);
}

// What is in the two pictures: where the window is, over which grid it slides, what it shows.
function scene() {
  const step = steps[state.layer], { map, channel, row, column } = state;
  if (step.form === "dense") {
    const { source, grid } = denseSource(step);
    return { step, source, channel, input: board(source, channel), output: board(step, map), slides: grid,
      window: { top: row, left: column, height: 1, width: 1 }, cell: unitCell(step, map) };
  }
  if (step.form === "flatten") {
    const source = inputOf(step), input = board(source, channel);
    const unit = (row * input.width + column) * source.shape[2] + channel;
    return { step, source, channel, input, output: board(step, unit), slides: input, unit,
      window: { top: row, left: column, height: 1, width: 1 }, cell: unitCell(step, unit) };
  }
  const output = board(step, map);
  let [source, k] = step.inputs.length ? [inputOf(step, Math.min(state.branch, step.inputs.length - 1)), map] : [step, map];
  if (step.form === "conv" || step.form === "depthwise") k = channel;
  if (step.form === "concat") [source, k] = concatSource(step, map);
  const known = step.settings.pads !== undefined, input = board(source, isMaps(source) ? Math.min(k, source.shape[2] - 1) : 0);
  const s = step.settings, window = known
    ? { top: row * s.strides[0] - s.pads[0], left: column * s.strides[1] - s.pads[1], height: (s.size[0] - 1) * s.dilation[0] + 1, width: (s.size[1] - 1) * s.dilation[1] + 1 }
    : input.height === output.height && input.width === output.width ? { top: row, left: column, height: 1, width: 1 } : null;
  return { step, source, channel: k, input, output, slides: output, window, cell: { row, column }, strides: known ? s.strides : [1, 1] };
}

function unitCell(step, unit) {
  const { width } = board(step, 0);
  return { row: Math.floor(unit / width), column: unit % width };
}

// Where the state says: it may come from an address that a person wrote.
function settle() {
  const step = steps[state.layer];
  if (state.begin) Object.assign(state, middle(), { begin: false });
  if (step.form === "conv" || step.form === "depthwise") {
    const channels = channelsOf(step, state.map);
    if (!channels.includes(state.channel)) state.channel = channels[0];
  } else if (step.form === "flatten") Object.assign(state, flatPlace(step, state.map));
  else if (step.form === "dense") state.channel = Math.min(state.channel, denseSource(step).count - 1);
  else if (!isMaps(step)) Object.assign(state, unitCell(step, state.map));
  const { slides } = scene();
  state.row = Math.max(0, Math.min(slides.height - 1, state.row));
  state.column = Math.max(0, Math.min(slides.width - 1, state.column));
}

function slide(row, column) {
  const step = steps[state.layer], { slides } = scene();
  row = Math.max(0, Math.min(slides.height - 1, row));
  column = Math.max(0, Math.min(slides.width - 1, column));
  if (slides.size !== undefined && row * slides.width + column >= slides.size) [row, column] = [0, 0];
  if (row === state.row && column === state.column) return;
  Object.assign(state, { row, column });
  if (step.form === "flatten") state.map = scene().unit;
  else if (!isMaps(step) && step.form !== "dense") state.map = row * slides.width + column;
  moved();
}

function moved() {
  const now = scene();
  place($("window"), now.window, now.input, frame(now));
  if ($("weight")) place($("weight"), now.window, now.input, frame(now));
  if ($("cell")) place($("cell"), { top: now.cell.row, left: now.cell.column, height: 1, width: 1 }, now.output, { top: 0, left: 0, height: now.output.height, width: now.output.width });
  $("numbers").replaceChildren(...numbersOfWindow(now));
  $("at").textContent = `row ${state.row}, column ${state.column}`;
  const title = $("title"), map = $("map");
  if (title) title.textContent = `${now.step.name}, ${unitName(now.step, state.map)}`;
  if (map) map.value = state.map;
  if (!playing) say(`row ${state.row}, column ${state.column}: ${$("own")?.textContent ?? ""}`);
  remember();
}

// The input with the padding around it.
function frame({ step, input }) {
  const s = step.settings;
  if (s.pads === undefined) return { top: 0, left: 0, height: input.height, width: input.width };
  const [top, left] = s.pads;
  const reach = (axis) => (step.shape[axis] - 1) * s.strides[axis] + (s.size[axis] - 1) * s.dilation[axis] + 1;
  return { top, left, height: Math.max(input.height + top, reach(0)), width: Math.max(input.width + left, reach(1)) };
}

function place(mark, window, grid, around) {
  mark.hidden = !window;
  if (!window) return;
  mark.style.left = `${(100 * (window.left + around.left)) / around.width}%`;
  mark.style.top = `${(100 * (window.top + around.top)) / around.height}%`;
  mark.style.width = `${(100 * window.width) / around.width}%`;
  mark.style.height = `${(100 * window.height) / around.height}%`;
}

function boardOf(grid, around, range, id, label, move) {
  const padded = { height: around.height, width: around.width, at: (r, c) => {
    const y = r - around.top, x = c - around.left;
    return y < 0 || x < 0 || y >= grid.height || x >= grid.width || y * grid.width + x >= grid.size ? NaN : grid.at(y, x);
  } };
  const drawn = picture(padded, range, 300), mark = el("div", { class: "mark", id });
  drawn.style.width = "100%";
  const made = el("div", { class: "board", tabindex: "0", role: "application", "aria-roledescription": "picture with a window", "aria-label": label }, drawn, mark);
  made.style.maxWidth = `${Math.round((300 * around.width) / Math.max(around.width, around.height))}px`;
  const moveTo = (event) => {
    if (event.pointerType !== "mouse" && event.type === "pointermove" && !event.buttons) return;
    const box = made.getBoundingClientRect();
    stop();
    move(Math.floor(((event.clientY - box.top) / box.height) * around.height), Math.floor(((event.clientX - box.left) / box.width) * around.width));
  };
  made.addEventListener("pointerdown", moveTo);
  made.addEventListener("pointermove", moveTo);
  return made;
}

function formula() {
  const step = steps[state.layer];
  if (SUMMED[step.form] && !(step.form === "sigmoid" && isMaps(step))) return [...heading(step, state.map), ...SUMMED[step.form](step, state.map)];
  const now = scene(), around = frame(now), outer = { top: 0, left: 0, height: now.output.height, width: now.output.width };
  // A place of the picture becomes the window whose middle is nearest.
  const onInput = (r, c) => {
    if (!now.strides || !now.window) return slide(r, c);
    slide(Math.round((r - (now.window.height - 1) / 2) / now.strides[0]), Math.round((c - (now.window.width - 1) / 2) / now.strides[1]));
  };
  const onOutput = (r, c) => {
    if (now.slides !== now.output && step.form === "dense") {
      const unit = r * now.output.width + c;
      if (unit < step.shape[0]) go({ map: unit }, true);
    } else if (step.form === "flatten") {
      const unit = r * now.output.width + c;
      if (unit < step.shape[0]) go({ map: unit, channel: flatPlace(step, unit).channel }, true);
    } else slide(r, c);
  };
  // Each of the two from its own least number to its greatest, or small numbers could not be seen.
  const spans = [spanOfGrid(now.input), spanOfGrid(now.output)];
  const name = `${now.source.name}${isMaps(now.source) ? `, map ${now.channel}` : ""}`;
  const arrows = [["←", 0, -1, "left"], ["↑", -1, 0, "up"], ["↓", 1, 0, "down"], ["→", 0, 1, "right"]].map(([sign, r, c, way]) =>
    el("button", { type: "button", "aria-label": `window ${way}`, onclick: () => { stop(); slide(state.row + r, state.column + c); } }, sign));
  return [
    ...heading(step, state.map),
    el("p", { class: "note" }, EXPLAINED[step.form] ?? `${step.kind}: the page has no formula for it.`),
    el("div", { class: "row" }, ...channelChoice(now), el("button", { type: "button", id: "play", "aria-keyshortcuts": "Space", onclick: play }, "▶ Play"), ...arrows, el("span", { id: "at", class: "note" })),
    el("div", { class: "boards" },
      titled(`Input: ${name}${around.height > now.input.height || around.width > now.input.width ? ", with padding" : ""}`,
        boardOf(now.input, around, spans[0], "window", `Input, ${name}. Arrow keys move the window.`, onInput), legend(spans[0])),
      ...leading(now, around, onInput),
      titled(`Output: ${step.name}${isMaps(step) ? `, map ${state.map}` : ""}`,
        boardOf(now.output, outer, spans[1], "cell", `Output of ${step.name}. Arrow keys move the window.`, onOutput), legend(spans[1]))),
    el("div", { id: "numbers", class: "scroller" }),
  ];
}

// Of a dense layer, the weights that lead from the input to the unit.
function leading({ step, channel, slides }, around, move) {
  if (step.form !== "dense") return [];
  const { kernel } = denseProducts(step, state.map, channel), grid = gridSized(gridOf(kernel, slides.height, slides.width), slides.size);
  return [titled(`Weights to ${unitName(step, state.map)}`, boardOf(grid, around, span(kernel), "weight", "Weights. Arrow keys move the window.", move), legend(span(kernel)))];
}

function channelChoice(now) {
  const { step } = now;
  const set = (v) => go({ channel: Number(v) }, true);
  if (step.form === "conv") return [choice("Input map", channelsOf(step, state.map).map((j) => [j, j]), state.channel, set, "channel")];
  if (step.inputs.length > 1 && step.form !== "concat") {
    return [choice("Input", step.inputs.map((i, branch) => [branch, steps[i].name]), state.branch, (v) => go({ branch: Number(v) }, true), "branch")];
  }
  if (step.form === "dense" && denseSource(step).count > 1) return [choice("Input map", Array.from({ length: denseSource(step).count }, (_, j) => [j, j]), state.channel, set, "channel")];
  if (step.form === "flatten") return [choice("Input map", Array.from({ length: now.source.shape[2] }, (_, j) => [j, j]), state.channel,
    (v) => go({ channel: Number(v), map: (state.row * now.input.width + state.column) * now.source.shape[2] + Number(v) }, true), "channel")];
  return [];
}

const ownLine = (v) => {
  const found = shown(v);
  found.id = "own";
  return el("p", {}, "The model's own: ", found);
};
const formulaLine = (parts, id) => el("p", { class: "formula", id }, ...line(parts));

function numbersOfWindow(now) {
  const { step, output, cell } = now, value = output.at(cell.row, cell.column);
  if (step.form === "conv" || step.form === "depthwise") return convNumbers(now, value);
  if (step.form === "maxpool" || step.form === "avgpool") return poolNumbers(now, value);
  if (step.form === "dense") return denseNumbers(now, valuesOf(step)[state.map]);
  if (step.form === "input") return [ownLine(value)];
  if (step.form === "flatten") {
    const { row, column, channel } = state;
    return [formulaLine([`(row ${row} · ${now.input.width} + column ${column}) · ${now.source.shape[2]} + map ${channel} = unit ${now.unit}, which is`, now.input.at(row, column)], "total"), ownLine(valuesOf(step)[now.unit])];
  }
  if (step.form === "add") {
    const terms = step.inputs.map((i) => (isMaps(steps[i]) ? board(steps[i], state.map) : board(steps[i], 0)).at(cell.row, cell.column));
    return [formulaLine([...terms.flatMap((t, i) => (i ? ["+", t] : [t])), "=", terms.reduce((a, b) => a + b, 0)], "total"), ownLine(value)];
  }
  if (step.form === "concat") return [formulaLine([`map ${now.channel} of ${now.source.name}:`, now.input.at(cell.row, cell.column)], "total"), ownLine(value)];
  if (!now.window || step.form === "plain" || step.inputs.length > 1) {
    const alike = now.window ? step.inputs.map((i) => steps[i]).filter((s) => String(s.shape) === String(step.shape)) : [];
    const given = alike.map((s) => formulaLine([`at this place of ${s.name}:`, board(s, state.map).at(cell.row, cell.column)]));
    return [...given, ownLine(value)];
  }
  const [words, parts] = elementwise(step, isMaps(step) ? state.map : cell.row * output.width + cell.column, now.input.at(cell.row, cell.column), value);
  return [el("p", { class: "note" }, words), formulaLine(parts, "total"), ownLine(value)];
}

function convNumbers({ step, input, channel, cell }, value) {
  const { map } = state, cells = windowAt(step, cell.row, cell.column), kernel = kernelOf(step, map, channel);
  const inside = cells.map((p) => (p.inside ? input.at(p.r, p.c) : 0)), products = inside.map((v, i) => v * kernel[i]);
  const columns = step.settings.size[1], pad = (i) => (cells[i].inside ? "" : "padding");
  const sums = channelsOf(step, map).map((j) => windowSum(step, map, j, cell.row, cell.column)), bias = biasOf(step, map);
  const sum = products.reduce((a, b) => a + b, 0), all = sums.reduce((a, b) => a + b, 0);
  const others = sums.length === 1 ? [] : ["+", all - sum, `(the ${sums.length - 1} other input maps)`];
  return [
    el("div", { class: "equation" }, titled("window", table(inside, columns, spanOfGrid(input), pad)), operator("×"),
      titled("kernel", table(kernel, columns, span(kernel))), operator("="), titled("products", table(products, columns, span(products)))),
    formulaLine(["sum of the products of input map", `${channel}:`, sum], "sum"),
    formulaLine([sum, ...others, "+", bias, step.weights.bias ? "(bias) =" : "(no bias) =", all + bias], "total"), ownLine(value),
    sums.length > 1 && sums.length <= 8 ? el("p", { class: "note" }, "Sums by input map: ", ...line(sums.flatMap((s, i) => (i ? ["·", s] : [s])))) : null,
  ].filter(Boolean);
}

function poolNumbers({ step, input, cell }, value) {
  const cells = windowAt(step, cell.row, cell.column), inside = cells.filter((p) => p.inside).map((p) => input.at(p.r, p.c));
  const most = Math.max(...inside), largest = step.form === "maxpool", shownCells = cells.map((p) => (p.inside ? input.at(p.r, p.c) : NaN));
  const parts = largest ? ["the greatest of", `${inside.length}:`, most] : ["sum", inside.reduce((a, b) => a + b, 0), `/ ${inside.length} =`, inside.reduce((a, b) => a + b, 0) / inside.length];
  return [el("div", { class: "equation" }, titled("window", table(shownCells, step.settings.size[1], spanOfGrid(input),
    (i) => (!cells[i].inside ? "padding" : largest && shownCells[i] === most ? "most" : "")))), formulaLine(parts, "total"), ownLine(value)];
}

function denseNumbers({ step, input, source }, value) {
  const { map, row, column, channel } = state, { count, weight } = denseSource(step), x = input.at(row, column), w = weight(map, channel, row, column);
  const sum = denseProducts(step, map, channel).sum, bias = biasOf(step, map);
  let rest = 0;
  for (let k = 0; k < count; k++) if (k !== channel) rest += denseProducts(step, map, k).sum;
  const others = count > 1 ? ["+", rest, `(the ${count - 1} other maps)`] : [];
  return [
    formulaLine(["input", x, "× weight", w, "=", x * w], "product"),
    formulaLine([`sum of all ${board(source, 0).size} products${count > 1 ? ` of map ${channel}` : ""}:`, sum], "sum"),
    formulaLine([sum, ...others, "+", bias, step.weights.bias ? "(bias) =" : "(no bias) =", sum + rest + bias], "total"), ownLine(value),
  ];
}

function formulaKey(event) {
  if (event.target.matches("select, input")) return;
  if (ARROWS[event.key] && $("window")) {
    event.preventDefault();
    stop();
    const [down, right] = ARROWS[event.key];
    slide(state.row + down, state.column + right);
  } else if (event.key === " " && $("play") && !event.target.matches("button, a")) {
    event.preventDefault();
    play();
  }
}
