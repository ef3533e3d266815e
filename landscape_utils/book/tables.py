"""Tables and sentences of the chapters, in Markdown, from a study's results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..claims import paper
from ..claims.evidence import Claim, table
from ..claims.intervals import number
from ..claims.subject import WAYS
from ..claims.surfaces import RADIUS
from ..figures.style import HOW_NAMES
from ..landscape import flatness
from ..landscape.rollback import Rollback
from ..names import GROUPS, display_name
from ..study.checkpoints import Checkpoints
from ..study.study import Study
from ..training.published import GLUE_SIZES


def setup(study: Study) -> str:
    """What is trained on what, and how (section 4); of two numbers, the first is from scratch."""
    head = ["task", "classes", "train", "dev", "largest class", "epochs", "learning rate", "batch"]
    rows = []
    for task in study.tasks:
        facts, spec = study.facts(task), study.profile.tasks[task]
        data = [len(facts["labels"]), facts["train_examples"], facts["dev_examples"]]
        settings = [
            " / ".join(f"{getattr(how, name):g}" for how in (spec.scratch, spec.pretrained))
            for name in ("epochs", "learning_rate", "batch_size")
        ]
        rows.append([display_name(task), *(f"{n:,}" for n in data), percent(facts["majority"]), *settings])
    partly = samples(study)
    note = "The largest class in % of dev. Of two numbers, the first is from scratch."
    return f"{table(head, rows)}\n\n{note}{partly and f' Not the whole data set: {partly}.'}"


def samples(study: Study) -> str:
    """Of which GLUE tasks a study has only a part: "MNLI, 900 of 392,702 training and 90 of 9,815 dev examples"."""
    partly = []
    for task in study.tasks:
        if study.profile.tasks[task].source == "glue":
            facts, whole = study.facts(task), GLUE_SIZES[task]
            counts = [
                ("training", facts["train_examples"], whole[0]),
                ("dev", facts["dev_examples"], whole[1]),
            ]
            short = [f"{here:,} of {there:,} {split}" for split, here, there in counts if here < there]
            partly += [f"{display_name(task)}, {' and '.join(short)} examples"] if short else []
    return "; ".join(partly)


def accuracies(study: Study) -> str:
    """Dev accuracy after the last epoch of each task, both ways: mean over the seeds, and the lowest and highest."""
    head = ["task", "largest class", *(HOW_NAMES[how] for how in WAYS)]
    rows = []
    for task in study.tasks:
        by_how = [[study.run(task, how, seed) for seed in study.seeds] for how in WAYS]
        cells = [
            spread([run.dev_accuracy[-1] for run in same])
            + ("" if all(run.learned for run in same) else " †")
            for same in by_how
        ]
        rows.append([display_name(task), percent(by_how[0][0].majority), *cells])
    seeds = "one seed" if len(study.seeds) == 1 else f"mean over {len(study.seeds)} seeds, with the range"
    note = f"Accuracy on the whole dev set: {seeds}. † a run ended at the majority class."
    return f"{table(head, rows)}\n\n{note}"


def learning_rates(study: Study) -> str:
    """Dev accuracy of fine-tuning at every learning rate that was tried, the chosen one in bold; "" if only one was."""
    rows = []
    for task in study.tasks:
        rates, chosen = study.learning_rates(task), study.profile.tasks[task].pretrained.learning_rate
        tried = {rate: study.run(task, learning_rate=rate) for rate in rates}
        cells = [f"{percent(run.dev_accuracy[-1])} at {rate:g}" for rate, run in tried.items()]
        if len(tried) > 1:
            rows.append(
                [
                    display_name(task),
                    *(f"**{c}**" if rate == chosen else c for rate, c in zip(tried, cells, strict=True)),
                ]
            )
    if not rows:
        return ""
    columns = max(map(len, rows))
    filled = [row + [""] * (columns - len(row)) for row in rows]
    said = (
        "Accuracy on the whole dev set, in %, after the last epoch of one fine-tuning at a learning rate; bold: what "
        "was chosen."
    )
    return f"{table(['task', *['accuracy at a rate'] * (columns - 1)], filled)}\n\n{said}"


def gain(claim: Claim, points: float = 10.0) -> str:
    """The sentence on how far fine-tuning is ahead, from the claim "accuracy"."""
    ahead = [e for e in claim.evidence if e.effect >= points]
    each = ", ".join(f"{e.task} {signed(e.effect, 1)}" for e in claim.evidence)
    return (
        f"Fine-tuning beats training from scratch by {points:g} points of dev accuracy or more on "
        f"{len(ahead)} of {len(claim.evidence)} tasks ({each})."
    )


def directions(study: Study) -> str:
    """Length of delta_1 and its angle with delta_2, for each plane."""
    head = ["task", "", "δ₂ from", "‖δ₁‖", "cos(δ₁, δ₂)", "angle"]
    rows = []
    for task in study.tasks:
        for how in study.ways:
            surface = study.surface(task, how)
            angle = np.degrees(np.arccos(surface.cosine))
            other = display_name(study.partner(task))
            rows.append(
                [
                    display_name(task),
                    HOW_NAMES[how],
                    other,
                    *map(number, (surface.norm, surface.cosine)),
                    f"{angle:.0f}°",
                ]
            )
    return table(head, rows)


def agreements(study: Study) -> str:
    """How well training loss and dev error agree, near the end and over the plane."""
    head = ["task", "", "rank correlation near", "in the plane", "overlap near", "in the plane"]
    rows = []
    for task in study.tasks:
        for how in study.ways:
            train, dev = study.surface(task, how, "train"), study.surface(task, how, "dev")
            near = flatness.near(train, RADIUS)
            ranks = [flatness.rank_correlation(train.loss, dev.error, where) for where in (near, None)]
            overlaps = [flatness.low_overlap(train.loss, dev.error, where=where) for where in (near, None)]
            rows.append([display_name(task), HOW_NAMES[how], *map(number, (*ranks, *overlaps))])
    return (
        f"{table(head, rows)}\n\nNear: within {RADIUS:g} of the end. Overlap: of the lowest fifths of the points, "
        f"1 if they are the same, {number(0.2 / 1.8)} on average if the surfaces are unrelated."
    )


def shares(study: Study, tasks: Iterable[str]) -> str:
    """How much of the way gone lies in the plane: after the first epoch, halfway and at the end."""
    head = [
        "task",
        "",
        "epoch",
        "way gone, in ‖δ₁‖",
        "cosine with δ₁",
        "share in the plane",
        "β, projected",
        "β, Eq. 5",
    ]
    rows = []
    for task in tasks:
        for how in study.ways:
            path, printed = study.trajectory(task, how), study.trajectory(task, how, "paper")
            last = len(path.alpha) - 1
            for epoch in sorted({1, (last + 1) // 2, last}):
                values = (path.norm, path.cosine, path.in_plane, path.beta, printed.beta)
                rows.append(
                    [display_name(task), HOW_NAMES[how], f"{epoch}", *(fixed(v[epoch]) for v in values)]
                )
    return table(head, rows)


def rollbacks(study: Study) -> str:
    """Table 1: dev accuracy in %, fine-tuned and with layer groups rolled back, ours above the paper's."""
    layers = study.rollback(study.tasks[0]).layers
    groups = [f"{group} ({first}–{last})" for group, (first, last) in layers.items()]
    rows = []
    for task in study.tasks:
        rows.append([display_name(task), "here", *after_rollback(study.rollback(task))])
        if task in paper.TABLE_1:
            rows.append(["", "paper", *beside(paper.TABLE_1[task])])
    head = ["task", "", "fine-tuned", *groups]
    theirs = "The paper's groups are layers 0–7, 8–15 and 16–23; the differences in brackets are computed."
    return f"{table(head, rows)}\n\n{theirs} {misprints()}"


