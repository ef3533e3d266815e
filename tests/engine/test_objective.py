"""Objective against one example at a time in float64, and against what it must refuse."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
import transformers as hf
from networks import BERT_LIKE, MODELS, make_examples, make_model, plain_float64
from torch.nn import functional as F

from landscape_utils.engine.examples import positions
from landscape_utils.engine.losses import name_of
from landscape_utils.engine.objective import Objective, fields_taken, statistics
from landscape_utils.engine.space import ParameterSpace
from landscape_utils.errors import UserError

OUT_OF_VOCABULARY = {"input_ids": [60], "attention_mask": [1], "token_type_ids": [0]}
# float32 forward passes of three layers differ from float64 by a few units in the 7th digit
FLOAT32 = 2e-6


@pytest.mark.parametrize("kind", MODELS)
def test_agrees_with_one_example_at_a_time_in_float64(kind):
    model, examples = make_model(kind), make_examples()
    found = Objective(model, examples, tokens_per_batch=40)()
    expected = plain_float64(model, ParameterSpace(model).read(), examples)
    np.testing.assert_allclose(found, expected, atol=FLOAT32)


# RoBERTa and MPNet count positions from behind their padding token, 1; ModernBERT has no table of them
LONGEST = dict.fromkeys(MODELS, 48) | {"roberta": 46, "mpnet": 46, "modernbert": None}


@pytest.mark.parametrize(("kind", "longest"), LONGEST.items())
def test_an_example_longer_than_the_positions_is_refused_before_computing(kind, longest):
    model = make_model(kind)
    assert positions(model) == longest

    def example(length):
        return {"input_ids": [7] * length + [0] * 3, "attention_mask": [1] * length + [0] * 3, "labels": 0}

    assert np.isfinite(Objective(model, [example(longest or 60)])().loss), "padding at the end is no token"
    if longest:
        words = rf"1 has {longest + 1} tokens; \w+ has positions for {longest}: .* max_length={longest}"
        with pytest.raises(UserError, match=words):
            Objective(model, [example(3), example(longest + 1)])


@pytest.mark.parametrize("budget", [1, 30, 10_000])
def test_the_batches_do_not_matter(model, examples, budget):
    np.testing.assert_allclose(
        Objective(model, examples, tokens_per_batch=budget)(), Objective(model, examples)(), atol=FLOAT32
    )


def test_every_batch_keeps_to_its_budget(model):
    objective = Objective(model, make_examples(50), tokens_per_batch=40)
    assert all(batch.inputs["input_ids"].numel() <= 40 for batch in objective.batches)
    assert sum(len(batch.labels) for batch in objective.batches) == 50


def test_padding_given_by_the_user_is_no_token(model, examples):
    padded = [{f: v if f == "labels" else v + [0] * 9 for f, v in example.items()} for example in examples]
    assert Objective(model, padded)() == Objective(model, examples)()
    lengths = [len(example["input_ids"]) for example in examples]
    bare = [{f: v for f, v in example.items() if f != "attention_mask"} for example in examples]
    assert {Objective(model, given).tokens for given in (padded, examples, bare)} == {sum(lengths)}
    assert Objective(model, bare)() == Objective(model, examples)()


@pytest.mark.parametrize(("token", "padding"), [(None, 0), (0, 0), (1, 1), (60, 0)])
def test_padding_is_the_models_token_and_type_0(model, examples, token, padding):
    model.config.pad_token_id = token
    for batch in Objective(model, examples).batches:
        hidden = ~batch.inputs["attention_mask"][:, 0, 0]
        assert hidden.any()
        assert (batch.inputs["input_ids"][hidden] == padding).all()
        assert (batch.inputs["token_type_ids"][hidden] == 0).all()


def test_tensors_are_taken_as_examples(model, examples):
    tensors = [{name: torch.tensor(value) for name, value in example.items()} for example in examples]
    assert Objective(model, tensors)() == Objective(model, examples)()


def test_training_mode_comes_back_module_by_module(model, examples):
    model.train()
    model.base_model.pooler.eval()
    modes = [module.training for module in model.modules()]
    first = Objective(model, examples)()
    assert [module.training for module in model.modules()] == modes
    assert first == Objective(model, examples)(), "dropout was on"


def test_one_example_has_no_standard_error(model, examples):
    measurement = Objective(model, examples[:1])()
    assert math.isnan(measurement.loss_stderr)
    assert math.isfinite(measurement.loss)


def test_logits_that_are_no_numbers_are_no_answers(model, examples):
    logits = torch.tensor([[0.0, 1.0], [torch.nan, 0.0]])
    loss, error = Objective(model, examples).outcome(logits, torch.tensor([1, 0]))
    assert error.tolist()[0] == 0
    assert torch.isnan(error[1])
    assert torch.isnan(loss[1])


def test_statistics_are_numpys():
    generator = np.random.default_rng(0)
    losses, errors = generator.random(50), generator.integers(0, 2, 50).astype(float)
    expected = [*map(np.mean, (losses, errors)), *(np.std(v, ddof=1) / 50**0.5 for v in (losses, errors))]
    np.testing.assert_allclose(statistics(torch.tensor(losses), torch.tensor(errors)), expected, rtol=1e-12)


NOT_A_LIST = "example 1 has {} that are no list of whole numbers"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *(({"labels": x}, f"example 1 has label {x!r}; allowed are 0 to 2") for x in (3, -1, 0.5, "1", None)),
        (OUT_OF_VOCABULARY, "example 1 has input_ids that are no whole numbers from 0 to 59"),
        ({"extra": [1]}, r"example 1 has the fields .*extra"),
        ({"input_ids": []}, "example 1 has fields of unequal or no length"),
        ({"input_ids": None}, NOT_A_LIST.format("input_ids") + ": None"),
        ({"input_ids": 7}, NOT_A_LIST.format("input_ids") + ": 7"),
        ({"input_ids": ["a", "film"]}, NOT_A_LIST.format("input_ids") + r": \['a', 'film'\]"),
        ({"attention_mask": [1, "x"]}, NOT_A_LIST.format("attention_mask")),
    ],
)
def test_bad_examples_are_named(model, examples, change, message):
    with pytest.raises(UserError, match=message):
        Objective(model, [examples[0], examples[1] | change])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "at least one example; got none"),
        (None, "at least one example; got NoneType"),
        (5, "at least one example; got int"),
        ("text", "example 0 must be a mapping of fields to lists; got str"),
        ([None], "example 0 must be a mapping of fields to lists; got NoneType"),
    ],
)
def test_what_are_no_examples_is_refused(model, wrong, message):
    with pytest.raises(UserError, match=message):
        Objective(model, wrong)


def test_no_classifier_and_no_budget_are_refused(model, examples):
    with pytest.raises(UserError, match="BertModel is no classifier"):
        Objective(hf.BertModel(model.config), examples)
    with pytest.raises(UserError, match="NoneType is no classifier"):
        Objective(None, examples)
    with pytest.raises(UserError, match="tokens_per_batch must be a whole number, at least 1; got 0"):
        Objective(model, examples, tokens_per_batch=0)


def test_a_model_that_reads_padding_gets_none():
    """A head that reads the mean over all positions, padding included, as FNet's encoder does."""
    model = make_model()
    model.base_model.pooler.register_forward_pre_hook(
        lambda module, args: (args[0].mean(dim=1, keepdim=True),)
    )
    examples = make_examples(15)
    objective = Objective(model, examples)
    assert all("attention_mask" not in batch.inputs for batch in objective.batches)
    # float32 against float64, one example at a time: the hook is copied along with the model
    expected = plain_float64(model, ParameterSpace(model).read(), examples)
    np.testing.assert_allclose(objective(), expected, atol=FLOAT32)


