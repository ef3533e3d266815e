"""Models at theta_0: what the encoder depends on, where models come from, and every refusal in one line."""

from __future__ import annotations

import shutil

import pytest
import torch
import transformers as hf
from networks import MODELS, make_model
from own_case import edit_config
from safetensors.torch import load_file, save_file

from landscape_utils.engine.space import ParameterSpace
from landscape_utils.errors import UserError
from landscape_utils.names import HOWS
from landscape_utils.profiles import ModelSpec
from landscape_utils.training import models
from landscape_utils.training.demo_language import make_tokenizer
from landscape_utils.training.finetune import head_of
from landscape_utils.training.models import (
    MINILM_SHA256,
    build_model,
    load_tokenizer,
    model_checksum,
    reading,
)

DEMO = ModelSpec(source="demo", max_length=40)


def spec(source) -> ModelSpec:
    return ModelSpec(source=str(source), max_length=40)


def theta(model) -> torch.Tensor:
    return ParameterSpace(model).read()


@pytest.fixture
def checkpoint(tmp_path):
    """A pre-trained masked-language model without a pooler, as BERT's own checkpoints for it are."""
    config, _, settings = MODELS["bert"]
    hf.BertForMaskedLM(config(**settings)).save_pretrained(tmp_path / "model")
    make_tokenizer().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("how", HOWS)
def test_theta_0_is_the_same_for_every_task(checkpoint, tmp_path, how):
    """Also what the checkpoint lacks, its pooler, is drawn before the head and not after."""
    two, three = (build_model(spec(checkpoint), labels, how, 5, tmp_path) for labels in (2, 3))
    assert torch.equal(theta(two), theta(three))
    assert two.classifier.out_features == 2
    assert three.classifier.out_features == 3
    again = build_model(spec(checkpoint), 2, how, 5, tmp_path)
    assert torch.equal(again.classifier.weight, two.classifier.weight)
    other = build_model(spec(checkpoint), 2, how, 6, tmp_path)
    assert not torch.equal(other.classifier.weight, two.classifier.weight)
    assert not torch.equal(theta(other), theta(two))


@pytest.mark.parametrize("kind", MODELS)
def test_the_pretrained_encoder_is_the_checkpoints(tmp_path, kind):
    made = make_model(kind, seed=2)
    made.save_pretrained(tmp_path)
    for seed in (0, 1):
        model = build_model(spec(tmp_path), 2, "pretrained", seed, tmp_path)
        assert torch.equal(theta(model), theta(made))
        assert model.config.num_labels == 2
    scratch = build_model(spec(tmp_path), 2, "scratch", 0, tmp_path)
    assert theta(scratch).shape == theta(made).shape
    assert not torch.equal(theta(scratch), theta(made))


def test_from_scratch_is_the_standard_initialisation(tmp_path):
    """The demo draws its weights from N(0, 0.05^2): over 300,000 of them the deviation is known to 0.2 %."""
    model = build_model(DEMO, 2, "scratch", 0, tmp_path)
    matrices = [p.flatten() for p in model.base_model.encoder.parameters() if p.ndim == 2]
    assert torch.cat(matrices).std().item() == pytest.approx(0.05, rel=0.01)
    assert list(tmp_path.iterdir()) == []  # it needs no pre-training
    assert theta(model).numel() == 562_944


