/* The payload that Python sends, unpacked; and the look-up of what was evaluated. */

const NO_COUNT = 65535;

const decode = (base64, ArrayType) => new ArrayType(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer);
const decodeFloats = (base64) => decode(base64, Float32Array);
const decodeShares = (base64, n) => Float64Array.from(decode(base64, Uint16Array), (k) => (k === NO_COUNT ? NaN : k / n));

const unpackField = (f) => ({
  ...f,
  values: f.counts ? decodeShares(f.counts, f.examples) : decodeFloats(f.values),
  stderr: f.stderr ? decodeFloats(f.stderr) : null,
  bound: f.bound ? decodeFloats(f.bound) : null,
});
const unpackFields = (fields) => new Map(fields.map((f) => [f.name, unpackField(f)]));

/** The quantity that tells two maps apart: how training loss and dev error rank the same points. */
const RANKS = "ranks: loss less error";

/** Gives the rank of a value among `values`, from 0 (the lowest) to 1; equal values share their mean rank. */
function rankAmong(values) {
  const atMost = (sign) => {
    const sorted = [-Infinity, ...Array.from(values, (v) => sign * v).sort((a, b) => a - b), Infinity];
    return (v) => locate(sorted, sign * v)[0];
  };
  const [notAbove, notBelow] = [atMost(1), atMost(-1)];
  return (v) => clamp((notAbove(v) + values.length - notBelow(v) - 1) / 2 / Math.max(1, values.length - 1), 0, 1);
}

/** Adds to a surface with both quantities, and to its marks, the rank of training loss less that of dev error, among the
    points where both are finite. Returns the marks. */
function addRanks(fields, marks) {
  const names = ["training loss", "dev error"];
  if (!names.every((name) => fields.has(name))) return marks;
  const [loss, error] = names.map((name) => fields.get(name).values);
  const both = (_, k) => Number.isFinite(loss[k] + error[k]);
  const [ofLoss, ofError] = [loss, error].map((values) => rankAmong(values.filter(both)));
  const difference = (l, e) => (Number.isFinite(l) && Number.isFinite(e) ? ofLoss(l) - ofError(e) : NaN);
  fields.set(RANKS, { name: RANKS, values: Float64Array.from(loss, (l, k) => difference(l, error[k])) });
  const ofMark = ({ values }) => ({ ...values, [RANKS]: [difference(...names.map((name) => values[name][0])), NaN] });
  return marks.map((m) => ({ ...m, values: ofMark(m) }));
}

function unpackView(raw) {
  const fields = unpackFields(raw.fields);
  const curve = raw.curve && { ...raw.curve, fields: unpackFields(raw.curve.fields) };
  const name = FACETS.map((f) => raw[f]).filter(Boolean).join(", ");
  const axes = { alpha: raw.alpha ?? curve.alpha, beta: raw.beta ?? [0] };
  const marks = addRanks(fields, raw.marks);
  return { ...raw, name, fields, curve, marks, axes, quantities: unique([...fields.keys(), ...(curve?.fields.keys() ?? [])]) };
}

/** Where the value at the indices [low, middle, high] of a cube stands. */
const inCube = ({ axis }, index) => index.reduce((k, i) => k * axis.length + i, 0);

/** What tells views apart, and how their selects are labelled. */
const FACETS = ["task", "how", "layers"];
const FACET_LABELS = ["task", "training", "layers"];
/** What is drawn in the same way everywhere: a training, a group of layers, or else a task. */
const lookOf = (view) => view.how.split(",")[0] || view.layers || view.task;
const sameFacets = (a, b) => FACETS.every((f) => a[f] === b[f]);
const unique = (items) => [...new Set(items)];
const clamp = (x, lo, hi) => Math.min(hi, Math.max(lo, x));

/** Standard error of a share of n examples, as the mean's: s_(n-1) / sqrt(n). */
const shareStderr = (share, n) => (n > 1 ? Math.sqrt((share * (1 - share)) / (n - 1)) : NaN);

const stderrAt = (field, k) => (field.stderr ? field.stderr[k] : shareStderr(field.values[k], field.examples));

const nearestIndex = (axis, x) => axis.reduce((best, v, i) => (Math.abs(v - x) < Math.abs(axis[best] - x) ? i : best), 0);

/** The evaluated point of `view` closest to (alpha, beta): a mark, or a grid point with its indices. */
function nearestPoint(view, alpha, beta) {
  const distance = (p) => Math.hypot(p.alpha - alpha, (p.beta ?? 0) - beta);
  const [i, j] = [nearestIndex(view.axes.alpha, alpha), nearestIndex(view.axes.beta, beta)];
  const grid = { alpha: view.axes.alpha[i], beta: view.axes.beta[j], i, j };
  return view.marks.reduce((best, m) => (distance(m) <= distance(best) ? { ...m, i, j } : best), grid);
}

/** How far off a value may be: 0 where it was computed, NaN where it was interpolated and no bound is known. */
const boundAt = (view, field, k) =>
  field.bound?.[k] ?? ([...view.fields.values()].some((f) => f.bound?.[k] > 0) ? NaN : 0);

/** The range of the values of a quantity in the window that is zoomed to, or of these with a standard error either way. */
function extentSeen(view, { field, log, zoom }, errors) {
  const within = (along, x) => !zoom || (x >= zoom[along][0] && x <= zoom[along][1]);
  const seen = ({ alpha, beta }) => alpha.flatMap((a) => (beta ?? [0]).map((b) => within("alpha", a) && within("beta", b)));
  const grids = [view, view.curve].filter((g) => g?.fields.has(field)).map((g) => [g.fields.get(field), seen(g)]);
  const edge = (sign) => grids.map(([f, shown]) => f.values.map((v, k) => (shown[k] ? v + (sign && sign * (stderrAt(f, k) || 0)) : NaN)));
  return extent(errors ? [...edge(1), ...edge(-1)] : edge(0), log);
}

/** [value, standard error, bound] at a point that nearestPoint returned, or null where it was not evaluated. */
function measuredAt(view, name, point) {
  if (point.values) return point.values[name] ?? null;
  const field = (view.beta ? view : view.curve).fields.get(name);
  if (!field) return null;
  const k = view.beta ? point.i * view.beta.length + point.j : point.i;
  return [field.values[k], stderrAt(field, k), view.beta ? boundAt(view, field, k) : 0];
}
