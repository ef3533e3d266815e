"""Bad inputs: one line that names the value and the way out, before any work, and nothing of the user's is changed."""

import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path

import nbformat
import pytest
from own_case import run_notebook, save_training, write_examples

from landscape_utils import __main__ as cli
from landscape_utils.book.executing import check_parameters
from landscape_utils.environment import ROOT
from landscape_utils.errors import UserError
from landscape_utils.profiles import BUILTIN
from landscape_utils.store.store import Store

LONG = "a" * 300  # no file's name may have more than 255 letters
TASKS, PROFILES = "choose from mnli, rte, sst2, mrpc", "bert-base, demo, minilm, mpnet, paper"

COMMANDS = [
    ("", "book | run | plan | results", "--help"),
    ("run --resol 5", "--resol", "--help"),
    ("run --profile dmo", "'dmo'", PROFILES, "did you mean 'demo'?", ".toml"),
    ("run --profile nowhere.toml", "'nowhere.toml'", "No such file"),
    ("run --profile 'a\0.toml'", r"a\x00.toml"),
    ("run --profile deep.toml", "'deep.toml'", "is no TOML file"),
    ("run --tasks mrpc,MRPC", "'mrpc' stands there twice"),
    ("run --seed -1", "seed = -1", "greater than or equal to 0"),
    ("run --resolution 1", "resolution = 1", "equal to 2"),
    ("plan --resolution 1000000000", "resolution = 1000000000", "equal to 10000"),
    ("run --examples 1", "examples", "2 or more", "got 1"),
    ("run --span nan", "span = nan", "1000000"),
    ("run --what pictures", "'pictures'", "runs", "layers"),
    ("run --workers 0", "0", "at least 1"),
    ("plan --workers 2 0", "0", "at least 1"),
    ("run --device cuda:99", "'cuda:99'", "auto, cpu"),
    ("plan --device none", "'none'", "another device"),
    ("run --cluster nowhere", "'nowhere'", "dask scheduler", "tcp://host:8786"),
    ("run --data-dir nowhere", "'nowhere'", "GLUE layout"),
    ("run --data-dir ~nobody-here/glue", "'~nobody-here/glue'", "no such home"),
    ("run --results-dir ''", "results_dir", "''"),
    ("run --results-dir PLACE/file/below", "file", "Not a directory", "choose a folder"),
    (f"run --results-dir {LONG}", LONG, "name too long", "choose a folder"),
    ("results", "list | verify | explain | export", "--help"),
    ("results list --results-dir PLACE --profile ../mine", "'../mine'", "there: broken, "),
    ("results verify --results-dir nowhere", "nowhere", "--results-dir"),
    ("results explain nothing.npz", "'nothing.npz'", "results list"),
    ("results explain /dev/zero", "'/dev/zero'", "results list"),
    ("results explain broken.npz", "broken.npz", "damaged"),
    ("results export broken.npz out.xlsx", "out.xlsx", ".csv or .nc"),
    ("results export broken.npz nowhere/out.csv", "nowhere/out.csv", "in a folder that is there"),
]

PARAMETERS = [
    ({"resolutoin": 7}, "'resolutoin'", "tasks, seed, resolution"),
    ({"profile": 5}, "path of a TOML file", "int"),
    ({"tasks": "rte,mrp"}, "'mrp'", TASKS, "did you mean 'mrpc'?"),
    ({"tasks": []}, "tasks = []", '"all"'),
    ({"seed": "1"}, "seed = '1'", "integer"),
    ({"resolution": False}, "resolution = False", "integer"),
    ({"data_dir": 5}, "data_dir", "5"),
]

SMALL_CASE = dict.fromkeys(("checkpoints", "train", "dev"), "")  # made here, in a minute
OF_ONES_OWN = [
    ({"chekpoints": "a,b"}, "'chekpoints'", "checkpoints, other"),
    ({"checkpoints": "nowhere/*"}, "'nowhere/*'", "the start first"),
    ({"checkpoints": 3}, "separated by commas", "int"),
    ({"checkpoints": "checkpoint-0,empty"}, "empty", "save_pretrained"),
    ({"checkpoints": "checkpoint-0,broken"}, "broken", "not a valid JSON file"),
    ({"checkpoints": "checkpoint-90"}, "two checkpoints or more", "checkpoint-90"),
    ({"checkpoints": "A=checkpoint-*; A=checkpoint-*"}, "a name each"),
    ({"train": "nowhere.csv"}, "nowhere.csv", "No such file"),
    ({"train": "a\0.csv"}, r"'a\x00.csv'"),
    ({"dev": ""}, "dev", "''"),
    ({"train": "", "tasks": "all"}, "train and dev", "mnli, rte, sst2, mrpc"),
    ({"text": "a,b,c"}, "one or two columns"),
    ({"text": None}, "one or two columns", "None"),
    ({"text": [1]}, "one or two columns", "[1]"),
    ({"text": "text,text"}, "different columns; got text, text, tone"),
    ({"text": "tone"}, "different columns"),
    ({"checkpoints": ""}, "no checkpoints: give their folders"),
    ({**SMALL_CASE, "seed": -1}, "seed = -1", "0"),
    ({**SMALL_CASE, "resolution": 1}, "resolution = 1", "2"),
    ({**SMALL_CASE, "directions": "sideways"}, "'sideways'", "partner, random, pca"),
    ({**SMALL_CASE, "device": "gpu"}, "'gpu'", "auto, cpu"),
    ({"max_length": "x"}, "'x'", "from 5 to 48"),
    ({"max_length": 49}, "49", "from 5 to 48"),
    ({"directions": "sideways"}, "'sideways'", "partner, random, pca"),
]