def test_the_callers_random_numbers_are_left_alone(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    build_model(DEMO, 2, "scratch", 0, tmp_path)
    assert torch.equal(torch.rand(1), expected)


def test_a_half_precision_checkpoint_is_read_in_float32(checkpoint, tmp_path):
    weights = load_file(checkpoint / "model.safetensors")
    save_file({n: w.half() for n, w in weights.items()}, checkpoint / "model.safetensors", {"format": "pt"})
    model = build_model(spec(checkpoint), 2, "pretrained", 0, tmp_path)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_a_tokenizer_comes_with_its_model(checkpoint, tmp_path):
    sentence = "the kind horse grows well"
    expected = make_tokenizer()(sentence)["input_ids"]
    assert load_tokenizer(spec(checkpoint), tmp_path)(sentence)["input_ids"] == expected
    assert load_tokenizer(DEMO, tmp_path)(sentence)["input_ids"] == expected


def test_the_checksum_is_of_the_weights(checkpoint, tmp_path):
    before = model_checksum(spec(checkpoint), tmp_path)
    moved = shutil.copytree(checkpoint, tmp_path / "moved")
    assert model_checksum(spec(moved), tmp_path) == before
    weights = load_file(moved / "model.safetensors")
    next(iter(weights.values())).flatten()[0] += 1
    save_file(weights, moved / "model.safetensors", {"format": "pt"})
    assert model_checksum(spec(moved), tmp_path) != before
    assert model_checksum(spec("minilm"), tmp_path) == MINILM_SHA256
    assert model_checksum(DEMO, tmp_path / "never") == model_checksum(DEMO, tmp_path)
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize("how", HOWS)
def test_a_module_that_was_never_trained_is_drawn_with_the_head_and_is_head(tmp_path, refused, how):
    made = make_model(seed=2)
    made.save_pretrained(tmp_path / "model")
    fresh = ModelSpec(source=str(tmp_path / "model"), max_length=40, fresh=["pooler"])
    two, three = (build_model(fresh, labels, how, 5, tmp_path) for labels in (2, 3))
    whole = build_model(spec(tmp_path / "model"), 2, how, 5, tmp_path)
    names = [name for name in ParameterSpace(whole).names if not name.startswith("pooler.")]
    assert list(ParameterSpace(two).names) == names
    assert torch.equal(theta(two), theta(three))
    assert torch.equal(theta(two), theta(whole)[: theta(two).numel()])  # BERT's pooler is its last module
    assert torch.equal(two.bert.pooler.dense.weight, three.bert.pooler.dense.weight)
    assert not torch.equal(two.bert.pooler.dense.weight, made.bert.pooler.dense.weight)
    assert two.bert.pooler.dense.weight.std().item() == pytest.approx(0.02, rel=0.2)  # of 576: known to 3 %
    assert set(head_of(two)) == {
        f"{name}.{kind}" for name in ("bert.pooler.dense", "classifier") for kind in ("weight", "bias")
    }
    assert model_checksum(fresh, tmp_path) != model_checksum(spec(tmp_path / "model"), tmp_path)
    with refused(r"has no module 'pool' to draw anew; it has embeddings, encoder, pooler"):
        build_model(fresh.model_copy(update={"fresh": ["pool"]}), 2, how, 5, tmp_path)


# Refusals


def test_an_unknown_way_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"'warm'.*pretrained, scratch"):
        build_model(DEMO, 2, "warm", 0, tmp_path)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_that_is_no_model_is_refused(checkpoint, tmp_path, missing):
    (checkpoint / missing).unlink()
    with pytest.raises(UserError, match=r"holds no .*(config\.json|safetensors).*save_pretrained"):
        build_model(spec(checkpoint), 2, "pretrained", 0, tmp_path)


def test_weights_that_do_not_fit_the_configuration_are_refused(checkpoint, tmp_path):
    edit_config(checkpoint, intermediate_size=40)
    with pytest.raises(UserError, match=r"is not of the size that config\.json says"):
        build_model(spec(checkpoint), 2, "pretrained", 0, tmp_path)


@pytest.mark.parametrize(
    "change", [{"hidden_size": "x"}, {"hidden_act": "none such"}, {"model_type": "none such"}]
)
def test_a_configuration_that_is_none_is_refused_in_one_line(checkpoint, tmp_path, refused, change):
    edit_config(checkpoint, **change)
    with refused(r"cannot be used as a classifier: ."):
        build_model(spec(checkpoint), 2, "pretrained", 0, tmp_path)


def test_a_programmers_mistake_is_not_retold_as_a_models():
    for mistake in (RuntimeError("mat1 and mat2 shapes"), TypeError("no such argument")):
        with pytest.raises(type(mistake)), reading("model"):
            raise mistake


@pytest.mark.parametrize("how", HOWS)
def test_a_model_that_is_no_classifier_of_text_is_refused(tmp_path, refused, how):
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    hf.ViTModel(hf.ViTConfig(**sizes, image_size=8, patch_size=4)).save_pretrained(tmp_path)
    with refused(r"cannot be used as a classifier: .*ViT"):
        build_model(spec(tmp_path), 2, how, 0, tmp_path)


@pytest.fixture
def no_hub(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("source", "ways"),
    [
        ("minilm", r"local folder.*landscape_utils\[minilm\].*data_dir"),
        ("a/b", "local folder"),
        ("../no/such folder", "neither a folder nor a name on the hub"),
    ],
)
def test_a_hub_that_does_not_answer_is_told_with_the_ways_round_it(
    no_hub, tmp_path, monkeypatch, refused, source, ways
):
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda name: None)  # the extra is not installed
    with refused(ways):
        build_model(spec(source), 2, "pretrained", 0, tmp_path)


def test_minilm_with_other_weights_is_refused(checkpoint, tmp_path, monkeypatch):
    package = tmp_path / "site" / models.MINILM_PACKAGE
    shutil.copytree(checkpoint, package / "model")
    (package / "__init__.py").write_text("raise RuntimeError('its code is never run')")
    monkeypatch.syspath_prepend(package.parent)
    with pytest.raises(UserError, match=f"has sha256 [0-9a-f]{{64}}, the published one is {MINILM_SHA256}"):
        build_model(spec("minilm"), 2, "pretrained", 0, tmp_path)