PROBLEMS = {
    "single": ("single_label_classification", 3, lambda g: int(g.integers(3)), "cross_entropy"),
    "said by nobody": (None, 3, lambda g: int(g.integers(3)), "cross_entropy"),
    "several": (
        "multi_label_classification",
        3,
        lambda g: g.integers(2, size=3).tolist(),
        "binary_cross_entropy",
    ),
    "several, by the labels": (
        None,
        3,
        lambda g: g.integers(2, size=3).astype(float),
        "binary_cross_entropy",
    ),
    "one of one": ("multi_label_classification", 1, lambda g: [float(g.integers(2))], "binary_cross_entropy"),
    "a number": (None, 1, lambda g: float(g.normal()), "squared_error"),
    "two numbers": ("regression", 2, lambda g: g.normal(size=2).tolist(), "squared_error"),
}


@pytest.mark.parametrize(("problem", "classes", "make_label", "name"), PROBLEMS.values(), ids=PROBLEMS)
def test_the_loss_is_the_models_own(problem, classes, make_label, name):
    """`transformers` computes it from the labels, here in float64 and one example at a time."""
    model, twin = (make_model(num_labels=classes, problem_type=problem) for _ in range(2))
    generator = np.random.default_rng(3)
    examples = [example | {"labels": make_label(generator)} for example in make_examples()]
    objective = Objective(model, examples, tokens_per_batch=40)
    found, losses, errors = objective(), [], []
    twin.double().eval()
    for example in examples:
        fields = {name: torch.tensor([value]) for name, value in example.items() if name != "labels"}
        labels = torch.as_tensor([example["labels"]])
        labels = labels.double() if classes == 1 or labels.ndim > 1 else labels
        with torch.no_grad():
            output = twin(**fields, labels=labels)
        losses.append(float(output.loss))
        several = labels.ndim > 1
        wrong = (
            ((output.logits > 0) != (labels > 0)).any() if several else output.logits.argmax() != labels[0]
        )
        errors.append(math.nan if name == "squared_error" else float(wrong))
    assert found.loss == pytest.approx(np.mean(losses), abs=FLOAT32)
    assert found.loss_stderr == pytest.approx(np.std(losses, ddof=1) / len(losses) ** 0.5, abs=FLOAT32)
    np.testing.assert_equal(found.error, np.mean(errors))
    assert objective.loss_name == name


