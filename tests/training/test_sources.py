"""Readers of tasks: the same examples from every source, and every broken file named with its line."""

import json
from pathlib import Path

import datasets
import pandas as pd
import pytest
from own_case import refused

from landscape_utils.profiles.profile import Files
from landscape_utils.training import hub, sources

SHARED_GLUE = Path(__file__).parents[2] / "../shared/data/glue"

MRPC = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
MNLI = "index\tpromptID\tgenre\tsentence1\tsentence2\tlabel1\tgold_label\n"
GLUE_FILES = {
    "MRPC/train.tsv": MRPC + '1\t5\t6\tHe said " yes .\tShe said no .\n0\t7\t8\tA  b \tC\n',
    "MRPC/dev.tsv": MRPC + "0\t1\t2\tx\ty\n",
    "RTE/train.tsv": "index\tsentence1\tsentence2\tlabel\n0\ta b\tc\tnot_entailment\n1\td\te\tentailment\n",
    "RTE/dev.tsv": "index\tsentence1\tsentence2\tlabel\n0\tf\tg\tentailment\n",
    "SST-2/train.tsv": "sentence\tlabel\nNA \t0\ngood film \t1\n",
    "SST-2/dev.tsv": "sentence\tlabel\n007\t1\n",
    "MNLI/train.tsv": MNLI
    + "0\t9\tfiction\tp\th\tneutral\tneutral\n1\t9\tfiction\tq\ti\tneutral\t-\n2\t9\tfiction\tr\tj\tx\tentailment\n",
    "MNLI/dev_matched.tsv": MNLI + "0\t9\tfiction\ts\tk\tneutral\tcontradiction\n",
}
TWO = ["sentence1", "sentence2"]
HUB_FILES = {  # the same examples as the hub gives them: columns, train, dev
    "mrpc": (TWO, [('He said " yes .', "She said no .", 1), ("A  b ", "C", 0)], [("x", "y", 0)]),
    "rte": (TWO, [("a b", "c", 1), ("d", "e", 0)], [("f", "g", 0)]),
    "sst2": (["sentence"], [("NA ", 0), ("good film ", 1)], [("007", 1)]),
    "mnli": (["premise", "hypothesis"], [("p", "h", 1), ("q", "i", -1), ("r", "j", 0)], [("s", "k", 2)]),
}


@pytest.fixture
def glue(tmp_path) -> Path:
    for name, text in GLUE_FILES.items():
        path = tmp_path / "glue" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path / "glue"


@pytest.fixture
def local_hub(tmp_path, monkeypatch):
    """A copy of the hub's repository on disk, which `datasets` loads as it loads the hub's."""
    root, configs = tmp_path / "nyu-mll" / "glue", []
    for name, (columns, *splits) in HUB_FILES.items():
        (root / name).mkdir(parents=True)
        dev = "validation_matched" if name == "mnli" else "validation"
        files = {split: f"{name}/{split}.parquet" for split in ("train", dev)}
        for path, rows in zip(files.values(), splits, strict=True):
            pd.DataFrame(rows, columns=[*columns, "label"]).to_parquet(root / path)
        parts = [{"split": split, "path": path} for split, path in files.items()]
        configs.append({"config_name": name, "data_files": parts})
    (root / "README.md").write_text(f"---\n{json.dumps({'configs': configs})}\n---\n", "utf-8")
    monkeypatch.setattr(hub, "fetched", lambda name, *_: root)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def own(folder: Path, kind: str, train: str, dev: str = "", names=()) -> sources.Sentences:
    """A task of the user's from two files of these contents, which are the same if one is given."""
    for split, content in (("train", train), ("dev", dev or train)):
        (folder / f"{split}{kind}").write_text(content, "utf-8", newline="")
    train, dev = (str(folder / f"{split}{kind}") for split in ("train", "dev"))
    return sources.from_files(Files(train=train, dev=dev, text=["t"], label="l"), names)


@pytest.mark.parametrize("name", sources.GLUE)
def test_the_hub_and_a_folder_give_the_same_examples_as_they_stand(name, glue, local_hub):
    task = sources.from_folder(name, glue)
    assert task == sources.from_hub(name)
    for found, rows in zip((task.train, task.dev), HUB_FILES[name][1:], strict=True):
        assert found == [(tuple(text), label) for *text, label in rows if label >= 0]


