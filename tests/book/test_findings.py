"""What a run shows, in words: on planted worlds in which each claim is true, false or cannot be told."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from book_cases import cells
from planted import Planted
from synthetic import make_study

from landscape_utils.book import chapter, findings
from landscape_utils.book.words import PHRASES, THEMES
from landscape_utils.claims.claims import CLAIMS
from landscape_utils.claims.claims import weigh as weigh_claims
from landscape_utils.claims.evidence import EVERY
from landscape_utils.claims.intervals import Kind, number
from landscape_utils.errors import Lacking
from landscape_utils.names import display_name


def weighed(world: str, chapter: int = 0):
    """The claims of a chapter, or all."""
    study = Planted(world, 0)
    study.heading = lambda task: f"{display_name(task)}-like"
    if chapter:
        return findings.weigh(study, chapter)
    return findings.for_readers(study, weigh_claims(study))


@pytest.fixture(scope="module")
def true():
    return weighed("true")


def test_every_claim_has_its_words_and_every_theme_its_claims():
    assert set(PHRASES) == set(CLAIMS)
    for name, phrase in PHRASES.items():
        assert phrase["holds"] != phrase["does not hold"]
        assert not re.search(r"\d", phrase["holds"] + phrase["does not hold"] + phrase["numbers"]), name
    named = [name for theme in THEMES for name in theme["claims"]]
    assert len(named) == len(set(named))
    assert set(named) <= set(CLAIMS)


def test_the_numbers_of_a_sentence_are_those_of_the_evidence(true):
    for claim in true:
        said = findings.numbers(claim)
        most = max(claim.evidence, key=lambda e: e.effect)
        places = re.findall(r"\{(\d)\}", PHRASES[claim.name]["each"])
        assert all(
            number(most.values[int(place)]).replace("∞", "∞ (never reached)") in said for place in places
        )
        assert most.task == EVERY or (f"on {most.task}" in said and "-like" in said)


def test_beside_the_papers_sentence_stands_what_the_run_shows():
    claims = weighed("true", 1)
    assert [claim.name for claim in claims] == ["accuracy", "small-data", "speed", "final-loss", "slow-start"]
    study = SimpleNamespace(tasks=("mnli",), overfit_task="", heading=lambda task: "MNLI-like", seed=4)
    text = findings.shows(claims, study)
    head, *rows = cells(text)
    assert head == ["The paper says", "This run shows"]
    assert len(rows) == 5
    assert rows[0][0].endswith("random initialization” *(section 5)*")
    assert rows[0][1].startswith("**Fine-tuning reaches a higher accuracy: holds.** Dev accuracy is ")
    assert rows[0][1].endswith("All 4 tasks speak for the sentence.")
    # RTE is learned quickly here
    assert rows[4][1].endswith("below zero, which speaks against the sentence.")
    assert re.search(r'data-task="MNLI-like" data-quantity="[a-z ]+">MNLI-like</a>', text)
    # the planted study has three trainings of each task
    assert findings.SHOW_ME in text and text.endswith("for the training with seed 4.")


def test_what_could_not_be_judged_is_said(true):
    lacking = replace(true[0].primary, evidence=(), left_out={"MRPC": "it was not trained"})
    unknown = [replace(true[0], primary=lacking)]
    said = f"The results of this run are not enough to judge this sentence: *{true[0].title}*."
    assert findings.means(unknown) == said
    assert "it was not trained" in findings.shows(unknown, SimpleNamespace(tasks=(), overfit_task=""))
    assert "These could not be judged" in findings.answer(unknown)
    assert "The reason: it was not trained." in findings.answer(unknown)
    assert all(theme["open"] in findings.conclusion(unknown) for theme in THEMES)
    assert "None of the 5 sentences on it could be judged." in findings.conclusion(unknown)


def test_the_answer_and_the_conclusion_are_by_the_verdicts(true):
    said = findings.answer(true)
    holds = sum(claim.verdict == "holds" for claim in true)
    assert f"hold in this run** ({holds} of {len(true)})" in said
    assert all(f"[{claim.title}](" in said for claim in true)
    assert f"expect {number(sum(claim.primary.chance for claim in true))} verdicts by chance" in said
    assert findings.details(true).count("<summary>") == len(true) + 1, "one for the rule"
    for_ = weighed("true", 5)
    against = weighed("false", 5)
    theme = next(theme for theme in THEMES if "overfitting" in theme["claims"])
    assert "orthogonal as chance makes them. The one sentence on it holds." in findings.conclusion(true)
    for claims, kind, words in (
        (for_, "all", "Both sentences on it hold."),
        (against, "none", "Neither of the two sentences on it holds."),
        ([for_[0], against[1]], "some", "Of the 2 sentences on it, 1 holds and 1 does not hold."),
    ):
        assert f"{theme[kind]} {words}" in findings.conclusion(claims)
        means = findings.means(claims)
        assert all(" ".join(PHRASES[claim.name][claim.verdict].split()) in means for claim in claims)


def test_an_effect_that_is_at_most_so_large_does_not_come_closest(true):
    """From scratch half of the loss was never reached on RTE; on SST-2 both effects are the same, the values not."""
    speed = next(claim for claim in true if claim.name == "speed")
    known = replace(
        speed.evidence[0], task="SST-2", values=(4.0, 2.0), effect=1.0, low=1.0, high=1.0, kind=Kind.NONE
    )
    bound = replace(known, task="RTE", values=(14.6, np.inf), effect=1.87, low=-np.inf, high=1.87)

    def said(*evidence):
        return findings.numbers(replace(speed, primary=replace(speed.primary, evidence=evidence)))

    assert "4 from scratch and 2 fine-tuned on SST-2, the task that comes closest" in said(bound, known)
    never = replace(known, task="MNLI", values=(np.inf, 4.0), effect=0.5, low=0.5, high=np.inf)
    assert said(known, never).endswith("4 fine-tuned on MNLI, where the effect is known on one side only.")
    worse = replace(known, task="MRPC", values=(1.0, 4.0), effect=-2.0, low=-2.0, high=-2.0)
    assert said(known, bound, worse).endswith("4 fine-tuned on MRPC, the one that is furthest from it.")
    twice = replace(known, task="MRPC", values=(8.0, 4.0))
    assert said(known, twice).endswith("on SST-2, and the effect is the same on the other tasks.")
    assert said(known, replace(known, task="MRPC")).endswith("and no different on the other tasks.")


def test_tasks_of_one_training_that_do_not_count_are_told_beside_those_that_do(true):
    speed = next(claim for claim in true if claim.name == "speed")

    def said(*kinds):
        evidence = tuple(replace(speed.evidence[0], low=0.5, kind=kind) for kind in kinds)
        return findings.votes(replace(speed, primary=replace(speed.primary, evidence=evidence)))

    several, one = Kind.TRAININGS, Kind.NONE
    assert said(several, several) == "Both tasks speak for the sentence."
    assert said(several, one) == (
        "Of the 2 tasks, 1 speaks for the sentence and 1 does not count, for its numbers are of one training and have "
        "no interval."
    )
    assert "1 speaks for the sentence and 2 do not count, for their numbers are" in said(one, several, one)
    assert (
        said(one, one)
        == "These numbers are of one training each and have no interval, so they decide nothing."
    )


def test_the_papers_own_numbers_are_judged_by_the_same_rule():
    """In its Table 1 two tasks speak for little cost of the low layers, and two leave it open."""
    said = findings.means(weighed("true", 6))
    low, middle, high, above = (f"*{claim.title}*" for claim in weighed("true", 6) if claim.printed)
    end = f"By the same rule, the paper's own Table 1 confirms {high} and {above} and leaves open {low} and {middle}."
    assert said.endswith(end)
    assert findings.printed(weighed("true", 1)) == ""


def test_only_the_tasks_with_all_results_are_shown():
    study = make_study(tasks=("mnli", "rte"), store=SimpleNamespace(folder="results"))

    def get(task, how):
        if (task, how) == ("rte", "scratch"):
            raise Lacking("no rte from scratch")

    assert chapter.there(study, get) == ["mnli"]
    assert chapter.there(study, get, of=("pretrained",)) == ["mnli", "rte"]
    with pytest.raises(Lacking, match="no rte"):
        chapter.there(study, get, ["rte"])
