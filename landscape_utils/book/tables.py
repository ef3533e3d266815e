"""Tables of the chapters, in Markdown, from a study's results."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

import numpy as np

from ..claims import paper
from ..claims.evidence import listed, table
from ..claims.intervals import number
from ..claims.measure import SIDES, WAYS
from ..errors import Lacking
from ..figures.notes import NOT_LEARNED
from ..figures.style import how_name
from ..landscape.paths import random_walk_cosine
from ..names import display_name
from ..study.checkpoints import Checkpoints
from ..study.study import Study
from ..training.finetune import Run
from .chapter import samples

COSINE = "cosine alone"
OF_COSINE = (
    "The rule of the column *cosine alone* compares the vectors that the pre-trained network gives the two sentences. "
    "Only its threshold is chosen on the training examples. It needs two sentences and two classes, so other tasks "
    "have none (n/a)."
)
UNSEEN_WORDS = """### Known words and unseen words

The generated language tells more than a real data set can. It is known which dev examples consist of words from the
training examples of the task, and which have other words too. A network that starts from random weights cannot know a
word that it has never met, whereas a pre-trained one has met every word in the corpus. The test set in the last column
was not used for any choice, neither of hyper-parameters nor of epochs.
"""


def each(study: Study, tasks: Iterable[str]) -> Iterator[tuple[str, str, list[str]]]:
    """The trainings of these tasks: task, way of training, and the names of both as a row begins with them."""
    for task in tasks:
        for how in study.ways:
            yield task, how, [study.heading(task), how_name(how)]


def setup(study: Study) -> str:
    """What is trained on what, and how (section 4); of two numbers, the first is from scratch."""
    head = ["task", "classes", "train", "dev", "largest class", "epochs", "learning rate", "batch"]
    rows = []
    for task in study.tasks:
        with suppress(Lacking):
            facts, spec = study.facts(task), study.profile.tasks[task]
            data = (len(facts["labels"]), facts["train_examples"], facts["dev_examples"])
            settings = [
                " / ".join(f"{getattr(how, name):g}" for how in (spec.scratch, spec.pretrained))
                for name in ("epochs", "learning_rate", "batch_size")
            ]
            sizes = [f"{n:,}" for n in data]
            rows.append([study.heading(task), *sizes, percent(facts["majority"]), *settings])
    partly = samples(study)
    note = "The largest class is given in % of the dev set. Of two numbers, the first is for training from scratch."
    return f"{table(head, rows)}\n\n{note}{partly and f' Only a part of a data set is used: {partly}.'}"


def accuracies(study: Study) -> str:
    """Dev accuracy after the last epoch of each task, both ways: mean over the seeds, and the lowest and highest."""
    rows, several, similarity = [], 1, similarities(study)
    better = []  # tasks on which the cosine alone is
    for task in study.tasks:
        with suppress(Lacking):
            seeds = {how: study.seeds_of("run", task, how) for how in WAYS}
            runs = [[study.run(task, how, seed) for seed in of] for how, of in seeds.items()]
            if all(runs):
                stuck = ["" if all(run.learned for run in same) else " †" for same in runs]
                ends = [spread([run.dev_accuracy[-1] for run in same]) for same in runs]
                several = max(several, *map(len, runs))
                cells = [end + mark for end, mark in zip(ends, stuck, strict=True)]
                known = [percent(similarity[task]) if task in similarity else "n/a"] if similarity else []
                rows.append([study.heading(task), percent(runs[0][0].majority), *known, *cells])
                fine_tuned = np.mean([run.dev_accuracy[-1] for run in runs[-1]])
                better += [study.heading(task)] if similarity.get(task, 0) > fine_tuned else []
    seeds_each = (
        "one training each" if several == 1 else f"the mean of up to {several} trainings, with the range"
    )
    note = (
        f"Accuracy in % on all dev examples that this run has: {seeds_each}. Hyper-parameters were chosen on the same "
        f"dev set, so these numbers are a little optimistic. † A training ended {NOT_LEARNED}."
    )
    head = ["task", "largest class", *([COSINE] if similarity else []), *SIDES]
    if similarity:
        note += f" {OF_COSINE}"
    if better:
        note += f" On {listed(better)} the rule is right more often than the fine-tuned network."
    return f"{table(head, rows)}\n\n{note}"


def similarities(study: Study) -> dict[str, float]:
    """Dev accuracy of the cosine of two sentences' vectors, of each task of which it is there."""
    found = {}
    for task in filter(study.trainings.similarity, study.tasks):
        with suppress(Lacking):
            found[task] = study.similarity(task)
    return found


