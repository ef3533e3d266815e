/* The controls under and beside the surfaces, and the sentences that go with them. */

const LEVELS = 400; // steps of the threshold slider

class Controls {
  constructor(explorer) {
    this.explorer = explorer;
    this.status = h("p", { class: "lx-hidden", role: "status" });
    this.readout = h("p", { class: "lx-readout" });
    this.surfaces = h("div", { class: "lx-surfaces" }, ...explorer.panels.map((p) => p.el));
    this.charts = ["alpha", "beta"].map((along) => this.makeChart(along));
    this.elements = [
      this.makeShow(), this.surfaces, this.readout, this.status,
      h("div", { class: "lx-charts" }, ...this.charts.map((c) => c.el)),
      h("div", { class: "lx-groups" }, this.makePoint(), this.makeThreshold(), this.makeTrajectory(), this.makeRollback(), this.makeDownloads()),
    ];
  }

  select(text, names, onchange) {
    const select = h("select", { onchange: (e) => onchange(e.target.value) });
    labelled(text, select);
    fillSelect(select, names, names[0]);
    return select;
  }

  toggle(text, key) {
    this[key] = h("input", { type: "checkbox", onchange: (e) => this.explorer.set({ [key]: e.target.checked }) });
    return h("label", { class: "lx-check" }, this[key], h("span", {}, text));
  }

  makeShow() {
    const { explorer } = this;
    this.field = this.select("quantity", explorer.fieldNames, (v) => explorer.chooseField(v));
    this.log = this.select("scale", Object.values(SCALES), (v) => explorer.set({ log: v === SCALES.true, level: NaN }));
    const zoom = h("span", { class: "lx-row", hidden: !explorer.isLandscape },
      button("Neighbourhood", () => explorer.neighbourhood()), button("Zoom in", () => explorer.zoomBy(0.5)),
      button("Zoom out", () => explorer.zoomBy(2)), button("Show all", () => explorer.zoomTo(null)));
    const checks = [this.toggle("in three dimensions", "relief"), this.toggle("side by side", "compare"), this.toggle("one colour scale for a task", "shared")];
    return group("Show", h("div", { class: "lx-row" }, ...[this.field, this.log].map((s) => s.parentElement), ...checks, zoom));
  }

