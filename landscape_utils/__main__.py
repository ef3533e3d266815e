"""The command line: `python -m landscape_utils book | run | plan | results`, each with `--help`.

What takes seconds to import is imported when a command is known to be sound.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

from .environment import project_folder
from .errors import UserError
from .names import KINDS
from .profiles import OVERRIDES, builtin_profiles, load_profile
from .store.export import export
from .store.files import logger
from .store.store import Store

INTERRUPTED = "stopped; what was computed is kept: the same command goes on from there"


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, as everything here does."""

    def __init__(self, **options: Any):
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


STUDY: dict[str, tuple[Any, str]] = {  # its parameters but for the profile: type, help
    "tasks": (str, 'names separated by commas; default: "all"'),
    "seed": (int, "of the runs; default: the profile's"),
    "resolution": (int, "points an axis; default: the profile's"),
    "span": (float, "the grid is [-span, span]; default: the profile's"),
    "examples": (int, "of each split, for a surface; default: the profile's"),
    "data_dir": (str, "a folder in the GLUE layout; default: the hub"),
    "results_dir": (str, "absolute, or in the project; default: results"),
    "device": (str, '"cpu", "cuda", or "none" to read results alone; default: a GPU if there is one'),
}


def parser() -> Parser:
    """The whole command line."""
    top = Parser(prog="python -m landscape_utils", description="Loss landscapes of transformers.")
    commands = top.add_subparsers(required=True, metavar="book | run | plan | results")
    study, kinds = Parser(add_help=False), Parser(add_help=False)
    profiles = ", ".join(builtin_profiles())
    study.add_argument("--profile", default="demo", help=f"{profiles}, or a TOML file; default: demo")
    for name, (kind, text) in STUDY.items():
        study.add_argument(f"--{name.replace('_', '-')}", type=kind, help=text)
    kinds.add_argument(
        "--what", nargs="+", default=[], choices=KINDS, metavar="KIND", help=f"any of {', '.join(KINDS)}"
    )

    add(commands, "book", make_book, "execute every notebook under a profile and render the book", study)
    run = add(commands, "run", compute, "compute a study's results into its store", study, kinds)
    run.add_argument("--workers", type=int, help="processes side by side; default: as the profile says")
    run.add_argument("--cluster", metavar="ADDRESS", help="of a dask scheduler, whose workers do it")
    costs = "what a study costs: operations, memory, files, hours; and what is there"
    planned = add(commands, "plan", print_plan, costs, study, kinds)
    planned.add_argument(
        "--workers", nargs="+", type=int, default=[2, 8, 64], metavar="N", help="default: 2 8 64"
    )
    add_results(commands.add_parser("results", help="look after what is in the store"))
    return top


def add(commands: Any, name: str, function: Callable[..., Any], text: str, *parents: Parser) -> Any:
    """A command, which calls the function with its options."""
    made = commands.add_parser(name, parents=parents, help=text)
    made.set_defaults(command=function)
    return made


def add_results(results: argparse.ArgumentParser) -> None:
    """`results list | verify | explain | export`."""
    actions = results.add_subparsers(required=True, metavar="list | verify | explain | export")
    place = Parser(add_help=False)
    place.add_argument("--results-dir", default="results", help="default: results")
    place.add_argument("--profile", help="its name; default: every profile that has results")
    add(actions, "list", list_results, "the results that there are", place)
    add(actions, "verify", verify, "read every file; exit code 1 if one is damaged", place)
    add(actions, "explain", explain, "what a result is and was made from, in words").add_argument("path")
    exported = add(actions, "export", export_result, "a result for other programs")
    exported.add_argument("path")
    exported.add_argument("out", help="a name that ends in .csv, or in .nc (netCDF, for xarray)")


def given(options: argparse.Namespace) -> dict[str, Any]:
    """The study's parameters that the command line sets; the others keep their defaults. They are checked."""
    found = {name: value for name in STUDY if (value := getattr(options, name)) is not None}
    load_profile(options.profile, **{name: value for name, value in found.items() if name in OVERRIDES})
    return found


def make_book(options: argparse.Namespace) -> None:
    parameters = given(options)
    from .book import build as book

    print(book.build(options.profile, **parameters))


def compute(options: argparse.Namespace) -> None:
    parameters = given(options)
    from .study.study import Study
    from .study.workers import connect

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


def explain(options: argparse.Namespace) -> None:
    print(Store.explain(options.path))


def export_result(options: argparse.Namespace) -> None:
    if not os.path.isdir(Path(options.out).parent):
        raise UserError(f"cannot export to {options.out!r}: it names no file in a folder that is there")
    result = export(Path(options.path), Path(options.out))
    from .study.computing import current_code

    if not result.made_by(current_code(result)):
        logger.warning("%s was computed by an earlier version of the code", options.path)
    print(options.out)


def stores(options: argparse.Namespace) -> Iterator[Store]:
    """The stores in the results folder, or the one of a profile."""
    root = project_folder(options.results_dir)
    if not root.is_dir():
        raise UserError(f"there are no results in {root}: --results-dir names the folder that has them")
    there = sorted(path.name for path in root.iterdir() if path.is_dir())
    if {*there} & {*KINDS}:
        raise UserError(f"{root} has the results of one profile: --results-dir names the folder above it")
    if options.profile and options.profile not in there:
        raise UserError(f"no results of {options.profile!r} in {root}; there: {', '.join(there) or 'none'}")
    return (Store(root / name) for name in ([options.profile] if options.profile else there))


def list_results(options: argparse.Namespace) -> None:
    for store in stores(options):
        for entry in store.entries():
            print(f"{entry.path}  {entry.size:,} bytes  {entry.state}")


def verify(options: argparse.Namespace) -> int:
    from .study.computing import current_code

    entries = [entry for store in stores(options) for entry in store.verify(current_code)]
    for entry in entries:
        if entry.state != "sound":
            print(f"{entry.path}: {entry.state}{entry.detail and ', '}{entry.detail}")
    states = [entry.state for entry in entries]
    sound, earlier = states.count("sound"), states.count("earlier")
    print(f"{len(entries)} files, {sound} sound results and {earlier} by an earlier version")
    return int("damaged" in states)


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
    except BrokenPipeError:  # whoever reads along has read enough, as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at the exit
        return 141
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return 130


if __name__ == "__main__":
    # Being ended from outside is Ctrl-C, too: else the workers would first finish the training that each has in hand.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
