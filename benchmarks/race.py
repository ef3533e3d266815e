"""The race: every contender visits the same points, in turns, with the machine's rate measured before each turn.

What slows the machine down for a while so slows down all of them, and shows in the rate. The limit is the number of
operations of the layers' matrix products over the real tokens, divided by that rate: what is spent on padding,
normalisation, activation functions and memory comes on top.
"""

import copy
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from landscape_utils.engine.forward import products_in
from landscape_utils.engine.objective import TOKENS_PER_BATCH, Example, Objective
from landscape_utils.engine.precision import largest_difference
from landscape_utils.engine.walker import DTYPES, Evaluator, Walk
from landscape_utils.progress import bar

from .cases import POINTS, Case, Point

# visits of a point, planes of the package, examples in a batch of the loops
ROUNDS, PLANES, BATCH = 10, 2, 32
SAMPLE = 0.1  # seconds of one measurement of the rate
STEPS = 2  # of the package's plane, an axis
CLAIMED = [(i / STEPS, j / STEPS) for i in range(STEPS) for j in range(STEPS)]  # where it places its values
Visit = Callable[[Point], Tensor]  # the loss, or what an Evaluator gives, which begins with it


@dataclass
class Row:
    """A contender and, of each visit: its seconds, the loss there, and the machine's operations a second before it.
    `difference` is the largest of its losses from the engine's in float32."""

    name: str
    precision: str
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    difference: float = 0.0

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))

    def share(self, operations: float) -> float:
        """Of the limit: the seconds that the operations take at the machine's rate, by those that it took."""
        return operations / float(np.median(self.rates)) / self.median


def layer_weights(model: Any) -> list[Tensor]:
    """The matrices, (out, in), that every token is multiplied by."""
    return [m.weight.detach() for m in model.base_model.encoder.modules() if isinstance(m, nn.Linear)]


def operations(case: Case) -> float:
    """Floating-point operations: 2 for each weight and token, and 4 T d for attention and each token of T."""
    matrices, config = sum(w.numel() for w in layer_weights(case.model)), case.model.config
    lengths = [len(example["input_ids"]) for example in case.examples]
    return sum((2 * matrices + 4 * config.num_hidden_layers * config.hidden_size * n) * n for n in lengths)


def rate(weights: Sequence[Tensor], rows: int) -> float:
    """Operations a second, now, of products of batches (rows, in) with the weights, (out, in) each."""
    widths = {width for weight in weights for width in weight.shape}
    batch = {width: torch.randn(rows, width).to(weights[0]) for width in widths}
    into = {width: torch.empty_like(batch[width]) for width in widths}
    passes, done, started = -1, 0.0, 0.0  # the first pass warms up
    while passes < 1 or done < SAMPLE:
        for weight in weights:
            torch.mm(batch[weight.shape[1]], weight.T, out=into[weight.shape[0]])
        if weights[0].is_cuda:
            torch.cuda.synchronize()
        started = started or time.perf_counter()
        passes, done = passes + 1, time.perf_counter() - started
    return passes * 2 * rows * sum(weight.numel() for weight in weights) / done


def limit(model: Any, precision: str) -> float:
    """The machine's rate at the shapes of a model's layers, in batches like the engine's or four times that."""
    weights = [weight.to(DTYPES[precision]) for weight in layer_weights(model)]
    tokens = TOKENS_PER_BATCH["cuda" if weights[0].is_cuda else "cpu"]
    with products_in("high" if precision == "tf32" else "highest"):
        return max(rate(weights, tokens), rate(weights, 4 * tokens))


