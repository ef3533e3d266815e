"""What tests of several parts share: a small model, a tiny study's profile, the book made from it, Chromium."""

import shutil
import signal
from pathlib import Path

import pytest
import torch
import transformers as hf
from book_cases import TASKS, TWINS
from explored import CHROMIUM, FLAGS, HUNG, listened
from geometry import make_plane
from hypothesis import HealthCheck, settings
from networks import make_examples, make_model
from playwright.sync_api import Page, expect, sync_playwright
from xdist.scheduler import LoadScopeScheduling

from landscape_utils import Study
from landscape_utils.book import build as book
from landscape_utils.book.staging import REFERENCE
from landscape_utils.engine.objective import Objective
from landscape_utils.engine.space import Plane
from landscape_utils.store.store import Store
from landscape_utils.training import small_case
from landscape_utils.training.demo_language import make_tokenizer
from landscape_utils.training.pretraining import NETWORK

# As studies of tiny models do: the same sums in the same order, and no waiting on a busy core.
torch.set_num_threads(1)

# A shell's background job starts with Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test fails for being slow.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


# Files whose tests share something that takes long to make, the book or a study: one worker makes it and runs them.
TOGETHER = dict.fromkeys(("test_pages", "test_notebooks", "test_explorer_chapters"), "book")
TOGETHER |= dict.fromkeys(("test_live", "test_lab"), "study")


class Together(LoadScopeScheduling):
    """Hands out test by test, but for the files above, which come first: nobody waits for what another one makes."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER.get(Path(nodeid.partition("::")[0]).stem, nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log) -> Together:
    return Together(config, log)


@pytest.fixture(autouse=True)
def settings_of_torch():
    """Every test leaves the process's settings as it found them: another number of threads changes last digits."""

    def settings() -> tuple:
        onednn = torch.backends.mkldnn.enabled  # type: ignore[attr-defined]
        found = torch.get_float32_matmul_precision(), torch.are_deterministic_algorithms_enabled(), onednn
        return torch.is_grad_enabled(), torch.get_num_threads(), torch.get_default_dtype(), *found

    before = settings()
    yield
    after = settings()
    torch.set_grad_enabled(before[0])
    torch.set_num_threads(before[1])
    assert after == before


@pytest.fixture
def model() -> torch.nn.Module:
    return make_model()


@pytest.fixture
def examples() -> list[dict]:
    return make_examples()


@pytest.fixture
def objective(model, examples) -> Objective:
    return Objective(model, examples)


@pytest.fixture
def plane(model) -> Plane:
    return make_plane(model)


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.fail("pages are checked in Chromium: install it (.ci/run does)")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=HUNG)
        expect.set_options(timeout=HUNG)
        yield chromium
        expect.set_options(timeout=5000)
        chromium.close()


@pytest.fixture
def opened(browser):
    """Opens pages with the settings of a browser's context; at the end there must have been no complaint."""
    complaints: list[str] = []
    contexts = []

    def open_page(address: str, kinds: tuple[str, ...] = (), **settings) -> Page:
        contexts.append(browser.new_context(**settings))
        contexts[-1].set_default_timeout(HUNG)
        page = listened(contexts[-1].new_page(), complaints, kinds)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def tiny_profile(tmp_path_factory) -> Path:
    """`profiles/tiny.toml` beside the folder `model` that it names: three of the demo's layers, at random weights."""
    folder = tmp_path_factory.mktemp("tiny")
    shutil.copy(Path(__file__).parent / "profiles" / "tiny.toml", folder)
    torch.manual_seed(5)
    config = hf.BertConfig(**NETWORK | {"num_hidden_layers": 3})  # a group of layers each
    hf.BertForPreTraining(config).save_pretrained(folder / "model")
    make_tokenizer().save_pretrained(folder / "model")
    return folder / "tiny.toml"


def keep_as_reference(study: Study, tiny: Path) -> Path:
    """The results of a study as those of another profile in the same folder, which names GLUE as their source.

    Of a study on real data the repository has as much: histories and landscapes, no snapshots, no data, not all tasks.
    """
    profile = tiny.with_name("reference.toml")
    text = tiny.read_text("utf-8").replace('"tiny"', '"reference"').replace('"demo"', '"glue"')
    profile.write_text(text, "utf-8")
    store = Store(study.store.folder.with_name("reference"))
    known = {task: study.trainings.facts(task) for task in study.profile.tasks}
    left_out = shutil.ignore_patterns("*.safetensors", "*.lock", "run.npz")
    shutil.copytree(study.store.folder, store.folder, ignore=left_out)
    for task in known:
        (found,) = store.find("tasks", task, {})
        store.compute("tasks", task, found.recipe | {"source": "glue"}, lambda _, kept=found.arrays: kept)
    return profile


def make_small_case(home: Path) -> None:
    """The small case that chapter 8 finds made, for that takes long: without pre-training, of two epochs each."""
    from landscape_utils.training import trainer  # takes seconds

    arguments = trainer.arguments
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_case, "learn_words", lambda *_: None)
        patch.setattr(trainer, "arguments", lambda **given: arguments(**given | {"num_train_epochs": 2}))
        small_case.make_case(home, TASKS.partition(",")[0])


@pytest.fixture(scope="session")
def site(tiny_profile, tmp_path_factory) -> Path:
    """The book of two tasks of the tiny profile: the folder of its HTML.

    The executed notebooks lie beside it, in `executed/tiny`. Its reference run, of TWINS alone, is the same study's,
    read from a copy of the results without data and snapshots.
    """
    root = tmp_path_factory.mktemp("site")
    for part in ("book", "notebooks"):
        shutil.copytree(book.ROOT / part, root / part)
    shutil.copy(book.ROOT / "_config.yml", root)
    contents = root / "book" / "_toc.yml"
    lines = contents.read_text("utf-8").splitlines()
    contents.write_text(
        "\n".join(line for line in lines if REFERENCE not in line or line.endswith(TWINS)), "utf-8"
    )
    results = root / "results"
    study = Study(tiny_profile, tasks=TASKS, results_dir=results)
    study.compute(workers=1)
    make_small_case(results / "own" / "models")
    reference = str(keep_as_reference(study, tiny_profile))
    claims = root / "notebooks" / "07_claims.ipynb"
    columns = f"columns(study, weighed, '{tiny_profile}', '{reference}')"
    claims.write_text(claims.read_text("utf-8").replace("columns(study, weighed)", columns), "utf-8")
    given = {"tasks": TASKS, "results_dir": str(results)}
    return book.build(str(tiny_profile), root=root, reference=reference, **given).parent
