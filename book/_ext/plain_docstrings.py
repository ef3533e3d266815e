"""Docstrings are plain text: |x| is a norm in them, and an asterisk alone is one, where reStructuredText sees marks."""

import re

LITERAL = re.compile(r"(``.*?``|`.*?`)")
MARKS = re.compile(r"\||(?<=[(\s])\*(?=[\s\w])")


def escape(app, what, name, object_, options, lines):
    lines[:] = [
        "".join(part if part.startswith("`") else MARKS.sub(r"\\\g<0>", part) for part in LITERAL.split(line))
        for line in lines
    ]


def setup(app):
    app.connect("autodoc-process-docstring", escape)
    return {"parallel_read_safe": True}
