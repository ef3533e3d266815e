"""Runs beside one another and beside the paper: verdicts and set-ups."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..claims import paper
from ..claims.evidence import Claim, Measured, table
from ..claims.intervals import number
from ..environment import NOTHING
from ..errors import Lacking
from ..names import GROUPS, display_name
from ..study.plan import scale_of
from ..study.study import Study
from ..training import hub
from ..training.published import network_config
from .findings import PHRASES, counted

RUNS = ("demo", "minilm", "mpnet")  # from the smallest network to the largest
ABSENT = "–"
WORDS: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("setup.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class Column:
    """A run in a table: its study, and those of the claims, by their names, that could be weighed on its results."""

    head: str
    study: Study
    claims: Mapping[str, Claim]


def columns(study: Study, weighed: Iterable[Claim], *profiles: str) -> list[Column]:
    """This run, and those of the other profiles (default: RUNS) of which the same folder has enough for a claim.

    They are read, and nothing is computed for them.
    """
    found = [Column(f"{study.profile.name} (this run)", study, {claim.name: claim for claim in weighed})]
    for name in profiles or RUNS:
        other = Study(name, results_dir=study.store.folder.parent, device=NOTHING)
        if other.profile.name != study.profile.name and other.store.folder.is_dir():
            claims = {claim.name: claim for claim in readable(other) if claim.evidence}
            found += [Column(other.profile.name, other, claims)] if claims else []
    return found


def readable(study: Study) -> list[Claim]:
    """The claims weighed on a study that only reads; none where it has results of no data set."""
    try:
        return study.claims()
    except Lacking:
        return []


def verdicts(runs: Sequence[Column]) -> str:
    """A row for each claim of the first run: its sentence, the chapter that goes into it, and what each run says."""
    rows = []
    for claim in runs[0].claims.values():
        page = PHRASES[claim.name]["chapter"]
        cells = [told(run.claims[claim.name]) if claim.name in run.claims else ABSENT for run in runs]
        rows.append([claim.title, f"[{int(page[:2])}]({page}.ipynb)", *cells])
    note = (
        "The three numbers say how many tasks speak for the sentence, how many against it, and how many leave it open. "
        f"{ABSENT}: no results."
    )
    tallies = [f"{run.head}: {counted([c.primary.outcome for c in run.claims.values()])}" for run in runs]
    head = ["sentence of the paper", "chapter", *(run.head for run in runs)]
    return f"{table(head, rows)}\n\n{note}\n\n**In all**: {'; '.join(tallies)}."


def told(claim: Claim) -> str:
    """A verdict with its count of tasks."""
    words = [evidence.word for evidence in claim.evidence]
    counts = "/".join(str(words.count(word)) for word in ("for", "against", "open"))
    return f"**{claim.primary.outcome}** {counts}" if claim.primary.voting else claim.primary.outcome


def costliest(runs: Sequence[Column]) -> str:
    """The layer group whose rollback costs the most dev accuracy, for each run and as the paper prints it."""
    costs = {run.head: costs_of({name: c.primary for name, c in run.claims.items()}) for run in runs}
    printed = {name: c.printed for run in runs for name, c in run.claims.items() if c.printed}
    costs["the paper"] = costs_of(printed)
    tasks = list(dict.fromkeys(task for of in costs.values() for task in of))
    rows = [
        [head, *(most(of[task]) if task in of else ABSENT for task in tasks)]
        for head, of in costs.items()
        if of
    ]
    lead = "The group of layers whose rollback costs the most dev accuracy, and how many points it costs:"
    return f"{lead}\n\n{table(['', *tasks], rows)}" if rows else ""


def costs_of(measured: Mapping[str, Measured]) -> dict[str, dict[str, float]]:
    """task -> group -> points that the rollback costs, of the tasks that have all three."""
    costs: dict[str, dict[str, float]] = {}
    for group in GROUPS:
        if found := measured.get(f"{group}-layers"):
            for e in found.evidence:
                costs.setdefault(e.task, {})[group] = e.values[0]
    return {task: of for task, of in costs.items() if len(of) == len(GROUPS)}


def most(costs: Mapping[str, float]) -> str:
    group = max(costs, key=costs.__getitem__)
    return f"{group} ({number(costs[group])})" if costs[group] > 0 else "none"


def setups(runs: Sequence[Column]) -> str:
    """Everything in which the set-ups differ, the paper's and the runs', and then what is alike."""
    theirs = (
        setup(Study("paper", results_dir=runs[0].study.store.folder.parent, device=NOTHING)) | paper.SETUP
    )
    described = [theirs, *(setup(run.study) for run in runs)]
    cells = {name: [of[name] for of in described] for name in theirs}
    rows = [[name, *of] for name, of in cells.items() if len(set(of)) > 1]
    alike = [f"{name} ({of[0]})" for name, of in cells.items() if len(set(of)) == 1]
    note = f"The same everywhere: {', '.join(alike)}." if alike else "Nothing is the same everywhere."
    return f"{table(['', 'paper', *(run.head for run in runs)], rows)}\n\n{note}"


def setup(study: Study) -> dict[str, str]:
    """What a study depends on, in words."""
    profile, training = study.profile, study.profile.training
    with hub.left_alone():  # what a model is like is known, or at hand
        config = network_config(profile.model)
        scale = scale_of(study, config)
    source = profile.model.source
    own = {"name": Path(source).name, "tokenizer": "its own", "pre-training": "its own"}
    network = WORDS["networks"].get(source, own)

    def each(value: Callable[[str], object]) -> str:
        """A value that tasks differ in; once, where they do not."""
        said = {display_name(task): str(value(task)) for task in study.tasks}
        if len({*said.values()}) == 1:
            return said.popitem()[1]
        return ", ".join(f"{task}: {v}" for task, v in said.items())

    tasks, overfitted = profile.tasks, profile.overfitting.task
    epochs = (tasks[overfitted].pretrained.epochs, profile.overfitting.extra_epochs)
    return {
        "data": each(lambda task: WORDS["data"][tasks[task].source]),
        "model": network["name"],
        "pre-training": network["pre-training"],
        "tokenizer": network["tokenizer"],
        "vocabulary": f"{config.vocab_size:,}",
        "parameters of the encoder": f"{scale.parameters / 1e6:.1f} million",
        "layers": f"{scale.layers}",
        "width of its layers": f"{config.hidden_size:,}",
        "longest example, in tokens": f"{profile.model.max_length}",
        "training examples": each(lambda task: f"{scale.examples[task][0]:,}"),
        "dev examples": each(lambda task: f"{scale.examples[task][1]:,}"),
        "epochs from scratch": each(lambda task: tasks[task].scratch.epochs),
        "epochs of fine-tuning": each(lambda task: tasks[task].pretrained.epochs),
        "learning rate from scratch": each(lambda task: f"{tasks[task].scratch.learning_rate:g}"),
        "learning rate chosen": "by accuracy on the dev set, for fine-tuning; from scratch it is the same",
        "learning rate of fine-tuning": each(lambda task: f"{tasks[task].pretrained.learning_rate:g}"),
        "examples in a batch": each(lambda task: tasks[task].pretrained.batch_size),
        "Adam's β₁, β₂ and ε": ", ".join(f"{x:g}" for x in (*training.betas, training.epsilon)),
        "Adam's bias correction": "yes",
        "the optimiser in the further epochs": "starts anew, with a warm-up",
        "order of the examples": "at random, in batches of similar length",
        "dropout": f"{getattr(config, 'hidden_dropout_prob', 'its own')}",
        "weight decay": f"{training.weight_decay:g}",
        "warm-up": f"{training.warmup:.0%} of the steps",
        "largest norm of a gradient": f"{training.max_grad_norm:g}",
        "precision of training": training.precision,
        "precision of landscapes": profile.precision,
        "seeds": f"{len(study.seeds)}",
        "δ₂ from": each(lambda task: display_name(tasks[task].other)),
        "range of α and β": f"−{profile.grid.span:g} to {profile.grid.span:g}",
        "points of a surface": f"{profile.grid.resolution} × {profile.grid.resolution}",
        "points of a curve": f"{profile.grid.curve_resolution}",
        "examples of a landscape": f"training {profile.sample.train or 'all'}, dev {profile.sample.dev or 'all'}",
        "epochs of Figure 4": f"{display_name(overfitted)}, {' + '.join(map(str, epochs))}",
        "tasks of Figure 7": ", ".join(map(display_name, profile.layers.tasks)),
    }
