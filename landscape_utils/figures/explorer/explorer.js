/* The explorer itself: state, and what the state says put on the page.

   Every event changes `state` and asks for one redraw in the next frame. Nothing else holds state, but for
   caches that can be thrown away. */

const PROJECTIONS = { plane: "orthogonal", paper: "the paper's (Eq. 3\u20135)" };
const SCALES = { false: "linear", true: "logarithmic" };

class Explorer {
  constructor(model, el) {
    this.model = model;
    this.root = h("div", { class: "lx" });
    el.append(this.root);
    this.panels = [new Panel(this, 0), new Panel(this, 1)];
    this.load();
    this.state = this.initialState();
    this.controls = new Controls(this);
    this.root.append(...this.controls.elements);
    this.listen();
    this.draw();
  }

  load() {
    const payload = this.model.get("payload");
    const live = this.model.get("scanned");
    const views = [...payload.views, ...(live?.fields ? [live] : [])];
    const before = this.panels.map((p) => p.view);
    const fresh = live?.fields && !this.views?.some((v) => sameFacets(v, live)); // a scan has begun: show it
    this.views = views.map(unpackView);
    this.fieldNames = unique(this.views.flatMap((v) => v.quantities));
    this.isLandscape = this.views[0].axis === "\u03b1"; // a history, whose axis is time, has no width
    this.cubes = (payload.cubes ?? []).map((cube) => ({ ...cube, accuracy: decodeFloats(cube.accuracy) }));
    this.quantities = { ...payload.quantities, [RANKS]: { kind: "rank", log: false } };
    this.luts = Object.fromEntries(Object.entries(payload.colours).map(([kind, stops]) => [kind, makeLut(stops)]));
    this.caches = new Map();
    for (const panel of this.panels) panel.base.key = "";
    const again = (view) => view && this.views.find((v) => sameFacets(v, view));
    const partner = this.views.slice(1).find((v) => v.task === this.views[0].task) ?? this.views[1];
    this.panels[0].view = fresh ? this.views.at(-1) : again(before[0]) ?? this.views[0];
    this.panels[1].view = again(before[1]) ?? partner ?? this.views[0];
  }

  initialState() {
    const view = this.panels[0].view;
    const name = view.quantities[0];
    const at = view.marks[view.focus] ?? { alpha: 0, beta: 0 };
    return {
      field: name, log: this.quantities[name].log, shared: true, zoom: null, relief: false,
      compare: this.views.length > 1, alpha: at.alpha, beta: at.beta, level: NaN, turn: 0.6, tilt: 0.6,
      epoch: Infinity, projection: "plane", rollback: null, share: 0,
    };
  }

  /** A value computed once for a key, until the data change. */
  cached(key, compute) {
    if (!this.caches.has(key)) this.caches.set(key, compute());
    return this.caches.get(key);
  }

  get shown() {
    return this.state.compare ? this.panels : this.panels.slice(0, 1);
  }

  /** What of the axes is shown when nothing is zoomed. */
  get whole() {
    const { alpha, beta } = this.panels[0].view.axes;
    return { alpha: span(alpha), beta: span(beta) };
  }

  get kind() {
    return this.quantities[this.state.field].kind;
  }

  /** The range of a view's values that are seen, or of these with a standard error either way. */
  domain(view, errors = false) {
    const { field, log, zoom } = this.state;
    const key = JSON.stringify(["domain", this.views.indexOf(view), field, log, errors, zoom]);
    return this.cached(key, () => extentSeen(view, this.state, errors));
  }

  /** The range of several views; that of differences has 0 in its middle. */
  sharedDomain(views, errors) {
    const [lo, hi] = extent(views.map((v) => this.domain(v, errors) ?? []), false) ?? [];
    const far = Math.max(Math.abs(lo), Math.abs(hi));
    return lo === undefined ? null : this.kind === "rank" ? [-far, far] : [lo, hi];
  }

  /** The colour scale of a view: shared by all views of its task, or its own. */
  scale(view) {
    const alike = this.state.shared ? this.views.filter((v) => v.task === view.task) : [view];
    return Object.assign(makeScale(this.sharedDomain(alike), this.state.log), { own: this.domain(view) ?? [NaN, NaN] });
  }

  /** The scale of the threshold, and with `errors` that of the cross-sections: of the views shown. */
  shownScale(errors) {
    return makeScale(this.sharedDomain(this.shown.map((p) => p.view), errors), this.state.log);
  }

