"""Search that works from a folder: chapters before entries of the reference, each with the lines that were found.

The pages of Sphinx fetch each page that they found, to show a part of its text. A browser lets no page in a folder do
that, so the page of the search holds the text of all others.
"""

import json
from html import escape
from pathlib import Path

from bs4 import BeautifulSoup

FETCH = """<script>
const texts = TEXTS;
const pageOf = (url) => new URL(url, location).pathname.split("/").slice(-2);
fetch = async (url) => {
  const [folder, name] = pageOf(url);
  return { text: async () => texts[`${folder}/${name}`] ?? texts[name] ?? "" };
};
</script>"""


def order_results(app, config):
    config.html_search_scorer = str(Path(__file__).with_suffix(".js"))


def text_of(page):
    """The text of a page, section by section, without what only programs read; "" for a page without an article."""
    article = BeautifulSoup(page.read_text("utf-8"), "html.parser").select_one("article")
    if article is None:
        return ""
    for unread in article.select("script, style, .headerlink, .cell_input, .landscape-explorer"):
        unread.decompose()
    sections = []
    for section in reversed(article.select("section[id]")):  # inner ones first: the outer keep what is left
        text = escape(" ".join(section.extract().text.split()))
        sections.insert(0, f'<p id="{section["id"]}">{text}</p>')
    return f'<div role="main">{"".join(sections)}</div>'


def with_texts(app, exception):
    search = Path(app.outdir, "search.html")
    if exception is None and app.builder.format == "html" and search.exists():
        pages = {str(p.relative_to(app.outdir)): text_of(p) for p in Path(app.outdir).rglob("*.html")}
        texts = json.dumps(pages, ensure_ascii=False).replace("</", r"<\/")
        head, end, rest = search.read_text("utf-8").partition("</head>")
        search.write_text(head + FETCH.replace("TEXTS", texts) + end + rest, "utf-8")


def setup(app):
    app.connect("config-inited", order_results)
    app.connect("build-finished", with_texts, priority=900)
    return {"parallel_read_safe": True}
