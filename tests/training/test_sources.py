"""Readers of tasks: the same examples from every source, and every broken file named with its line."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from landscape_utils.errors import UserError
from landscape_utils.names import task_key
from landscape_utils.profiles import Files
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
HUB_FILES = {  # the same examples as the hub gives them
    "mrpc": (
        ["sentence1", "sentence2"],
        [('He said " yes .', "She said no .", 1), ("A  b ", "C", 0)],
        [("x", "y", 0)],
    ),
    "rte": (["sentence1", "sentence2"], [("a b", "c", 1), ("d", "e", 0)], [("f", "g", 0)]),
    "sst2": (["sentence"], [("NA ", 0), ("good film ", 1)], [("007", 1)]),
    "mnli": (["premise", "hypothesis"], [("p", "h", 1), ("q", "i", -1), ("r", "j", 0)], [("s", "k", 2)]),
}


@pytest.fixture
def glue(tmp_path) -> Path:
    """Four small data sets in the GLUE layout."""
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
        dev = "validation_matched" if name == "mnli" else "validation"
        files = []
        for split, rows in zip(("train", dev), splits, strict=True):
            table = dict(zip([*columns, "label"], map(list, zip(*rows, strict=True)), strict=True))
            table["idx"] = list(range(len(rows)))
            path = root / name / f"{split}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            datasets.Dataset.from_dict(table).to_parquet(str(path))
            files.append(f"  - split: {split}\n    path: {name}/{split}.parquet")
        configs.append(f"- config_name: {name}\n  data_files:\n" + "\n".join(files))
    (root / "README.md").write_text("---\nconfigs:\n" + "\n".join(configs) + "\n---\n", "utf-8")
    monkeypatch.setattr(hub, "fetched", lambda name, *_: root)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def the_line(read, *args) -> str:
    with pytest.raises(UserError) as caught:
        read(*args)
    message = str(caught.value)
    assert "\n" not in message
    return message


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_a_folder_gives_the_sentences_as_they_stand(glue):
    mrpc = sources.from_folder("mrpc", glue)
    assert mrpc.train == [(('He said " yes .', "She said no ."), 1), (("A  b ", "C"), 0)]
    assert mrpc.dev == [(("x", "y"), 0)]
    assert sources.from_folder("rte", glue).train == [(("a b", "c"), 1), (("d", "e"), 0)]
    assert sources.from_folder("sst2", glue).dev == [(("007",), 1)]


def test_rows_without_a_gold_label_are_left_out(glue):
    mnli = sources.from_folder("mnli", glue)
    assert mnli.train == [(("p", "h"), 1), (("r", "j"), 0)]
    assert mnli.dev == [(("s", "k"), 2)]


@pytest.mark.parametrize("name", sources.GLUE)
def test_the_hub_and_a_folder_give_the_same_examples(name, glue, local_hub):
    assert sources.from_hub(name) == sources.from_folder(name, glue)


def test_windows_line_ends_a_byte_order_mark_and_other_folder_names_change_nothing(glue):
    expected = sources.from_folder("sst2", glue)
    for path in (glue / "SST-2").iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    (glue / "SST-2").rename(glue / "sst-2")
    assert sources.from_folder("sst2", glue) == expected


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "parts"),
    [
        ("mrpc", "MRPC/train.tsv", "#2 String", "second", ["'#2 String'", "'#1 String', 'second'"]),
        ("rte", "RTE/dev.tsv", "\tlabel", "\tgold", ["'label'", "'sentence2', 'gold'"]),
        ("mrpc", "MRPC/train.tsv", "\tC\n", "\n", ["line 3", "4 fields", "header has 5"]),
        ("sst2", "SST-2/train.tsv", "good", "go\tod", ["line 3", "3 fields", "header has 2"]),
        ("rte", "RTE/train.tsv", "1\td", "\n1", ["line 4", "3 fields", "header has 4"]),
        ("rte", "RTE/train.tsv", "not_entailment", "maybe", ["line 2", "'maybe'", "'entailment'", "'not_entailment'"]),
        ("sst2", "SST-2/dev.tsv", "\t1", "\t2", ["line 2", "'2'", "'0', '1'"]),
        ("sst2", "SST-2/dev.tsv", "007\t1\n", "", ["no labelled example"]),
    ],
)  # fmt: skip
def test_a_broken_file_is_named_with_its_line(glue, name, file, old, new, parts):
    replace(glue / file, old, new)
    line = the_line(sources.from_folder, name, glue)
    assert str(glue / file) in line
    assert all(part in line for part in parts), line


def test_bytes_that_are_no_text_are_named_with_their_line(glue):
    path = glue / "RTE/dev.tsv"
    path.write_bytes(path.read_bytes() + b"1\tcaf\xe9\tb\tentailment\n")
    assert f"{path}, line 3: not UTF-8" in the_line(sources.from_folder, "rte", glue)


def test_what_is_missing_is_named_with_what_is_there(glue, tmp_path):
    (glue / "MNLI/dev_matched.tsv").rename(glue / "MNLI/dev_mismatched.tsv")
    line = the_line(sources.from_folder, "mnli", glue)
    assert "dev_matched.tsv cannot be read: No such file" in line
    (glue / "RTE").rename(glue / "WNLI")
    line = the_line(sources.from_folder, "rte", glue)
    assert all(part in line for part in [repr(str(glue)), "'RTE'", "'MNLI', 'MRPC', 'SST-2', 'WNLI'"])
    assert "nowhere' has no folder 'RTE'; it holds nothing" in the_line(
        sources.from_folder, "rte", tmp_path / "nowhere"
    )


def test_a_hub_out_of_reach_names_the_way_round(monkeypatch):
    monkeypatch.setattr(sources, "HUB", "nyu-mll/not-a-data-set")
    with hub.left_alone():
        line = the_line(sources.from_hub, "mnli")
    assert all(
        part in line for part in ["cannot be had", "data_dir", "MNLI/train.tsv", "MNLI/dev_matched.tsv"]
    )


ROWS = [
    {"review": 'a "quoted", text', "stars": "10"},
    {"review": "NA", "stars": "9"},
    {"review": "007", "stars": "9"},
]


def write_rows(path: Path, rows: list[dict]) -> str:
    """Rows as a CSV, TSV, JSON or JSONL file; every field of the first two is quoted."""
    mark = {".csv": ",", ".tsv": "\t"}.get(path.suffix)
    if mark:
        lines = [list(rows[0]), *(list(row.values()) for row in rows)]
        quoted = [mark.join('"' + str(field).replace('"', '""') + '"' for field in line) for line in lines]
        path.write_text("\n".join(quoted) + "\n", "utf-8")
    elif path.suffix == ".json" and not path.stem.endswith("lines"):  # `Dataset.to_json` writes lines
        path.write_text(json.dumps(rows), "utf-8")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".json", ".jsonl", "lines.json"])
def test_a_users_files_give_text_and_labels_as_they_stand(tmp_path, kind):
    train, dev = (write_rows(tmp_path / f"{split}{kind}", ROWS) for split in ("train", "dev"))
    own = sources.from_files(Files(train=train, dev=dev, text=["review"], label="stars"))
    assert own.labels == ("9", "10")  # whole numbers in their order, not "10" before "9"
    assert own.train == own.dev == [(('a "quoted", text',), 1), (("NA",), 0), (("007",), 0)]


def test_labels_of_a_users_files_may_be_words_or_whole_numbers(tmp_path):
    def labels(*values):
        path = write_rows(tmp_path / "rows.json", [{"t": "x", "l": value} for value in values])
        return sources.from_files(Files(train=path, dev=path, text=["t"], label="l")).labels

    assert labels("pos", "neg", "-") == ("-", "neg", "pos")
    assert labels(1, -1, 0) == ("-1", "0", "1")


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
        (".json", '[{"t": "a", "l": 1}, 5]', ["record 2", "no object"]),
        (".json", "[" * 100_000, ["no list of objects"]),
        (".jsonl", '{"t": "a", "l": 1}\n{"t": 5, "l": 1}\n', ["line 2", "'t'", "5"]),
        (".jsonl", '{"t": "a", "l": 1}\n{"t": "b", "l": 0.5}\n', ["line 2", "'l'", "0.5"]),
        (".jsonl", '{"t": "a", "l": 1}\n{"t": "\\ud800", "l": 1}\n', ["line 2", "'t'"]),
        (".jsonl", '{"t": "a"\n', ["line 1", "not one object a line"]),
        (".xlsx", "", [".csv, .tsv, .json or .jsonl"]),
    ],
)
def test_a_users_broken_file_is_named_with_its_line(tmp_path, kind, content, parts):
    path = tmp_path / f"rows{kind}"
    path.write_text(content, "utf-8")
    line = the_line(sources.from_files, Files(train=str(path), dev=str(path), text=["t"], label="l"))
    assert str(path) in line
    assert all(part in line for part in parts), line


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('t\tl\n"one\t0\ntwo"\t1\nthree\t0\nfour\t1\n', ['"one', 'two"', "three", "four"]),
        (
            't\tl\n"Yes."\t0\r\nhe said "no"\t1\r\n',
            ['"Yes."', 'he said "no"'],
        ),  # marks that stand in the text
        ('"t"\t"l"\n"one"\t"0"\n"two"\t"1"\n', ["one", "two"]),  # all is framed
        ('t\tl\n"say ""a"" now"\t0\nb\t1\n', ['say "a" now', "b"]),  # marks within are doubled
        ('t\tl\n"one\ttwo"\t0\n"three\nfour"\t1\n', ["one\ttwo", "three\nfour"]),  # else the lines do not fit
    ],
)
def test_quotation_marks_of_a_tsv_are_text_unless_they_plainly_frame(tmp_path, content, texts):
    path = tmp_path / "rows.tsv"
    path.write_text(content, "utf-8", newline="")
    found = sources.from_files(Files(train=str(path), dev=str(path), text=["t"], label="l"))
    assert found.train == [((text,), i % 2) for i, text in enumerate(texts)]


def test_a_field_may_be_a_document(tmp_path):
    long = "word " * 40_000
    path = write_rows(tmp_path / "rows.csv", [{"t": long, "l": "x"}, {"t": "b", "l": "y"}])
    assert sources.from_files(Files(train=path, dev=path, text=["t"], label="l")).train[0] == ((long,), 0)


def test_names_of_classes_that_are_not_different_are_not_used(tmp_path):
    path = write_rows(tmp_path / "rows.csv", [{"t": "a", "l": "x"}, {"t": "b", "l": "y"}])
    files = Files(train=path, dev=path, text=["t"], label="l")
    assert sources.from_files(files, ["y", "x"]).train == [(("a",), 1), (("b",), 0)]
    assert "write these or their numbers, 0 to 2" in the_line(sources.from_files, files, ["x", "y", "x"])


def test_a_dev_label_that_train_does_not_know(tmp_path):
    train = write_rows(tmp_path / "train.csv", [{"t": "a", "l": "x"}, {"t": "b", "l": "y"}])
    dev = write_rows(tmp_path / "dev.csv", [{"t": "a", "l": "z"}])
    line = the_line(sources.from_files, Files(train=train, dev=dev, text=["t"], label="l"))
    assert all(part in line for part in ["dev.csv, line 2", "'z'", "'x', 'y'"])
    assert "cannot be read" in the_line(
        sources.from_files, Files(train=train, dev=str(tmp_path / "no.csv"), text=["t"], label="l")
    )


@pytest.mark.skipif(not SHARED_GLUE.is_dir(), reason="no ../shared/data/glue beside the repository")
@pytest.mark.parametrize(
    ("name", "train", "dev"),
    [("MRPC", 3668, 408), ("RTE", 2490, 277), ("SST-2", 67349, 872), ("MNLI", 8999, 1000)],
)
def test_the_real_data_sets_are_read_whole(name, train, dev):
    """The sizes are those that the folder's README states."""
    task = sources.from_folder(task_key(name), SHARED_GLUE)
    assert (len(task.train), len(task.dev)) == (train, dev)
    for split in (task.train, task.dev):
        assert {label for _, label in split} == set(range(len(task.labels)))
        assert all(sentence for text, _ in split for sentence in text)
