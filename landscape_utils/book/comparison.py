"""Runs beside one another and beside the paper: verdicts, what its figures say, its Table 1, its set-up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..claims import paper
from ..claims.evidence import Claim, table
from ..environment import NOTHING
from ..errors import Lacking
from ..names import GROUPS, display_name
from ..study.plan import scale_of
from ..study.study import Study
from ..training import hub
from ..training.published import network_config
from .tables import misprints, signed

RUNS = ("demo", "minilm")  # what everybody can run, and the reference run
ABSENT = "–"
BERT = ("WordPiece, cased", "masked words and next sentence, on books and Wikipedia")
MODELS = {  # name, tokenizer, pre-training
    "demo": (
        "a small BERT",
        "a token for each word",
        "masked words and next sentence, on a generated language",
    ),
    "minilm": (
        "all-MiniLM-L6-v2",
        "WordPiece, uncased",
        "distilled from a larger model, then trained to embed sentences",
    ),
    "bert-base-cased": ("BERT-base", *BERT),
    "bert-large-cased": ("BERT-large", *BERT),
}
DATA = {"glue": "GLUE", "demo": "a generated language", "files": "files of one's own"}


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
    """A row for each claim of the first run: its sentence, and the verdict of each run."""
    rows = []
    for claim in runs[0].claims.values():
        place = claim.figure.replace(" ", "\N{NO-BREAK SPACE}") or f"section {claim.section}"
        cells = [outcome(run.claims[claim.name]) if claim.name in run.claims else ABSENT for run in runs]
        rows.append([f"{claim.title} *({place})*", *cells])
    note = (
        f"Behind a verdict: how many tasks speak for the claim / against it / are open. {ABSENT}: no results."
    )
    return f"{table(['claim', *(run.head for run in runs)], rows, prose=True)}\n\n{note}"


def outcome(claim: Claim) -> str:
    words = [evidence.word for evidence in claim.evidence]
    return f"**{claim.verdict}** {'/'.join(str(words.count(word)) for word in ('for', 'against', 'open'))}"


def table_1(runs: Sequence[Column]) -> str:
    """Table 1: dev accuracy in %, and what the rollback of a layer group adds to it; the paper's and the runs'."""
    found = [rollbacks(run.study) for run in runs]
    rows = []
    for task, printed in paper.TABLE_1.items():
        sides = [printed, *(of.get(task, {}) for of in found)]
        whole = [f"{side['fine-tuned']:.2f}" if side else ABSENT for side in sides]
        rows.append([f"{display_name(task)}, fine-tuned", *whole])
        for group in GROUPS:
            differences = [signed(side[group] - side["fine-tuned"]) if side else ABSENT for side in sides]
            rows.append([f"{display_name(task)}, {group} layers back", *differences])
    return f"{table(['', 'paper', *(run.head for run in runs)], rows)}\n\n{misprints()}"


def rollbacks(study: Study) -> dict[str, dict[str, float]]:
    """Task -> accuracies in % as in Table 1, of the tasks that the results have."""
    found = {}
    for task in study.tasks:
        with suppress(Lacking):
            rollback = study.rollback(task)
            shares = {"fine-tuned": rollback.fine_tuned, **rollback.groups}
            found[task] = {name: 100 * share for name, share in shares.items()}
    return found


def setups(runs: Sequence[Column]) -> str:
    """Everything in which the set-ups differ, the paper's and the runs', and then what is alike."""
    theirs = (
        setup(Study("paper", results_dir=runs[0].study.store.folder.parent, device=NOTHING)) | paper.SETUP
    )
    described = [theirs, *(setup(run.study) for run in runs)]
    cells = {name: [of[name] for of in described] for name in theirs}
    rows = [[name, *of] for name, of in cells.items() if len(set(of)) > 1]
    alike = [f"{name} ({of[0]})" for name, of in cells.items() if len(set(of)) == 1]
    note = f"Alike in all: {', '.join(alike)}." if alike else "Nothing is alike."
    return f"{table(['', 'paper', *(run.head for run in runs)], rows, prose=True)}\n\n{note}"


def setup(study: Study) -> dict[str, str]:
    """What a study depends on, in words."""
    profile, training = study.profile, study.profile.training
    with hub.left_alone():  # what a model is like is known, or at hand
        config = network_config(profile.model)
        scale = scale_of(study, config)
    source = profile.model.source
    name, tokenizer, pretraining = MODELS.get(source, (Path(source).name, "its own", "its own"))

    def each(value: Callable[[str], object]) -> str:
        """A value that tasks differ in; once, where they do not."""
        said = {display_name(task): str(value(task)) for task in study.tasks}
        return (
            ", ".join(f"{task}: {v}" for task, v in said.items())
            if len({*said.values()}) > 1
            else said.popitem()[1]
        )

    tasks, overfitted = profile.tasks, profile.overfitting.task
    epochs = (tasks[overfitted].pretrained.epochs, profile.overfitting.extra_epochs)
    return {
        "data": each(lambda task: DATA[tasks[task].source]),
        "model": name,
        "pre-training": pretraining,
        "tokenizer": tokenizer,
        "vocabulary": f"{config.vocab_size:,}",
        "parameters of the encoder": f"{scale.parameters / 1e6:.1f} million",
        "layers": f"{scale.layers}",
        "width of its vectors": f"{config.hidden_size:,}",
        "tokens of an example, at most": f"{profile.model.max_length}",
        "training examples": each(lambda task: f"{scale.examples[task][0]:,}"),
        "dev examples": each(lambda task: f"{scale.examples[task][1]:,}"),
        "epochs from scratch": each(lambda task: tasks[task].scratch.epochs),
        "epochs of fine-tuning": each(lambda task: tasks[task].pretrained.epochs),
        "learning rate from scratch": each(lambda task: f"{tasks[task].scratch.learning_rate:g}"),
        "learning rate of fine-tuning": each(lambda task: f"{tasks[task].pretrained.learning_rate:g}"),
        "examples in a batch": each(lambda task: tasks[task].pretrained.batch_size),
        "Adam's β₁, β₂ and ε": ", ".join(f"{x:g}" for x in (*training.betas, training.epsilon)),
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
