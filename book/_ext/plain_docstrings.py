"""Docstrings are plain text: |x| is a norm in them, which reStructuredText would take for a substitution."""

import re

LITERAL = re.compile(r"(``.*?``|`.*?`)")


def escape(app, what, name, object_, options, lines):
    lines[:] = [
        "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in LITERAL.split(line))
        for line in lines
    ]


def setup(app):
    app.connect("autodoc-process-docstring", escape)
    return {"parallel_read_safe": True}