def test_hostile_text_windows_line_ends_a_byte_order_mark_and_another_folder_name_change_nothing(glue):
    unusual = "\u202eright to left\u2028one line\x85still one\x0b\x0c\x1c nul\x00byte"
    texts = ['"unbalanced', unusual, " ends "]
    lines = ["\ufeffsentence\tlabel", *(f"{text}\t0" for text in texts), ""]
    (glue / "SST-2" / "train.tsv").write_text("\r\n".join(lines), "utf-8", newline="")
    (glue / "SST-2").rename(glue / "sst-2")
    assert [text for (text,), _ in sources.from_folder("sst2", glue).train] == texts


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "parts"),
    [
        ("sst2", "SST-2/dev.tsv", "sentence", "sent\x1b[2Jence", ["'sentence' is missing"]),
        ("rte", "RTE/train.tsv", "1\td", "\n1", ["line 4", "3 fields", "header has 4"]),
        ("sst2", "SST-2/dev.tsv", "\t1", "\t\x1b[31m\u202e../0", ["line 2", "unknown label", "'0', '1'"]),
        ("sst2", "SST-2/dev.tsv", "007\t1\n", "", ["no labelled example"]),
        ("rte", "RTE/dev.tsv", "f\tg", "caf\udce9\tg", ["line 2: not UTF-8: save"]),
    ],
)
def test_a_broken_file_is_named_with_its_line(glue, name, file, old, new, parts):
    text = (glue / file).read_text("utf-8")
    assert old in text
    (glue / file).write_bytes(text.replace(old, new).encode(errors="surrogateescape"))
    with refused(str(glue / file), *parts):
        sources.from_folder(name, glue)


def test_what_is_missing_is_named_with_what_is_there_or_the_way_round(glue, local_hub, tmp_path):
    (glue / "MNLI/dev_matched.tsv").unlink()
    with refused(r"dev_matched\.tsv cannot be read: No such file"):
        sources.from_folder("mnli", glue)
    (glue / "RTE").rename(glue / "WNLI")
    with refused("has no folder 'RTE'; it holds 'MNLI', 'MRPC', 'SST-2', 'WNLI'"):
        sources.from_folder("rte", glue)
    next((tmp_path / "nyu-mll" / "glue" / "rte").glob("validation*")).unlink()
    with refused("glue cannot be read .*; give data_dir"):
        sources.from_hub("rte")


def test_a_hub_out_of_reach_names_the_way_round(monkeypatch):
    monkeypatch.setattr(sources, "HUB", "nyu-mll/not-a-data-set")
    with hub.left_alone(), refused("cannot be had.*data_dir.*MNLI/train.tsv and MNLI/dev_matched.tsv"):
        sources.from_hub("mnli")


ROWS = [{"t": 'a "quoted", text', "l": "10"}, {"t": "NA", "l": "9"}, {"t": "007", "l": "9"}]
LINES = "\n".join(map(json.dumps, ROWS))
CSV = '"t","l"\n"a ""quoted"", text","10"\n"NA","9"\n"007","9"\n'
TSV = CSV.replace('","', '"\t"')


@pytest.mark.parametrize(
    ("kind", "content"),
    [(".csv", CSV), (".tsv", TSV), (".json", json.dumps(ROWS)), (".json", LINES), (".jsonl", LINES)],
)
def test_a_users_files_give_text_and_labels_as_they_stand(tmp_path, kind, content):
    """Whole numbers come in their order, not "10" before "9". `Dataset.to_json` writes lines."""
    task = own(tmp_path, kind, content)
    assert task.labels == ("9", "10")
    assert task.train == task.dev == [(('a "quoted", text',), 1), (("NA",), 0), (("007",), 0)]


