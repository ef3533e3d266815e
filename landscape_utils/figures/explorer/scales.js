/* From values to positions and colours, and to text. */

/** Smallest and largest finite (with log: positive) value of several arrays; null where there is none. */
function extent(arrays, log) {
  let [lo, hi] = [Infinity, -Infinity];
  for (const values of arrays)
    for (const v of values) if (Number.isFinite(v) && (!log || v > 0)) (lo = Math.min(lo, v)), (hi = Math.max(hi, v));
  return lo <= hi ? [lo, hi] : null;
}

/** A scale maps values to 0..1 and back; equal values everywhere lie in the middle. */
function makeScale(domain, log) {
  const [lo, hi] = domain ?? [log ? 0.1 : 0, 1];
  const [f, inverse] = log ? [Math.log, Math.exp] : [(v) => v, (v) => v];
  const width = f(hi) - f(lo);
  return {
    lo, hi, log,
    at: (v) => (width === 0 ? 0.5 : log && v <= 0 ? 0 : clamp((f(v) - f(lo)) / width, 0, 1)),
    invert: (p) => (p <= 0 ? lo : p >= 1 ? hi : inverse(f(lo) + p * width)),
  };
}

/** A level above some values: half way from the highest of them to the highest mark, as the scale counts, or, where the
    marks are hardly higher, a part of the way to the scale's end. */
function levelAbove(scale, values, marks) {
  const highest = (of) => Math.max(0, ...of.filter(Number.isFinite).map(scale.at));
  const [base, top] = [highest(values), highest(marks)];
  return scale.invert(top - base > 0.05 ? (base + top) / 2 : base + 0.3 * (1 - base));
}

/** Round ticks inside a domain. */
function ticks(scale, count) {
  if (!(scale.hi > scale.lo)) return [scale.lo];
  if (scale.log && scale.hi / scale.lo > 8) return decades(scale.lo, scale.hi, count);
  const raw = (scale.hi - scale.lo) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((m) => m * power >= 0.8 * raw) * power;
  const first = Math.ceil(scale.lo / step - 1e-9);
  return Array.from({ length: Math.floor(scale.hi / step + 1e-9) - first + 1 }, (_, k) => (first + k) * step);
}

/** Round ticks and their texts, with as many digits as tell them apart. */
function tickTexts(scale, count) {
  const values = ticks(scale, count);
  const step = values.length > 1 ? Math.abs(values[1] - values[0]) : 0;
  const digits = step ? Math.ceil(Math.log10(Math.max(...values.map(Math.abs)) / step)) + 1 : 3;
  return values.map((v) => [v, number(v, clamp(digits, 2, 12))]);
}

function decades(lo, hi, count) {
  const first = Math.floor(Math.log10(lo));
  const powers = Array.from({ length: Math.floor(Math.log10(hi)) - first + 1 }, (_, e) => 10 ** (first + e));
  const choices = [[1, 2, 5], [1, 3], [1]].map((steps) => powers.flatMap((p) => steps.map((s) => s * p)).filter((v) => v >= lo && v <= hi));
  return choices.find((all) => all.length <= count + 1) ?? choices[2].filter((_, k) => k % Math.ceil(choices[2].length / count) === 0);
}

const minus = (text) => text.replace(/^-0$/, "0").replace("-", "\u2212");
const number = (v, digits = 4) =>
  Number.isFinite(v) ? minus(String(Number(v.toPrecision(digits)))) : "not finite";
/** Coordinates are known to be of order one: no digits of rounding noise. */
const coordinate = (v) => (Number.isFinite(v) ? minus(String(Number(v.toFixed(3)))) : "not finite");
const interpolated = (bound) => (Number.isFinite(bound) ? ` (interpolated, within ${number(bound, 2)} nats)` : " (interpolated)");
const measured = ([value, stderr, bound = 0]) =>
  number(value) + (Number.isFinite(stderr) ? ` \u00b1 ${number(stderr, 2)}` : "") + (bound === 0 ? "" : interpolated(bound));

function makeLut(colours) {
  const stops = colours.map((c) => [1, 3, 5].map((k) => parseInt(c.slice(k, k + 2), 16)));
  return Array.from({ length: 256 }, (_, k) => {
    const x = (k / 255) * (stops.length - 1);
    const i = Math.min(Math.floor(x), stops.length - 2);
    return stops[i].map((s, c) => Math.round(s + (x - i) * (stops[i + 1][c] - s)));
  });
}