def test_a_loss_of_ones_own(model, examples):
    weights = torch.tensor([1.0, 2.0, 3.0])

    def weighted(logits, labels):
        return F.cross_entropy(logits, labels, weights, reduction="none", label_smoothing=0.1)

    model.eval()
    objective, usual = Objective(model, examples, loss=weighted), Objective(model, examples)
    with torch.no_grad():
        logits = torch.cat([objective.logits(batch) for batch in objective.batches])
    labels = torch.cat([batch.labels for batch in objective.batches])
    expected = weighted(logits, labels)
    assert objective().loss == pytest.approx(float(expected.double().mean()), abs=FLOAT32)
    assert objective().error == usual().error
    assert usual.loss_name == "cross_entropy"
    assert objective.loss_name.startswith("weighted-")


def test_the_name_of_a_loss_tells_what_it_does():
    """By its code and what the code holds; written twice the same, it is the same."""

    def smoothed(by):
        return lambda logits, labels: F.cross_entropy(logits, labels, reduction="none", label_smoothing=by)

    weights = [torch.tensor([1.0, 2.0, w]) for w in (3.0, 4.0)]
    one, two = (
        {
            "lambda": lambda logits, labels: logits.sum(1),
            "other code": lambda logits, labels: logits.sum(0),
            "other constant": lambda logits, labels: 2 * logits.sum(1),
            "closure": smoothed(0.1),
            "other closure": smoothed(0.2),
            "module": torch.nn.CrossEntropyLoss(weights[0], reduction="none"),
            "other weights": torch.nn.CrossEntropyLoss(weights[1], reduction="none"),
            "partial": partial(F.cross_entropy, reduction="none", weight=weights[0]),
        }
        for _ in range(2)
    )
    names = {name_of(loss) for loss in one.values()}
    assert len(names) == len(one)
    assert names == {name_of(loss) for loss in two.values()}
    with pytest.raises(UserError, match="cannot be told from another"):
        name_of(partial(F.cross_entropy, weight=(i for i in range(3))))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (F.cross_entropy, r"loss cross_entropy must give floats of shape \(B,\)"),
        (lambda logits, labels: 0.5, "loss <lambda> must .*; for B = 2 it gave 0.5"),
    ],
)
def test_a_loss_that_gives_no_number_for_each_example_is_refused(model, examples, loss, message):
    with pytest.raises(UserError, match=message):
        Objective(model, examples, loss=loss)


@pytest.mark.parametrize(
    ("problem", "classes", "label", "message"),
    [
        ("multi_label_classification", 3, 1, "example 0 has label 1; allowed are 3 numbers from 0 to 1"),
        ("multi_label_classification", 3, [0, 1], "allowed are 3 numbers from 0 to 1"),
        ("multi_label_classification", 3, [0, 1, 2], "allowed are 3 numbers from 0 to 1"),
        ("single_label_classification", 3, [0, 1, 0], r"label \[0, 1, 0\]; allowed are 0 to 2"),
        (None, 1, "x", "example 0 has label 'x'; allowed are a finite number"),
        (None, 1, math.nan, "allowed are a finite number"),
    ],
)
def test_labels_that_do_not_suit_the_problem_are_refused(problem, classes, label, message):
    model = make_model(num_labels=classes, problem_type=problem)
    with pytest.raises(UserError, match=message):
        Objective(model, [example | {"labels": label} for example in make_examples()])


def test_one_logit_is_no_class(model, examples):
    model = make_model(num_labels=1)
    for said in ("single_label_classification", "ranking"):
        object.__setattr__(model.config, "problem_type", said)  # which `transformers` itself would refuse
        with pytest.raises(UserError, match=f"1 logits is '{said}'; allowed are multi_label_.*, regression"):
            Objective(model, examples)


class AnyKeyword(hf.BertForSequenceClassification):
    def forward(self, input_ids=None, **keywords):
        return super().forward(input_ids, **keywords)


