"""The engine's shortcuts change no digit: fused writing, replay of still layers, the memory they take."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
from geometry import make_plane, noise
from networks import LAYERED, MODELS, make_examples, make_model
from torch.profiler import profile

from landscape_utils import Line, Objective, ParameterSpace, UserError, scan
from landscape_utils.engine.space import layer_stack
from landscape_utils.engine.walker import CHUNK, Walk, coarse_first, combine

GRID = {"alpha": [-1.0, 0.0, 2.0], "beta": [-1.0, 0.5]}
POINTS = 3 * 2 + 2  # and two marks
ROOM = "landscape_utils.engine.walker.CACHE_BYTES"  # for what is replayed


@pytest.mark.parametrize("size", [1, CHUNK["cpu"] - 1, CHUNK["cpu"] + 1, 3 * CHUNK["cpu"]])
def test_combine_is_the_sum_in_every_chunk(size):
    origin, x, y = torch.randn(3, size)
    out = torch.empty(size)
    combine(out, origin, [(0.3, x), (-1.7, y)])
    exact = origin.double() + 0.3 * x.double() - 1.7 * y.double()
    # three roundings of values of order 10 in float32: 2^-24 each, relative
    torch.testing.assert_close(out.double(), exact, rtol=0, atol=3 * 2**-24 * 10)
    half = torch.empty(size, dtype=torch.bfloat16)
    combine(half, origin, [(0.3, x), (-1.7, y)])
    assert torch.equal(half, out.bfloat16()), "rounded once, from the float32 sum"


def count_calls(model) -> list:
    """The calls of the lowest layer's first product: of a layer that is replayed none is computed."""
    calls: list = []
    linear = next(m for m in layer_stack(model)[1][0].modules() if isinstance(m, torch.nn.Linear))
    linear.register_forward_hook(lambda *_: calls.append(1))
    return calls


def objective_of(model) -> Objective:
    return Objective(model, make_examples(20), tokens_per_batch=40)


def assert_as_computed(kept, objective, region, alpha, beta=None) -> None:
    """The same as without replay, to rounding in float32."""
    with patch(ROOM, 0):
        computed = scan(objective, region, alpha, beta)
    np.testing.assert_allclose(kept.loss, computed.loss, rtol=1e-6)
    np.testing.assert_array_equal(kept.error, computed.error)


@pytest.mark.parametrize("layers", [(2,), (1,), (1, 2), (0,)])
@pytest.mark.parametrize("kind", LAYERED)
def test_still_layers_are_run_once_and_replay_changes_no_digit(kind, layers):
    model = make_model(kind)
    objective, plane, calls = objective_of(model), make_plane(model, layers), count_calls(model)
    kept, batches = scan(objective, plane, **GRID), len(objective.batches)
    # once for each batch to record it, and on one batch to check replay and first token
    assert len(calls) >= batches * POINTS if 0 in layers else len(calls) <= batches + 11
    calls.clear()
    assert_as_computed(kept, objective, plane, **GRID)
    assert len(calls) >= batches * POINTS


def test_what_does_not_fit_the_budget_is_recomputed(model):
    objective, plane, calls = objective_of(model), make_plane(model, (2,)), count_calls(model)
    # bytes of three batches' float32 hidden states
    with patch(ROOM, 3 * 40 * model.config.hidden_size * 4):
        partial, batches = scan(objective, plane, **GRID), len(objective.batches)
    assert batches + 11 < len(calls) < batches * POINTS
    assert_as_computed(partial, objective, plane, **GRID)
    with Walk([objective], plane.origin, plane.directions).open() as walker:
        assert len(walker._replay.outputs) == batches
    assert not walker._replay.outputs, "the memory is given back"
    calls.clear()
    plane.x[0] = 1.0  # one entry of the embeddings: nothing is still
    scan(objective, plane, **GRID)
    assert len(calls) >= batches * POINTS


@pytest.mark.parametrize("change", ["side ways", "uncalled"])
def test_layers_that_are_no_chain_are_not_replayed(model, change):
    """If the pooler reads the first layer's output too, replay would be wrong, and is found to be."""
    layers, seen = model.base_model.encoder.layer, []
    if change == "side ways":
        layers[0].register_forward_hook(lambda module, args, output: seen.append(output))
        model.base_model.pooler.register_forward_pre_hook(lambda _, x: (x[0] + seen[-1] * x[0].mean(),))
    else:
        kind = type("Uncalled", (type(layers[0]),), {"__call__": type(layers[0]).forward})
        for layer in layers:
            layer.__class__ = kind
    assert layer_stack(model), "they are the layers all the same"
    objective, plane = objective_of(model), make_plane(model, (2,))
    assert_as_computed(scan(objective, plane, **GRID), objective, plane, **GRID)


