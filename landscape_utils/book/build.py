"""The book: notebooks executed, laid beside the pages and rendered, in two parts.

The reference run is read from results that are kept with the book, by the same notebooks as the reader's own run.
Nothing is executed while rendering: what a page shows is what papermill left.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..environment import NOTHING, ROOT
from ..errors import Lacking, UserError
from ..figures import plots
from ..figures.style import save
from ..names import HOWS
from ..profiles import load_profile
from ..store.files import logger
from ..study.computing import current_code
from ..study.study import Study
from . import chapter
from .executing import Execution, check_parameters, execute
from .staging import REFERENCE, YOURS, Part, chapters, in_one_file, read_contents, stage
from .words import counted

SEED = 0  # that notebooks ask for unless they are told another


def build(profile: str = "demo", *, root: Path = ROOT, reference: str = "minilm", **parameters: Any) -> Path:
    """Compute what the notebooks need, execute them all, render the book; returns the path of its front page.

    Args:
        profile: of the reader's run; `parameters` are the others that notebooks take (`tasks`, `seed`, ...).
        root: of the book: its pages, notebooks, and `results`.
        reference: the profile of the reference run, read from `results`. What these lack is left out, with a line.

    Raises:
        UserError: a parameter that some notebook does not take or cannot use, a notebook that fails, a page that Sphinx
            warns about.
    """
    given = asked_of(profile) | parameters
    sources = find_notebooks(root)
    for notebook in sources:
        check_parameters(notebook, given)
    study = Study(**given)
    study.compute()
    executed = root / "_build" / "executed" / study.profile.name
    yours = [Execution(notebook, executed / notebook.name, given) for notebook in sources]
    reading = Study(reference, results_dir=root / "results", device=NOTHING)
    theirs = readings(root, reference, reading)
    lacking = execute([*yours, *theirs])
    if lacking:
        left_out, why = ", ".join(path.stem for path in lacking), next(iter(lacking.values()))
        logger.warning("left out of the reference run: %s; %s", left_out, why)
    read = [one.output for one in theirs if one.output not in lacking]
    parts = [Part(YOURS, "your run", about(study), [one.output for one in yours])]
    parts += [Part(REFERENCE, "the reference run", about(reading), read)] if read else []
    front, told = root / "_build" / "front.svg", root / "_build" / "tally.md"
    try:
        draw_front(reading, front)
    except Lacking:
        draw_front(study, front)
    studies = {REFERENCE: reading, YOURS: study}
    told.write_text("\n".join(tally(part.title, studies[part.folder]) for part in parts[::-1]), "utf-8")
    return render(root, parts, front, front.with_suffix(".md"), told)


def asked_of(profile: str) -> dict[str, Any]:
    """The profile as a parameter, and its first seed where it lacks the one that notebooks ask for by themselves."""
    seeds = load_profile(profile).seeds
    return {"profile": profile} | ({} if SEED in seeds else {"seed": seeds[0]})


def readings(root: Path, reference: str, study: Study) -> list[Execution]:
    """The executions of the reference run's chapters, which read its results; none where there are none at all."""
    if not study.store.folder.is_dir():
        logger.warning("the book has no reference run: there is no %s", study.store.folder)
        return []
    parameters = asked_of(reference) | {"device": NOTHING}
    if root != ROOT:  # a page shows them: no path of this machine that need not be there
        parameters["results_dir"] = str(root / "results")
    named = chapters(read_contents(root / "book"), REFERENCE)
    return [
        Execution(path, root / "_build" / REFERENCE / path.name, parameters, only_reads=True)
        for path in find_notebooks(root)
        if path.stem in named
    ]


def about(study: Study) -> str:
    """What a part was computed from, in a few sentences."""
    said = [f"Computed under the profile `{study.profile.name}`."]
    if any(study.trainings.generated(task) for task in study.tasks):
        said.append(
            "Its data sets are generated: *MNLI-like* and so on are small imitations of the tasks of the paper in an "
            "[embedded language](../demo_language.md)."
        )
    if partly := chapter.samples(study):
        said.append(f"It uses only a part of some data sets: {partly}.")
    states = [e.state for e in study.store.verify(current_code) if e.state in ("sound", "earlier")]
    if earlier := states.count("earlier"):
        said.append(
            f"Of its {len(states)} results, {earlier} {'was' if earlier == 1 else 'were'} computed by an earlier "
            "version of the code, and all are shown as they are."
        )
    return " ".join(said)


def tally(title: str, study: Study) -> str:
    """A line on how many of the paper's sentences hold in a run."""
    found = [claim.primary.outcome for claim in study.claims()]
    return f"- {title.capitalize()} (`{study.profile.name}`): of {len(found)} sentences, {counted(found)}."


def draw_front(study: Study, path: Path) -> None:
    """What the book is about in one picture; beside it, `path` with .md, a sentence on it. Raises Lacking.

    One task's surfaces and paths, from scratch and fine-tuned: of the tasks that both trainings learned, or else of
    all, the one whose accuracy is highest after fine-tuning above that from scratch.
    """
    drawn = chapter.there(study, study.trajectory)
    accuracy = {task: [100 * study.run(task, how).dev_accuracy[-1] for how in HOWS] for task in drawn}
    learned = [task for task in drawn if all(study.run(task, how).learned for how in HOWS)]
    task = max(learned or drawn, key=lambda task: accuracy[task][0] - accuracy[task][1])
    surfaces = {how: study.surface(task, how) for how in HOWS[::-1]}
    paths = {how: study.trajectory(task, how) for how in surfaces}
    name = study.heading(task)
    figure = plots.surface_grid({name: surfaces}, trajectories={name: paths})
    save(figure, path, bbox_inches="tight")
    path.write_text(in_one_file(path.read_text("utf-8"), figure.narrow_svg()), "utf-8")
    fine_tuned, scratch = accuracy[task]
    of_those = "Of the tasks that both trainings learned, it" if learned else "It"
    said = (
        f"The task is {name}. {of_those} is the one on which fine-tuning gains most: {fine_tuned:.1f} % of "
        f"{study.facts(task)['dev_examples']:,} dev examples are classified correctly after fine-tuning, and "
        f"{scratch:.1f} % after training from scratch. Each number is of one training."
    )
    path.with_suffix(".md").write_text(said, "utf-8")


def find_notebooks(root: Path = ROOT) -> list[Path]:
    """The chapters' notebooks in their order; `UserError` where there are none, as in an installed wheel."""
    notebooks = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:
        where = root / "notebooks"
        raise UserError(f"no notebooks in {where}: the book is made from a clone of the repository")
    return notebooks


def render(root: Path, parts: Sequence[Part], *made: Path) -> Path:
    """Make HTML of the pages of `root/book`, executed notebooks and what else was `made`; returns its front page."""
    staged, html = root / "_build" / "stage", root / "_build" / "html"
    for stale in (staged, html, root / "_build" / ".doctrees"):
        shutil.rmtree(stale, ignore_errors=True)
    stage(root / "book", staged, parts)
    for path in made:
        shutil.copy(path, staged)
    layout = [f"--config={root / '_config.yml'}", f"--toc={staged / '_toc.yml'}", f"--path-output={root}"]
    program = Path(sys.executable).with_name("jupyter-book")
    command: list[str | Path] = [program, "build", staged, *layout, "-n", "-W", "--keep-going"]
    if subprocess.run(command).returncode or not (html / "index.html").exists():
        raise UserError("the book was not made: mend what jupyter-book warns of above")
    return html / "index.html"
