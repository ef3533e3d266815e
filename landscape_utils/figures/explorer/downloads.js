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
  const values = (p) => names.flatMap((name) => measuredAt(view, name, p)?.slice(0, 2).map(csvNumber) ?? ["", ""]);
  const place = (p) => [...FACETS.map((f) => view[f] ?? ""), p.name ?? kind].map(csvText);
  return points.map((p) => [...place(p), csvNumber(p.alpha), csvNumber(p.beta), ...values(p)]);
}

/** Every number of the views shown: grid points, marks and the points of the 1D curve. */
function toCsv(views) {
  const names = unique(views.flatMap((v) => v.quantities));
  const rows = [[...FACETS, "point", "alpha", "beta", ...names.flatMap((n) => [csvText(n), csvText(`${n} stderr`)])]];
  for (const view of views) {
    const grid = (view.alpha ?? []).flatMap((alpha, i) => view.beta.map((beta, j) => ({ alpha, beta, i, j })));
    const curve = (view.curve?.alpha ?? []).map((alpha, i) => ({ alpha, beta: 0, i }));
    rows.push(...csvRows(view, names, grid, "grid"), ...csvRows(view, names, view.marks, "mark"));
    rows.push(...csvRows({ ...view, beta: null }, names, curve, "curve"));
  }
  return rows.map((r) => r.join(",")).join("\r\n") + "\r\n";
}

/** Draws figures {width, height, title, paint(pen)} two by two on one sheet. */
function sheet(figures, theme) {
  const cell = { width: Math.max(...figures.map((f) => f.width)), height: Math.max(...figures.map((f) => f.height)) + 24 };
  const size = { width: cell.width * Math.min(2, figures.length), height: cell.height * Math.ceil(figures.length / 2) };
  const paint = (pen) => {
    pen.fillStyle = theme.paper;
    pen.fillRect(0, 0, size.width, size.height);
    figures.forEach((f, k) => {
      pen.save();
      pen.translate(cell.width * (k % 2), cell.height * Math.floor(k / 2));
      write(pen, f.title, 8, 14, theme.ink);
      pen.translate(0, 24);
      f.paint(pen);
      pen.restore();
    });
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