def tensors(rows: Sequence[Example], width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids, types and mask, (3, B, width), and labels, (B,); a width of 0 is that of the longest."""
    width = width or max(len(row["input_ids"]) for row in rows)
    inputs = torch.zeros(3, len(rows), width, dtype=torch.long)
    for i, row in enumerate(rows):
        ids = torch.tensor(row["input_ids"])
        types = torch.tensor(row.get("token_type_ids", [0] * len(ids)))
        inputs[:, i, : len(ids)] = torch.stack([ids, types, torch.ones_like(ids)])
    return inputs.to(device), torch.tensor([row["labels"] for row in rows], device=device)


class OneTensor(nn.Module):
    """A BERT that takes ids, types and mask as one tensor, (3, B, T), and gives one, (B, C)."""

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        ids, types, mask = inputs
        return self.model(input_ids=ids, token_type_ids=types, attention_mask=mask).logits


def plain_loop(case: Case, width: int, dtype: torch.dtype) -> Visit:
    """The loop that most people write, as good as it gets: data on the device, no gradients, weights written in place.

    Batches are of 32 in the order of the data and padded to `width`, or their longest if it is 0.
    """
    model = OneTensor(copy.deepcopy(case.model).to(dtype).eval())
    parameters = list(model.model.base_model.parameters())
    vectors = [v.to(parameters[0].device) for v in (case.plane.origin, *case.plane.directions)]
    parts = list(zip(*(v.split([p.numel() for p in parameters]) for v in vectors), strict=True))
    rows = [case.examples[i : i + BATCH] for i in range(0, len(case.examples), BATCH)]
    batches = [tensors(batch, width, parameters[0].device) for batch in rows]

    @torch.no_grad()
    def visit(point: Point) -> Tensor:
        for parameter, (origin, x, y) in zip(parameters, parts, strict=True):
            parameter.copy_((origin + point[0] * x + point[1] * y).view_as(parameter))
        losses = [
            F.cross_entropy(model(inputs).float(), labels, reduction="none") for inputs, labels in batches
        ]
        return torch.cat(losses).mean()

    return visit


def package_plane(case: Case, dtype: torch.dtype) -> list[float]:
    """Values of `planar_interpolation` of the package loss-landscapes, as documented: `Loss` over all the data."""
    from loss_landscapes import planar_interpolation
    from loss_landscapes.metrics import Loss

    device = next(case.model.parameters()).device
    spanning = []
    for point in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
        model = OneTensor(copy.deepcopy(case.model).to(dtype).eval())
        theta = case.plane.at(*point).to(device, dtype)
        torch.nn.utils.vector_to_parameters(theta, model.model.base_model.parameters())
        spanning.append(model)
    metric = Loss(F.cross_entropy, *tensors(case.examples, 0, device))
    return planar_interpolation(*spanning, metric, steps=STEPS, deepcopy_model=True).ravel().tolist()


def loss(visit: Visit, point: Point) -> float:
    return visit(point).flatten()[0].item()


def race(case: Case, precisions: Sequence[str]) -> list[Row]:
    """The engine in each precision and the rivals in the first, at the case's points in turn."""
    first, exact = precisions[0], precisions.index("float32")
    with ExitStack() as stack:
        visits: list[tuple[Row, Visit]] = []
        for precision in precisions:
            visits.append((Row("this engine", precision), stack.enter_context(walking(case, precision))))
        for name, width in (("dynamic padding", 0), (f"padded to {case.longest}", case.longest)):
            visits.append((Row(f"loop, {name}", first), plain_loop(case, width, DTYPES[first])))
        for _, visit in visits:
            visit(POINTS[0])  # warms up
        for i in bar(range(ROUNDS), what="race", unit="round"):
            for row, visit in visits:
                row.rates.append(limit(case.model, row.precision))
                started = time.perf_counter()
                row.losses.append(loss(visit, POINTS[i % len(POINTS)]))
                row.seconds.append(time.perf_counter() - started)
        rows, float32 = [row for row, _ in visits], visits[exact]
        for row in rows:
            row.difference = largest_difference(np.array(float32[0].losses), np.array(row.losses))
        if find_spec("loss_landscapes"):
            package = Row(f"loss-landscapes {version('loss-landscapes')}", first)
            for _ in range(PLANES):
                package.rates.append(limit(case.model, first))
                started = time.perf_counter()
                package.losses = package_plane(case, DTYPES[first])
                package.seconds.append((time.perf_counter() - started) / len(CLAIMED))
            engine = np.array([loss(float32[1], point) for point in CLAIMED])
            package.difference = largest_difference(engine, np.array(package.losses))
            rows.append(package)
    return rows


def walking(case: Case, precision: str) -> AbstractContextManager[Evaluator]:
    """The engine on a copy of the case's model: several walks at a time must not share their weights."""
    objective = Objective(copy.deepcopy(case.model), case.examples)
    return Walk([objective], case.plane.origin, case.plane.directions).open(precision)
