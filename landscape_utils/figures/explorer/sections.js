/* The charts beside the surface, put together from the explorer's state. */

const CHART_HEIGHT = 210;
const styleOf = (theme, index) => ({ colour: index ? theme.second : theme.first, dash: index ? [7, 4] : [] });

const lineOf = (axis, field, pick, style) => ({
  x: Array.from(axis),
  y: axis.map((_, k) => field.values[pick(k)]),
  stderr: axis.map((_, k) => stderrAt(field, pick(k))),
  ...style,
});

/** The lines of one view along "alpha" or "beta" through its point. */
function sectionLines(view, name, point, along, style, theme) {
  const lines = [];
  const field = view.beta && view.fields.get(name);
  const B = view.beta?.length;
  if (field && along === "alpha") lines.push(lineOf(view.alpha, field, (k) => k * B + point.j, style));
  if (field && along === "beta") lines.push(lineOf(view.beta, field, (k) => point.i * B + k, style));
  const curve = along === "alpha" && view.curve?.fields.get(name);
  if (curve) lines.push(lineOf(view.curve.alpha, curve, (k) => k, field ? { colour: theme.ink, dash: [2, 3] } : style));
  return lines;
}

/** The marks of a view that lie on its cross-section along alpha at beta = 0. */
const sectionMarks = (view, name, colour) =>
  view.marks
    .filter((m) => (m.beta ?? 0) === 0 && m.values[name])
    .map((m) => ({ x: m.alpha, y: m.values[name][0] ?? NaN, shape: m.shape, colour }));

function sectionChart(explorer, along) {
  const { theme, state } = explorer;
  const views = explorer.shown.map((p) => p.view);
  const onAlpha = along === "alpha";
  const each = (f) => views.flatMap((v, k) => f(v, explorer.point(v), styleOf(theme, k)));
  return {
    title: state.field,
    axis: onAlpha ? views[0].axis : "\u03b2",
    scale: explorer.shownScale(true),
    level: explorer.isLandscape ? state.level : undefined,
    lines: each((v, p, style) => sectionLines(v, state.field, p, along, style, theme)),
    marks: onAlpha ? each((v, p, style) => sectionMarks(v, state.field, style.colour)) : [],
    cursors: views.slice(0, 1).map((v) => explorer.point(v)[along]),
  };
}

/** What the chart's lines are, in words. */
function sectionCaption(explorer, along) {
  const views = explorer.shown.map((p) => p.view);
  const parts = views.map((view, k) => {
    const point = explorer.point(view);
    const stroke = k ? "dashed" : "solid";
    if (!view.beta) return `${stroke}: ${view.name}`;
    const fixed = along === "alpha" ? `\u03b2 = ${coordinate(view.beta[point.j])}` : `\u03b1 = ${coordinate(view.alpha[point.i])}`;
    return `${stroke}: ${view.name} at ${fixed}`;
  });
  const dotted = along === "alpha" && views.some((v) => v.beta && v.curve);
  return `Along ${along === "alpha" ? views[0].axis : "\u03b2"}. ${parts.join("; ")}${dotted ? "; dotted: the 1D curve (\u03b2 = 0), scanned on its own" : ""}. Bands: \u00b1 one standard error.`;
}

/** Dev accuracy while one layer group moves and the other two stay where the sliders are. */
function rollbackChart(cube, index, theme) {
  const n = cube.axis.length;
  const flat = (i) => (i[0] * n + i[1]) * n + i[2];
  const styles = [[], [7, 4], [2, 3]].map((dash, k) => ({ dash, colour: [theme.first, theme.second, theme.accent][k] }));
  const field = { values: cube.accuracy, examples: cube.examples };
  const lines = styles.map((style, g) => lineOf(cube.axis, field, (k) => flat(index.map((v, o) => (o === g ? k : v))), style));
  const marks = styles.map((style, g) => ({ x: cube.axis[index[g]], y: cube.accuracy[flat(index)], shape: "dot", colour: style.colour }));
  return { title: "dev accuracy", axis: "\u22121 rolled back, 0 fine-tuned", scale: makeScale(extent([cube.accuracy], false), false), lines, marks };
}
