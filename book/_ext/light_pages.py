"""Pages load what they use: MathJax where there is a formula, style sheets' icons in the place of FontAwesome, and
figures whose lines are written to a tenth of a point, and letters to a hundredth, on a phone their narrow drawings.

A page that was made from a notebook holds it, without outputs: no link of a page in a folder can save a file.
"""

import json
import re
from pathlib import Path

from docutils import nodes

ICONS = re.compile(r"<[^>]*fontawesome\.js[^>]*>(</script>)?")
# The font of icons, and what sets each of them.
FONT = re.compile(r"@font-face\{[^}]*Font Awesome[^}]*\}|(?:\.fa-[\w-]+:{1,2}before,?)+\{content:[^}]*\}")
IMAGE = re.compile(r'<img [^>]*src="([^"]*_images/\w+)\.svg"[^>]*>')
SEARCH = re.compile(r'<script src="[^"]*(searchtools|language_data|searchindex)\.js[^>]*></script>')
PATH = re.compile(r' d="([MLQCz\d\s.e-]*)"')
STEP = re.compile(r"([MLQCz])([^MLQCz]*)")
# Sphinx calls a bibliography a list though its entries are no list items, and writes the parameters of a signature as
# descriptions of nothing. A screen reader stumbles over both.
MISNAMED = {
    re.compile('<div role="list" class="citation-list">'): '<div class="citation-list">',
    re.compile(r"<dl>(?=\s*<dd>)"): '<dl role="presentation">',
}


def captions_hold_numbers(app, config):
    config.numfig = False  # a part of jupyter-book switches it on, whatever _config.yml says


def formulas_only(app, pagename, templatename, context, doctree):
    if doctree is None or not any(
        doctree.findall(lambda node: isinstance(node, nodes.math | nodes.math_block))
    ):
        context["script_files"] = [
            script for script in context["script_files"] if "mathjax" not in str(script.filename or "")
        ]


def with_notebook(app, pagename, templatename, context, doctree):
    path = Path(app.srcdir, f"{pagename}.ipynb")
    if path.exists():
        notebook = json.loads(path.read_text("utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell |= {"outputs": [], "execution_count": None}
        text = json.dumps(notebook, ensure_ascii=False, indent=1).replace("</", r"<\/")
        context["body"] += f'<script type="application/json" class="notebook">{text}</script>'


def rounded(found):
    """A path of an SVG with its points relative to one another: half the letters that matplotlib takes, or fewer."""
    unit = 100 if re.search("[QC]", found[1]) else 10
    steps, here = [], (0, 0)
    for letter, numbers in STEP.findall(found[1]):
        values = [round(unit * float(number)) for number in numbers.split()]
        origin = (0, 0) if letter == "M" else here
        moves = [f"{(value - origin[i % 2]) / unit:g}" for i, value in enumerate(values)]
        steps.append((letter if letter == "M" else letter.lower()) + " ".join(moves))
        here = tuple(values[-2:]) or here
    return f' d="{"".join(steps)}"'


def drawn_twice(folder):
    """Figures of which a file holds two drawings, wide and narrow, become two files; the names of these figures."""
    names = set()
    for figure in folder.glob("*.svg"):
        wide, *narrow = re.split(r"(?<=</svg>)\s*(?=<\?xml)", figure.read_text("utf-8"))
        for path, drawing in zip((figure, figure.with_suffix(".phone.svg")), (wide, *narrow), strict=False):
            path.write_text(PATH.sub(rounded, drawing), "utf-8")
        if narrow:
            names.add(figure.stem)
    return names


def for_width(names):
    def picture(found):
        if found[1].rpartition("/")[2] not in names:
            return found[0]
        narrow = f'<source media="(max-width: 600px)" srcset="{found[1]}.phone.svg">'
        return f"<picture>{narrow}{found[0]}</picture>"

    return picture


def mended(app, exception):
    if exception is None and app.builder.format == "html":
        picture = for_width(drawn_twice(Path(app.outdir, "_images")))
        for page in Path(app.outdir).rglob("*.html"):
            text = page.read_text("utf-8")
            for wrong, right in MISNAMED.items():
                text = wrong.sub(right, text)
            if page.name != "search.html":
                text = SEARCH.sub("", text)
            text = IMAGE.sub(picture, text)
            page.write_text(ICONS.sub("", text), "utf-8")
        for sheet in Path(app.outdir, "_static", "styles").glob("*.css"):
            sheet.write_text(FONT.sub("", sheet.read_text("utf-8")), "utf-8")
        for script in Path(app.outdir, "_static", "scripts").glob("fontawesome.js*"):
            script.unlink()


def setup(app):
    app.connect("config-inited", captions_hold_numbers, priority=900)
    app.connect("html-page-context", formulas_only, priority=900)
    app.connect("html-page-context", with_notebook)
    app.connect("build-finished", mended)
    return {"parallel_read_safe": True}
