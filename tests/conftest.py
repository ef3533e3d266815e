"""Small random models and examples that the geometry's tests share."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
import transformers as hf
from filelock import FileLock
from hypothesis import HealthCheck, settings
from networks import make_examples, make_model

from landscape_utils import Study
from landscape_utils.book import build as book
from landscape_utils.store.result_file import read_result
from landscape_utils.store.store import Store
from landscape_utils.training.demo_language import make_tokenizer
from landscape_utils.training.pretraining import demo_config

torch.set_num_threads(
    1
)  # as studies of tiny models do: the same sums in the same order, and no waiting on a busy core

signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # a shell's background job starts with Ctrl-C ignored

# No test fails for being slow.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def torch_settings() -> dict[str, object]:
    return {
        "gradients": torch.is_grad_enabled(),
        "threads": torch.get_num_threads(),
        "matrix products": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "oneDNN": torch.backends.mkldnn.enabled,  # type: ignore[attr-defined]
        "dtype": torch.get_default_dtype(),
    }


@pytest.fixture(autouse=True)
def settings_of_torch():
    """Every test leaves the process's settings as it found them: another number of threads changes last digits."""
    before = torch_settings()
    yield
    after = torch_settings()
    torch.set_grad_enabled(before["gradients"])
    torch.set_num_threads(before["threads"])
    assert after == before


@pytest.fixture
def model() -> torch.nn.Module:
    return make_model()


@pytest.fixture
def examples() -> list[dict]:
    return make_examples()


@pytest.fixture(scope="session")
def tiny_profile(tmp_path_factory) -> Path:
    """`profiles/tiny.toml` beside the folder `model` that it names: the demo's network with random weights."""
    folder = tmp_path_factory.mktemp("tiny")
    shutil.copy(Path(__file__).parent / "profiles" / "tiny.toml", folder)
    torch.manual_seed(5)
    hf.BertForPreTraining(demo_config()).save_pretrained(folder / "model")
    make_tokenizer().save_pretrained(folder / "model")
    return folder / "tiny.toml"


def keep_as_reference(study: Study, profile: Path) -> None:
    """The results of a study as those of another profile in the same folder, which names GLUE as their source.

    Of a study on real data the repository has as much: histories and landscapes, no snapshots, no data.
    """
    table = study.profile.model_dump(exclude={"name", "chosen"})
    for task in table["tasks"].values():
        task["source"] = "glue"
    profile.write_text(toml(table), "utf-8")
    folder = study.store.folder.with_name(profile.stem)
    shutil.copytree(
        study.store.folder, folder, ignore=shutil.ignore_patterns("*.safetensors", "*.lock", "run.npz")
    )
    store = Store(folder)
    for entry in list(store.entries()):
        if entry.kind == "tasks":
            found = read_result(entry.path)
            recipe, arrays = found.recipe | {"source": "glue"}, found.arrays
            store.compute(entry.kind, entry.name, recipe, lambda _, kept=arrays: kept)


def toml(table: dict) -> str:
    """A table of plain values as TOML, each on a line of its own."""

    def lines(place: str, value: object) -> list[str]:
        if isinstance(value, dict):
            return [
                line for key, inner in value.items() for line in lines(f"{place}{place and '.'}{key}", inner)
            ]
        return [] if value is None else [f"{place} = {json.dumps(value)}"]

    return "\n".join(lines("", table))


@pytest.fixture(scope="session")
def site(tiny_profile, tmp_path_factory) -> Path:
    """The book of the tiny profile, made once for all workers: the folder of its HTML.

    The executed notebooks lie beside it, in `executed/tiny`. Its reference run is the same study's, read from a copy
    of the results without data and snapshots.
    """
    shared = (
        tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else tiny_profile.parent
    )
    root = shared / "root"
    with FileLock(shared / "root.lock"):
        if not root.exists():
            shutil.copytree(book.ROOT / "book", root / "book")
            shutil.copytree(book.ROOT / "notebooks", root / "notebooks")
            shutil.copy(book.ROOT / "_config.yml", root)
            study, reference = Study(tiny_profile, results_dir=root / "results"), shared / "reference.toml"
            study.compute()
            keep_as_reference(study, reference)
            claims = root / "notebooks" / "07_claims.ipynb"
            beside = claims.read_text("utf-8").replace(
                "columns(study, weighed)", f"columns(study, weighed, '{tiny_profile}', '{reference}')"
            )
            claims.write_text(beside, "utf-8")
            book.build(
                str(tiny_profile),
                root=root,
                reference=str(reference),
                results_dir=str(study.store.folder.parent),
            )
    html = root / "_build" / "html"
    assert (html / "index.html").exists(), "the book could not be made: see the first test that asked for it"
    return html