CHANGES = [
    ("span = 4.0", "", "grid.span", "missing"),
    ("span = 4.0", "span = 4.0\ntolerance = 0", "grid.tolerance = 0 should be greater than 0 or 'stderr'"),
    ("span = 4.0", "spam = 4.0", "grid", "'spam'", "resolution, span", "did you mean 'span'?"),
    ('name = "demo"', 'name = "../demo"', "name = '../demo'", "pattern"),
    ("seeds = [0, 1, 2]", "seeds = [0]\nsurface_seeds = [1]", "surface_seeds has 1", "seeds = [0]"),
    ("seeds = [0, 1, 2]", "seeds = [0, 1]\nextra_seeds = [1]", "extra_seeds has 1", "seeds = [0, 1]"),
    ("warmup = 0.1", "warmup = 1.5", "training.warmup = 1.5", "less than 1"),
    ('precision = "float32"', 'precision = "int8"', "precision = 'int8'", "'float32'", "'bfloat16'"),
    ('other = "rte"', 'other = "mrpc"', "tasks.mrpc.other", "itself"),
    ("[tasks.rte]", "[tasks.qnli]", "'qnli'", TASKS),
    ("[tasks.rte]", "[tasks.MRPC]", "'mrpc' stands there twice"),
    ('source = "demo"\nother = "rte"', 'source = "files"\nother = "rte"', "tasks.mrpc", '"files"'),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder of the user's, with all that can be wrong in it."""
    place = tmp_path_factory.mktemp("place")
    for name in ("empty", "broken"):
        (place / name).mkdir()
    for name in ("file", "broken.npz", "broken/config.json", "broken/model.safetensors"):
        (place / name).write_text("{")
    (place / "deep.toml").write_text("a = " + "[" * 20_000)  # more than Python's stack
    save_training(place, "bert", checkpoints=2)
    write_examples(place)
    return place


def command(line: str) -> str:
    """What the command line says to a command; PLACE is the folder's whole path."""
    arguments = [word.replace("PLACE", str(Path.cwd())) for word in shlex.split(line)]
    if arguments[:1] == ["run"] and "--results-dir" not in arguments:
        arguments += ["--results-dir", str(Path("results").resolve())]
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        assert cli.main(arguments) == 2
    assert not out.getvalue()
    return err.getvalue()


def notebook(name: str, cells: int, parameters: Mapping[str, object]) -> str:
    """What a notebook's first cells say to the parameters that papermill puts in behind the first one."""
    sources = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
    first, *further = [re.sub("(?m)^%.*", "", cell.source) for cell in sources if cell.cell_type == "code"]
    namespace: dict[str, object] = {"In": [""] * 4}
    exec(first, namespace)
    namespace |= {"results_dir": str(Path("results").resolve())} | parameters
    return refusal(exec, "\n".join(further[:cells]), namespace)


def refusal(ask: Callable[..., None], *given: object) -> str:
    with pytest.raises(UserError) as caught:
        ask(*given)
    return f"{caught.value}\n"


def your_model(parameters: Mapping[str, object]) -> str:
    own = {"checkpoints": "checkpoint-*", "train": "reviews-train.csv", "dev": "reviews-dev.csv"}
    return notebook("08_your_model", 3, own | {"text": "text", "label": "tone"} | parameters)


def profile(change: tuple[str, str]) -> str:
    """What is said to a profile's file, which is that of `demo` but for a change."""
    text, file = (BUILTIN / "demo.toml").read_text("utf-8"), Path("mine.toml")
    assert change[0] in text
    file.write_text(text.replace(*change), "utf-8")
    line = command("run --profile mine.toml")
    file.unlink()
    return line


before_a_kernel = partial(refusal, check_parameters, ROOT / "notebooks" / "01_fine_tuning.ipynb")
ROWS = [
    *((command, given, parts) for given, *parts in COMMANDS),
    *((partial(notebook, "03_loss_surfaces_2d", 1), given, parts) for given, *parts in PARAMETERS),
    *((your_model, given, parts) for given, *parts in OF_ONES_OWN),
    *((profile, (old, new), parts) for old, new, *parts in CHANGES),
    (before_a_kernel, {"resoluton": 7}, ["no parameter 'resoluton'; it has profile, tasks, seed"]),
    (before_a_kernel, {"resolution": True}, ["resolution", "must be int, not True"]),
    (before_a_kernel, {"span": "wide"}, ["must be float, not 'wide'"]),
]


@pytest.mark.parametrize(
    ("ask", "given", "parts"), ROWS, ids=lambda part: getattr(part, "__name__", str(part)[:40])
)
def test_a_bad_input_is_answered_in_one_line_and_changes_nothing(ask, given, parts, place, monkeypatch):
    monkeypatch.setattr(Store, "compute", lambda *_, **__: pytest.fail("work was begun"))
    monkeypatch.chdir(place)

    def contents() -> dict[Path, bytes | None]:
        return {path: path.read_bytes() if path.is_file() else None for path in place.rglob("*")}

    before = contents()
    line = ask(given)
    assert line.count("\n") == 1
    assert all(part in line for part in parts), line
    assert contents() == before


@pytest.mark.slow
def test_papermill_shows_the_line(tmp_path):
    """Of the notebook, that is: papermill adds where it itself was."""
    options = f"-p resolutoin 7 -p results_dir {tmp_path / 'results'}"
    done = run_notebook("08_your_model", tmp_path / "out.ipynb", options)
    assert done.returncode
    line = done.stderr.partition("Exception encountered at")[2].partition("\n")[2].strip()
    assert line.startswith("UserError: unknown parameter 'resolutoin'; a notebook takes profile, tasks")
    assert "\n" not in line
    assert not (tmp_path / "results").exists()