@pytest.mark.parametrize(
    ("kind", "content", "parts"),
    [
        (".csv", "t,l\na,1\nb\n", ["line 3", "1 fields", "header has 2"]),
        (".csv", 't,l\na,1\n"b"x,2\n', ["line 3"]),
        (".csv", "t,m\na,1\n", ["'l'", "'t', 'm'"]),
        (".csv", "t,l\na,1\nb,1\n", ["'l'", "fewer than two labels"]),
        (".csv", "", ["is empty"]),
        (".tsv", 't\tl\n"a\t1\nb"\t2\t3\n', ["line 3", "3 fields"]),
        (".json", '{"t": {"0": "a"}, "l": {"0": 1}}', ["line 1", "'t'", "no text"]),
        (".json", '[{"t": "a", "l": 1}, {"t": "b"}]', ["record 2", "'l'", "'t'"]),
        (".json", '[{"t": "a", "l": 1}, 5]', ["record 2: 5 is no object"]),
        (".json", "[" * 100_000, ["neither a list of objects"]),
        (".jsonl", '{"t": "a", "l": 1}\n{"t": 5, "l": 1}\n', ["line 2", "'t'", "5"]),
        (".jsonl", '\n{"t": "b", "l": 0.5}\n', ["line 2", "'l'", "0.5, which is no text or whole number"]),
        (".jsonl", '{"t": "a", "l": 1}\n{"t": "\\ud800", "l": 1}\n', ["line 2", "'t'"]),
        (".jsonl", '{"t": "a"\n', ["line 1", "nor one object a line"]),
        (".xlsx", "", [".csv, .tsv, .json or .jsonl"]),
    ],
)
def test_a_users_broken_file_is_named_with_its_line(tmp_path, kind, content, parts):
    with refused(str(tmp_path / f"train{kind}"), *parts):
        own(tmp_path, kind, content)


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('t\tl\n"one\t0\ntwo"\t1\nthree\t0\nfour\t1\n', ['"one', 'two"', "three", "four"]),
        ('t\tl\n"Yes."\t0\r\nhe said "no"\t1\r\n', ['"Yes."', 'he said "no"']),  # marks stand in the text
        ('"t"\t"l"\n"one"\t"0"\n"two"\t"1"\n', ["one", "two"]),  # all is framed
        ('t\tl\n"say ""a"" now"\t0\nb\t1\n', ['say "a" now', "b"]),  # marks within are doubled
        ('t\tl\n"one\ttwo"\t0\n"three\nfour"\t1\n', ["one\ttwo", "three\nfour"]),  # else the lines do not fit
    ],
)
def test_quotation_marks_of_a_tsv_are_text_unless_they_plainly_frame(tmp_path, content, texts):
    assert own(tmp_path, ".tsv", content).train == [((text,), i % 2) for i, text in enumerate(texts)]


def test_labels_are_words_or_whole_numbers_that_the_model_and_the_train_file_know(tmp_path):
    """Names of classes that are not different are not used. A text may be a document."""
    long, two = "word " * 40_000, "t,l\na,x\nb,y\n"
    assert own(tmp_path, ".csv", f"t,l\n{long},pos\n,neg\n,-\n").labels == ("-", "neg", "pos")
    numbers = own(tmp_path, ".csv", f"t,l\n{long},1\n,-1\n,-10\n")
    assert (numbers.labels, numbers.train[0]) == (("-10", "-1", "1"), ((long,), 2))
    assert own(tmp_path, ".csv", "t,l\na,--1\nb,1\n").labels == ("--1", "1")
    assert own(tmp_path, ".csv", two, names=["y", "x"]).train == [(("a",), 1), (("b",), 0)]
    with refused("write these or their numbers, 0 to 2"):
        own(tmp_path, ".csv", two, names=["x", "y", "x"])
    with refused("dev.csv, line 2: unknown label 'z'; allowed: 'x', 'y'"):
        own(tmp_path, ".csv", two, "t,l\na,z\n")


@pytest.mark.skipif(not SHARED_GLUE.is_dir(), reason="no ../shared/data/glue beside the repository")
def test_the_real_data_sets_are_read_whole():
    """The sizes are those that the folder's README states."""
    sizes = {"mrpc": (3668, 408), "rte": (2490, 277), "sst2": (67349, 872), "mnli": (8999, 1000)}
    for name, size in sizes.items():
        task = sources.from_folder(name, SHARED_GLUE)
        assert (len(task.train), len(task.dev)) == size
        assert {label for _, label in task.dev} == set(range(len(task.labels)))
        assert all(sentence for text, _ in [*task.train, *task.dev] for sentence in text)