def test_what_feeds_still_layers_from_behind_them_stops_the_replay():
    """MPNet's table of relative positions stands after the layers, and every layer reads it."""
    model = make_model("mpnet", initializer_range=0.3)  # so large that attention counts in the loss
    space, objective = ParameterSpace(model), objective_of(model)
    table = tuple(name for name in space.names if "relative_attention_bias" in name)
    line = Line(space.read(), space.restrict(noise(space.size, scale=1e-6), table))
    assert_as_computed(scan(objective, line, [3e6]), objective, line, [3e6])


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "deberta"])
def test_the_first_token_is_all_that_the_last_layer_computes(kind):
    model = make_model(kind)
    objective, plane, widths = objective_of(model), make_plane(model), []
    feed_forward = layer_stack(model)[1][-1].intermediate
    feed_forward.register_forward_hook(lambda module, args, output: widths.append(output.shape[1]))
    short = scan(objective, plane, **GRID)
    assert widths.count(1) >= POINTS * len(objective.batches)
    widths.clear()
    with patch("landscape_utils.engine.walker.first_token_only"):
        assert_as_computed(short, objective, plane, **GRID)
    assert 1 not in widths


def assert_as_written(objective, line, *alpha: float) -> None:
    """The same as with each point's weights set: both in float32, losses of order 1, 1e-6."""
    found = scan(objective, line, alpha).loss
    for loss, place in zip(found, alpha, strict=True):
        ParameterSpace(objective.model).write(line.at(place))
        assert loss == pytest.approx(objective().loss, abs=1e-6)


@pytest.mark.parametrize("tokens", [20, 10_000])
@pytest.mark.parametrize("where", ["all zero", "saturated", "at the start", "zero at the start"])
def test_a_head_that_reads_every_token_is_found_where_all_tokens_are_alike(model, where, tokens):
    """A cut would change nothing where the encoder is all zero, or saturated; or at the start without embeddings, or
    where that is all zero."""
    model.base_model.pooler.register_forward_pre_hook(lambda _, args: (args[0].mean(dim=1, keepdim=True),))
    if where == "at the start":
        for name, parameter in model.base_model.embeddings.named_parameters():
            parameter.data = noise(parameter.numel()) if name == "LayerNorm.bias" else 0 * parameter.data
    objective = Objective(model, make_examples(12), tokens_per_batch=tokens)
    theta = ParameterSpace(model).read()
    origin, direction, alpha = {
        "all zero": (theta, -theta, 1e-2),
        "saturated": (theta, 1e19 * torch.ones_like(theta), 1e-21),
        "at the start": (theta, noise(len(theta), scale=0.02), 5.0),
        "zero at the start": (0 * theta, theta, 1.0),
    }[where]
    assert_as_written(objective, Line(origin, direction), alpha)


def test_examples_of_one_token_do_not_hide_what_a_head_reads_of_longer_ones(model):
    """The cut is tried on the first objective alone. The same passes in float32, losses of order 1: 1e-6."""
    model.base_model.pooler.register_forward_pre_hook(lambda _, args: (args[0].mean(dim=1, keepdim=True),))
    first, other = Objective(model, [{"input_ids": [7], "labels": 0}]), Objective(model, make_examples(12))
    _, found = scan([first, other], make_plane(model), [0.0], [0.0])
    assert found.loss[0, 0] == pytest.approx(other().loss, abs=1e-6)


def test_a_head_that_reads_one_token_at_the_origin_alone_is_found():
    """The pooler reads every token through a gate, which is closed at the origin."""
    model = make_model(initializer_range=0.3)
    pooler = model.base_model.pooler
    pooler.gate = torch.nn.Parameter(torch.zeros(1))
    pooler.register_forward_pre_hook(lambda _, x: (x[0] + pooler.gate * x[0].mean(dim=1, keepdim=True),))
    space = ParameterSpace(model)
    direction = space.restrict(torch.full((space.size,), 3.0), ("pooler.gate",))
    assert_as_written(objective_of(model), Line(space.read(), direction), 0.5, 1.0)


def test_a_head_that_refuses_one_token_leaves_no_trace(model, objective, plane):
    def refuse(module, args):
        assert args[0].shape[1] > 1, "all tokens are wanted"

    model.base_model.pooler.register_forward_pre_hook(refuse)
    assert scan(objective, plane, [0.0], [0.0]).loss[0, 0] == objective().loss
    assert not layer_stack(model)[1][-1].attention.output._forward_pre_hooks


