/* The charts beside the surface, put together from the explorer's state. */

const CHART_HEIGHT = 210;
const TRAININGS = ["fine-tuned", "from scratch"]; // as the figures on the page draw them: solid and blue, dashed and orange

/** Colour and dash belong to the training; where the right side shows the left one's, it has another. */
function styleOf(explorer, view) {
  const { theme, views, shown } = explorer;
  const found = unique(views.map(lookOf));
  const names = found.every((name) => TRAININGS.includes(name)) ? TRAININGS : found;
  const twin = shown.length > 1 && view === shown[1].view && lookOf(view) === lookOf(shown[0].view);
  const index = (names.indexOf(lookOf(view)) + (twin ? names.length : 0)) % 4;
  return { colour: [theme.first, theme.second, theme.third, theme.ink][index], dash: [[], [7, 4], [2, 3], [9, 3, 2, 3]][index] };
}

const lineOf = (axis, field, pick, style) => ({
  x: Array.from(axis),
  y: axis.map((_, k) => field.values[pick(k)]),
  stderr: axis.map((_, k) => stderrAt(field, pick(k))),
  ...style,
});

/** The values of a surface along one of its axes, through any place. */
function lineThrough(view, field, along, point, style) {
  const at = (values, t) => (along === "alpha" ? interpolate(view, values, t, point.beta) : interpolate(view, values, point.alpha, t));
  const x = Array.from(view[along]);
  const y = x.map((t) => at(field.values, t));
  return { x, y, stderr: x.map((t, k) => (field.stderr ? at(field.stderr, t) : shareStderr(y[k], field.examples))), ...style };
}

/** The lines of one view along "alpha" or "beta" through its point. */
function sectionLines(view, name, point, along, style, theme) {
  const lines = [];
  const field = view.beta && view.fields.get(name);
  if (field) lines.push(lineThrough(view, field, along, point, style));
  const curve = along === "alpha" && view.curve?.fields.get(name);
  if (curve) lines.push(lineOf(view.curve.alpha, curve, (k) => k, field ? { colour: theme.ink, dash: [2, 3] } : style));
  return lines;
}

/** A dot at what the readout says, and along alpha the marks at beta = 0. */
function sectionMarks(view, name, point, along, colour) {
  const marks = along === "alpha" ? view.marks.filter((m) => (m.beta ?? 0) === 0 && m.values[name]) : [];
  const places = [...marks, { ...point, shape: point.shape ?? "dot" }];
  return places.map((m) => ({ x: m[along], y: measuredAt(view, name, m)?.[0] ?? NaN, shape: m.shape, colour }));
}

function sectionChart(explorer, along) {
  const { theme, state } = explorer;
  const views = explorer.shown.map((p) => p.view);
  const each = (f) => views.flatMap((v) => f(v, explorer.point(v), styleOf(explorer, v)));
  return {
    title: state.field,
    axis: along === "alpha" ? views[0].axis : "\u03b2",
    scale: explorer.shownScale(true),
    level: state.level,
    lines: each((v, p, style) => sectionLines(v, state.field, p, along, style, theme)),
    marks: each((v, p, style) => sectionMarks(v, state.field, p, along, style.colour)),
    domain: state.zoom?.[along],
    cursors: views.slice(0, 1).map((v) => explorer.point(v)[along]),
  };
}

const strokeName = ({ dash }) => (dash.length > 2 ? "dashes and dots" : dash.length ? (dash[0] > 2 ? "dashed" : "dotted") : "solid");

/** What the chart's lines are, in words. */
function sectionCaption(explorer, along) {
  const views = explorer.shown.map((p) => p.view);
  const parts = views.map((view) => {
    const point = explorer.point(view);
    const stroke = strokeName(styleOf(explorer, view));
    if (!view.beta) return `${stroke}: ${view.name}`;
    const fixed = along === "alpha" ? `\u03b2 = ${coordinate(point.beta)}` : `\u03b1 = ${coordinate(point.alpha)}`;
    return `${stroke}: ${view.name} at ${fixed}`;
  });
  const dotted = along === "alpha" && views.some((v) => v.beta && v.curve?.fields.has(explorer.state.field));
  const scanned = dotted ? "; dotted: the 1D curve (\u03b2 = 0), scanned on its own" : "";
  const bands = explorer.kind === "rank" ? "" : " Bands: \u00b1 one standard error.";
  return `Along ${along === "alpha" ? views[0].axis : "\u03b2"}. ${parts.join("; ")}${scanned}.${bands}`;
}

/** The quantity on show after each epoch, as the training itself recorded it. */
function epochChart(explorer, views) {
  const { state } = explorer;
  const lines = views.map((v) => ({ y: v.history[state.field], x: v.history[state.field].map((_, e) => e), ...styleOf(explorer, v) }));
  const marks = lines.flatMap(({ x, y, colour }, k) => {
    const at = Math.min(state.epoch, x.length - 1);
    const later = x.filter((e) => e > (views[k].turn ?? Infinity)).map((e) => ({ x: e, y: y[e], shape: "dot", colour: AFTER }));
    return [...later, { x: at, y: y[at] ?? NaN, shape: "dot", colour }];
  });
  const scale = makeScale(extent(lines.map((l) => l.y), state.log), state.log);
  return { title: state.field, axis: "epoch", scale, lines, marks, cursors: [state.epoch] };
}

/** Dev accuracy while one layer group moves and the other two stay where the sliders are. */
function rollbackChart(cube, index, theme, at) {
  const flat = (i) => inCube(cube, i);
  const styles = [[], [7, 4], [2, 3]].map((dash, k) => ({ dash, colour: [theme.first, theme.second, theme.third][k] }));
  const field = { values: cube.accuracy, examples: cube.examples };
  const lines = styles.map((style, g) => lineOf(cube.axis, field, (k) => flat(index.map((v, o) => (o === g ? k : v))), style));
  const marks = styles.map((style, g) => ({ x: cube.axis[index[g]], y: cube.accuracy[flat(index)], shape: "dot", colour: style.colour }));
  return { title: "dev accuracy", axis: "\u22121 rolled back, 0 fine-tuned", scale: makeScale(extent([cube.accuracy], false), false), lines, marks, cursors: [cube.axis[at]] };
}
