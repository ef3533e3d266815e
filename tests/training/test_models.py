"""Models at theta_0: what the encoder depends on, where models come from, and every refusal in one line."""

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from networks import MODELS, make_model, save_masked_words
from own_case import edit_config, refused
from safetensors.torch import load_file, save_file

from landscape_utils.engine.space import ParameterSpace
from landscape_utils.names import HOWS
from landscape_utils.profiles.profile import ModelSpec
from landscape_utils.training import finetune, hub, models
from landscape_utils.training.demo_language import make_tokenizer
from landscape_utils.training.models import MINILM_SHA256, build_model, load_tokenizer, model_checksum


def spec(source, **changes) -> ModelSpec:
    return ModelSpec(source=str(source), max_length=40, **changes)


def theta(model) -> torch.Tensor:
    return ParameterSpace(model).read()


@pytest.fixture
def checkpoint(tmp_path):
    """A pre-trained masked-language model without a pooler, as BERT's own checkpoints for it are."""
    save_masked_words("bert", tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("how", HOWS)
def test_theta_0_is_the_same_for_every_task(checkpoint, tmp_path, how):
    """Also what the checkpoint lacks, its pooler, is drawn before the head and not after."""
    two, three, again, other = (
        build_model(spec(checkpoint), labels, how, seed, tmp_path)
        for labels, seed in ((2, 5), (3, 5), (2, 5), (2, 6))
    )
    assert torch.equal(theta(two), theta(three))
    assert (two.classifier.out_features, three.classifier.out_features) == (2, 3)
    assert torch.equal(again.classifier.weight, two.classifier.weight)
    assert not torch.equal(other.classifier.weight, two.classifier.weight)
    assert not torch.equal(theta(other), theta(two))


@pytest.mark.parametrize("kind", MODELS)
def test_the_pretrained_encoder_is_the_checkpoints_in_float32(tmp_path, kind):
    made = make_model(kind, seed=2).half()
    made.save_pretrained(tmp_path)
    model, scratch = (build_model(spec(tmp_path), 2, how, 1, tmp_path) for how in HOWS)
    assert torch.equal(theta(model), theta(made.float()))
    assert theta(scratch).shape == theta(model).shape
    assert not torch.equal(theta(scratch), theta(model))
    assert {p.dtype for one in (model, scratch) for p in one.parameters()} == {torch.float32}


def test_from_scratch_is_the_standard_initialisation(tmp_path):
    """The demo draws its weights from N(0, 0.05^2): over 300,000 of them the deviation is known to 0.2 %."""
    before = torch.get_rng_state()
    model = build_model(spec("demo"), 2, "scratch", 0, tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    matrices = [p.flatten() for p in model.base_model.encoder.parameters() if p.ndim == 2]
    assert torch.cat(matrices).std().item() == pytest.approx(0.05, rel=0.01)
    assert list(tmp_path.iterdir()) == []  # it needs no pre-training
    assert theta(model).numel() == 562_944


def test_the_checksum_is_of_the_weights_and_the_configuration(checkpoint, tmp_path):
    """Another activation makes another model; who saved it, by which version of the library, does not."""
    found = [model_checksum(spec(checkpoint), tmp_path)]
    edit_config(checkpoint, transformers_version="0", _name_or_path="elsewhere")
    assert model_checksum(spec(checkpoint), tmp_path) == found[0]
    edit_config(checkpoint, hidden_act="relu")
    found.append(model_checksum(spec(checkpoint), tmp_path))
    weights = load_file(checkpoint / "model.safetensors")
    next(iter(weights.values())).flatten()[0] += 1
    save_file(weights, checkpoint / "model.safetensors", {"format": "pt"})
    assert len({*found, model_checksum(spec(checkpoint), tmp_path)}) == 3
    assert model_checksum(spec("minilm"), tmp_path) == MINILM_SHA256
    assert model_checksum(spec("demo"), tmp_path / "never")
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize("how", HOWS)
def test_a_module_that_was_never_trained_is_drawn_with_the_head_and_is_head(tmp_path, monkeypatch, how):
    made = make_model(seed=2)
    made.save_pretrained(tmp_path)
    fresh, plain = spec(tmp_path, fresh=["pooler"]), spec(tmp_path)
    two, three = (build_model(fresh, labels, how, 5, tmp_path) for labels in (2, 3))
    whole = build_model(plain, 2, how, 5, tmp_path)
    assert torch.equal(theta(two), theta(three))
    assert torch.equal(theta(two), theta(whole)[: theta(two).numel()])  # BERT's pooler is its last module
    drawn = two.bert.pooler.dense.weight
    assert torch.equal(drawn, three.bert.pooler.dense.weight)
    assert not torch.equal(drawn, made.bert.pooler.dense.weight)
    assert drawn.std().item() == pytest.approx(0.02, rel=0.2)  # of 576: known to 3 %
    parts = ("bert.pooler.dense", "classifier")
    assert set(finetune.head_of(two)) == {f"{part}.{kind}" for part in parts for kind in ("weight", "bias")}
    assert model_checksum(fresh, tmp_path) != model_checksum(plain, tmp_path)
    monkeypatch.setattr(models, "pretrained_folder", lambda *_: pytest.fail("pre-trained"))
    for source in (tmp_path, "demo"):
        with refused(r"has no module 'pool' to draw anew; it has embeddings, encoder, pooler"):
            build_model(spec(source, fresh=["pool"]), 2, how, 5, tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"intermediate_size": 40}, r"is not of the size that config\.json says"),
        ({"hidden_size": "x"}, "cannot be used as a classifier: ."),
        ({"hidden_act": "none such"}, "cannot be used as a classifier: ."),
        ({"model_type": "none such"}, "cannot be used as a classifier: ."),
        ({"model_type": "vit"}, "cannot be used as a classifier: .*ViT"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(checkpoint, tmp_path, change, words):
    edit_config(checkpoint, **change)
    with refused(words):
        build_model(spec(checkpoint), 2, "pretrained", 0, tmp_path)


def test_a_folder_without_a_tokenizer_is_refused_and_not_given_one_that_knows_no_word(tmp_path):
    make_model().save_pretrained(tmp_path)
    with refused("holds no tokenizer, or one without words: save it there"):
        load_tokenizer(spec(tmp_path), tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    assert "horse" in load_tokenizer(spec(tmp_path), tmp_path).get_vocab()


@pytest.mark.parametrize("mistake", [RuntimeError("mat1 and mat2 shapes"), TypeError("no such argument")])
def test_a_programmers_mistake_is_not_retold_as_a_models(mistake):
    with pytest.raises(type(mistake)), models.reading("model"):
        raise mistake


@pytest.mark.parametrize(
    ("source", "how", "words"),
    [
        ("minilm", "pretrained", r"local folder.*landscape_utils\[minilm\].*data_dir"),
        ("../no/such folder", "pretrained", "neither a folder nor a name on the hub"),
        ("demo", "warm", "'warm'.*pretrained, scratch"),
    ],
)
def test_a_model_that_cannot_be_had_is_told_with_the_ways_round_it(tmp_path, monkeypatch, source, how, words):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda name: None)  # the extra is not installed
    with hub.left_alone(), refused(words):
        build_model(spec(source), 2, how, 0, tmp_path)


def test_minilm_with_other_weights_is_refused(checkpoint, tmp_path, monkeypatch):
    package = tmp_path / "site" / models.MINILM_PACKAGE
    shutil.copytree(checkpoint, package / "model")
    (package / "__init__.py").write_text("raise RuntimeError('its code is never run')")
    monkeypatch.syspath_prepend(package.parent)
    with refused(f"has sha256 [0-9a-f]{{64}}, the published one is {MINILM_SHA256}"):
        build_model(spec("minilm"), 2, "pretrained", 0, tmp_path)


def test_mpnet_is_unpacked_from_the_pieces_in_its_five_packages(checkpoint, tmp_path, monkeypatch):
    whole = Path(shutil.make_archive(str(tmp_path / "whole"), "zip", tmp_path, "model")).read_bytes()
    size = len(whole) // 5 + 1
    for i, package in enumerate(models.MPNET_PACKAGES):
        piece = tmp_path / "site" / package / "input" / f"all-mpnet-base-v2.zip.00{i + 1}"
        piece.parent.mkdir(parents=True)
        piece.write_bytes(whole[i * size : (i + 1) * size])
    monkeypatch.setattr("sys.path", [str(tmp_path / "site")])
    weights = (checkpoint / "model.safetensors").read_bytes()
    monkeypatch.setitem(models.PUBLISHED, "mpnet", hashlib.sha256(weights).hexdigest())
    folder = models.locate(spec("mpnet"), tmp_path / "cache")
    assert (folder / "model.safetensors").read_bytes() == weights
    assert (folder / "config.json").read_bytes() == (checkpoint / "config.json").read_bytes()