  /** A chart along alpha, beta, the epochs or the rolled-back share: pointing at it and the arrow keys move the cursor. */
  makeChart(along) {
    const { explorer } = this;
    const canvas = h("canvas", { role: "application", tabindex: 0 });
    const caption = h("figcaption");
    const chart = { along, canvas, caption, el: h("figure", {}, canvas, caption) };
    const { state } = explorer;
    const share = (k) => explorer.set({ share: clamp(k, 0, explorer.cube.axis.length - 1) });
    const epoch = (k) => explorer.set({ epoch: clamp(Math.round(k), 0, explorer.epochs) });
    const [to, step] = {
      alpha: [(v, held) => explorer.look({ alpha: v, beta: state.beta }, held), (by) => explorer.step("alpha", by)],
      beta: [(v, held) => explorer.look({ alpha: state.alpha, beta: v }, held), (by) => explorer.step("beta", by)],
      epoch: [epoch, (by) => epoch(state.epoch + by)],
      rollback: [(v) => share(nearestIndex(explorer.cube.axis, v)), (by) => share(state.share + by)],
    }[along];
    pointed(canvas, {
      move: (x, y, held) => to(chart.at(x), held),
      leave: () => explorer.look(null),
      wheel: along in explorer.whole && ((factor, x) => explorer.zoomBy(factor, { ...state, [along]: chart.at(x) })),
      key: (e) => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
        if (!by) return explorer.key(e);
        e.preventDefault();
        step(by);
      },
    });
    return chart;
  }

  makePoint() {
    const { explorer } = this;
    const move = () => explorer.holdIndex(Number(this.alpha.value), Number(this.beta.value));
    const [alpha, alphaInput] = slider(explorer.views[0].axis, move);
    const [beta, betaInput] = slider("\u03b2", move);
    Object.assign(this, { alpha: alphaInput, beta: betaInput });
    this.marks = h("div", { class: "lx-row" });
    return group("Point", alpha, beta, this.marks);
  }

  makeThreshold() {
    const { explorer } = this;
    const [label, input] = slider("below", (e) => explorer.set({ level: explorer.shownScale().invert(e.target.value / LEVELS) }));
    this.level = input;
    this.width = h("p", { class: "lx-text", role: "status" });
    this.ratio = h("p", { class: "lx-answer" });
    return (this.threshold = group("Threshold", label, this.ratio, this.width));
  }

  makeTrajectory() {
    const { explorer } = this;
    const [label, input] = slider("epoch", (e) => explorer.set({ epoch: Number(e.target.value) }));
    this.epoch = input;
    this.projection = this.select("projection", Object.values(PROJECTIONS), (v) =>
      explorer.set({ projection: Object.keys(PROJECTIONS).find((k) => PROJECTIONS[k] === v) }));
    this.playButton = button("Play", () => explorer.play());
    this.where = h("p", { class: "lx-text" });
    this.epochs = this.makeChart("epoch");
    const choices = h("div", { class: "lx-row lx-one" }, this.playButton, this.projection.parentElement);
    return (this.trajectory = group("Trajectory", label, choices, this.where, this.epochs.el));
  }

  makeRollback() {
    const move = () => this.explorer.set({ rollback: this.groups.map((g) => Number(g[1].value)) });
    this.groups = ["low layers", "middle layers", "high layers"].map((name) => slider(name, move));
    this.accuracy = h("p", { class: "lx-text", role: "status" });
    this.rollbackChart = this.makeChart("rollback");
    return (this.rollback = group("Roll layers back", ...this.groups.map((g) => g[0]), this.accuracy, this.rollbackChart.el));
  }

  makeDownloads() {
    const { explorer } = this;
    const name = () => explorer.shown.map((p) => p.view.name).join(" and ").replace(/[^\w]+/g, "-") || "landscape";
    const picture = () => sheet(this.figures(), explorer.theme);
    return group("Download", h("div", { class: "lx-row" },
      button("PNG", () => toPng(picture(), (blob) => save(`${name()}.png`, blob))),
      button("SVG", () => save(`${name()}.svg`, toSvg(picture()), "image/svg+xml")),
      button("CSV", () => save(`${name()}.csv`, toCsv(explorer.shown.map((p) => p.view)), "text/csv"))));
  }

  /** The figures on show, to be drawn on one sheet. */
  figures() {
    const { explorer } = this;
    const surfaces = explorer.shown.filter((p) => !p.canvas.hidden).map((panel) => {
      const scene = panel.scene();
      const paint = (pen) => [drawBase, drawOverlay].forEach((draw) => draw(pen, surfaceBox(scene.width), scene));
      return { width: scene.width, height: scene.height, title: panel.view.name, paint };
    });
    const size = { width: 450, height: CHART_HEIGHT };
    const charts = this.charts.filter((c) => !c.el.hidden).map(({ along }) => {
      const paint = (pen) => drawChart(pen, size, sectionChart(explorer, along), explorer.theme);
      return { ...size, title: `Along ${along === "alpha" ? explorer.views[0].axis : "\u03b2"}`, paint };
    });
    return [...surfaces, ...charts];
  }

  show() {
    this.showChoices();
    this.showPoint();
    this.showThreshold();
    this.showTrajectory();
    this.showRollback();
    for (const chart of this.charts) this.showChart(chart);
  }

  showChoices() {
    const { state, fieldNames, views } = this.explorer; // a scan may have added a view
    fillSelect(this.field, fieldNames, state.field);
    this.log.value = SCALES[state.log];
    this.log.parentElement.hidden = this.explorer.kind === "rank";
    const [several, maps] = [views.length > 1, views.some((v) => v.beta)];
    for (const [key, of] of Object.entries({ relief: maps, compare: several, shared: several && maps })) {
      this[key].checked = state[key];
      this[key].parentElement.hidden = !of;
    }
  }

  showPoint() {
    const { explorer } = this;
    const views = explorer.shown.map((p) => p.view);
    const point = explorer.point(views[0]);
    setRange(this.alpha, views[0].axes.alpha.length - 1, point.i, coordinate(point.alpha));
    setRange(this.beta, views[0].axes.beta.length - 1, point.j, coordinate(point.beta));
    this.beta.parentElement.hidden = !views[0].beta;
    this.readout.textContent = views.map((v) => describePoint(v, explorer.point(v), explorer.state.field)).join("\n");
    const names = views[0].marks.map((m) => m.name).join();
    if (this.marks.dataset.names === names) return;
    this.marks.dataset.names = names;
    this.marks.replaceChildren(...views[0].marks.map((m) => button(`to the ${m.name}`, () => explorer.hold(m.alpha, m.beta))));
  }

  showThreshold() {
    const { explorer } = this;
    const { field, level } = explorer.state;
    this.threshold.hidden = !Number.isFinite(level);
    if (this.threshold.hidden) return;
    setRange(this.level, LEVELS, Math.round(LEVELS * explorer.shownScale().at(level)), number(level, 3));
    const views = explorer.shown.map((p) => p.view);
    const sizes = [];
    const texts = views.map((view) => {
      const at = explorer.focus(view);
      const interval = intervalBelow(rowThrough(view, field, at), at.alpha, level);
      const flat = view.beta?.length > 1 && view.alpha.length > 1 && view.fields.has(field);
      const region = flat ? explorer.region(view) : null;
      sizes.push(sizesOf(view, interval, region));
      return describeRegion(view, level, at, interval, sizes.at(-1));
    });
    this.ratio.textContent = describeRatio(views, sizes);
    this.width.textContent = texts.join("\n");
  }

  showTrajectory() {
    const { explorer } = this;
    const { state } = explorer;
    const views = explorer.shown.map((p) => p.view).filter((v) => v.trajectories);
    this.trajectory.hidden = !views.length;
    if (!views.length) return;
    state.epoch = Math.min(state.epoch, explorer.epochs);
    setRange(this.epoch, explorer.epochs, state.epoch, String(state.epoch));
    this.projection.value = PROJECTIONS[state.projection];
    this.playButton.textContent = explorer.playing ? "Pause" : "Play";
    this.where.textContent = views.map((v) => describeEpoch(v, state.epoch, state.projection)).join("\n");
    const recorded = views.filter((v) => v.history?.[state.field]);
    this.epochs.el.hidden = !recorded.length;
    if (!recorded.length) return;
    this.epochs.caption.textContent = "After each epoch, as the training recorded it" + (recorded.some((v) => v.turn) ? "; amber: the epochs after the first training." : ".");
    this.paintChart(this.epochs, epochChart(explorer, recorded));
  }

  showRollback() {
    const { explorer } = this;
    const { cube, state, theme } = explorer;
    this.rollback.hidden = !cube;
    if (!cube) return;
    const last = cube.axis.length - 1;
    const index = (state.rollback ?? [last, last, last]).map((i) => Math.min(i, last));
    this.groups.forEach((g, k) => setRange(g[1], last, index[k], coordinate(cube.axis[index[k]])));
    this.accuracy.textContent = describeRollback(cube, index);
    const at = Math.min(state.share, last);
    const chart = rollbackChart(cube, index, theme, at);
    const there = chart.lines.map((line, k) => `${cube.groups[k]} ${number(line.y[at])}`).join(", ");
    this.rollbackChart.caption.textContent = `One group moved, the others where their sliders are. Solid: low layers; dashed: middle; dotted: high. At ${coordinate(cube.axis[at])}: ${there}.`;
    this.paintChart(this.rollbackChart, chart);
  }

  showChart(chart) {
    const { explorer } = this;
    chart.el.hidden = chart.along === "beta" && !explorer.shown.some((p) => p.view.beta);
    if (chart.el.hidden) return;
    chart.caption.textContent = sectionCaption(explorer, chart.along);
    this.paintChart(chart, sectionChart(explorer, chart.along));
  }

  paintChart(chart, content) {
    const width = Math.max(220, chart.el.clientWidth);
    const pen = fitCanvas(chart.canvas, width, CHART_HEIGHT);
    chart.at = drawChart(pen, { width, height: CHART_HEIGHT }, content, this.explorer.theme);
    chart.canvas.setAttribute("aria-label", `${content.title}, line chart. ${chart.caption.textContent} Arrow keys move the cursor.`);
  }
}