BY_RATE = """### Is it the learning rate?

A higher rate moves the layers further, and may leave the groups elsewhere. Here is the same rollback of every
fine-tuning from which the dev set chose, the chosen one in bold, and how far fine-tuning had moved each group.
"""


def rollbacks_by_rate(study: Study) -> str:
    """Table 1 at every learning rate that was tried, and whether the costliest group stays it; "" if only one was."""
    rates = {task: study.learning_rates(task) for task in study.tasks}
    found = {
        (task, rate): study.rollback(task, rate)
        for task, several in rates.items()
        for rate in several
        if len(several) > 1
    }
    if not found:
        return ""
    rows = []
    for (task, rate), rollback in found.items():
        chosen = rate == study.profile.tasks[task].pretrained.learning_rate
        name = display_name(task) if rate == rates[task][0] else ""
        moved = " / ".join(number(rollback.moved[group]) for group in rollback.groups)
        rows.append([name, f"**{rate:g}**" if chosen else f"{rate:g}", *after_rollback(rollback), moved])
    head = ["task", "learning rate", "fine-tuned", *GROUPS, "moved: low / middle / high"]
    return f"{BY_RATE}\n{table(head, rows)}\n\n{costliest_by_rate(found)}"


def costliest_by_rate(found: Mapping[tuple[str, float], Rollback]) -> str:
    """Whether the costliest group is the same at every learning rate, and the one that had moved furthest; `found`: of
    a task at a rate.
    """
    costliest = {which: costliest_group(rollback) for which, rollback in found.items()}
    worst: dict[str, list[str]] = {}
    for (task, _), group in costliest.items():
        worst.setdefault(display_name(task), []).append(group)
    furthest = [
        max(rollback.moved, key=rollback.moved.__getitem__) == costliest[which]
        for which, rollback in found.items()
        if costliest[which] != "none"
    ]
    same = sum(len(set(groups)) == 1 for groups in worst.values())
    each = ", ".join(f"{task} {' and '.join(dict.fromkeys(groups))}" for task, groups in worst.items())
    return (
        f"The group that costs most to roll back is the same at every rate on {same} of {len(worst)} tasks ({each}). "
        f"It is the one that fine-tuning had moved furthest in {sum(furthest)} of the {len(furthest)} fine-tunings in "
        f"which a rollback cost anything."
    )