def learning_rates(study: Study) -> str:
    """Dev accuracy of fine-tuning at every learning rate that was tried, the chosen one in bold; "" if only one was."""
    rows, same = [], True
    for task in study.tasks:
        chosen = study.profile.tasks[task].pretrained.learning_rate
        same &= study.profile.tasks[task].scratch.learning_rate == chosen
        with suppress(Lacking):
            rates = study.learning_rates(task)
            for rate in rates if len(rates) > 1 else ():
                bold = "**" if rate == chosen else ""
                accuracy = percent(study.run(task, learning_rate=rate).dev_accuracy[-1])
                rows.append([study.heading(task), f"{bold}{rate:g}{bold}", f"{bold}{accuracy}{bold}"])
    said = (
        "Accuracy of one fine-tuning in %. The learning rate in bold was chosen for its accuracy on this dev set."
        + " Training from scratch uses the same one." * same
    )
    return f"{table(['task', 'learning rate', 'dev accuracy'], rows)}\n\n{said}" if rows else ""


def unseen_words(study: Study) -> str:
    """Accuracy on dev examples with words of the train set and with others, and on test; "" for other languages."""
    rows, gains = [], []
    for task in filter(study.trainings.generated, study.tasks):
        scores = {}  # (seeds, 3) of each way of training
        for how in WAYS:
            scores[how] = np.array([study.unseen_words(task, how, seed) for seed in study.seeds])
            rows.append([study.heading(task), how_name(how), *map(spread, scores[how].T)])
        gains.append(100 * (scores["pretrained"] - scores["scratch"]).mean(axis=0))
    if not rows:
        return ""
    known, unseen, _ = map(between, np.transpose(gains))
    head = ["task", "training", "dev, known words", "dev, unseen words", "test"]
    of = f", the mean of {len(study.seeds)} trainings with the range" if len(study.seeds) > 1 else ""
    said = (
        f"Accuracy in %{of}. {'Depending on the task, fine' if len(gains) > 1 else 'Fine'}-tuning is ahead by {known} "
        f"points on known words and by {unseen} points on unseen ones."
    )
    return f"{UNSEEN_WORDS}\n{table(head, rows)}\n\n{said}"


def directions(study: Study, tasks: Iterable[str]) -> str:
    """Length of delta_1 and its angle with delta_2, for each plane."""
    rows = []
    for task, how, names in each(study, tasks):
        surface, other = study.surface(task, how), study.partner(task)
        other = study.heading(other) if other in study.profile.tasks else other
        angle = f"{np.degrees(np.arccos(surface.cosine)):.0f}°"
        rows.append([*names, other, number(surface.norm), number(surface.cosine), angle])
    return table(["task", "training", "δ₂ from", "‖δ₁‖", "cos(δ₁, δ₂)", "angle"], rows)


