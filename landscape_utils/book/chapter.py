"""What the cells of the chapters ask before they draw: that results are computed, and which of them are there.

A new chapter is a notebook and its lines in `book/_toc.yml`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import Lacking
from ..study.study import Study


def prepare(study: Study, *what: str) -> None:
    """Compute what the store lacks of these kinds of result (default: all); nothing for a study that only reads."""
    if not study.store.read_only:
        study.compute(*what)


def there(
    study: Study,
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
