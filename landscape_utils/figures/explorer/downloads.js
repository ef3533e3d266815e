/* What is seen, as files. */

function save(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A text cell for CSV: quoted, and kept from being read as a formula by a spreadsheet. */
const csvText = (text) => `"${String(text).replace(/^[=+\-@\t]/, "'$&").replaceAll('"', '""')}"`;
const csvNumber = (v) => (Number.isFinite(v) ? String(Number(v.toPrecision(9))) : String(v));

function csvRows(view, names, points, kind) {
  return points.map((p) => [
    ...FACETS.map((f) => csvText(view[f] ?? "")),
    csvText(p.name ?? kind),
    csvNumber(p.alpha),
    csvNumber(p.beta),
    ...names.flatMap((name) => (measuredAt(view, name, p) ?? ["", ""]).map((v) => (v === "" ? "" : csvNumber(v)))),
  ]);
}

/** Every number of the views shown: grid points, marks and the points of the 1D curve. */
function toCsv(views) {
  const names = unique(views.flatMap((v) => [...v.fields.keys(), ...(v.curve?.fields.keys() ?? [])]));
  const rows = [[...FACETS, "point", "alpha", "beta", ...names.flatMap((n) => [csvText(n), csvText(`${n} stderr`)])]];
  for (const view of views) {
    const grid = view.beta
      ? view.alpha.flatMap((alpha, i) => view.beta.map((beta, j) => ({ alpha, beta, i, j })))
      : [];
    const curve = (view.curve?.alpha ?? []).map((alpha, i) => ({ alpha, beta: 0, i }));
    rows.push(...csvRows(view, names, grid, "grid"), ...csvRows(view, names, view.marks, "mark"));
    rows.push(...csvRows({ ...view, beta: null }, names, curve, "curve"));
  }
  return rows.map((r) => r.join(",")).join("\r\n") + "\r\n";
}

/** Draws figures {width, height, title, paint(pen)} from left to right and top to bottom on one sheet. */
function sheet(figures, theme) {
  const place = { x: 0, y: 0, row: 0, width: 0 };
  const limit = Math.max(1120, ...figures.map((f) => f.width));
  const placed = figures.map((f) => {
    if (place.x + f.width > limit) (place.x = 0), (place.y += place.row), (place.row = 0);
    const at = { x: place.x, y: place.y };
    place.x += f.width;
    place.row = Math.max(place.row, f.height + 24);
    place.width = Math.max(place.width, place.x);
    return { ...f, ...at };
  });
  const size = { width: place.width, height: place.y + place.row };
  const paint = (pen) => {
    pen.fillStyle = theme.paper;
    pen.fillRect(0, 0, size.width, size.height);
    for (const f of placed) {
      pen.save();
      pen.translate(f.x, f.y);
      write(pen, f.title, 8, 14, theme.ink);
      pen.translate(0, 24);
      f.paint(pen);
      pen.restore();
    }
  };
  return { ...size, paint };
}

function toPng({ width, height, paint }, done) {
  const canvas = h("canvas", { width: 2 * width, height: 2 * height });
  const pen = canvas.getContext("2d");
  pen.scale(2, 2);
  paint(pen);
  canvas.toBlob(done, "image/png");
}

function toSvg({ width, height, paint }) {
  const pen = new SvgPen();
  paint(pen);
  return pen.toString(width, height);
}
