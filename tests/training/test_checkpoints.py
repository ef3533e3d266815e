"""Checkpoints as they are found: their order, their encoder to the bit, the classes that their labels mean."""

import json
import shutil
import sys
from pathlib import Path

import peft
import pytest
import torch
import transformers as hf
from networks import MODELS, make_model, save_masked_words
from own_case import edit_config, refused, save_training, write_examples

from landscape_utils import ParameterSpace, in_order, load_profile, read_task
from landscape_utils.training import checkpoints, models
from landscape_utils.training.checkpoints import by_name, classifier, differing, evaluations, theta_of
from landscape_utils.training.demo_language import make_tokenizer


def read(folders, files, **changes):
    options = {"train": str(files[0]), "dev": str(files[1]), "text": ["text"], "label": "tone"} | changes
    return read_task(folders, load_profile("demo"), **options)


def tokens(task):
    return [example["input_ids"] for example in task.train]


def test_checkpoints_come_in_the_order_of_their_numbers_and_trainings_have_names(tmp_path, monkeypatch):
    """Names without a number stand at the ends or have no place. As texts, 180 would be before 90. A folder may be
    called as a training is."""
    run = [f"run-7/checkpoint-{end}" for end in ("init", 0, 90, 180, "final")]
    others = ("other/checkpoint-best", "other/checkpoint-1", "odd/epoch-2", "odd/checkpoint-90")
    named = ("named/checkpoint-100", "named/checkpoint-200", "named/sst2-final")  # its number is of the task
    fast, slow = ([tmp_path / name / f"checkpoint-{n}" for n in (9, 10)] for name in ("lr=3e-5", "a[1]"))
    for name in ("start/checkpoint-0", *run, *others, *named, *fast, *slow):
        (tmp_path / name).mkdir(parents=True)
        for file in ("config.json", "model.safetensors"):
            (tmp_path / name / file).touch()

    monkeypatch.chdir(tmp_path)
    found = in_order("start/checkpoint-0, run-*/checkpoint-*")
    assert found == [tmp_path / name for name in ("start/checkpoint-0", *run)]
    assert in_order(f"{tmp_path}/run-7/*-90") == [tmp_path / "run-7/checkpoint-90"]
    assert in_order("named/*") == [tmp_path / name for name in named]
    for pattern, odd in (("other/*", "checkpoint-best"), ("odd/*", "(epoch-2|checkpoint-90)")):
        with refused(rf"where does '{odd}' belong\?"):
            in_order(pattern)
    with refused("name one of the folders in it: checkpoint-1, checkpoint-best$"):
        in_order("other")
    with refused("no checkpoints"):
        in_order(" , ")

    assert by_name("lr=3e-5/*") == {"pretrained": fast}
    two = by_name("fast=lr=3e-5/*; slow = a[1]/checkpoint-9")
    assert two == {"fast": fast, "slow": [Path("a[1]/checkpoint-9")]}
    for wrong in ("fast=lr=3e-5/*; a[1]/checkpoint-9", "x=lr=3e-5/*; x=lr=3e-5/*"):
        with refused("several trainings need a name each"):
            by_name(wrong)
    monkeypatch.chdir(tmp_path / "a[1]")
    assert in_order("checkpoint-*") == slow


@pytest.mark.parametrize("kind", MODELS)
def test_the_encoder_is_read_to_the_bit(tmp_path, kind):
    model = make_model(kind, seed=3)
    model.save_pretrained(tmp_path)
    theta = ParameterSpace(model).read()
    assert torch.equal(theta_of(tmp_path, 3, len(theta)), theta)
    assert classifier(tmp_path, 3)[1]
    with refused(r"of the last checkpoint 10: a landscape is of one network"):
        theta_of(tmp_path, 3, 10)


def save_lora(kind: str, folder: Path, **options) -> torch.nn.Module:
    """An adapter of three classes as `peft` saves it, in `lora`, its base in `base`; the model that was saved."""
    make_model(kind, num_labels=2).base_model.save_pretrained(folder / "base")
    base = hf.AutoModelForSequenceClassification.from_pretrained(folder / "base", num_labels=3)
    lora = peft.LoraConfig(task_type="SEQ_CLS", init_lora_weights=False, **options)
    model = peft.get_peft_model(base, lora)
    model.save_pretrained(folder / "lora")
    return model.eval()


