"""The ladder: for each run a mark for each task that speaks, and the verdict in words."""

from synthetic import make_study

from landscape_utils.claims.claims import weigh
from landscape_utils.figures.ladder import PAPER, WORDS, ladder


def test_every_word_of_every_task_is_a_mark_beside_its_verdict():
    """Marks of a row stand at one height, from left to right in the order of the tasks; then comes the verdict."""
    claims = weigh(make_study(), "accuracy", "final-loss", "overfitting", "low-layers")
    (axis,) = ladder({"$demo$": claims, "<b>": claims[1:]}).axes
    words = [text.get_text() for text in axis.texts]
    assert {"$demo$", "<b>", PAPER} <= set(words)
    assert [words.count(claim.title) for claim in claims] == [1] * len(claims)
    fills = {fill: word for word, (_, fill, *_) in WORDS.items()}
    points = [line for line in axis.lines if len(line.get_xdata()) == 1]
    marks = [(*point.get_xydata()[0], fills[point.get_markerfacecolor()]) for point in points]
    for claim in claims:
        (title,) = (text for text in axis.texts if text.get_text() == claim.title)
        row = sorted(mark for mark in marks if 0 < mark[1] - title.get_position()[1] < 0.4)
        expected = [e.word for e in claim.evidence] * (1 if claim is claims[0] else 2)
        expected += [e.word for e in claim.printed.evidence] if claim.printed else []
        assert [word for *_, word in row] == expected
        verdicts = [text for text in axis.texts if text.get_position()[1] == row[0][1]]
        assert verdicts[0].get_text() == claim.verdict
        assert verdicts[0].get_position()[0] > row[0][0]
