"""The paper's numbers: Table 1 against its own differences, and a sentence for each claim."""

from __future__ import annotations

import pytest

from landscape_utils.claims import paper
from landscape_utils.claims.claims import CLAIMS


def test_table_1_has_one_misprint():
    assert paper.misprints() == [("mnli", "high", -53.88, -53.69)]


def test_what_a_figure_shows_is_a_sentence_and_no_figure_shows_what_another_does():
    shown = [stem for stems in paper.FIGURES.values() for stem in stems]
    assert len(set(shown)) == len(shown)
    assert set(shown) <= set(paper.SENTENCES)
    assert {name for *_, names in paper.messages(CLAIMS) for name in names} == set(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_finds_one_sentence(claim):
    assert sum(claim.startswith(name) for name in paper.SENTENCES) == 1
    section, sentence = paper.sentence(claim)
    assert section[0] in "34567"
    assert sentence.endswith(".")
