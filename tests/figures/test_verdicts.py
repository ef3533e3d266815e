"""The picture of the verdicts: a mark for each task that speaks, the verdict in words."""

from __future__ import annotations

import numpy as np
from synthetic import make_study

from landscape_utils.claims.claims import weigh
from landscape_utils.figures.verdicts import WORDS, verdicts


def by_id(claims):
    return {claim.id: claim for claim in claims}


def test_every_word_of_every_task_is_a_mark_in_its_row():
    claims = weigh(make_study(), "better-accuracy", "wider-optimum-distance", "robust-to-overfitting")
    (axis,) = verdicts({"demo": by_id(claims)}).axes
    labels = [label.get_text() for label in axis.get_xticklabels()]
    marks = dict(zip(WORDS, axis.lines, strict=False))
    for word, line in marks.items():
        found = {(labels[round(x)], round(y)) for x, y in zip(*np.array(line.get_data()), strict=True)}
        expected = {
            (e.task, row) for row, claim in enumerate(claims) for e in claim.evidence if e.word == word
        }
        assert found == expected
    assert [text.get_text() for text in axis.texts] == [claim.verdict for claim in claims]
    assert [label.get_text() for label in axis.get_yticklabels()] == [c.id.replace("-", " ") for c in claims]


def test_two_runs_stand_side_by_side_under_their_headings():
    claims = weigh(make_study(), "better-accuracy", "smooth-path")
    first, second = verdicts({"$demo$": by_id(claims), "<script>": by_id(claims[1:])}).axes
    assert (first.get_title(), second.get_title()) == ("$demo$", "<script>")
    assert [text.get_position()[1] for text in first.texts] == [0, 1]
    assert [text.get_position()[1] for text in second.texts] == [1], (
        "the second has no results for the first claim"
    )
