// What all parts of the page use: elements, and numbers in a few digits.

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export function brief(value) {
  return Number(value.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 4 });
}
