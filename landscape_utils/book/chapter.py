"""What the cells of the chapters ask before they draw: that results are computed, and which of them are there.

A new chapter is a notebook and its lines in `book/_toc.yml`.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

from ..errors import Lacking
from ..names import display_name
from ..study.computing import Computing
from ..training.published import GLUE_SIZES


def prepare(study: Computing, *what: str) -> None:
    """Compute what the store lacks of these kinds of result (default: all); nothing for a study that only reads."""
    if not study.store.read_only:
        study.compute(*what)


def there(
    study: Computing,
    get: Callable[[str, str], object],
    tasks: Sequence[str] = (),
    of: Sequence[str] = (),
) -> list[str]:
    """The tasks (default: all) of which `get` finds a result for each way of training, or for each of `of`.

    Raises:
        Lacking: there is none.
    """
    found, reason = [], Lacking(f"{study.store.folder} has no task to show")
    for task in tasks or study.tasks:
        try:
            for name in of or study.ways:
                get(task, name)
            found.append(task)
        except Lacking as lacking:
            reason = lacking
    if not found:
        raise reason
    return found


def samples(study: Computing) -> str:
    """Of which GLUE tasks a study has only a part: "MNLI, 900 of 392,702 training and 90 of 9,815 dev examples"."""
    partly = []
    for task in study.tasks:
        with suppress(Lacking):  # nothing is said of data that no result is of
            if study.profile.tasks[task].source == "glue":
                facts = study.trainings.facts(task)
                here = {"training": facts["train_examples"], "dev": facts["dev_examples"]}
                sizes = zip(here.items(), GLUE_SIZES[task], strict=False)
                short = [f"{n:,} of {whole:,} {split}" for (split, n), whole in sizes if n < whole]
                partly += [f"{display_name(task)}, {' and '.join(short)} examples"] if short else []
    return "; ".join(partly)
