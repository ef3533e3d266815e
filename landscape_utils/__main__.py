"""The command line: `python -m landscape_utils book | run | plan | results`, each with `--help`.

What takes seconds to import is imported when a command is known to be sound.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

from .environment import project_folder
from .errors import UserError
from .names import KINDS, one_of
from .profiles import OVERRIDES, builtin_profiles, load_profile
from .store.files import logger
from .store.store import Store

INTERRUPTED = "stopped; what was computed is kept: the same command goes on from there"


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, as everything here does."""

    def __init__(self, **options: Any):
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def parser() -> Parser:
    """The whole command line."""
    top = Parser(prog="python -m landscape_utils", description="Loss landscapes of transformers.")
    commands = top.add_subparsers(required=True, metavar="book | run | plan | results")

    study = Parser(add_help=False)
    study.add_argument(
        "--profile", default="demo", help=f"{', '.join(builtin_profiles())}, or a TOML file; default: demo"
    )
    study.add_argument("--tasks", help='names separated by commas; default: "all"')
    study.add_argument("--seed", type=int, help="of the runs; default: the profile's")
    study.add_argument("--resolution", type=int, help="points an axis; default: the profile's")
    study.add_argument("--span", type=float, help="the grid is [-span, span]; default: the profile's")
    study.add_argument("--examples", type=int, help="of each split, for a surface; default: the profile's")
    study.add_argument("--data-dir", help="a folder in the GLUE layout; default: the hub")
    study.add_argument("--results-dir", help="default: results")
    study.add_argument(
        "--device", help='"cpu", "cuda", or "none" to read results alone; default: a GPU if there is one'
    )

    made = commands.add_parser(
        "book", parents=[study], help="execute every notebook under a profile and render the book"
    )
    made.set_defaults(command=make_book)

    run = commands.add_parser("run", parents=[study], help="compute a study's results into its store")
    run.add_argument("--what", nargs="+", default=[], metavar="KIND", help=f"any of {', '.join(KINDS)}")
    run.add_argument("--workers", type=int, help="processes side by side; default: as the profile says")
    run.add_argument("--cluster", metavar="ADDRESS", help="of a dask scheduler, whose workers do it")
    run.set_defaults(command=compute)

    planned = commands.add_parser(
        "plan",
        parents=[study],
        help="what a study costs: operations, memory, files, hours; and what is there",
    )
    planned.add_argument("--what", nargs="+", default=[], metavar="KIND", help=f"any of {', '.join(KINDS)}")
    planned.add_argument(
        "--workers", nargs="+", type=int, default=[2, 8, 64], metavar="N", help="default: 2 8 64"
    )
    planned.set_defaults(command=print_plan)

    add_results(commands.add_parser("results", help="look after what is in the store"))
    return top


def add_results(results: argparse.ArgumentParser) -> None:
    """`results list | verify | explain | export`."""
    actions = results.add_subparsers(required=True, metavar="list | verify | explain | export")

    place = Parser(add_help=False)
    place.add_argument("--results-dir", default="results", help="default: results")
    place.add_argument("--profile", help="its name; default: every profile that has results")

    listed = actions.add_parser("list", parents=[place], help="the results that there are")
    listed.set_defaults(command=list_results)
    checked = actions.add_parser(
        "verify", parents=[place], help="read every file; exit code 1 if one is damaged"
    )
    checked.set_defaults(command=verify)

    explained = actions.add_parser("explain", help="what a result is and was made from, in words")
    explained.add_argument("path")
    explained.set_defaults(command=lambda options: print(Store.explain(existing_file(options.path))))

    exported = actions.add_parser("export", help="a result for other programs")
    exported.add_argument("path")
    exported.add_argument("out", help="a name that ends in .csv, or in .nc (netCDF, for xarray)")
    exported.set_defaults(command=export)


STUDY = ("tasks", "seed", "resolution", "span", "examples", "data_dir", "results_dir", "device")


def given(options: argparse.Namespace) -> dict[str, Any]:
    """The study's parameters that the command line sets; the others keep their defaults. They are checked."""
    found = {name: value for name in STUDY if (value := getattr(options, name)) is not None}
    load_profile(options.profile, **{name: value for name, value in found.items() if name in OVERRIDES})
    for kind in getattr(options, "what", ()):
        one_of("kind of result", kind, KINDS)
    return found


def make_book(options: argparse.Namespace) -> None:
    parameters = given(options)
    from .book import build as book

    print(book.build(options.profile, **parameters))


def compute(options: argparse.Namespace) -> None:
    if options.workers is not None and options.workers < 1:
        raise UserError(f"--workers {options.workers}: at least 1 is needed")
    parameters = given(options)
    from .engine.cluster import connect
    from .study.study import Study

    with nullcontext() if options.cluster is None else connect(options.cluster) as client:
        study = Study(options.profile, **parameters, client=client)
        study.compute(*options.what, workers=options.workers)
    print(f"all there: {study.store.folder}")


def print_plan(options: argparse.Namespace) -> None:
    if min(options.workers) < 1:
        raise UserError(f"--workers {min(options.workers)}: at least 1 is needed")
    parameters = given(options)
    from .study.plan import estimate, report
    from .study.study import Study

    study = Study(options.profile, **parameters)
    for line in report(study, estimate(study, options.what), [1, *options.workers]):
        print(line)


def existing_file(path: str) -> Path:
    """A file that is there; not a folder or a device, which has no end."""
    if not os.path.isfile(path):
        raise UserError(f"there is no result {path!r}: `results list` shows those there are")
    return Path(path)


def export(options: argparse.Namespace) -> None:
    if not os.path.isdir(Path(options.out).parent):
        raise UserError(f"cannot export to {options.out!r}: it names no file in a folder that is there")
    print(Store.export(existing_file(options.path), options.out))


def stores(options: argparse.Namespace) -> Iterator[Store]:
    """The stores in the results folder, or the one of a profile."""
    root = project_folder(options.results_dir)
    if not root.is_dir():
        raise UserError(f"there are no results in {root}: --results-dir names the folder that has them")
    there = sorted(path.name for path in root.iterdir() if path.is_dir())
    if options.profile and options.profile not in there:
        raise UserError(
            f"no results of profile {options.profile!r} in {root}; there: {', '.join(there) or 'none'}"
        )
    return (Store(root / name) for name in ([options.profile] if options.profile else there))


def list_results(options: argparse.Namespace) -> None:
    for store in stores(options):
        for entry in store.entries():
            print(f"{entry.path}  {entry.size:,} bytes  {entry.state}")


def verify(options: argparse.Namespace) -> int:
    from .study.results import current_code

    entries = [entry for store in stores(options) for entry in store.verify(current_code)]
    for entry in entries:
        if entry.state != "sound":
            print(f"{entry.path}: {entry.state}{entry.detail and ', '}{entry.detail}")
    count = {state: sum(entry.state == state for entry in entries) for state in ("sound", "earlier")}
    print(
        f"{len(entries)} files, {count['sound']} sound results and {count['earlier']} by an earlier version"
    )
    return int(any(entry.state == "damaged" for entry in entries))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code: 0, 1 (damage found), 2 (a mistake that one line explains), 130 (Ctrl-C)."""
    logging.basicConfig(format="%(message)s")
    logger.setLevel(logging.INFO)
    try:
        options = parser().parse_args(arguments)
        return options.command(options) or 0
    except UserError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
