/* One surface of the figure: which view it shows, its canvas, and what the pointer does there. */

class Panel {
  constructor(explorer, index) {
    this.explorer = explorer;
    this.selects = FACETS.map((f) => h("select", { onchange: (e) => explorer.choose(index, f, e.target.value) }));
    const heads = this.selects.map((select, k) => labelled(FACET_LABELS[k], select));
    if (index) this.selects.forEach((select, k) => select.setAttribute("aria-label", `${FACET_LABELS[k]} (right)`));
    this.canvas = h("canvas", { class: "lx-surface", tabindex: 0, role: "application" });
    this.note = h("p", { class: "lx-note" });
    this.el = h("div", { class: "lx-panel" }, h("div", { class: "lx-row" }, ...heads), this.canvas, this.note);
    this.base = { key: "", canvas: h("canvas") };
    this.listen();
  }

  listen() {
    const { explorer } = this;
    const at = (x, y) => {
      const [alpha, beta] = surfaceMap(this.view, surfaceBox(this.width), explorer.state.zoom).invert(x, y);
      return { alpha, beta };
    };
    let last = null;
    const move = (x, y, held, begins) => {
      if (!explorer.state.relief) return explorer.look(at(x, y), held);
      if (held && !begins) explorer.turn((x - last[0]) / 120, (y - last[1]) / 160);
      last = [x, y];
    };
    const wheel = (factor, x, y) => explorer.zoomBy(factor, explorer.state.relief ? explorer.state : at(x, y));
    pointed(this.canvas, { move, wheel, leave: () => explorer.look(null), key: (e) => explorer.key(e) });
  }

  showSelects(views) {
    FACETS.forEach((facet, k) => {
      const options = unique(views.map((v) => v[facet]).filter(Boolean));
      fillSelect(this.selects[k], options, this.view[facet]);
    });
  }

  /** What the drawings need to know, from the explorer's state. */
  scene() {
    const { explorer, view, width } = this;
    const { state } = explorer;
    const field = view.fields.get(state.field);
    return {
      ...state, view, field, width,
      point: explorer.point(view),
      height: surfaceHeight(width),
      density: Math.min(window.devicePixelRatio || 1, 2),
      scale: explorer.scale(view),
      region: explorer.region(view),
      path: explorer.path(view),
      nonFinite: explorer.cached(field, () => field.values.reduce((n, v) => n + !Number.isFinite(v), 0)),
      kind: explorer.kind,
      lut: explorer.luts[explorer.kind],
      theme: explorer.theme,
    };
  }

  draw() {
    this.width = Math.max(220, Math.min(this.el.clientWidth, 560));
    const shown = Boolean(this.view.beta && this.view.fields.has(this.explorer.state.field));
    const { colour, dash } = styleOf(this.explorer, this.view);
    this.el.style.borderTop = this.explorer.state.compare ? `3px ${dash.length ? "dashed" : "solid"} ${colour}` : "";
    this.canvas.style.touchAction = this.explorer.state.relief ? "none" : "pan-y";
    this.canvas.hidden = !shown;
    if (shown) {
      const scene = this.scene();
      const pen = fitCanvas(this.canvas, scene.width, scene.height);
      pen.drawImage(this.keptBase(scene), 0, 0, scene.width, scene.height);
      drawOverlay(pen, surfaceBox(scene.width), scene);
      this.describe(scene);
    } else this.note.textContent = this.view.beta ? `${this.explorer.state.field} was not scanned here.` : "";
  }

  /** What stays while cursor, threshold and epoch move, kept until something of it changes. */
  keptBase(scene) {
    const { state, views } = this.explorer;
    const placed = [state.zoom, ...(state.relief ? [state.turn, state.tilt] : [])];
    const { lo, hi, log } = scene.scale;
    const key = JSON.stringify([views.indexOf(this.view), state.field, placed, scene.width, scene.density, lo, hi, log, scene.theme]);
    if (key !== this.base.key) {
      drawBase(fitCanvas(this.base.canvas, scene.width, scene.height), surfaceBox(scene.width), scene);
      this.base.key = key;
    }
    return this.base.canvas;
  }

  describe(scene) {
    const text = describeView(this.view, this.explorer.state.field, scene.scale, scene.nonFinite);
    const hint = this.explorer.state.relief ? "Drag or arrow keys turn it." : "Point, or arrow keys move the cursor; + and - zoom, 0 shows all.";
    this.canvas.setAttribute("aria-label", `${text} ${hint}`);
    const meaning = scene.kind === "rank" ? RANK_COLOURS : "";
    this.note.textContent = [meaning, describeNumbers(this.view), describeNonFinite(scene.nonFinite, scene.field.values.length)]
      .filter(Boolean).join(". ");
  }
}
