/* The surface seen from above. */

/** A linear axis from a domain to a stretch of the screen. */
const axisMap = (domain, from, to) => (v) => from + ((v - domain[0]) / (domain[1] - domain[0] || 1)) * (to - from);

/** What an axis of the picture spans when all of it is shown; a lone point has room around it. */
const span = (axis) => (axis.length > 1 ? [axis[0], axis[axis.length - 1]] : [axis[0] - 0.5, axis[0] + 0.5]);

/** A stretch moved and, if need be, shortened to lie in another, or made as long as a share of it. */
function moveInside([lo, hi], [first, last], least) {
  const width = clamp(hi - lo, least * (last - first), last - first);
  const start = clamp((lo + hi - width) / 2, first, last - width);
  return [start, start + width];
}

/** The heat map of a window as a canvas of n x n pixels, bilinear; transparent where a value that counts is not finite. */
function heatImage(view, values, scale, lut, n, { domainA, domainB }) {
  const canvas = h("canvas", { width: n, height: n });
  const context = canvas.getContext("2d");
  const image = context.createImageData(n, n);
  const places = ([first, last]) => Array.from({ length: n }, (_, p) => first + ((p + 0.5) / n) * (last - first));
  const [alphas, betas] = [places(domainA), places(domainB).reverse()];
  const scanned = (axis, x) => axis.length < 2 || (x >= axis[0] && x <= axis[axis.length - 1]);
  betas.forEach((beta, y) =>
    alphas.forEach((alpha, x) => {
      const value = scanned(view.alpha, alpha) && scanned(view.beta, beta) ? interpolate(view, values, alpha, beta) : NaN;
      if (Number.isFinite(value)) image.data.set([...lut[Math.round(255 * scale.at(value))], 255], 4 * (y * n + x));
    }),
  );
  context.putImageData(image, 0, 0);
  return canvas;
}

const surfaceBox = (width) => ({ x: 44, y: 12, w: width - 44 - 74, h: width - 44 - 74 });
const surfaceHeight = (width) => surfaceBox(width).h + 12 + 42;

function surfaceMap(view, box, zoom) {
  const [domainA, domainB] = [zoom?.alpha ?? span(view.alpha), zoom?.beta ?? span(view.beta)];
  const x = axisMap(domainA, box.x, box.x + box.w);
  const y = axisMap(domainB, box.y + box.h, box.y);
  const map = (alpha, beta) => [x(alpha), y(beta)];
  map.invert = (px, py) => [
    axisMap([box.x, box.x + box.w], ...domainA)(px),
    axisMap([box.y + box.h, box.y], ...domainB)(py),
  ];
  return Object.assign(map, { domainA, domainB });
}

/** Hatching, to be seen where the heat map leaves it open. */
function hatch(pen, box, theme) {
  const lines = [];
  for (let x = box.x - box.h; x < box.x + box.w; x += 7) lines.push([x, box.y + box.h, x + box.h, box.y]);
  clipped(pen, box, () => strokeSegments(pen, lines, (x, y) => [x, y], theme.ink, 1.2));
}

function drawFrame(pen, box, map, theme) {
  Object.assign(pen, { strokeStyle: theme.line, lineWidth: 1 });
  pen.beginPath(), pen.rect(box.x, box.y, box.w, box.h), pen.stroke();
  const count = Math.max(4, Math.round(box.w / 60));
  const labels = ([lo, hi]) => tickTexts({ lo, hi }, count);
  for (const [t, text] of labels(map.domainA)) write(pen, text, map(t, 0)[0], box.y + box.h + 12, theme.ink, "center");
  for (const [t, text] of labels(map.domainB)) write(pen, text, box.x - 6, map(0, t)[1], theme.ink, "right");
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
  for (const [v, text] of tickTexts(scale, 6)) {
    strokePath(pen, [[x + 12, y(v)], [x + 16, y(v)]], theme.ink, 1);
    write(pen, text, x + 19, y(v), theme.ink);
  }
}

/** The threshold's place on the colour bar. */
function drawLevel(pen, box, { scale, level, theme }) {
  const [x, y] = [box.x + box.w + 8, box.y + box.h - scale.at(level) * box.h];
  if (level >= scale.lo && level <= scale.hi) strokePath(pen, [[x, y], [x + 20, y]], theme.level, 2.5);
}

/** Colours of contour lines: light on dark colours, dark on light ones. */
const contourColour = (lut, p) => (Math.max(...lut[Math.round(255 * p)]) < 160 ? "rgba(255,255,255,.45)" : "rgba(0,0,0,.35)");

/** Heat map, contours, hatching and axes. */
function drawFlat(pen, box, map, s) {
  const { values } = s.field;
  if (s.nonFinite) hatch(pen, box, s.theme);
  const pixels = clamp(Math.round(box.w * s.density), 64, 720);
  pen.drawImage(heatImage(s.view, values, s.scale, s.lut, pixels, map), box.x, box.y, box.w, box.h);
  clipped(pen, box, () => {
    for (const k of s.kind === "rank" ? [5] : [1, 2, 3, 4, 5, 6, 7, 8, 9])
      strokeSegments(pen, contour(s.view, values, s.scale.invert(k / 10)), map, contourColour(s.lut, k / 10), 1);
  });
  drawFrame(pen, box, map, s.theme);
}

const AFTER = "#ffb000"; // the epochs after the first training, as in the figure on the page

/** The region below the threshold, the trajectory, the marks, the cursor. `map` may be the 3D one. */
function drawPlaces(pen, map, s) {
  strokeSegments(pen, s.region.outline, map.level ?? map, "#000", 4.5);
  strokeSegments(pen, s.region.outline, map.level ?? map, s.theme.level, 2.5);
  if (s.path.length) {
    const points = s.path.map(([a, b]) => map(a, b));
    const later = points.slice(s.view.turn ?? Infinity);
    strokePath(pen, points, "#000", 5);
    strokePath(pen, points, "#fff", 2.5);
    strokePath(pen, later, AFTER, 2.5);
    points.forEach((p, e) => drawMark(pen, "dot", p, { fill: e > (s.view.turn ?? Infinity) ? AFTER : "#fff", line: "#000" }, 4));
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
