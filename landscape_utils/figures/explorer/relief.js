/* The surface as a relief that turns. */

/** Orthographic projection of (alpha, beta, height 0..1), turned about the vertical and tilted. */
function reliefMap(s, box) {
  const flat = surfaceMap(s.view, { x: -1, y: -1, w: 2, h: 2 }, s.zoom);
  const [sin, cos] = [Math.sin(s.turn), Math.cos(s.turn)];
  const [rise, lay] = [Math.cos(s.tilt), Math.sin(s.tilt)];
  const size = box.w / 3;
  const project = (alpha, beta, height) => {
    const [x, down] = flat(alpha, beta);
    const depth = x * sin - down * cos;
    return [
      box.x + box.w / 2 + size * (x * cos + down * sin),
      box.y + box.h / 2 - size * (depth * lay + (1.3 * height - 0.65) * rise),
    ];
  };
  const height = (a, b) => s.scale.at(interpolate(s.view, s.field.values, a, b));
  const map = (a, b) => project(a, b, Number.isFinite(height(a, b)) ? height(a, b) : 0);
  map.level = (a, b) => project(a, b, s.scale.at(s.level));
  return Object.assign(map, { project, sin, cos, flat });
}

/** The indices of an axis within a domain. */
const inside = (axis, [lo, hi]) => Array.from(axis.keys()).filter((i) => axis[i] >= lo - 1e-9 && axis[i] <= hi + 1e-9);

/** The axis of heights, at the corner that is seen furthest to the left. */
function drawHeights(pen, map, s) {
  const corners = map.flat.domainA.flatMap((a) => map.flat.domainB.map((b) => [a, b]));
  const left = corners.reduce((p, q) => (map.project(...q, 0)[0] < map.project(...p, 0)[0] ? q : p));
  strokePath(pen, [map.project(...left, 0), map.project(...left, 1)], s.theme.line, 1);
  for (const [v, text] of tickTexts(s.scale, 5)) {
    const [x, y] = map.project(...left, s.scale.at(v));
    strokePath(pen, [[x - 4, y], [x, y]], s.theme.line, 1);
    write(pen, text, x - 7, y, s.theme.ink, "right");
  }
}

function drawFloor(pen, map, s) {
  const { domainA, domainB } = map.flat;
  const corner = (p, q) => map.project(domainA[p], domainB[q], 0);
  strokePath(pen, [corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1), corner(0, 0)], s.theme.line, 1);
  const nearB = map.cos > 0 ? 0 : 1;
  const nearA = map.sin > 0 ? 0 : 1;
  const out = (v, domain, near) => v + (near ? 1 : -1) * 0.09 * (domain[1] - domain[0]);
  const label = (name, [lo, hi], place) => ticks({ lo, hi }, 4).forEach((t) => write(pen, `${name} ${number(t, 3)}`, ...place(t), s.theme.ink, "center"));
  label("\u03b1", domainA, (t) => map.project(t, out(domainB[nearB], domainB, nearB), 0));
  label("\u03b2", domainB, (t) => map.project(out(domainA[nearA], domainA, nearA), t, 0));
}

/** Quads from the far side to the near side; a quad with a corner that is not finite is left out. */
function drawQuads(pen, map, s) {
  const B = s.view.beta.length;
  const is = inside(s.view.alpha, map.flat.domainA);
  const js = inside(s.view.beta, map.flat.domainB);
  const screen = is.map((i) => js.map((j) => [...map(s.view.alpha[i], s.view.beta[j]), s.field.values[i * B + j]]));
  const order = (n, ascending) => Array.from({ length: n - 1 }, (_, k) => (ascending ? k : n - 2 - k));
  pen.lineWidth = 0.6;
  for (const p of order(is.length, map.sin < 0))
    for (const q of order(js.length, map.cos < 0)) {
      const quad = [screen[p][q], screen[p + 1][q], screen[p + 1][q + 1], screen[p][q + 1]];
      const mean = quad.reduce((sum, c) => sum + s.scale.at(c[2]), 0) / 4;
      if (!quad.every((c) => Number.isFinite(c[2]))) continue;
      trace(pen, quad);
      pen.closePath();
      pen.fillStyle = `rgb(${s.lut[Math.round(255 * mean)]})`;
      pen.strokeStyle = contourColour(s.lut, mean);
      pen.fill(), pen.stroke();
    }
}

const mapOf = (box, s) => (s.relief ? reliefMap(s, box) : surfaceMap(s.view, box, s.zoom));

/** What stays while the cursor moves. */
function drawBase(pen, box, s) {
  const map = mapOf(box, s);
  pen.fillStyle = s.theme.paper;
  pen.fillRect(0, 0, s.width, s.height);
  if (s.relief) drawFloor(pen, map, s), drawHeights(pen, map, s), drawQuads(pen, map, s);
  else drawFlat(pen, box, map, s);
  drawColourBar(pen, box, s.scale, s.lut, s.theme);
}

/** What moves. */
function drawOverlay(pen, box, s) {
  clipped(pen, s.relief ? { x: 0, y: 0, w: s.width, h: s.height } : box, () => drawPlaces(pen, mapOf(box, s), s));
  drawLevel(pen, box, s);
}
