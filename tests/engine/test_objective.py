"""Objective against one example at a time in float64, and against what it must refuse; the bootstrap over examples."""

import math
import re
from functools import partial

import numpy as np
import pytest
import torch
import transformers as hf
from geometry import ALPHA, BETA, make_plane
from networks import MODELS, make_examples, make_model, plain_float64, without
from scipy import stats
from torch.nn import functional as F

from landscape_utils import ParameterSpace, UserError, scan
from landscape_utils.engine.examples import positions
from landscape_utils.engine.forward import evaluating
from landscape_utils.engine.objective import Objective, bootstrap_draws, bootstrap_means, statistics

# float32 forward passes of three layers differ from float64 by a few units in the 7th digit
FLOAT32 = 2e-6


def assert_plain(objective: Objective, examples: list[dict]) -> None:
    model = objective.model
    expected = plain_float64(model, ParameterSpace(model).read(), examples)
    np.testing.assert_allclose(objective(), expected, atol=FLOAT32)


@pytest.mark.parametrize(
    ("kind", "budget"), [*((kind, 40) for kind in MODELS), ("bert", 1), ("bert", 30), ("bert", None)]
)
def test_agrees_with_one_example_at_a_time_in_float64_and_keeps_to_its_budget(kind, budget):
    examples = make_examples(50)
    objective = Objective(make_model(kind), examples, tokens_per_batch=budget)
    assert_plain(objective, examples)
    sizes = [(batch.inputs["input_ids"].numel(), len(batch.labels)) for batch in objective.batches]
    assert all(tokens <= (budget or 1024) or rows == 1 for tokens, rows in sizes)
    assert sum(rows for _, rows in sizes) == objective.size == 50


@pytest.mark.parametrize("kind", MODELS)
def test_an_example_longer_than_the_positions_is_refused_before_computing(kind):
    model = make_model(kind)
    # RoBERTa and MPNet count positions from behind their padding token, 1; ModernBERT has no table of them
    longest = {"roberta": 46, "mpnet": 46, "modernbert": None}.get(kind, 48)
    assert positions(model) == longest
    most = longest or 60
    masks = [[1] * length + [0] * 3 for length in (3, most, most + 1)]
    short, fits, long = ({"input_ids": [7] * len(m), "attention_mask": m, "labels": 0} for m in masks)
    assert np.isfinite(Objective(model, [fits])().loss), "padding at the end is no token"
    if longest:
        words = rf"1 has {longest + 1} tokens; \w+ has positions for {longest}: .* max_length={longest}"
        with pytest.raises(UserError, match=words):
            Objective(model, [short, long])


def test_examples_may_be_padded_tensors_or_without_a_mask(model, examples):
    usual, tokens = Objective(model, examples), sum(len(example["input_ids"]) for example in examples)
    padded = [{f: v if f == "labels" else v + [0] * 9 for f, v in example.items()} for example in examples]
    tensors = [{name: torch.tensor(value) for name, value in example.items()} for example in examples]
    for given in (padded, tensors, without(examples, "attention_mask")):
        found = Objective(model, given)
        assert (found(), found.tokens) == (usual(), tokens)
    bare = without(without(examples, "attention_mask"), "token_type_ids")
    of_type_0 = [example | {"token_type_ids": [0] * len(example["input_ids"])} for example in examples]
    assert Objective(model, bare)() == Objective(model, of_type_0)()


@pytest.mark.parametrize(("token", "padding"), [(None, 0), (0, 0), (1, 1), (60, 0)])
def test_padding_is_the_models_token_and_type_0(model, examples, token, padding):
    model.config.pad_token_id = token
    for batch in Objective(model, examples).batches:
        hidden = ~batch.inputs["attention_mask"][:, 0, 0]
        assert hidden.any()
        assert (batch.inputs["input_ids"][hidden] == padding).all()
        assert (batch.inputs["token_type_ids"][hidden] == 0).all()


@pytest.mark.filterwarnings("error")
def test_what_is_no_number_is_none(model, examples):
    logits = torch.tensor([[0.0, 1.0], [torch.nan, 0.0]])
    loss, error = Objective(model, examples).outcome(logits, torch.tensor([1, 0]))
    np.testing.assert_equal([*error.tolist(), float(loss[1])], [0, math.nan, math.nan])
    np.testing.assert_equal(statistics(*torch.ones(2, 1)).tolist(), [1, 1, math.nan, math.nan])
    model.classifier.bias.data.fill_(torch.nan)  # as a training that diverged leaves it
    diverged = Objective(model, examples)
    assert np.isnan(diverged()).all() and len(diverged.batches) < diverged.size


