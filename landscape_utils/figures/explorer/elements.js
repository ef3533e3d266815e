/* Small makers of native elements. */

function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  element.append(...children);
  return element;
}

/** A control with its label; the name is set on its own too, or else the label's output would be part of it. */
function labelled(text, input, ...rest) {
  input.setAttribute("aria-label", text);
  return h("label", { class: "lx-control" }, h("span", {}, text), input, ...rest);
}

const group = (legend, ...children) => h("fieldset", {}, h("legend", {}, legend), ...children);
const button = (text, onclick) => h("button", { type: "button", onclick }, text);

function fillSelect(select, options, chosen) {
  select.replaceChildren(...options.map((o) => h("option", { value: o }, o)));
  select.value = chosen;
  select.parentElement.hidden = options.length < 2;
}

function setRange(input, max, value, text) {
  input.max = max;
  input.value = value;
  input.disabled = max < 1;
  input.setAttribute("aria-valuetext", text);
  input.nextElementSibling.textContent = text;
}

const range = (oninput) => h("input", { type: "range", min: 0, step: 1, oninput });
const slider = (text, oninput) => {
  const input = range(oninput);
  return [labelled(text, input, h("output")), input];
};

function fitCanvas(canvas, width, height) {
  const density = Math.min(window.devicePixelRatio || 1, 2);
  if (canvas.width !== Math.round(width * density) || canvas.height !== Math.round(height * density)) {
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    canvas.style.height = `${height}px`;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(density, 0, 0, density, 0, 0);
  return pen;
}

function readTheme(el) {
  const style = getComputedStyle(el);
  const get = (name) => style.getPropertyValue(`--lx-${name}`).trim();
  return Object.fromEntries(["ink", "paper", "line", "grid", "accent", "cool", "first", "second"].map((n) => [n, get(n)]));
}