class NoKeyword(hf.BertForSequenceClassification):
    """Answers with the logits alone, and takes no `return_dict`."""

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        return super().forward(input_ids, attention_mask, token_type_ids).logits


class ATuple(NoKeyword):
    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        return super().forward(input_ids, attention_mask, token_type_ids), None


@pytest.mark.parametrize("kind", [AnyKeyword, NoKeyword, ATuple])
def test_a_wrapper_is_asked_as_it_wants_to_be(kind, examples):
    model = make_model()
    expected = Objective(model, examples)()
    model.__class__ = kind
    assert Objective(model, examples)() == expected


def decoder(**changes) -> torch.nn.Module:
    torch.manual_seed(0)
    sizes = {"n_embd": 24, "n_layer": 3, "n_head": 2, "n_positions": 48, "vocab_size": 60, "num_labels": 3}
    return hf.GPT2ForSequenceClassification(
        hf.GPT2Config(**sizes | {"bos_token_id": 1, "eos_token_id": 2} | changes)
    )


@pytest.mark.parametrize(("token", "sizes"), [(None, {1}), (-1, {1, 2}), (0, set(range(2, 14)))])
def test_a_decoder_with_and_without_a_padding_token(token, sizes):
    model, examples = decoder(pad_token_id=token), make_examples(20)
    objective = Objective(model, examples, tokens_per_batch=40)
    expected = plain_float64(model, ParameterSpace(model).read(), examples)
    np.testing.assert_allclose(objective(), expected, atol=FLOAT32)
    assert {len(batch.labels) for batch in objective.batches} <= sizes | {1}


def test_padding_that_a_model_reads_is_refused():
    """FNet has no attention mask: with its padding an example gets other logits than without."""
    torch.manual_seed(0)
    model = hf.FNetForSequenceClassification(hf.FNetConfig(**BERT_LIKE))
    padded = {"input_ids": [7, 8, 9, 0, 0, 0], "attention_mask": [1, 1, 1, 0, 0, 0], "labels": 1}
    Objective(model, [{name: v[:3] if name != "labels" else v for name, v in padded.items()}])
    with pytest.raises(UserError, match="other logits for example 0 as it is given than without its padding"):
        Objective(model, [padded])


def test_a_field_is_given_where_the_forward_takes_it(examples):
    class Named(torch.nn.Module):
        def forward(self, input_ids, attention_mask): ...

    class Any(torch.nn.Module):
        def forward(self, **fields): ...

    assert fields_taken(Named(), examples[0]) == ["input_ids", "attention_mask"]
    assert fields_taken(Any(), examples[0]) == ["input_ids", "attention_mask", "token_type_ids"]


def test_token_types_that_the_model_has_not_are_refused(examples):
    model = make_model("roberta", type_vocab_size=1)
    with pytest.raises(UserError, match="example 0 has token_type_ids that are no whole numbers from 0 to 0"):
        Objective(model, examples)


def test_what_the_first_pass_raises_is_one_line_with_example_field_and_reason(model, examples, monkeypatch):
    def refuse(module, args, keywords):
        if keywords["token_type_ids"] is not None and keywords["token_type_ids"].shape[1] == longest:
            raise IndexError("no such type\nand more")

    model.base_model.register_forward_pre_hook(refuse, with_kwargs=True)
    lengths = [len(example["input_ids"]) for example in examples]
    longest = max(lengths)
    line = f"fails at token_type_ids of example {lengths.index(longest)}: IndexError: no such type$"
    with pytest.raises(UserError, match=line):
        Objective(model, examples)
    monkeypatch.setattr("landscape_utils.engine.objective.pad_sequence", None)
    with pytest.raises(TypeError):  # a mistake of ours is not told as the user's
        Objective(make_model(), examples)


def quantised(model):
    return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)


def with_adapters(model):
    import peft

    return peft.get_peft_model(model, peft.LoraConfig(task_type="SEQ_CLS", target_modules=["query"]))


def with_batch_norm(model):
    model.base_model.norm = torch.nn.BatchNorm1d(3)
    return model


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (quantised, "holds bert.*, which is no parameter, as quantisation leaves it"),
        (with_adapters, r"has adapters beside the weights that they change; use model.merge_and_unload\(\)"),
        (lambda model: with_adapters(model).base_model.model, "has adapters beside the weights"),
        (with_batch_norm, "has a batch norm, whose running statistics are no parameters"),
    ],
)
def test_weights_that_are_no_parameters_are_refused(examples, change, message):
    model = change(make_model())
    for build in (ParameterSpace, lambda model: Objective(model, examples)):
        with pytest.raises(UserError, match=message):
            build(model)
