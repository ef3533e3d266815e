/* What the figures show, in words: for readers of text, and for screen readers. */

/** How a point got its numbers: a mark by its name, a grid point by saying so. */
const pointName = (view, point) => {
  const place = view.beta ? `\u03b1 = ${coordinate(point.alpha)}, \u03b2 = ${coordinate(point.beta)}` : `${view.axis} = ${coordinate(point.alpha)}`;
  return `${place}${view.beta || point.name ? ` (${point.name ?? "grid point"})` : ""}`;
};

const RANK_COLOURS = "Blue: training loss ranks the point lower (better) than dev error does; red: higher (worse); 1 is from the best point to the worst";

function describeRanks([difference]) {
  const how = difference ? `${number(Math.abs(difference), 2)} ${difference > 0 ? "higher (worse) than" : "lower (better) than"}` : "as";
  return Number.isFinite(difference) ? `training loss ranks this point ${how} dev error does` : "training loss and dev error cannot be ranked here";
}

/** What was measured at a point; the difference of ranks only where it is on show. */
function describePoint(view, point, shown) {
  const values = view.quantities
    .filter((name) => name !== RANKS || name === shown)
    .map((name) => [name, measuredAt(view, name, point)])
    .filter(([, m]) => m && (view.beta || Number.isFinite(m[0]) || view.axis === "\u03b1"))
    .map(([name, m]) => (name === RANKS ? describeRanks(m) : `${name} ${measured(m)}`));
  return `${view.name}: ${pointName(view, point)}: ${values.join("; ") || "not evaluated"}`;
}

const step = (axis) => (axis[axis.length - 1] - axis[0]) / (axis.length - 1);

/** What lies below the threshold around a point: its width along alpha and, of a surface, its area, in units of delta_1
    and between parameters; null where the point itself is not below. */
function sizesOf(view, interval, region) {
  if (!interval || region?.none) return null;
  const sine = Math.sqrt(1 - (view.cosine ?? 0) ** 2);
  const width = { size: interval.width, inSpace: interval.width * view.norm, open: interval.open };
  if (!region) return { width, area: null };
  const cell = step(view.alpha) * step(view.beta); // the grid tells no smaller area
  const size = Math.max(region.area, cell);
  return { width, area: { size, inSpace: size * sine * view.norm ** 2, open: region.open, small: region.area < cell } };
}

function describeRegion(view, level, at, interval, sizes) {
  const around = at.name ? `the ${at.name} point` : "the cursor";
  if (!sizes) return `${view.name}: ${around} is not below ${number(level, 3)}.`;
  const said = ({ size, inSpace, open, small }, what) =>
    (open ? "at least " : small ? "at most " : "") + number(size, 3) + (inSpace ? ` (${number(inSpace, 3)} as ${what} between parameters)` : "");
  const width = `width along \u03b1 through ${around}: ${said(sizes.width, "a distance")}, from ${coordinate(interval.lo)} to ${coordinate(interval.hi)}`;
  const area = sizes.area ? `; area of the connected region: ${said(sizes.area, "an area")}` : "";
  return `${view.name}: ${width}${area}.`;
}

/** How much larger one side's region is than the other's: the answer that most come for. */
function describeRatio(views, sizes) {
  if (!sizes[0] || !sizes[1]) return "";
  const what = sizes[0].area && sizes[1].area ? "area" : "width";
  const order = sizes[0][what].size > sizes[1][what].size ? [0, 1] : [1, 0];
  const [large, small] = order.map((k) => sizes[k][what]);
  if (large.small) return ""; // the grid tells neither
  const distance = large.inSpace && small.inSpace ? `, and ${small.small ? "at least " : ""}${number(large.inSpace / small.inSpace, 2)} times measured between parameters` : "";
  return `${what === "area" ? "Area" : "Width"} below the threshold: ${views[order[0]].name} has ${small.small ? "at least " : ""}${number(large.size / small.size, 2)} times that of ${views[order[1]].name}${large.open || small.open ? " as far as it was scanned" : ""}${distance}.`;
}

function describeEpoch(view, epoch, projection) {
  const t = view.trajectories?.[projection];
  if (!t) return `${view.name}: no trajectory.`;
  const e = Math.min(epoch, t.alpha.length - 1);
  const share = Number.isFinite(t.in_plane[e]) ? `; ${number(100 * t.in_plane[e], 3)} % of the way gone lies in the plane` : "";
  const known = Object.entries(view.history ?? {}).filter(([, values]) => Number.isFinite(values[e] ?? NaN));
  const values = known.map(([name, of]) => `; ${name} ${number(of[e])}`).join("");
  return `${view.name}: epoch ${e} of ${t.alpha.length - 1}: \u03b1 = ${coordinate(t.alpha[e])}, \u03b2 = ${coordinate(t.beta[e])}${share}${values}.`;
}

/** What is worth knowing of a surface as a whole: the canvas's text alternative. */
function describeView(view, name, scale, nonFinite) {
  const field = view.fields.get(name);
  const size = `${view.alpha.length} by ${view.beta.length} points`;
  const finite = field.values.length === nonFinite ? "no finite value" : `${number(scale.own[0], 3)} to ${number(scale.own[1], 3)}`;
  return [`${view.name}: ${name}, ${size}, ${finite}.`, describeNonFinite(nonFinite, field.values.length)].filter(Boolean).join(" ");
}

const describeNonFinite = (n, total) => (n ? `${n} of ${total} points are not finite (hatched).` : "");

const describeNumbers = (view) =>
  [
    ...view.marks.map((m) => `${m.shape}: ${m.name}`),
    Number.isFinite(view.cosine) && `cos(\u03b4\u2081, \u03b4\u2082) = ${number(view.cosine, 2)}`,
    Number.isFinite(view.norm) && `|\u03b4\u2081| = ${number(view.norm, 3)}`,
    ...[...view.fields.values()].map((f) => f.examples && `${f.name} on ${f.examples} examples`),
  ].filter(Boolean).join(", ");

function describeRollback(cube, index) {
  const accuracy = cube.accuracy[inCube(cube, index)];
  const place = cube.groups.map((g, k) => `${g} ${coordinate(cube.axis[index[k]])}`).join(", ");
  if (!Number.isFinite(accuracy)) return `${place}: not scanned.`;
  const whole = cube.accuracy[cube.accuracy.length - 1];
  const points = number(100 * (accuracy - whole), 3);
  const change = accuracy === whole ? "as" : `${accuracy > whole ? "+" : ""}${points} points against`;
  const stderr = number(shareStderr(accuracy, cube.examples), 2);
  return `${place}: dev accuracy ${number(accuracy)} \u00b1 ${stderr} (${change} the fine-tuned ${number(whole)}, ${cube.examples} examples).`;
}
