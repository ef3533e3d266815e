"""What a run shows, in words: on planted worlds in which each claim is true, false or cannot be told."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from book_cases import cells
from planted import Planted
from synthetic import make_study

from landscape_utils.book import chapter, findings
from landscape_utils.claims.claims import CLAIMS
from landscape_utils.claims.claims import weigh as weigh_claims
from landscape_utils.claims.evidence import EVERY
from landscape_utils.claims.intervals import number
from landscape_utils.errors import Lacking
from landscape_utils.names import display_name


def weighed(world: str, *chapters: int):
    study = Planted(world, 0)
    study.heading = lambda task: f"{display_name(task)}-like"
    if not chapters:
        return findings.for_readers(study, weigh_claims(study))
    return [claim for chapter_ in chapters for claim in findings.weigh(study, chapter_)]


@pytest.fixture(scope="module")
def true():
    return weighed("true")


def test_every_claim_has_its_words_and_every_theme_its_claims():
    assert set(findings.PHRASES) == set(CLAIMS)
    for name, phrase in findings.PHRASES.items():
        places = set(map(int, re.findall(r"\{(\d)\}", phrase["each"])))
        assert places <= set(range(len(CLAIMS[name].primary.sides))), name
        assert int(phrase["chapter"][:2]) in range(1, 7)
        assert phrase["holds"] != phrase["does not hold"]
        assert not re.search(r"\d", phrase["holds"] + phrase["does not hold"] + phrase["numbers"]), name
    named = [name for theme in findings.THEMES for name in theme["claims"]]
    assert len(named) == len(set(named))
    assert set(named) <= set(CLAIMS)


def test_the_numbers_of_a_sentence_are_those_of_the_evidence(true):
    for claim in true:
        said = findings.numbers(claim)
        most = max(claim.evidence, key=lambda e: e.effect)
        places = re.findall(r"\{(\d)\}", findings.PHRASES[claim.name]["each"])
        assert all(number(most.values[int(place)]).replace("∞", "∞ (never)") in said for place in places)
        assert most.task == EVERY or f"on {most.task}" in said
        assert "-like" in said or most.task == EVERY


def test_beside_the_papers_sentence_stands_what_the_run_shows():
    claims = weighed("true", 1)
    study = SimpleNamespace(tasks=("mnli",), heading=lambda task: "MNLI-like")
    text = findings.shows(claims, study)
    head, *rows = cells(text)
    assert head == ["The paper says", "This run shows"]
    assert [claim.name for claim in claims] == ["accuracy", "small-data", "speed", "final-loss", "slow-start"]
    assert len(rows) == 5
    assert rows[0][0].endswith("random initialization” *(section 5)*")
    assert rows[0][1].startswith("**Fine-tuning reaches a higher accuracy: holds.** Dev accuracy is ")
    assert rows[0][1].endswith("Of the 4 tasks, 4 speak for the sentence.")
    assert rows[4][1].endswith("below zero: it speaks against the sentence."), "RTE is learned quickly here"
    assert re.search(r'data-task="MNLI-like" data-quantity="[a-z ]+">MNLI-like</a>', text), (
        "a link sets the explorer"
    )
    assert text.endswith(findings.SHOW_ME)


def test_what_it_means_follows_the_verdicts():
    for world, verdict in (("true", "holds"), ("false", "does not hold")):
        claims = weighed(world, 5)
        said = findings.means(claims)
        assert all(" ".join(findings.PHRASES[c.name][verdict].split()) in said for c in claims)
    lacking = replace(claims[0].primary, evidence=(), left_out={"MRPC": "it was not trained"})
    unknown = [replace(claims[0], primary=lacking)]
    assert (
        findings.means(unknown)
        == f"The results of this run are not enough to measure this sentence: *{claims[0].title}*."
    )
    assert "it was not trained" in findings.shows(unknown, SimpleNamespace(tasks=()))
    assert "could not be measured" in findings.answer(unknown)
    said = findings.conclusion(unknown)
    assert all(theme["open"] in said for theme in findings.THEMES)


def test_the_answer_and_the_conclusion_are_by_the_verdicts(true):
    said = findings.answer(true)
    holds = [claim for claim in true if claim.verdict == "holds"]
    assert f"hold in this run** ({len(holds)} of {len(true)})" in said
    assert all(f"[{claim.title}](" in said for claim in true)
    more, layers = findings.THEMES[3], findings.THEMES[4]
    assert f"{more['all']} Of the 2 sentences on it, 2 hold." in findings.conclusion(true)
    assert layers["all"] in findings.conclusion(true)
    assert more["none"] in findings.conclusion(weighed("false", 5))
    mixed = [*weighed("true", 5)[:1], *weighed("false", 5)[1:]]
    assert f"{more['some']} Of the 2 sentences on it, 1 holds and 1 does not hold." in findings.conclusion(
        mixed
    )


def test_details_are_folded_behind_titles(true):
    text = findings.details(true)
    assert text.count("<details") == text.count("</details>") == len(true) + 1
    assert f"<summary>{findings.RULE_TITLE}</summary>" in text


def test_only_the_tasks_with_all_results_are_shown():
    study = make_study(tasks=("mnli", "rte"), store=SimpleNamespace(folder="results"))

    def get(task, how):
        if (task, how) == ("rte", "scratch"):
            raise Lacking("no rte from scratch")

    assert chapter.there(study, get) == ["mnli"]
    assert chapter.there(study, get, of=("pretrained",)) == ["mnli", "rte"]
    with pytest.raises(Lacking, match="no rte"):
        chapter.there(study, get, ["rte"])