  point(view) {
    const { alpha, beta } = this.hover ?? this.state;
    return nearestPoint(view, alpha, beta);
  }

  /** The mark around which width and area are taken: the end of training, or else the cursor. */
  focus(view) {
    return view.marks[view.focus] ?? this.point(view);
  }

  region(view) {
    const { field, level } = this.state;
    const at = this.focus(view);
    const value = measuredAt(view, field, at)?.[0] ?? NaN; // null: not finite
    if (!(value < level)) return { outline: [], area: 0, none: true };
    const key = JSON.stringify(["region", this.views.indexOf(view), field, level, at.alpha, at.beta]);
    return this.cached(key, () => regionBelow(view, view.fields.get(field).values, level, at));
  }

  path(view) {
    const t = view.trajectories?.[this.state.projection];
    return t ? t.alpha.slice(0, this.state.epoch + 1).map((a, k) => [a, t.beta[k]]) : [];
  }

  get epochs() {
    const lengths = this.shown.map((p) => p.view.trajectories?.[this.state.projection]?.alpha.length ?? 1);
    return Math.max(...lengths) - 1;
  }

  get cube() {
    return this.cubes.find((c) => c.task === this.panels[0].view.task);
  }

  /** For the page: all that is shown. */
  csv = () => toCsv(this.views);

  listen() {
    const redraw = () => this.redraw();
    const reload = () => (this.load(), this.redraw());
    const placed = () => this.place(this.model.get("cursor"));
    const heard = { "change:payload": reload, "change:scanned": reload, "change:cursor": placed };
    for (const [event, listener] of Object.entries(heard)) this.model.on(event, listener);
    const resized = new ResizeObserver(redraw);
    resized.observe(this.root);
    const unwatch = watchTheme(redraw);
    this.stop = () => {
      resized.disconnect(), unwatch();
      for (const [event, listener] of Object.entries(heard)) this.model.off(event, listener);
      clearInterval(this.playing), clearTimeout(this.speaking), cancelAnimationFrame(this.frame);
    };
  }

  set(changes) {
    Object.assign(this.state, changes);
    this.redraw();
  }

  choose(index, facet, value) {
    const now = { ...this.panels[index].view, [facet]: value };
    const likeness = (v) => FACETS.filter((f) => v[f] === now[f]).length;
    const candidates = this.views.filter((v) => v[facet] === value);
    this.panels[index].view = candidates.reduce((best, v) => (likeness(v) > likeness(best) ? v : best));
    const { task, how, layers } = this.panels[0].view;
    this.tell("selection", { task, how, layers });
    this.set({ level: NaN, epoch: Infinity });
  }

  /** What a link in the text of the page asks for; all that it leaves out stays as it is. */
  showMe({ task, how, layers, quantity, alpha, beta, epoch }) {
    const there = (facet, value) => value && this.views.some((v) => v[facet] === value);
    if (there("task", task)) this.shown.forEach((_, k) => this.choose(k, "task", task));
    for (const [facet, value] of Object.entries({ how, layers }))
      if (there(facet, value) && !this.shown.some((p) => p.view[facet] === value)) this.choose(0, facet, value);
    if (this.fieldNames.includes(quantity)) this.chooseField(quantity);
    if (epoch) this.set({ epoch: Number(epoch) });
    if (alpha) this.hold(Number(alpha), Number(beta ?? 0));
    this.root.querySelector("canvas:not([hidden])").focus();
  }

  chooseField(name) {
    this.set({ field: name, log: this.quantities[name].log, level: NaN });
  }

  /** Shows what is at a place as long as the pointer is there, or from now on if it is `held`; null: it left. */
  look(place, held) {
    if (held) return this.hold(place.alpha, place.beta);
    this.hover = place;
    this.redraw();
  }

  /** Puts the cursor on the evaluated point nearest to a place, to stay there, and tells the host. */
  hold(alpha, beta) {
    const point = nearestPoint(this.panels[0].view, alpha, beta);
    this.tell("cursor", { alpha: point.alpha, beta: point.beta });
    this.place(point);
  }