def test_a_head_of_another_task_or_in_part_does_not_matter_but_is_none(tmp_path):
    model = make_model("roberta", num_labels=5)
    model.save_pretrained(tmp_path / "other")
    found, whole = classifier(tmp_path / "other", 3)
    assert torch.equal(ParameterSpace(found).read(), ParameterSpace(model).read())
    assert not whole
    save_masked_words("roberta", tmp_path / "words")
    heads = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        heads.append(classifier(tmp_path / "words", 3)[0].classifier.out_proj.weight)
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*heads), "a head that is not there is the same one every time"
    # peft saves DistilBERT's last layer and not the one before it, which the library would draw anew.
    save_lora("distilbert", tmp_path, target_modules=["q_lin", "v_lin"])
    assert not classifier(tmp_path / "lora", 3)[1]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda file: file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
        (lambda file: file.write_bytes(file.read_bytes()[:-100]), "weights are damaged or cut off"),
        (lambda file: file.rename(file.with_suffix(".bin")), "can run code and is not read"),
        (lambda file: edit_config(file.parent, hidden_size=48), "lacks weights .* or .* another size"),
        # BERT's checkpoints of masked words have no pooler: it would be drawn at random.
        (lambda file: save_masked_words("bert", file.parent), r"lacks weights of .*bert\.pooler"),
    ],
)
def test_weights_that_are_not_whole_are_refused_in_one_line(tmp_path, damage, words):
    make_model().save_pretrained(tmp_path)
    damage(tmp_path / "model.safetensors")
    with refused(words):
        classifier(in_order(str(tmp_path))[0], 3)


def test_a_lora_folder_is_merged_while_reading_and_knows_its_task(tmp_path, monkeypatch):
    """Against peft's own unmerged forward: float32 rounding of two matrix products that became one."""
    model, base, folder = save_lora("bert", tmp_path), tmp_path / "base", tmp_path / "lora"
    assert in_order(str(folder)) == [folder]
    merged, whole = classifier(folder, 3)
    ids = torch.tensor([[5, 6, 7, 8]])
    torch.testing.assert_close(merged(ids).logits, model(ids).logits, rtol=0, atol=1e-6)
    assert (whole, type(merged)) == (True, hf.BertForSequenceClassification)
    start, has_head = classifier(base, 3)
    assert (has_head, ParameterSpace(start).size) == (False, ParameterSpace(merged).size)
    rows = tmp_path / "rows.csv"
    rows.write_text("text,tone\nthe kind horse,0\nthe fast ship,1\nthe sad cook,2\n")
    with refused("no tokenizer"):
        read([base, folder], (rows, rows))
    make_tokenizer().save_pretrained(base)
    assert read([base, folder], (rows, rows)).labels == ("0", "1", "2")
    before = models.weights_checksum(folder)
    edit_config(base, hidden_act="relu")
    assert models.weights_checksum(folder) != before
    monkeypatch.setitem(sys.modules, "peft", None)
    with refused(r"pip install landscape_utils\[lora\], or save the merged model"):
        classifier(folder, 3)


def test_an_adapter_that_is_damaged_or_does_not_fit_or_lies_beside_a_model_is_refused(tmp_path):
    save_lora("bert", tmp_path)
    folder, weights = tmp_path / "lora", tmp_path / "lora" / "adapter_model.safetensors"
    make_model("bert", hidden_size=16, num_labels=3).save_pretrained(tmp_path / "base")
    with refused("lora does not fit the model that it names as its base: .*size mismatch"):
        classifier(folder, 3)
    weights.write_bytes(weights.read_bytes()[:-1])
    with refused("lora': its weights are damaged or cut off"):
        checkpoints.configuration(folder)
    shutil.copy(tmp_path / "base" / "model.safetensors", folder)
    with refused("holds a whole model and an adapter: move one of them away"):
        models.folder_of(str(folder))


def test_labels_mean_the_classes_of_the_model(tmp_path):
    """Their numbers follow the model, not the alphabet; some models count their classes from 1."""
    folders, files = save_training(tmp_path / "run"), write_examples(tmp_path)
    task, text = read(folders, files), Path(files[0]).read_text()
    assert (task.name, task.labels) == ("reviews", ("negative", "positive"))
    written = [line.rsplit(",", 1)[1] for line in text.splitlines()[1:]]
    assert [task.labels[example["labels"]] for example in task.train] == written
    edit_config(folders[-1], id2label={"1": "negative", "2": "positive"})
    assert read(folders, files).checksum == task.checksum
    for path in map(Path, files):
        path.write_text(path.read_text().replace("negative", "1").replace("positive", "0"))
    numbers = read(folders, files)
    assert [e["labels"] for e in numbers.train] == [1 - e["labels"] for e in task.train]
    Path(files[0]).write_text(text.replace("positive", "good"))
    with refused(r"holds the labels \['good', 'negative'\]; the model's classes are \['neg"):
        read(folders, files)


