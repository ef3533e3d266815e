/* One surface of the figure: which view it shows, its canvas, and what the pointer does there. */

const smoothness = { smooth: "between points", cells: "point by point" };

class Panel {
  constructor(explorer, index) {
    this.explorer = explorer;
    this.selects = FACETS.map((f) => h("select", { onchange: (e) => explorer.choose(index, f, e.target.value) }));
    const heads = this.selects.map((select, k) => labelled(FACET_LABELS[k] + (index ? " (right)" : ""), select));
    this.canvas = h("canvas", { class: "lx-surface", tabindex: 0, role: "application" });
    this.note = h("p", { class: "lx-note" });
    this.el = h("div", { class: "lx-panel" }, h("div", { class: "lx-row" }, ...heads), this.canvas, this.note);
    this.base = { key: "", canvas: h("canvas") };
    this.listen();
  }

  listen() {
    let last = null;
    const place = (e) => {
      const box = this.canvas.getBoundingClientRect();
      return [e.clientX - box.left, e.clientY - box.top];
    };
    const move = (e) => {
      const [x, y] = place(e);
      if (!this.explorer.state.relief) return this.explorer.pointAt(...this.surfacePlace(x, y), last !== null);
      if (last) this.explorer.turn((x - last[0]) / 120, (y - last[1]) / 160);
      if (last) last = [x, y];
    };
    const on = (name, listener) => this.canvas.addEventListener(name, listener);
    on("pointerdown", (e) => {
      last = place(e);
      this.canvas.setPointerCapture(e.pointerId);
      move(e);
    });
    on("pointermove", move);
    on("pointerup", () => (last = null));
    on("pointercancel", () => (last = null));
    on("pointerleave", () => this.explorer.stopHover());
    on("keydown", (e) => this.explorer.key(e));
  }

  surfacePlace(x, y) {
    return surfaceMap(this.view, surfaceBox(this.width), this.explorer.smooth).invert(x, y);
  }

  showSelects(views) {
    FACETS.forEach((facet, k) => {
      const options = unique(views.map((v) => v[facet]).filter(Boolean));
      fillSelect(this.selects[k], options, this.view[facet]);
    });
  }

  /** What the drawings need to know, from the explorer's state. */
  scene() {
    const { explorer, view } = this;
    const { state } = explorer;
    const field = view.fields.get(state.field);
    const at = explorer.focus(view);
    const point = explorer.point(view);
    const width = this.width;
    return {
      view, field, point, at, width,
      height: surfaceHeight(width),
      density: Math.min(window.devicePixelRatio || 1, 2),
      scale: explorer.scale(view),
      region: explorer.region(view),
      path: explorer.path(view),
      nonFinite: explorer.nonFinite(field),
      lut: explorer.lut(state.field),
      theme: explorer.theme,
      level: state.level,
      smooth: explorer.smooth,
      turn: state.turn,
      tilt: state.tilt,
    };
  }

  draw() {
    this.width = Math.max(220, Math.min(this.el.clientWidth, 560));
    const shown = Boolean(this.view.beta && this.view.fields.has(this.explorer.state.field));
    this.canvas.hidden = !shown;
    if (shown) {
      const scene = this.scene();
      const pen = fitCanvas(this.canvas, scene.width, scene.height);
      pen.drawImage(this.keptBase(scene), 0, 0, scene.width, scene.height);
      this.paintOverlay(pen, scene);
      this.describe(scene);
    } else this.note.textContent = this.view.beta ? `${this.explorer.state.field} was not scanned here.` : "";
  }

  /** What stays while cursor, threshold and epoch move, kept until something of it changes. */
  keptBase(scene) {
    const { state, revision, views } = this.explorer;
    const placed = state.relief ? [state.turn, state.tilt] : [state.shading];
    const { lo, hi, log } = scene.scale;
    const key = JSON.stringify([revision, views.indexOf(this.view), state.field, placed, scene.width, scene.density, lo, hi, log, scene.theme]);
    if (key !== this.base.key) {
      this.paintBase(fitCanvas(this.base.canvas, scene.width, scene.height), scene);
      this.base.key = key;
    }
    return this.base.canvas;
  }

  paintBase(pen, scene) {
    (this.explorer.state.relief ? drawReliefBase : drawSurfaceBase)(pen, surfaceBox(scene.width), scene);
  }

  paintOverlay(pen, scene) {
    (this.explorer.state.relief ? drawReliefOverlay : drawSurfaceOverlay)(pen, surfaceBox(scene.width), scene);
  }

  describe(scene) {
    const text = describeView(this.view, this.explorer.state.field, scene.scale, scene.nonFinite);
    const hint = this.explorer.state.relief ? "Drag or arrow keys turn it." : "Point, or arrow keys move the cursor.";
    this.canvas.setAttribute("aria-label", `${text} ${hint}`);
    this.note.textContent = [describeNumbers(this.view), describeNonFinite(scene.nonFinite, scene.field.values.length)]
      .filter(Boolean).join(". ");
  }
}
