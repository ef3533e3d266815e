"""Precision: the difference that a surface carries is the one that there is."""

import itertools
import math

import numpy as np
import pytest
import torch
import transformers as hf
from geometry import ALPHA, BETA, make_plane
from networks import BERT_LIKE, make_examples

from landscape_utils import Objective, ParameterSpace, UserError, scan
from landscape_utils.engine import precision as precisions


@pytest.mark.parametrize("head", [None, ["pooler"]])  # whose float32 could not take what bfloat16 layers give
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_the_surface_carries_the_largest_difference_of_its_probe(model, examples, precision, head):
    model.config.landscape_head = head
    before = {name: (p.data_ptr(), p.dtype) for name, p in model.named_parameters()}
    plane, objective = make_plane(model), Objective(model, examples)
    exact, rounded = (scan(objective, plane, ALPHA, BETA, precision=name) for name in ("float32", precision))
    assert (exact.precision, exact.precision_error, rounded.precision) == ("float32", 0.0, precision)
    # the probe holds the corners and the marks, and cells of this grid, which it may not exhaust
    difference = np.abs(exact.loss - rounded.loss)
    everywhere = max(difference.max(), *(abs(exact.marks[m][2] - rounded.marks[m][2]) for m in exact.marks))
    assert difference[[0, 0, -1, -1], [0, -1, 0, -1]].max() <= rounded.precision_error <= everywhere
    # the loss is of order 1, and the weights keep 8 bits, or 11
    assert 0 < rounded.precision_error <= everywhere <= 2**-5
    assert {name: (p.data_ptr(), p.dtype) for name, p in model.named_parameters()} == before


@pytest.mark.parametrize("kind", ["FNet", "OpenAIGPT"])
def test_a_precision_that_the_model_does_not_compute_in_is_refused(kind):
    torch.manual_seed(0)
    config = getattr(hf, f"{kind}Config")(**BERT_LIKE, n_embd=24, n_layer=3, n_head=2, pad_token_id=0)
    model = hf.AutoModelForSequenceClassification.from_config(config).eval()
    plane, objective = make_plane(model), Objective(model, make_examples())
    before = ParameterSpace(model).read()
    for name in ("bfloat16", "float16"):
        with pytest.raises(UserError, match=rf"^\w+ does not compute in {name} \(.+\); use float32$"):
            scan(objective, plane, ALPHA, BETA, precision=name)
    assert torch.equal(ParameterSpace(model).read(), before)


def test_a_journal_is_of_one_precision(objective, plane):
    where, journal = (objective, plane, ALPHA, BETA), {}
    first, again = (scan(*where, precision="bfloat16", journal=journal) for _ in range(2))
    assert again.precision_error == first.precision_error > 0
    with pytest.raises(UserError, match="the journal's points are in bfloat16, not in float32"):
        scan(*where, journal=journal)


ANOTHER_SCAN = [{"alpha": ALPHA + 1}, {"alpha": [*ALPHA, 5.0]}, {"marks": {"m": (1.0, 1.0)}}]


@pytest.mark.parametrize("other", [*ANOTHER_SCAN, {"draws": 3}, {"draws": 0}])
def test_a_journal_is_of_one_scan(objective, plane, other):
    journal, asked = {}, {"alpha": ALPHA, "beta": BETA, "draws": 2}
    first, again = (scan(objective, plane, **asked, journal=journal) for _ in range(2))
    np.testing.assert_equal(again.arrays(), first.arrays())
    with pytest.raises(UserError, match="of other objectives, draws, points or marks; use another journal"):
        scan(objective, plane, **asked | other, journal=journal)


def test_the_probe_has_corners_marks_and_the_same_random_cells():
    points = precisions.probe_points([ALPHA, BETA], {"start": (0.0, 0.0)})
    assert points == precisions.probe_points([ALPHA, BETA], {"start": (0.0, 0.0)})
    assert {*itertools.product((-1.0, 2.0), (-0.7, 1.3)), (0.0, 0.0)} < set(points)
    assert set(points) <= {*itertools.product(ALPHA, BETA), (0.0, 0.0)}


def test_losses_that_are_not_finite_agree_only_with_their_like():
    nan, inf = math.nan, math.inf
    assert precisions.largest_difference(np.array([1.0, nan, inf]), np.array([1.5, nan, inf])) == 0.5
    assert precisions.largest_difference(np.array([nan]), np.array([1.0])) == inf
    assert precisions.largest_difference(np.array([inf]), np.array([1.0])) == inf


def test_what_the_device_has_not_is_refused(objective, plane):
    for precision, message in {
        "float8": "unknown precision 'float8'; allowed are float32, tf32, .*, bfloat16",
        "tf32": "'tf32' needs an NVIDIA GPU.* the model is on cpu",
    }.items():
        with pytest.raises(UserError, match=message):
            scan(objective, plane, ALPHA, BETA, precision=precision)


@pytest.mark.parametrize("supported", [True, False])
@pytest.mark.parametrize(("precision", "short"), [("bfloat16", "bf16"), ("float16", "fp16")])
def test_a_precision_that_the_cpu_imitates_is_told_once(precision, short, supported, caplog, monkeypatch):
    for name in ("bf16", "fp16"):
        answer = supported if name == short else not supported
        monkeypatch.setattr(torch.ops.mkldnn, f"_is_mkldnn_{name}_supported", lambda answer=answer: answer)
    precisions.cpu_computes_in.cache_clear()
    for device in ("cuda", "cpu", "cpu"):
        precisions.check_precision(precision, device)
    assert caplog.text.count(f"only imitates {precision} and is far slower") == (not supported)
    precisions.cpu_computes_in.cache_clear()