def test_text_is_prepared_as_the_checkpoints_tokenizer_does(tmp_path):
    """Its special tokens act, and it cuts where it cut when it was saved, unless another length is given."""
    folders = save_training(tmp_path / "run", vocab_size=300)
    tokenizer = hf.AutoTokenizer.from_pretrained(folders[-1])
    tokenizer.add_special_tokens({"additional_special_tokens": ["[E1]"]})
    tokenizer("the", truncation=True, max_length=6)  # leaves the truncation in what is saved
    tokenizer.save_pretrained(folders[-1])
    files = write_examples(tmp_path)
    for path in map(Path, files):
        path.write_text(path.read_text().replace("the ", "[E1] the "))
    texts = [line.rsplit(",", 1)[0] for line in Path(files[0]).read_text().splitlines()[1:]]
    assert tokens(read(folders, files)) == tokenizer(texts, truncation=True, max_length=6)["input_ids"]
    assert tokens(read(folders, files, max_length=40)) == tokenizer(texts)["input_ids"]
    assert tokenizer.convert_tokens_to_ids("[E1]") in tokens(read(folders, files))[0]


@pytest.mark.parametrize(
    ("kind", "places", "limit", "length"), [("roberta", 10, 40, 8), ("modernbert", 900, 600, 600)]
)
def test_examples_are_cut_to_what_model_and_tokenizer_take(tmp_path, kind, places, limit, length):
    """RoBERTa counts its positions from behind the padding's; ModernBERT has none that would be a limit."""
    folders = save_training(tmp_path / "run", kind, checkpoints=1, max_position_embeddings=places)
    tokenizer = hf.AutoTokenizer.from_pretrained(folders[-1])
    tokenizer.model_max_length = limit
    tokenizer.save_pretrained(folders[-1])
    files = write_examples(tmp_path)
    Path(files[0]).write_text("text,tone\n" + "the " * 700 + ",positive\nthe,negative\n")
    assert len(tokens(read(folders, files))[0]) == length


def test_a_task_is_known_by_its_folder_or_is_the_profiles_and_one_text_names_its_columns(tmp_path):
    folders = save_training(tmp_path / "run")
    rows = tmp_path / "SST-2" / "train.csv"
    rows.parent.mkdir()
    rows.write_text("a,1,0\nthe horse,the ship,0\nthe cook,the pan,1\n")
    for text, columns in (("a, 1", 2), ("a", 1), (1, 1)):
        found = read(folders, (rows, rows), text=text, label="0")
        assert (found.name, len(found.train_text[0])) == ("sst2", columns)
    task = read_task(folders, load_profile("demo", tasks="sst2"))
    assert (task.name, len(task.train)) == ("sst2", 600)


def test_what_the_trainer_measured_of_a_checkpoint_is_read(tmp_path):
    """Of its own step, under any of the usual names; what is not there or not to be trusted is left out."""
    folder, run = tmp_path / "checkpoint-20", tmp_path / "run"
    folder.mkdir()
    own = [{"step": 20, "loss": 8.0}, {"step": 20, "eval_loss": 0.5, "eval_acc": 71.5}]
    log = [*own, {"step": 10, "eval_loss": 9.0}]
    state = {"global_step": 20, "log_history": log, "best_model_checkpoint": "checkpoint-10"}
    assert evaluations(folder) == {}
    (folder / "trainer_state.json").write_text(json.dumps(state))
    assert evaluations(folder) == {"loss": 0.5, "accuracy": 0.715}
    assert evaluations(folder.rename(run)) == {}, "it may hold the best, which is of step 10"
    (run / "trainer_state.json").write_text("{")
    assert evaluations(run) == {}


@pytest.mark.parametrize(("accuracy", "said"), [(0.7151, False), (0.72, True), (float("nan"), False)])
def test_a_line_says_so_where_the_two_differ_by_more_than_rounding_to_bfloat16(accuracy, said):
    line = differing("checkpoint-1", {"loss": 0.5, "accuracy": 0.715}, {"loss": 0.5001, "accuracy": accuracy})
    assert ("accuracy 0.715, here 0.72" in line) == said == bool(line)