def test_a_model_that_reads_padding_gets_none():
    """A head that reads the mean over all positions, padding included, as FNet's encoder does."""
    model, examples = make_model(), make_examples(15)
    model.base_model.pooler.register_forward_pre_hook(lambda _, args: (args[0].mean(dim=1, keepdim=True),))
    objective = Objective(model, examples)
    assert all("attention_mask" not in batch.inputs for batch in objective.batches)
    assert_plain(objective, examples)  # the hook is copied along with the model


@pytest.mark.parametrize("kind", ["mpnet", "modernbert", "fnet"])
def test_a_head_of_zeros_does_not_hide_what_padding_and_masks_do(kind):
    """The objective is built while all logits are alike, and asked once the head has been trained."""
    model = make_model(kind)
    examples = without(make_examples(15), "attention_mask") if kind == "fnet" else make_examples(15)
    for parameter in model.classifier.parameters():
        parameter.data.zero_()
    early = Objective(model, examples)
    for parameter in model.classifier.parameters():
        parameter.data.normal_(std=3)
    np.testing.assert_allclose(early(), Objective(model, examples)(), rtol=1e-5)


def test_narrow_weights_and_rough_products_do_not_hide_what_padding_does():
    """XLNet's head reads padding: as the model in float32, one example at a time. Its logits are so small here that
    padding changes them by less than what counts as rounding of bfloat16, 0.01."""
    torch.manual_seed(0)
    config = hf.XLNetConfig(vocab_size=60, d_model=24, n_layer=2, n_head=2, d_inner=32, num_labels=3)
    model, examples = hf.XLNetForSequenceClassification(config), without(make_examples(15), "token_type_ids")
    model.logits_proj.weight.data *= 0.1
    lengths = {len(example["input_ids"]) for example in examples}
    torch.set_float32_matmul_precision("high")
    rough = Objective(model, examples)
    torch.set_float32_matmul_precision("highest")
    narrow = Objective(model.bfloat16(), examples)
    assert model.dtype == torch.bfloat16
    assert len(rough.batches) == len(narrow.batches) == len(lengths)


SINGLE, SEVERAL = "single_label_classification", "multi_label_classification"
PROBLEMS = [
    (SINGLE, 3, lambda g: int(g.integers(3))),
    (None, 3, lambda g: int(g.integers(3))),
    (SEVERAL, 3, lambda g: g.integers(2, size=3).tolist()),
    (None, 3, lambda g: g.integers(2, size=3).astype(float)),
    (SEVERAL, 1, lambda g: [float(g.integers(2))]),
    (None, 1, lambda g: float(g.normal())),
    ("regression", 2, lambda g: g.normal(size=2).tolist()),
]


@pytest.mark.parametrize(("problem", "classes", "make_label"), PROBLEMS)
def test_the_loss_is_the_models_own(problem, classes, make_label):
    """`transformers` computes it from the labels, here in float64 and one example at a time."""
    model, twin = (make_model(num_labels=classes, problem_type=problem) for _ in range(2))
    generator = np.random.default_rng(3)
    examples = [example | {"labels": make_label(generator)} for example in make_examples()]
    found, losses, errors = Objective(model, examples, tokens_per_batch=40)(), [], []
    regression = problem == "regression" or (problem is None and classes == 1)
    twin.double().eval()
    for example in examples:
        fields = {name: torch.as_tensor(np.array([value])) for name, value in example.items()}
        if classes == 1 or fields["labels"].ndim > 1:
            fields["labels"] = fields["labels"].double()
        output, label = twin(**fields), fields["labels"][0]
        losses.append(float(output.loss.detach()))
        logits = output.logits[0]
        wrong = ((logits > 0) != (label > 0)).any() if label.ndim else logits.argmax() != label
        errors.append(math.nan if regression else float(wrong))
    assert found.loss == pytest.approx(np.mean(losses), abs=FLOAT32)
    assert found.loss_stderr == pytest.approx(np.std(losses, ddof=1) / len(losses) ** 0.5, abs=FLOAT32)
    np.testing.assert_equal(found.error, np.mean(errors))


