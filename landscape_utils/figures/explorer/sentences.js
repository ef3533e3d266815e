/* What the figures show, in words: for readers of text, and for screen readers. */

/** How a point got its numbers: a mark by its name, a grid point by saying so. */
const pointName = (view, point) => {
  const place = view.beta ? `\u03b1 = ${coordinate(point.alpha)}, \u03b2 = ${coordinate(point.beta)}` : `${view.axis} = ${coordinate(point.alpha)}`;
  return `${place}${view.beta || point.name ? ` (${point.name ?? "grid point"})` : ""}`;
};

function describePoint(view, point) {
  const names = [...new Set([...view.fields.keys(), ...(view.curve?.fields.keys() ?? [])])];
  const values = names
    .map((name) => [name, measuredAt(view, name, point)])
    .filter(([, m]) => m && (view.beta || Number.isFinite(m[0]) || view.axis === "\u03b1"))
    .map(([name, m]) => `${name} ${measured(m)}`);
  return `${view.name}: ${pointName(view, point)}: ${values.join("; ") || "not evaluated"}`;
}

const lengths = (interval) => (interval.open ? "at least " : "") + number(interval.width, 3);

/** Width and area of what lies below the threshold, in units of delta_1 and as a distance between parameters. */
function describeRegion(view, name, level, at, interval, region) {
  const around = at.name ? `the ${at.name} point` : "the cursor";
  if (!interval) return `${view.name}: ${around} is not below ${number(level, 3)}.`;
  const distance = view.norm ? ` (${number(interval.width * view.norm, 3)} as a distance between parameters)` : "";
  const width = `width along \u03b1 through ${around}: ${lengths(interval)}${distance}, from ${coordinate(interval.lo)} to ${coordinate(interval.hi)}`;
  if (!region) return `${view.name}: ${width}.`;
  const sine = Math.sqrt(1 - (view.cosine ?? 0) ** 2);
  const inSpace = view.norm ? ` (${number(region.area * sine * view.norm ** 2, 3)} as an area between parameters)` : "";
  const open = region.open ? "at least " : "";
  return `${view.name}: ${width}; area of the connected region: ${open}${number(region.area, 3)}${inSpace}.`;
}

function describeEpoch(view, epoch, projection) {
  const t = view.trajectories?.[projection];
  if (!t) return `${view.name}: no trajectory.`;
  const e = Math.min(epoch, t.alpha.length - 1);
  const share = Number.isFinite(t.in_plane[e]) ? `; ${number(100 * t.in_plane[e], 3)} % of the way gone lies in the plane` : "";
  return `${view.name}: epoch ${e} of ${t.alpha.length - 1}: \u03b1 = ${coordinate(t.alpha[e])}, \u03b2 = ${coordinate(t.beta[e])}${share}.`;
}

/** What is worth knowing of a surface as a whole: the canvas's text alternative. */
function describeView(view, name, scale, nonFinite) {
  const field = view.fields.get(name);
  if (!field) return `${view.name}: ${name} was not scanned.`;
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
  const n = cube.axis.length;
  const accuracy = cube.accuracy[(index[0] * n + index[1]) * n + index[2]];
  const place = cube.groups.map((g, k) => `${g} ${coordinate(cube.axis[index[k]])}`).join(", ");
  if (!Number.isFinite(accuracy)) return `${place}: not scanned.`;
  const whole = cube.accuracy[cube.accuracy.length - 1];
  const points = number(100 * (accuracy - whole), 3);
  const change = accuracy === whole ? "as" : `${accuracy > whole ? "+" : ""}${points} points against`;
  const stderr = number(shareStderr(accuracy, cube.examples), 2);
  return `${place}: dev accuracy ${number(accuracy)} \u00b1 ${stderr} (${change} the fine-tuned ${number(whole)}, ${cube.examples} examples).`;
}
