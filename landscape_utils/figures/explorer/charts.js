/* Cross-sections as line charts. */

/** Line chart. lines: {x, y, stderr?, colour, dash?}; marks: {x, y, shape, colour}; cursors: x; domain: of x, or all.
    Returns what stands at a place of the screen. */
function drawChart(pen, { width, height }, chart, theme) {
  const box = { x: 48, y: 26, w: width - 60, h: height - 26 - 40 };
  pen.fillStyle = theme.paper;
  pen.fillRect(0, 0, width, height);
  const whole = extent(chart.lines.map((l) => l.x), false) ?? [0, 1];
  const domain = chart.domain ?? (whole[0] === whole[1] ? [whole[0] - 0.5, whole[0] + 0.5] : whole);
  const x = axisMap(domain, box.x, box.x + box.w);
  const y = (v) => box.y + box.h - chart.scale.at(v) * box.h;
  drawChartFrame(pen, box, domain, chart, x, y, theme);
  clipped(pen, { x: box.x - 7, y: box.y - 7, w: box.w + 14, h: box.h + 14 }, () => {
    for (const line of chart.lines) drawBand(pen, line, x, y);
    for (const line of chart.lines) drawLine(pen, line, x, y);
    if (Number.isFinite(chart.level)) strokePath(pen, [[box.x, y(chart.level)], [box.x + box.w, y(chart.level)]], theme.level, 1.5, [6, 3]);
    for (const c of chart.cursors ?? []) strokePath(pen, [[x(c), box.y], [x(c), box.y + box.h]], theme.ink, 1, [2, 3]);
    for (const m of chart.marks ?? [])
      if (Number.isFinite(m.y)) drawMark(pen, m.shape, [x(m.x), y(m.y)], { fill: m.colour, line: theme.ink }, 4.5);
  });
  return axisMap([box.x, box.x + box.w], ...domain);
}

function drawChartFrame(pen, box, domain, chart, x, y, theme) {
  for (const [v, text] of tickTexts(chart.scale, 4)) {
    strokePath(pen, [[box.x, y(v)], [box.x + box.w, y(v)]], theme.grid, 1);
    write(pen, text, box.x - 6, y(v), theme.ink, "right");
  }
  const whole = chart.lines.every((line) => line.x.every(Number.isInteger)); // epochs
  for (const [t, text] of tickTexts({ lo: domain[0], hi: domain[1] }, Math.max(4, Math.round(box.w / 60))))
    if (!whole || Number.isInteger(t)) write(pen, text, x(t), box.y + box.h + 12, theme.ink, "center");
  write(pen, chart.title, 4, 10, theme.ink);
  write(pen, chart.axis, box.x + box.w / 2, box.y + box.h + 29, theme.ink, "center");
}

/** Stretches of consecutive finite points. */
function finiteRuns(line) {
  const runs = [[]];
  line.y.forEach((v, k) => (Number.isFinite(v) ? runs[runs.length - 1].push(k) : runs.push([])));
  return runs.filter((r) => r.length);
}

function drawBand(pen, line, x, y) {
  if (!line.stderr) return;
  pen.fillStyle = `${line.colour}33`;
  for (const run of finiteRuns(line)) {
    const edge = (sign) => run.map((k) => [x(line.x[k]), y(line.y[k] + sign * (line.stderr[k] || 0))]);
    trace(pen, [...edge(1), ...edge(-1).reverse()]);
    pen.closePath(), pen.fill();
  }
}

function drawLine(pen, line, x, y) {
  for (const run of finiteRuns(line)) {
    strokePath(pen, run.map((k) => [x(line.x[k]), y(line.y[k])]), line.colour, 2, line.dash);
    if (run.length === 1) drawMark(pen, "dot", [x(line.x[run[0]]), y(line.y[run[0]])], { fill: line.colour, line: line.colour }, 2);
  }
}
