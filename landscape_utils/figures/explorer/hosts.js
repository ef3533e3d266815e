/* The two hosts. */

/** The protocol of anywidget: draws into `el`, returns how to stop. */
function render({ model, el }) {
  el.classList.add("landscape-explorer"), (el.dataset.mounted = "");
  const explorer = (el.explorer = new Explorer(model, el));
  return () => explorer.stop();
}

/** Stands in for the widget's model in a page without a kernel. */
const pageModel = (values) => ({
  get: (name) => values[name],
  set: (name, value) => (values[name] = value),
  save_changes() {}, on() {}, off() {},
});

/** Starts each explorer of a static page that holds its data as JSON in a script element. */
function mountAll() {
  for (const el of document.querySelectorAll(".landscape-explorer:not([data-mounted])"))
    render({ model: pageModel({ payload: JSON.parse(el.querySelector("script").textContent) }), el });
}

function follow(event) {
  const link = event.target.closest?.("a.lx-show");
  if (link) event.preventDefault(), document.querySelector(".landscape-explorer")?.explorer?.showMe(link.dataset);
}
if (!globalThis.lxFollows) (globalThis.lxFollows = true), document.addEventListener("click", follow); // each widget has a module of its own

export default { render };