def shares(study: Study, tasks: Iterable[str]) -> str:
    """How much of the way gone lies in the plane: after the first epoch, halfway and at the end."""
    columns = ("distance in ‖δ₁‖", "cosine with δ₁", "share in the plane", "β, projected", "β, Eq. 5")
    rows = []
    for task, how, names in each(study, tasks):
        path, printed = study.trajectory(task, how), study.trajectory(task, how, "paper")
        last = len(path.alpha) - 1
        for epoch in sorted({1, (last + 1) // 2, last}):
            values = (path.norm, path.cosine, path.in_plane, path.beta, printed.beta)
            rows.append([*names, f"{epoch}", *(fixed(value[epoch]) for value in values)])
    return table(["task", "training", "epoch", *columns], rows)


def straightness(study: Study, tasks: Iterable[str]) -> str:
    """Cosine with delta_1 after a quarter of the steps, beside that of a random walk of the same learning rates."""
    rows = []
    for task, how, names in each(study, tasks):
        chance, cosine = random_walk_cosine(study.schedule(task, how)), np.nan
        with suppress(Lacking):
            cosine = study.walk(task, how).quarter[1]
        rows.append([*names, *map(number, (cosine, chance, cosine - chance))])
    text = table(["task", "training", "cosine after a quarter", "of a random walk", "difference"], rows)
    lacking = "\n\nn/a: no weights were kept after a quarter of the steps." if "n/a" in text else ""
    return text + lacking


def further_epochs(first: Run, further: Run) -> str:
    """Dev error and loss before the further epochs of Figure 4 and after them."""
    runs = (first, further)
    errors = [number(100 * (1 - run.dev_accuracy[-1])) for run in runs]
    losses = [number(run.dev_loss[-1]) for run in runs]
    rows = [["dev error, in %", *errors], ["dev loss, in nats", *losses]]
    points = 100 * (first.dev_accuracy[-1] - further.dev_accuracy[-1])
    said = (
        f"The dev error {changed(points, 'points')} over the further epochs, and the dev loss "
        f"{changed(further.dev_loss[-1] - first.dev_loss[-1], 'nats')}."
    )
    head = ["", f"after {first.epochs} epochs", f"after {further.epochs} more"]
    return f"{table(head, rows)}\n\n{said}"


def rollbacks(study: Study, tasks: Iterable[str]) -> str:
    """Table 1: dev accuracy in %, fine-tuned and with layer groups rolled back, ours above the paper's."""
    rows, costliest = [], dict[str, list[str]]()
    for task in tasks:
        rollback = study.rollback(task)
        groups = [f"{group} ({first}–{last})" for group, (first, last) in rollback.layers.items()]
        ours = {name: 100 * share for name, share in rollback.groups.items()}
        rows.append([study.heading(task), "this run", *beside({"": 100 * rollback.fine_tuned} | ours)])
        if task in paper.TABLE_1:
            rows.append([display_name(task), "paper", *beside(paper.TABLE_1[task])])
        group = min(rollback.groups, key=rollback.groups.__getitem__)
        if rollback.groups[group] < rollback.fine_tuned:
            costliest.setdefault(group, []).append(study.heading(task))
    where = listed([f"the {group} layers on {listed(names)}" for group, names in costliest.items()])
    note = f"With seed {study.seed} it costs most to roll back {where}. " if costliest else ""
    note += "Which of these differences are more than chance is judged below. " if costliest else ""
    note += "The paper's groups are layers 0–7, 8–15 and 16–23. The differences in brackets are computed."
    for task, group, printed, right in paper.misprints():
        note += (
            f" For {display_name(task)}, {group}, the paper prints {signed(printed)}, but its accuracies differ by "
            f"{signed(right)}."
        )
    return f"{table(['task', 'run', 'fine-tuned', *groups], rows)}\n\n{note}"


def checkpoints(study: Checkpoints) -> str:
    """Trainings that were done elsewhere: how many checkpoints there are, how good the first and the last."""
    rows = []
    for task, how, (_, name) in each(study, study.tasks):
        run = study.run(task, how)
        ends = (number(100 * run.dev_accuracy[epoch]) for epoch in (0, -1))
        rows.append([name, f"{run.epochs + 1}", *ends, number(run.loss[-1])])
    head = ["training", "checkpoints", "dev accuracy, start", "end", "training loss, end"]
    facts = study.facts(task)
    return (
        f"{table(head, rows)}\n\nThe task {study.heading(task)} has {facts['train_examples']:,} training examples, and "
        f"the encoder {study.size:,} parameters. Accuracy is given in % on {facts['dev_examples']:,} dev examples, of "
        f"which {percent(facts['majority'])} % belong to the largest class. Without a head there is no accuracy (n/a)."
    )


def evaluations(study: Checkpoints) -> str:
    """What the user's Trainer measured of the checkpoints on dev, beside what is measured here; "" if it did not."""
    rows, differences = [], ""
    for how in study.ways:
        for found in study.evaluations(how):
            pairs = [(found.theirs.get(name), found.here[name]) for name in ("loss", "accuracy")]
            numbers = [f"{value:.6f}" if value is not None else "n/a" for pair in pairs for value in pair]
            rows.append([how_name(how), found.checkpoint, *numbers])
            differences += f"\n\n**{found.difference}**" if found.difference else ""
    head = ["training", "checkpoint", "dev loss, its Trainer", "here", "dev accuracy, its Trainer", "here"]
    return table(head, rows) + differences if rows else ""


def maps(study: Checkpoints) -> str:
    """Directions of the user's choice: how much of the checkpoints' way they show."""
    rows = []
    for how in study.ways:
        found = study.map(how)
        shares = [percent(share) + " %" for share in found.shares] or ["n/a", "n/a"]
        away = int(np.argmax(found.path.norm))
        rows.append([how_name(how), study.along, *shares, fixed(found.path.in_plane[away])])
    head = ["training", "directions", "variance, x", "y", "share of the whole way in the plane"]
    return table(head, rows)


def beside(accuracy: dict[str, float]) -> list[str]:
    """Accuracies in % with the difference to the first."""
    first, *others = accuracy.values()
    return [f"{first:.2f}", *(f"{value:.2f} ({signed(value - first)})" for value in others)]


def between(values: np.ndarray) -> str:
    """The lowest and the highest, "1.2 to 3.4"; one number where they are the same."""
    ends = dict.fromkeys(f"{end:.1f}".replace("-", "−") for end in (values.min(), values.max()))
    return " to ".join(ends)


def changed(by: float, unit: str) -> str:
    """ "rises by 1.2 points", "falls by 0.3 nats", or "stays as it is"."""
    size = number(abs(by))
    return "stays as it is" if size == "0" else f"{'rises' if by > 0 else 'falls'} by {size} {unit}"


def signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


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
