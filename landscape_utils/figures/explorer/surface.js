/* The surface seen from above. */

/** A linear axis from a domain to a stretch of the screen. */
const axisMap = (domain, from, to) => (v) => from + ((v - domain[0]) / (domain[1] - domain[0] || 1)) * (to - from);

/** Borders between the cells around ascending grid points; a lone point gets a cell one wide. */
function cellEdges(axis) {
  if (axis.length === 1) return [axis[0] - 0.5, axis[0] + 0.5];
  const mid = (i) => (axis[i] + axis[i + 1]) / 2;
  const inner = Array.from({ length: axis.length - 1 }, (_, i) => mid(i));
  const n = axis.length - 1;
  return [2 * axis[0] - mid(0), ...inner, 2 * axis[n] - mid(n - 1)];
}

/** What an axis of the picture spans: from first to last point where values between points are interpolated,
    and whole cells where each point is drawn as a cell. */
function span(axis, smooth) {
  const edges = smooth && axis.length > 1 ? axis : cellEdges(axis);
  return [edges[0], edges[edges.length - 1]];
}

/** For each of n pixels along an axis: the lower point, the upper point, the weight of the upper one, the nearest. */
function pixelTable(axis, n, smooth) {
  const [first, last] = span(axis, smooth);
  const table = { low: new Int32Array(n), high: new Int32Array(n), nearest: new Int32Array(n), weight: new Float32Array(n) };
  for (let p = 0; p < n; p++) {
    const [i, s] = locate(axis, first + ((p + 0.5) / n) * (last - first));
    table.nearest[p] = s < 0.5 ? i : i + 1;
    table.low[p] = smooth ? i : table.nearest[p];
    table.high[p] = smooth && axis.length > 1 ? i + 1 : table.low[p];
    table.weight[p] = smooth ? s : 0;
  }
  return table;
}

