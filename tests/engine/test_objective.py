"""Objective against one example at a time in float64, and against what it must refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from conftest import MODELS, make_examples, make_model, plain_float64
from transformers import BertModel

from landscape_utils.engine.objective import Objective, outcome, positions, statistics
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
    padded = [
        {
            "input_ids": e["input_ids"] + [0] * 9,
            "attention_mask": e["attention_mask"] + [0] * 9,
            "token_type_ids": e["token_type_ids"] + [0] * 9,
            "labels": e["labels"],
        }
        for e in examples
    ]
    assert Objective(model, padded)() == Objective(model, examples)()
    assert Objective(model, padded).tokens == Objective(model, examples).tokens


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


def test_logits_that_are_no_numbers_are_no_answers():
    logits = torch.tensor([[0.0, 1.0], [torch.nan, 0.0]])
    loss, error = outcome(logits, torch.tensor([1, 0]))
    assert error.tolist()[0] == 0
    assert torch.isnan(error[1])
    assert torch.isnan(loss[1])


def test_statistics_are_numpys():
    generator = np.random.default_rng(0)
    losses, errors = generator.random(50), generator.integers(0, 2, 50).astype(float)
    expected = [*map(np.mean, (losses, errors)), *(np.std(v, ddof=1) / 50**0.5 for v in (losses, errors))]
    np.testing.assert_allclose(statistics(torch.tensor(losses), torch.tensor(errors)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": 3}, r"example 1 has label 3; allowed are 0 to 2"),
        ({"labels": -1}, r"example 1 has label -1; allowed are 0 to 2"),
        ({"labels": 0.5}, r"example 1 has label 0.5; allowed are 0 to 2"),
        ({"labels": "1"}, r"example 1 has label '1'; allowed are 0 to 2"),
        ({"labels": None}, r"example 1 has label None; allowed are 0 to 2"),
        (OUT_OF_VOCABULARY, r"example 1 has input_ids that are no whole numbers from 0 to 59"),
        ({"extra": [1]}, r"example 1 has the fields .*extra"),
        ({"input_ids": []}, r"example 1 has fields of unequal or no length"),
        ({"input_ids": None}, r"example 1 has input_ids that are no list of whole numbers: None"),
        ({"input_ids": 7}, r"example 1 has input_ids that are no list of whole numbers: 7"),
        (
            {"input_ids": ["a", "film"]},
            r"example 1 has input_ids that are no list of whole numbers: \['a', 'film'\]",
        ),
        ({"attention_mask": [1, "x"]}, r"example 1 has attention_mask that are no list of whole numbers"),
    ],
)
def test_bad_examples_are_named(model, examples, change, message):
    with pytest.raises(UserError, match=message):
        Objective(model, [examples[0], examples[1] | change])


def test_no_examples_and_no_classifier_are_refused(model, examples):
    with pytest.raises(UserError, match="at least one example; got none"):
        Objective(model, [])
    with pytest.raises(UserError, match="BertModel is no classifier"):
        Objective(BertModel(model.config), examples)
    with pytest.raises(UserError, match="NoneType is no classifier"):
        Objective(None, examples)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "at least one example; got NoneType"),
        (5, "at least one example; got int"),
        ("text", "example 0 must be a mapping of fields to lists; got str"),
        ([None], "example 0 must be a mapping of fields to lists; got NoneType"),
    ],
)
def test_what_are_no_examples_is_refused(model, wrong, message):
    with pytest.raises(UserError, match=message):
        Objective(model, wrong)


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


def test_no_tokens_in_a_batch_are_refused(model, examples):
    with pytest.raises(UserError, match="tokens_per_batch must be a whole number, at least 1; got 0"):
        Objective(model, examples, tokens_per_batch=0)