  tell(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  place({ alpha, beta }) {
    const { zoom } = this.state;
    const follow = ([lo, hi], x) => (x < lo ? [x, x + hi - lo] : x > hi ? [x - hi + lo, x] : [lo, hi]);
    if (zoom) this.state.zoom = { alpha: follow(zoom.alpha, alpha), beta: follow(zoom.beta, beta ?? 0) };
    this.hover = null;
    this.set({ alpha, beta });
    this.speak();
  }

  step(along, by) {
    const { i, j } = this.point(this.panels[0].view);
    this.holdIndex(...(along === "alpha" ? [i + by, j] : [i, j + by]));
  }

  holdIndex(...indices) {
    const { alpha, beta } = this.panels[0].view.axes;
    this.hold(...[alpha, beta].map((axis, k) => axis[clamp(indices[k], 0, axis.length - 1)]));
  }

  /** Shows more or less around a place, which stays where it is. */
  zoomBy(factor, { alpha, beta } = this.state) {
    const now = this.state.zoom ?? this.whole;
    const scaled = ([lo, hi], x) => [x + (lo - x) * factor, x + (hi - x) * factor];
    this.zoomTo({ alpha: scaled(now.alpha, alpha), beta: scaled(now.beta, beta ?? 0) });
  }

  /** Shows a window of the plane, as far as it was scanned; null for all of it. */
  zoomTo(window) {
    const whole = this.whole;
    const { axes } = this.panels[0].view; // two steps are the least: fewer may hold no value
    const inside = (along) => moveInside(window[along], whole[along], Math.min(1, 2 / (axes[along].length - 1)));
    const zoom = window && { alpha: inside("alpha"), beta: inside("beta") };
    this.set({ zoom: JSON.stringify(zoom) === JSON.stringify(whole) ? null : zoom });
  }

  /** Shows where everything happens: around start and end, so far as the window of the figures on the page. */
  neighbourhood() {
    const [lo, hi] = extent([this.panels[0].view.marks.map((m) => m.alpha)]) ?? [0, 1];
    const [middle, reach] = [(lo + hi) / 2, 1.2 * Math.max(hi - lo, 0.5)];
    this.zoomTo({ alpha: [middle - reach, middle + reach], beta: [-reach, reach] });
  }

  turn(by, up) {
    this.set({ turn: this.state.turn + by, tilt: clamp(this.state.tilt + up, 0.1, 1.5) });
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    const zoom = { "+": 0.5, "=": 0.5, "-": 2, 0: Infinity }[event.key];
    if (!arrow && !zoom) return;
    event.preventDefault();
    if (zoom) return zoom === Infinity ? this.zoomTo(null) : this.zoomBy(zoom);
    if (this.state.relief) this.turn(arrow[0] * 0.1, arrow[1] * 0.08);
    else this.step(...(arrow[0] ? ["alpha", arrow[0]] : ["beta", arrow[1]]));
  }

  /** Plays the trajectory; where motion is unwelcome, each press goes one epoch on. */
  play() {
    const next = () => this.set({ epoch: this.state.epoch >= this.epochs ? 0 : this.state.epoch + 1 });
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return next();
    const pause = () => (clearInterval(this.playing), (this.playing = null), this.redraw());
    if (this.playing) return pause();
    next();
    this.playing = setInterval(() => (next(), this.state.epoch >= this.epochs && pause()), 600);
  }

  /** Says the readout to a screen reader, once the cursor rests. */
  speak() {
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => (this.controls.status.textContent = this.controls.readout.textContent), 400);
  }

  redraw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.theme = readTheme(this.root);
    this.theme.level = this.kind === "loss" ? this.theme.accent : this.theme.cool;
    if (!Number.isFinite(this.state.level)) this.state.level = this.firstLevel();
    this.panels[1].el.hidden = !this.state.compare;
    this.root.classList.toggle("lx-compare", this.state.compare);
    this.root.classList.toggle("lx-flat", !this.shown.some((p) => p.view.beta));
    for (const panel of this.shown) panel.showSelects(this.views), panel.draw();
    this.controls.show();
  }

  /** A threshold to begin with, which outlines something around the focus of every view shown; NaN where none has a sense. */
  firstLevel() {
    if (!this.isLandscape || this.kind === "rank") return NaN;
    const views = this.shown.map((p) => p.view);
    const value = (view, point) => measuredAt(view, this.state.field, point)?.[0];
    const marked = views.flatMap((v) => v.marks.map((m) => value(v, m)));
    return levelAbove(this.shownScale(), views.map((v) => value(v, this.focus(v))), marked);
  }
}
