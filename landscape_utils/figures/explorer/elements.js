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

const slider = (text, oninput) => {
  const input = h("input", { type: "range", min: 0, step: 1, oninput });
  return [labelled(text, input, h("output")), input];
};

/** Tells `move(x, y, held)` where a pointer is on a canvas, `leave` that it left, `wheel(factor, x, y)` how to zoom: only
    where the canvas has the focus, or a page would no longer scroll over it. */
function pointed(canvas, { move, leave, wheel, key }) {
  let held = false;
  const on = (names, listener, options) => names.split(" ").forEach((name) => canvas.addEventListener(name, listener, options));
  const at = (e) => [e.clientX - canvas.getBoundingClientRect().left, e.clientY - canvas.getBoundingClientRect().top];
  on("pointerdown", (e) => {
    canvas.setPointerCapture(e.pointerId);
    move(...at(e), (held = true), true);
  });
  on("pointermove", (e) => move(...at(e), held, false));
  on("pointerup pointercancel", () => (held = false));
  on("pointerleave", leave);
  on("keydown", key);
  if (wheel) on("wheel", (e) => {
    if (!e.ctrlKey && document.activeElement !== canvas) return;
    e.preventDefault();
    wheel(e.deltaY < 0 ? 0.8 : 1.25, ...at(e));
  }, { passive: false });
}

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

/** Calls `redraw` where the page turns dark or light; returns how to stop. */
function watchTheme(redraw) {
  const themed = new MutationObserver(redraw);
  for (const node of [document.documentElement, document.body])
    themed.observe(node, { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light"] });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redraw);
  return () => (themed.disconnect(), dark.removeEventListener("change", redraw));
}

function readTheme(el) {
  const style = getComputedStyle(el);
  const get = (name) => style.getPropertyValue(`--lx-${name}`).trim();
  return Object.fromEntries(["ink", "paper", "line", "grid", "accent", "cool", "first", "second", "third"].map((n) => [n, get(n)]));
}
