/* What is seen, as files. */

function save(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A text cell for CSV: quoted, and kept from being read as a formula by a spreadsheet. */
const csvText = (text) => `"${String(text).replace(/^[=+\-@\t]/, "'$&").replaceAll('"', '""')}"`;
const csvNumber = (v) => (Number.isFinite(v) ? String(Number(v.toPrecision(9))) : String(v ?? ""));

/** Every number of some views: points of the grid and of the 1D curve, marks, epochs. */
function toCsv(views) {
  const names = unique(views.flatMap((v) => v.quantities));
  const rows = [["task", "training", "layers", "point", views[0].axis === "\u03b1" ? "alpha" : views[0].axis, "beta", ...names.flatMap((n) => [n, `${n} stderr`, `${n} bound`])].map(csvText)];
  for (const view of views) {
    const facets = FACETS.map((f) => csvText(view[f] ?? ""));
    const add = (name, { alpha, beta = 0 }, value) =>
      rows.push([...facets, csvText(name), ...[alpha, beta, ...names.flatMap((n) => value(n))].map(csvNumber)]);
    const measured = (name, of, p) => add(name, p, (n) => [...(measuredAt(of, n, p) ?? ["", ""]), ""].slice(0, 3));
    (view.alpha ?? []).forEach((alpha, i) => view.beta.forEach((beta, j) => measured("grid", view, { alpha, beta, i, j })));
    (view.curve?.alpha ?? []).forEach((alpha, i) => measured("curve", { ...view, beta: null }, { alpha, i }));
    for (const mark of view.marks) measured(mark.name, view, mark);
    for (const [method, path] of Object.entries(view.trajectories ?? {}))
      path.alpha.forEach((alpha, e) => add(`epoch ${e} (${method})`, { alpha, beta: path.beta[e] }, (n) => [view.history?.[n]?.[e], "", ""]));
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