def test_beside_the_model_a_walk_holds_one_vector_and_the_three_given(model, objective, plane):
    with Walk([objective], plane.origin, plane.directions).open() as walker:
        assert walker.buffer.numel() == ParameterSpace(model).size
        held, given = [walker.origin, *walker.directions], [plane.origin, plane.x, plane.y]
        assert [v.data_ptr() for v in held] == [v.data_ptr() for v in given], "not copied"
        storages = {p.untyped_storage().data_ptr() for p in model.base_model.parameters()}
        assert storages == {walker.buffer.untyped_storage().data_ptr()}


@pytest.mark.parametrize("kind", MODELS)
def test_masks_as_the_attention_takes_them_change_no_digit_and_let_the_host_read_nothing(kind):
    """Each time that the host asks a tensor for its value would be a wait for a GPU."""
    others = kind in ("mpnet", "modernbert")  # which take a mask (B, 1, 1, T) for something else
    model, examples = make_model(kind), make_examples(20)
    wide, plane = Objective(model, examples, tokens_per_batch=60), make_plane(model)
    with patch.object(Objective, "_choose_masks"):
        narrow = Objective(model, examples, tokens_per_batch=60)
    shapes = [b.inputs["attention_mask"].ndim for b in wide.batches if "attention_mask" in b.inputs]
    assert set(shapes) == {2 if others else 4}
    np.testing.assert_array_equal(wide(), narrow())
    with Walk([wide], plane.origin, plane.directions, draws=2).open() as walker, profile() as seen:
        walker((0.5, -1.0))
    assert ("aten::_local_scalar_dense" in {event.key for event in seen.key_averages()}) is others


def test_a_grid_is_visited_coarsely_first():
    order = coarse_first((9, 6))
    assert sorted(order) == list(range(54))
    visited = [divmod(i, 6) for i in order]
    for stride in (8, 4, 2):
        coarse = {(i, j) for i in range(0, 9, stride) for j in range(0, 6, stride)}
        assert set(visited[: len(coarse)]) == coarse


def test_out_of_memory_halves_the_batches_and_goes_on(model, caplog):
    objective, plane = Objective(model, make_examples(20), tokens_per_batch=10_000), make_plane(model)
    expected = scan(objective, plane, **GRID)
    assert len(objective.batches) == 1
    rows = 6  # that the device holds

    def limited(module, args, fields):
        if len(fields["input_ids"]) > rows:
            raise torch.OutOfMemoryError("as CUDA says it")

    model.register_forward_pre_hook(limited, with_kwargs=True)
    found = scan(objective, plane, **GRID)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-6)
    np.testing.assert_array_equal(found.error, expected.error)
    assert max(len(batch.labels) for batch in objective.batches) == 5
    assert caplog.text.count("batches are halved") == 2
    single = Objective(model, make_examples(4), tokens_per_batch=1)
    rows, objective.batches = 2, Objective(model, make_examples(20), tokens_per_batch=60).batches
    together = scan([objective, single], plane, **GRID)
    np.testing.assert_allclose(together[0].loss, expected.loss, rtol=1e-6)  # one had no batch to halve
    rows = 0
    with pytest.raises(UserError, match="out of memory on cpu with one example at a time"):
        scan(objective, plane, **GRID)


def test_products_are_in_tf32_for_a_walk_alone_and_in_no_other(model, objective, plane, monkeypatch):
    """Whatever the process has chosen, by the older setting or by the newer one, which forbids to ask for the older."""
    monkeypatch.setattr("landscape_utils.engine.walker.check_precision", lambda *_: None)  # as on a GPU
    seen = []
    model.register_forward_pre_hook(lambda *_: seen.append(torch.get_float32_matmul_precision()))
    torch.set_float32_matmul_precision("high")
    for precision, expected in (("float32", "highest"), ("tf32", "high")):
        with Walk([objective], plane.origin, plane.directions).open(precision) as walker:
            seen.clear()
            walker((0.5, 0.5))
        assert {*seen} == {expected}
        assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
    products, before = torch.backends.cuda.matmul, torch.backends.cuda.matmul.fp32_precision
    products.fp32_precision = "tf32"
    expected = scan(objective, plane, **GRID).loss
    assert products.fp32_precision == "tf32"
    products.fp32_precision = before
    np.testing.assert_array_equal(scan(objective, plane, **GRID).loss, expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_autocast_around_a_scan_changes_nothing(model, plane, threads):
    expected = scan(objective_of(model), plane, **GRID)
    torch.set_num_threads(threads)
    with torch.autocast("cpu", torch.bfloat16):
        found = scan(objective_of(model), plane, **GRID)
    torch.set_num_threads(1)
    np.testing.assert_array_equal(found.loss, expected.loss)
