/* Drawing that a canvas and an SVG file share. */

const escapeXml = (text) => String(text).replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** The part of a canvas context that the drawings below use, written down as SVG. */
class SvgPen {
  parts = [];
  d = "";
  open = [0];
  dash = [];
  clips = 0;
  save() { this.open.push(0); }
  restore() { this.parts.push("</g>".repeat(this.open.pop())); }
  translate(x, y) {
    this.parts.push(`<g transform="translate(${x} ${y})">`);
    this.open[this.open.length - 1]++;
  }
  beginPath() { this.d = ""; }
  moveTo(x, y) { this.d += `M${x.toFixed(2)} ${y.toFixed(2)}`; }
  lineTo(x, y) { this.d += `L${x.toFixed(2)} ${y.toFixed(2)}`; }
  closePath() { this.d += "Z"; }
  rect(x, y, w, h) { this.moveTo(x, y), this.lineTo(x + w, y), this.lineTo(x + w, y + h), this.lineTo(x, y + h), this.closePath(); }
  arc(x, y, r) { this.d += `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`; }
  setLineDash(dash) { this.dash = dash; }
  clip() {
    const id = `clip${this.clips++}`;
    this.parts.push(`<clipPath id="${id}"><path d="${this.d}"/></clipPath><g clip-path="url(#${id})">`);
    this.open[this.open.length - 1]++;
  }
  path(looks) { this.parts.push(`<path d="${this.d}" ${looks}/>`); }
  fill() { this.path(`fill="${escapeXml(this.fillStyle)}"`); }
  stroke() { this.path(`fill="none" stroke="${escapeXml(this.strokeStyle)}" stroke-width="${this.lineWidth}" stroke-dasharray="${this.dash}"`); }
  fillRect(x, y, w, h) { this.beginPath(), this.rect(x, y, w, h), this.fill(); }
  drawImage(canvas, x, y, w, h) {
    this.parts.push(`<image href="${canvas.toDataURL()}" x="${x}" y="${y}" width="${w}" height="${h}" preserveAspectRatio="none"/>`);
  }
  fillText(text, x, y) {
    const anchor = { center: "middle", right: "end" }[this.textAlign] ?? "start";
    const looks = `dy=".35em" text-anchor="${anchor}" fill="${escapeXml(this.fillStyle)}" style="font:${escapeXml(this.font)}"`;
    this.parts.push(`<text x="${x}" y="${y}" ${looks}>${escapeXml(text)}</text>`);
  }
  toString(width, height) {
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${this.parts.join("")}</svg>`;
  }
}

function write(pen, text, x, y, colour, align = "left") {
  Object.assign(pen, { font: "12px system-ui, sans-serif", fillStyle: colour, textAlign: align, textBaseline: "middle" });
  pen.fillText(text, x, y);
}

function clipped(pen, box, paint) {
  pen.save();
  pen.beginPath();
  pen.rect(box.x, box.y, box.w, box.h);
  pen.clip();
  paint();
  pen.restore();
}

function trace(pen, points) {
  pen.beginPath();
  points.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
}

function strokePath(pen, points, colour, width, dash = []) {
  Object.assign(pen, { strokeStyle: colour, lineWidth: width });
  pen.setLineDash(dash);
  trace(pen, points);
  pen.stroke();
  pen.setLineDash([]);
}

function strokeSegments(pen, segments, map, colour, width) {
  Object.assign(pen, { strokeStyle: colour, lineWidth: width });
  pen.beginPath();
  for (const [a, b, c, d] of segments) pen.moveTo(...map(a, b)), pen.lineTo(...map(c, d));
  pen.stroke();
}

function drawMark(pen, shape, [x, y], colours, size = 6) {
  pen.beginPath();
  if (shape === "star")
    for (let k = 0; k < 10; k++) {
      const r = k % 2 ? size * 0.62 : size * 1.5;
      const angle = (k * Math.PI) / 5 - Math.PI / 2;
      pen[k ? "lineTo" : "moveTo"](x + r * Math.cos(angle), y + r * Math.sin(angle));
    }
  else pen.arc(x, y, size * 0.9, 0, 2 * Math.PI);
  pen.closePath();
  Object.assign(pen, { fillStyle: colours.fill, strokeStyle: colours.line, lineWidth: 1.5 });
  pen.fill();
  pen.stroke();
}