def test_a_loss_of_ones_own(model, examples):
    weights = torch.tensor([1.0, 2.0, 3.0])
    weighted = partial(F.cross_entropy, weight=weights, reduction="none", label_smoothing=0.1)
    objective, usual = Objective(model, examples, loss=weighted), Objective(model, examples)
    with evaluating(model):
        losses = [weighted(objective.logits(batch), batch.labels) for batch in objective.batches]
    assert objective().loss == pytest.approx(float(torch.cat(losses).double().mean()), abs=FLOAT32)
    assert objective().error == usual().error


def test_a_wrapper_is_asked_as_it_wants_to_be(model, examples):
    expected, kind = Objective(model, examples)(), type(model)

    def any_keyword(self, input_ids=None, **keywords):
        return kind.forward(self, input_ids, **keywords)

    def only_logits(self, input_ids, attention_mask=None, token_type_ids=None):  # takes no `return_dict`
        return kind.forward(self, input_ids, attention_mask, token_type_ids).logits

    def a_tuple(self, input_ids, attention_mask=None, token_type_ids=None):
        return only_logits(self, input_ids, attention_mask, token_type_ids), None

    for forward in (any_keyword, only_logits, a_tuple):
        model.__class__ = type("Wrapper", (kind,), {"forward": forward})
        assert Objective(model, examples)() == expected


@pytest.mark.parametrize(("token", "sizes"), [(None, {1}), (-1, {1, 2}), (0, set(range(1, 14)))])
def test_a_decoder_with_and_without_a_padding_token(token, sizes):
    model, examples = make_model("gpt2", pad_token_id=token), make_examples(20)
    of_one_token = {"input_ids": [7], "attention_mask": [1], "token_type_ids": [0], "labels": 0}
    examples += [of_one_token, of_one_token | {"labels": 1}]
    objective = Objective(model, examples, tokens_per_batch=40)
    assert_plain(objective, examples)
    assert {len(batch.labels) for batch in objective.batches} <= sizes


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


def test_weights_that_are_no_parameters_are_refused(model, examples):
    import peft

    quantised = torch.ao.quantization.quantize_dynamic(make_model(), {torch.nn.Linear}, dtype=torch.qint8)
    lora = peft.LoraConfig(task_type="SEQ_CLS", target_modules=["query"])
    adapted = peft.get_peft_model(make_model(), lora)
    model.base_model.norm = torch.nn.BatchNorm1d(3)
    for changed, message in (
        (quantised, "holds bert.*, which is no parameter; load it without quantisation"),
        (adapted, r"has adapters beside its weights; merge them by model.merge_and_unload\(\)"),
        (adapted.base_model.model, "has adapters beside its weights"),
        (model, "has a batch norm, whose statistics are no parameters; use another model"),
    ):
        for build in (ParameterSpace, lambda model: Objective(model, examples)):
            with pytest.raises(UserError, match=message):
                build(changed)


ONE, OTHER = make_examples(2)
BERT, NO_TYPES = make_model(), make_model("roberta", type_vocab_size=1)
FNET = make_model("fnet")  # has no attention mask, and reads padding
PADDED = {"input_ids": [7, 8, 9, 0, 0, 0], "attention_mask": [1, 1, 1, 0, 0, 0], "labels": 1}


def second(**fields) -> dict:
    return {"examples": [ONE, OTHER | fields]}


def labelled(problem, classes, label) -> dict:
    model = make_model(num_labels=classes)
    object.__setattr__(model.config, "problem_type", problem)  # which `transformers` itself would refuse
    return {"model": model, "examples": [ONE | {"labels": label}]}


