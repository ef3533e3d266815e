"""Runs beside one another and beside the paper: verdicts and set-ups."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..claims import paper
from ..claims.evidence import NOT_JUDGED, Claim, Measured, table
from ..claims.intervals import number
from ..environment import NOTHING
from ..errors import Lacking
from ..figures.style import how_name
from ..names import GROUPS, SPLITS, display_name
from ..study.plan import scale_of
from ..study.study import Study
from ..training import hub
from ..training.published import network_config
from .words import PHRASES, counted, words_of

RUNS = ("demo", "minilm", "mpnet")  # from the smallest network to the largest
ABSENT = "–"
WORDS = words_of("setup.toml")


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
            with suppress(Lacking):  # it has results of no data set
                if claims := {claim.name: claim for claim in other.claims() if claim.evidence}:
                    found.append(Column(other.profile.name, other, claims))
    return found


def verdicts(runs: Sequence[Column]) -> str:
    """A row for each claim of the first run: its sentence, the chapter that goes into it, and what each run says."""
    rows = []
    for claim in runs[0].claims.values():
        page = PHRASES[claim.name]["chapter"]
        cells = [told(run.claims[claim.name]) if claim.name in run.claims else NOT_JUDGED for run in runs]
        rows.append([claim.title, f"[{int(page[:2])}]({page}.ipynb)", *cells])
    note = (
        "The three numbers say how many tasks speak for the sentence, how many against it, and how many leave it open. "
        "A verdict without numbers: no task has an interval."
    )
    tallies = [f"{run.head}: {counted([outcome(run, name) for name in runs[0].claims])}" for run in runs]
    head = ["claim", "chapter", *(run.head for run in runs)]
    return f"{table(head, rows)}\n\n{note}\n\n**In all**: {'; '.join(tallies)}."


def outcome(run: Column, name: str) -> str:
    return run.claims[name].primary.outcome if name in run.claims else NOT_JUDGED


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
    cells = {head: [most(of[task]) if task in of else ABSENT for task in tasks] for head, of in costs.items()}
    rows = [[head, *of] for head, of in cells.items() if costs[head]]
    lead = "The group of layers whose rollback costs the most dev accuracy, and how many points it costs:"
    note = f"{ABSENT}: there are no such rollbacks, or fine-tuning hardly learned the task."
    return f"{lead}\n\n{table(['', *tasks], rows)}\n\n{note}" if rows else ""


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
    printed = Study("paper", results_dir=runs[0].study.store.folder.parent, device=NOTHING)
    theirs = setup(printed) | paper.SETUP
    described = [theirs, *(setup(run.study) for run in runs)]
    rows = [[name, *(of[name] for of in described)] for name in theirs]
    same = [f"{name} ({first})" for name, first, *others in rows if {*others} == {first}]
    rows = [row for row in rows if len({*row[1:]}) > 1]
    note = f"The same everywhere: {', '.join(same)}." if same else "Nothing is the same everywhere."
    return f"{table(['', 'paper', *(run.head for run in runs)], rows)}\n\n{note}"


def setup(study: Study) -> dict[str, str]:
    """What a study depends on, in words."""
    profile = study.profile
    with hub.left_alone():  # what a model is like is known, or at hand
        config = network_config(profile.model)
        scale = scale_of(study, config)
    source, overfitted = profile.model.source, profile.overfitting.task
    own = {"name": Path(source).name, "tokenizer": "its own", "pre-training": "its own"}
    known = {
        "profile": profile,
        "network": WORDS["networks"].get(source, own),
        "config": config,
        "scale": scale,
        "million": scale.parameters / 1e6,
        "dropout": getattr(config, "hidden_dropout_prob", "its own"),
        "sample": {split: getattr(profile.sample, split) or "all" for split in SPLITS},
        "overfitted": display_name(overfitted),
        "first": profile.tasks[overfitted].pretrained,
        "layer_tasks": ", ".join(map(display_name, profile.layers.tasks)),
    }
    found = {}  # task -> row -> what stands there
    for task in study.tasks:
        spec = profile.tasks[task]
        of_task = {"task": spec, "data": WORDS["data"][spec.source], "examples": scale.examples[task]}
        of_task |= {"other": display_name(spec.other), "seeds": seeds(study, task)}
        same = spec.scratch.learning_rate == spec.pretrained.learning_rate
        of_task["same_rate"] = "; from scratch it is the same" if same else ""
        of_each = {name: words.format(**known, **of_task) for name, words in WORDS["rows"].items()}
        found[display_name(task)] = of_each
    return {name: at_once({task: of[name] for task, of in found.items()}) for name in WORDS["rows"]}


def seeds(study: Study, task: str) -> str:
    """How many a profile names; "1 (3 planned)" where a task has fewer, of each way of training where they differ."""
    planned = f"{len(study.seeds + study.trainings.extra_seeds)}"
    if not study.store.folder.is_dir():
        return planned
    there = at_once({how_name(how): f"{len(study.seeds_of('run', task, how))}" for how in study.ways})
    return planned if there == planned else f"{there} ({planned} planned)"


def at_once(said: Mapping[str, str]) -> str:
    """What is said of all, or of each where they differ."""
    first, *others = {*said.values()}
    return ", ".join(f"{task}: {words}" for task, words in said.items()) if others else first