/** The heat map as a canvas of n x n pixels; a pixel whose nearest point is not finite stays transparent. */
function heatImage(view, values, scale, lut, n, smooth) {
  const B = view.beta.length;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = n;
  const context = canvas.getContext("2d");
  const image = context.createImageData(n, n);
  const across = pixelTable(view.alpha, n, smooth);
  const up = pixelTable(view.beta, n, smooth);
  for (let y = 0; y < n; y++) {
    const q = n - 1 - y;
    const t = up.weight[q];
    for (let x = 0; x < n; x++) {
      const nearest = values[across.nearest[x] * B + up.nearest[q]];
      if (!Number.isFinite(nearest)) continue;
      const s = across.weight[x];
      const low = across.low[x] * B;
      const high = across.high[x] * B;
      const mixed =
        (1 - s) * ((1 - t) * values[low + up.low[q]] + t * values[low + up.high[q]]) +
        s * ((1 - t) * values[high + up.low[q]] + t * values[high + up.high[q]]);
      const colour = lut[Math.round(255 * scale.at(Number.isFinite(mixed) ? mixed : nearest))];
      const k = 4 * (y * n + x);
      image.data[k] = colour[0], image.data[k + 1] = colour[1], image.data[k + 2] = colour[2], image.data[k + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

const surfaceBox = (width) => ({ x: 44, y: 12, w: width - 44 - 74, h: width - 44 - 74 });
const surfaceHeight = (width) => surfaceBox(width).h + 12 + 42;

function surfaceMap(view, box, smooth) {
  const domainA = span(view.alpha, smooth);
  const domainB = span(view.beta, smooth);
  const x = axisMap(domainA, box.x, box.x + box.w);
  const y = axisMap(domainB, box.y + box.h, box.y);
  const map = (alpha, beta) => [x(alpha), y(beta)];
  map.invert = (px, py) => [
    axisMap([box.x, box.x + box.w], ...domainA)(px),
    axisMap([box.y + box.h, box.y], ...domainB)(py),
  ];
  return Object.assign(map, { domainA, domainB });
}

function hatchNonFinite(pen, box, view, values, map, theme) {
  const B = view.beta.length;
  const [edgesA, edgesB] = [cellEdges(view.alpha), cellEdges(view.beta)];
  pen.save();
  pen.beginPath();
  values.forEach((v, k) => {
    if (Number.isFinite(v)) return;
    const [x0, y0] = map(edgesA[Math.floor(k / B)], edgesB[(k % B) + 1]);
    const [x1, y1] = map(edgesA[Math.floor(k / B) + 1], edgesB[k % B]);
    pen.rect(x0, y0, x1 - x0, y1 - y0);
  });
  pen.clip();
  const lines = [];
  for (let x = box.x - box.h; x < box.x + box.w; x += 7) lines.push([x, box.y + box.h, x + box.h, box.y]);
  strokeSegments(pen, lines, (x, y) => [x, y], theme.ink, 1.2);
  pen.restore();
}

function drawFrame(pen, box, map, theme) {
  Object.assign(pen, { strokeStyle: theme.line, lineWidth: 1 });
  pen.beginPath(), pen.rect(box.x, box.y, box.w, box.h), pen.stroke();
  const count = Math.max(4, Math.round(box.w / 60));
  const labels = ([lo, hi], place) => {
    const values = ticks({ lo, hi }, count);
    tickTexts(values).forEach((text, k) => place(text, values[k]));
  };
  labels(map.domainA, (text, t) => write(pen, text, map(t, 0)[0], box.y + box.h + 12, theme.ink, "center"));
  labels(map.domainB, (text, t) => write(pen, text, box.x - 6, map(0, t)[1], theme.ink, "right"));
  write(pen, "\u03b1, along \u03b4\u2081", box.x + box.w / 2, box.y + box.h + 30, theme.ink, "center");
  write(pen, "\u03b2", 6, box.y + box.h / 2, theme.ink);
}

function drawColourBar(pen, box, scale, lut, theme) {
  const x = box.x + box.w + 12;
  for (let k = 0; k < 64; k++) {
    pen.fillStyle = `rgb(${lut[Math.round((k / 63) * 255)]})`;
    pen.fillRect(x, box.y + box.h - ((k + 1) * box.h) / 64, 12, box.h / 64 + 0.6);
  }
  const y = (v) => box.y + box.h - scale.at(v) * box.h;
  const values = ticks(scale, 6);
  tickTexts(values).forEach((text, k) => {
    strokePath(pen, [[x + 12, y(values[k])], [x + 16, y(values[k])]], theme.ink, 1);
    write(pen, text, x + 19, y(values[k]), theme.ink);
  });
}

/** The threshold's place on the colour bar. */
function drawLevel(pen, box, { scale, level, theme }) {
  const [x, y] = [box.x + box.w + 8, box.y + box.h - scale.at(level) * box.h];
  if (level >= scale.lo && level <= scale.hi) strokePath(pen, [[x, y], [x + 20, y]], theme.level, 2.5);
}

/** Colours of contour lines: light on the dark half of the scale, dark on the light half. */
const contourColour = (p) => (p < 0.5 ? "rgba(255,255,255,.45)" : "rgba(0,0,0,.35)");

/** What stays while the cursor moves: heat map, contours, hatching, axes, colour bar. */
function drawSurfaceBase(pen, box, s) {
  const map = surfaceMap(s.view, box, s.smooth);
  const { values } = s.field;
  pen.fillStyle = s.theme.paper;
  pen.fillRect(0, 0, s.width, s.height);
  const pixels = clamp(Math.round(box.w * s.density), 64, 720);
  pen.drawImage(heatImage(s.view, values, s.scale, s.lut, pixels, s.smooth), box.x, box.y, box.w, box.h);
  clipped(pen, box, () => {
    for (let k = 1; k < 10; k++)
      strokeSegments(pen, contour(s.view, values, s.scale.invert(k / 10)), map, contourColour(k / 10), 1);
  });
  if (s.nonFinite) clipped(pen, box, () => hatchNonFinite(pen, box, s.view, values, map, s.theme));
  drawFrame(pen, box, map, s.theme);
  drawColourBar(pen, box, s.scale, s.lut, s.theme);
}

/** What moves: the region below the threshold, the trajectory, the marks, the cursor. `map` may be the 3D one. */
function drawOverlay(pen, map, s) {
  strokeSegments(pen, s.region.outline, map.level ?? map, "#000", 4.5);
  strokeSegments(pen, s.region.outline, map.level ?? map, s.theme.level, 2.5);
  if (s.path.length) {
    const points = s.path.map(([a, b]) => map(a, b));
    strokePath(pen, points, "#000", 4);
    strokePath(pen, points, "#fff", 2);
    for (const p of points) drawMark(pen, "dot", p, { fill: "#fff", line: "#000" }, 3.5);
    drawMark(pen, "dot", points[points.length - 1], { fill: s.theme.level, line: "#000" }, 5.5);
  }
  for (const m of s.view.marks) drawMark(pen, m.shape, map(m.alpha, m.beta), { fill: "#fff", line: "#000" });
  drawCursor(pen, map(s.point.alpha, s.point.beta));
}

function drawCursor(pen, [x, y]) {
  for (const [colour, width] of [["#000", 4], ["#fff", 2]]) {
    Object.assign(pen, { strokeStyle: colour, lineWidth: width });
    pen.beginPath(), pen.arc(x, y, 9, 0, 2 * Math.PI), pen.stroke();
  }
}

function drawSurfaceOverlay(pen, box, s) {
  const map = surfaceMap(s.view, box, s.smooth);
  clipped(pen, box, () => drawOverlay(pen, map, s));
  drawLevel(pen, box, s);
}