NOT_A_LIST = "example 1 has {} that are no list of whole numbers"
REFUSED = [
    (second(labels=torch.tensor([1])), r"1 has label tensor\(\[1\]\); allowed are 0 to 2"),
    *((second(labels=x), f"1 has label {x!r}; allowed are 0 to 2") for x in (3, -1, 0.5, "1", None)),
    *((second(input_ids=[x] * len(OTHER["input_ids"])), "no whole numbers from 0 to 59") for x in (-1, 60)),
    (second(extra=[1]), r"example 1 has the fields .*extra"),
    (second(input_ids=[]), "example 1 has fields of unequal or no length"),
    *((second(input_ids=x), rf"{NOT_A_LIST.format('input_ids')}: {x}") for x in (None, 7)),
    (second(input_ids=["a", "film"]), NOT_A_LIST.format("input_ids") + r": \['a', 'film'\]"),
    *((second(attention_mask=x), NOT_A_LIST.format("attention_mask")) for x in ([1, "x"], [1.0])),
    ({"examples": [ONE, None]}, "example 1 must be a mapping of fields to lists; got NoneType"),
    *(({"examples": x}, f"at least one example; got {re.escape(repr(x))}") for x in ([], None, 5)),
    ({"examples": "text"}, "example 0 must be a mapping of fields to lists; got str"),
    ({"model": BERT.bert}, "BertModel is no classifier"),
    ({"model": hf.BertForTokenClassification(BERT.config)}, r"its output holds no logits \(B, C\)"),
    ({"model": None}, "NoneType is no classifier"),
    ({"tokens_per_batch": 0}, "tokens_per_batch must be a whole number, at least 1; got 0"),
    ({"model": NO_TYPES}, "0 has token_type_ids that are no whole numbers from 0 to 0"),
    ({"model": FNET, "examples": [PADDED]}, "example 0 other logits with padding than without"),
    ({"loss": F.cross_entropy}, r"the loss must give floats of shape \(B,\)"),
    ({"loss": lambda logits, labels: 0.5}, "the loss must .*; for B = 2 it gave 0.5"),
    ({"loss": lambda logits, labels: labels}, r"for B = 2 it gave tensor\("),
    (labelled(SEVERAL, 3, 1), "example 0 has label 1; allowed are 3 numbers from 0 to 1"),
    *((labelled(SEVERAL, 3, x), "allowed are 3 numbers from 0 to 1") for x in ([0, 1], [0, 1, 2])),
    (labelled(SINGLE, 3, [0, 1, 0]), r"label \[0, 1, 0\]; allowed are 0 to 2"),
    *((labelled(None, 1, x), f"label '?{x}'?; allowed are a finite number") for x in ("x", math.nan)),
    (labelled(SINGLE, 1, 0), f"for 1 logits is '{SINGLE}'; allowed are multi_label_.*, regression"),
    (labelled("ranking", 1, 0), "for 1 logits is 'ranking'; allowed are multi_label_.*, regression"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_no_objective_can_be_built_of_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        Objective(**{"model": BERT, "examples": [ONE]} | given)


def test_interval_is_that_of_scipys_bootstrap():
    """Two sets of 2,000 draws: the ends of a 95 % interval are good to about 0.05 standard errors."""
    values = np.random.default_rng(1).gamma(2.0, size=60).astype(np.float32)
    shares = bootstrap_draws(60, 2000)
    found = bootstrap_means(torch.from_numpy(values), torch.zeros(60), shares)[:2000]
    scipys = stats.bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=2)
    interval, error = np.quantile(found, [0.025, 0.975]), values.std(ddof=1) / np.sqrt(60)
    np.testing.assert_allclose(interval, scipys.confidence_interval, atol=0.2 * error)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_draws_of_a_scan_are_means_over_the_draws(model, precision):
    """In float32 to rounding; in bfloat16 of the right shape and near, 8 bits of each loss."""
    objectives, plane = [Objective(model, make_examples(n, seed=n)) for n in (9, 14)], make_plane(model)
    found = scan(objectives, plane, ALPHA, BETA, draws=12, precision=precision)
    for surface, objective in zip(found, objectives, strict=True):
        assert surface.draws.shape == (12, 2, len(ALPHA) * len(BETA) + 2)
        assert surface.draws.dtype == np.float32
        n = objective.size
        with evaluating(model):
            outcomes = torch.stack(objective.outcomes(objective.logits)).double().numpy()  # (2, n)
        drawn = np.random.default_rng(0).multinomial(n, [1 / n] * n, 12)
        expected = [np.repeat(outcomes, times, axis=1).mean(axis=1) for times in drawn]
        at_start = surface.draws[:, :, -2]  # where the model stands
        fields = slice(2 if precision == "float32" else 1)  # the error of bfloat16 may jump by an example
        rounding = {"rtol": 1e-5, "atol": 1e-7} if precision == "float32" else {"atol": 0.05}
        np.testing.assert_allclose(at_start[:, fields], np.array(expected)[:, fields], **rounding)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_an_example_that_is_not_finite_counts_in_the_draws_that_hold_it(value):
    shares = bootstrap_draws(5, 40)
    losses = torch.tensor([value, 1.0, 2.0, 3.0, 4.0])
    found, errors = bootstrap_means(losses, torch.zeros(5), shares).reshape(2, 40)
    holds = shares[0] > 0
    assert 0 < holds.sum() < 40
    np.testing.assert_equal(found[holds].tolist(), [value] * int(holds.sum()))
    np.testing.assert_allclose(found[~holds], (losses[1:] @ shares[1:])[~holds], rtol=1e-6)
    assert not errors.any()