def costliest_group(rollback: Rollback) -> str:
    """The layer group whose rollback costs most accuracy, or "none" where none costs any."""
    group = min(rollback.groups, key=rollback.groups.__getitem__)
    return group if rollback.groups[group] < rollback.fine_tuned else "none"


def misprints() -> str:
    """Where Table 1 of the paper contradicts itself."""
    return " ".join(
        f"For {display_name(task)}, {group}, the paper prints {signed(printed)}, but its accuracies differ by "
        f"{signed(right)}."
        for task, group, printed, right in paper.misprints()
    )


def checkpoints(study: Checkpoints) -> str:
    """Trainings that were done elsewhere: how many checkpoints there are, how good the first and the last."""
    (task,) = study.tasks
    head = ["", "checkpoints", "dev accuracy, start", "end", "training loss, end"]
    rows = []
    for how in study.ways:
        run = study.run(task, how)
        ends = (number(100 * run.dev_accuracy[epoch]) for epoch in (0, -1))
        rows.append([HOW_NAMES[how], f"{run.epochs + 1}", *ends, number(run.loss[-1])])
    facts = study.facts(task)
    return (
        f"{table(head, rows)}\n\n{display_name(task)}, {facts['train_examples']:,} training examples; an encoder of "
        f"{study.size:,} parameters. Accuracy in % on {facts['dev_examples']:,} dev examples, of which "
        f"{percent(facts['majority'])} are of the largest class; n/a: a checkpoint without a head."
    )


def after_rollback(rollback: Rollback) -> list[str]:
    """Fine-tuned and with each group rolled back, in %."""
    shares = {"fine-tuned": rollback.fine_tuned, **rollback.groups}
    return beside({name: 100 * share for name, share in shares.items()})


def beside(accuracy: dict[str, float]) -> list[str]:
    """Accuracies in % with the difference to the first."""
    first, *others = accuracy.values()
    return [f"{first:.2f}", *(f"{value:.2f} ({signed(value - first)})" for value in others)]


def signed(value: float, digits: int = 2) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def fixed(value: float) -> str:
    """Three decimals, and no sign on a zero."""
    return f"{round(value, 3) + 0.0:.3f}".replace("-", "−")


def spread(values: Iterable[float]) -> str:
    """Mean of shares in %, with the lowest and the highest where there are several."""
    percents = 100 * np.array(list(values))
    around = f" ({percents.min():.1f}–{percents.max():.1f})" if len(percents) > 1 else ""
    return f"{percents.mean():.1f}{around}"


def percent(share: float) -> str:
    return f"{100 * share:.1f}"
