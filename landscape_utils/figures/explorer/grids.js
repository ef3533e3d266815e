/* Geometry on a rectangular grid of values: level lines, the region below a level, its width and area. */

/** Index of the interval of an ascending axis that holds x, and how far along it x lies (0..1). */
function locate(axis, x) {
  if (axis.length === 1) return [0, 0];
  let [i, above] = [0, axis.length - 1];
  while (above - i > 1) {
    const middle = (i + above) >> 1;
    if (axis[middle] <= x) i = middle;
    else above = middle;
  }
  return [i, clamp((x - axis[i]) / (axis[i + 1] - axis[i]), 0, 1)];
}

/** Bilinear interpolation of a surface; NaN where a point that counts is not finite. */
function interpolate(view, values, alpha, beta) {
  const B = view.beta.length;
  const [i, s] = locate(view.alpha, alpha);
  const [j, t] = locate(view.beta, beta);
  const at = (a, b, w) => (w === 0 ? 0 : w * values[a * B + b]);
  const sum =
    at(i, j, (1 - s) * (1 - t)) + at(i + 1, j, s * (1 - t)) + at(i, j + 1, (1 - s) * t) + at(i + 1, j + 1, s * t);
  return Number.isFinite(sum) ? sum : NaN;
}

/** The part of one grid cell that lies below `level`, as a polygon [alpha, beta, isCrossing]; values are linear
    along the edges. Empty where a corner is not finite. */
function cellBelow(view, values, i, j, level) {
  const B = view.beta.length;
  const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
  const v = corners.map(([a, b]) => values[a * B + b]);
  if (!v.every(Number.isFinite)) return [];
  const polygon = [];
  for (let c = 0; c < 4; c++) {
    const [a, b] = corners[c];
    const [a2, b2] = corners[(c + 1) % 4];
    const w = v[(c + 1) % 4];
    if (v[c] < level) polygon.push([view.alpha[a], view.beta[b], false]);
    if (v[c] < level !== w < level) {
      const s = (level - v[c]) / (w - v[c]);
      const mix = (x, y) => x + s * (y - x);
      polygon.push([mix(view.alpha[a], view.alpha[a2]), mix(view.beta[b], view.beta[b2]), true]);
    }
  }
  return polygon;
}

/** The edges of a cell's polygon that cross the cell: its share of the level line. */
function crossingEdges(polygon, segments) {
  for (let k = 0; k < polygon.length; k++) {
    const p = polygon[k];
    const q = polygon[(k + 1) % polygon.length];
    if (p[2] && q[2] && polygon.length > 2) segments.push([p[0], p[1], q[0], q[1]]);
  }
}

function shoelace(polygon) {
  const next = (k) => polygon[(k + 1) % polygon.length];
  return Math.abs(polygon.reduce((sum, p, k) => sum + p[0] * next(k)[1] - next(k)[0] * p[1], 0)) / 2;
}

/** Level lines as segments [alpha, beta, alpha, beta]. */
function contour(view, values, level) {
  const segments = [];
  const B = view.beta.length;
  for (let i = 0; i + 1 < view.alpha.length; i++)
    for (let j = 0; j + 1 < B; j++) {
      const k = i * B + j;
      const a = values[k] < level;
      if (a === values[k + 1] < level && a === values[k + B] < level && a === values[k + B + 1] < level) continue;
      crossingEdges(cellBelow(view, values, i, j, level), segments);
    }
  return segments;
}

/** The corners of a cell, as offsets from the index of its lowest one. */
const corners = (B) => [0, 1, B, B + 1];

/** The cells of the connected region below `level` that holds the point `at`, by their lowest corner's index:
    cells that share a corner below the level are connected. */
function connectedCells(view, values, level, at) {
  const [A, B] = [view.alpha.length, view.beta.length];
  const entered = new Uint8Array(A * B);
  const cells = [];
  const enter = (i, j) => {
    if (i < 0 || j < 0 || i + 1 >= A || j + 1 >= B || entered[i * B + j]) return;
    entered[i * B + j] = 1;
    cells.push(i * B + j);
  };
  enter(locate(view.alpha, at.alpha)[0], locate(view.beta, at.beta)[0]);
  for (let k = 0; k < cells.length; k++)
    for (const offset of corners(B)) {
      const corner = cells[k] + offset;
      if (!(values[corner] < level)) continue;
      const [i, j] = [Math.floor(corner / B), corner % B];
      enter(i - 1, j - 1), enter(i - 1, j), enter(i, j - 1), enter(i, j);
    }
  return cells;
}

/** The connected region below `level` around the point `at`: its outline, its area in alpha-beta units, and whether
    it runs into the border of what was scanned. */
function regionBelow(view, values, level, at) {
  const B = view.beta.length;
  const region = { outline: [], area: 0, open: false };
  for (const cell of connectedCells(view, values, level, at)) {
    const [i, j] = [Math.floor(cell / B), cell % B];
    const below = corners(B).map((offset) => values[cell + offset] < level);
    if (below.every(Boolean)) region.area += (view.alpha[i + 1] - view.alpha[i]) * (view.beta[j + 1] - view.beta[j]);
    else {
      const polygon = cellBelow(view, values, i, j, level);
      region.area += shoelace(polygon);
      crossingEdges(polygon, region.outline);
    }
    const [left, right] = [i === 0 && (below[0] || below[1]), i === view.alpha.length - 2 && (below[2] || below[3])];
    const [low, high] = [j === 0 && (below[0] || below[2]), j === B - 2 && (below[1] || below[3])];
    region.open ||= left || right || low || high;
  }
  return region;
}

/** Values [[alpha, value], ...] along alpha through the point `at`, of a surface or of the 1D curve, with the marks that
    lie on the way put in. */
function rowThrough(view, name, at) {
  const surface = view.beta && view.fields.get(name);
  const field = surface || view.curve?.fields.get(name);
  if (!field) return [];
  const value = (a, k) => (surface ? interpolate(view, field.values, a, at.beta) : field.values[k]);
  const { alpha } = surface ? view : view.curve;
  const marks = view.marks.filter((m) => (m.beta ?? 0) === at.beta && m.values[name] && !alpha.includes(m.alpha));
  const row = [...alpha.map((a, k) => [a, value(a, k)]), ...marks.map((m) => [m.alpha, m.values[name][0] ?? NaN])];
  return row.sort((p, q) => p[0] - q[0]);
}

/** The interval around `x` in which the piecewise linear `row` stays below `level`; null if x is not below it. */
function intervalBelow(row, x, level) {
  const start = row.findIndex(([a]) => a === x);
  if (start < 0 || !(row[start][1] < level)) return null;
  const walk = (step) => {
    let k = start;
    while (row[k + step] && row[k + step][1] < level) k += step;
    if (!row[k + step]) return { at: row[k][0], open: true };
    const [[a, v], [b, w]] = [row[k], row[k + step]];
    return Number.isFinite(w) ? { at: a + ((level - v) / (w - v)) * (b - a), open: false } : { at: a, open: false };
  };
  const [lo, hi] = [walk(-1), walk(1)];
  return { lo: lo.at, hi: hi.at, width: hi.at - lo.at, open: lo.open || hi.open };
}
