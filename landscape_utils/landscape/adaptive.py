"""Which points of a grid to compute, and what the others are, with a stated error.

A grid is first computed on a coarse lattice: every s-th point of each axis and the last one, s being the largest power
of two that leaves at least `CELLS` steps; and around the marks. Its cells are halved, again and again, only where
interpolation from what is known is not good enough. A feature narrower than the lattice's step that shows at no point
of the lattice, at no mark's neighbour and at none of the points drawn for the check at the end is missed.

Interpolation is the piecewise polynomial harmonic scheme (Amat, Donat, Liandrat and Trillo 2006) along each axis: the
line through the two neighbours, and the harmonic mean of the two corrections that a third point, on the left (q_l) or
on the right (q_r), makes to it, or none if they differ in sign. It is exact for quadratics and does not ring at a wall.
In the middle of a cell, the axis along which the surface bends less counts more.

The error of a point that is not computed is judged as the sum of 2 (|q_l| + |q_r|), how far a function of two straight
pieces, or of two plateaus, can be from its interpolant; of the judged error of the points it is interpolated from; and
of the largest miss nearby, |value - interpolant| at points new in the same lattice, or half of it in the next coarser.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from scipy.ndimage import binary_dilation, maximum_filter

CELLS = 9  # steps of the coarsest lattice an axis, at least
STRICT = 1.25  # judged error over tolerance up to which a point is interpolated: most are off by far less than judged
CHECKS = 40  # points drawn to check the others: at most a quarter of them, at least the square root of their number
CHECKED = 0.05  # share of the checked points that may be off by more than the tolerance
BASE = 1 << 30  # the step of the points of the coarsest lattice: no cell was halved for them
TIGHTER = 0.7  # what `STRICT` is multiplied by after a check that failed
TINY = 1e-12
STRAIGHT = -1  # the guide of columns interpolated along straight lines

# of a scan, (objectives * (4 + 2 draws),) each: loss, error, their standard errors, draws of both
Rows = Mapping[int, np.ndarray]


class Axis:
    """Sorted coordinates `x` and the `step`, (n,) each, of the coarsest lattice that holds a point."""

    def __init__(self, x: np.ndarray):
        self.x, index, coarse = x, np.arange(len(x)), 1
        while (len(x) - 1) / (2 * coarse) >= CELLS:
            coarse *= 2
        self.step = np.where((index % coarse == 0) | (index == index[-1]), BASE, index & -index)

    def new(self, h: int) -> np.ndarray:
        """Indices of the points that the lattice of step h has and coarser ones have not."""
        return np.flatnonzero(self.step == h)

    def old(self, h: int) -> np.ndarray:
        """Indices of the points of the lattices coarser than h."""
        return np.flatnonzero(self.step > h)

    def interpolate(
        self, h: int, values: np.ndarray, errors: np.ndarray, guide: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Values at the new points of step h and their judged errors, (C, new, B), from (C, n, B) and `errors` there.

        At a border, where there is a third point on one side only, it stands for both.
        """
        new, old = self.new(h), self.old(h)
        b, last = np.searchsorted(old, new), len(old) - 1
        left, right = np.where(b > 1, b - 2, np.minimum(b + 1, last)), np.where(b < last, b + 1, b - 2)
        places = old[[left, b - 1, b, right]]
        x, (x_left, x_a, x_b, x_right) = self.x[new][:, None], self.x[places][..., None]
        v_left, v_a, v_b, v_right = (values[:, place] for place in places)
        with np.errstate(all="ignore"):  # what is not finite, or stands twice at one place, gives no number
            slope = (v_b - v_a) / (x_b - x_a)
            q_left, q_right = (
                ((v - v_a) / (x_c - x_a) - slope) / (x_c - x_b) * (x - x_a) * (x - x_b)
                for x_c, v in ((x_left, v_left), (x_right, v_right))
            )
            both = q_left + q_right
            share = np.where(q_left * q_right > 0, 2 * q_left * q_right / both**2, 0 * both)
            share = np.concatenate([share, np.zeros_like(share[:1])])[guide]
            judged = 2 * (np.abs(q_left) + np.abs(q_right)) + np.maximum(
                *errors[:, places[1:3]].swapaxes(0, 1)
            )
            return v_a + slope * (x - x_a) + share * both, judged


class Lattice:
    """The points of a grid, (A, B), of sorted axes, by the `step` of the lattice in which they are new, as of an Axis.

    `turn`: (A, B) the order in which points can be judged, the largest first: edges of a cell before its centre.
    """

    def __init__(self, *axes: np.ndarray):
        self.axes = [Axis(x) for x in axes]
        first, second = (axis.step for axis in self.axes)
        self.step = np.minimum.outer(first, second)
        self.turn = 2 * self.step - np.equal.outer(first, second)
        self.steps = sorted({*first.tolist(), *second.tolist()} - {BASE}, reverse=True)

    def interpolate(
        self, columns: np.ndarray, known: np.ndarray, guide: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The columns (C, A, B) with interpolants where not `known` (A, B); interpolants everywhere; judged errors.

        `guide` (C,): for each column the one with whose weights it is interpolated, or `STRAIGHT` for lines alone.
        """
        filled, predicted = np.where(known, columns, np.nan), np.full_like(columns, np.nan)
        judged, errors = np.zeros_like(columns), np.where(known, np.zeros_like(columns), np.nan)

        def along(axis: int, h: int, across: np.ndarray) -> list[np.ndarray]:
            values, off = (np.moveaxis(of, 1 + axis, 1)[:, :, across] for of in (filled, errors))
            found = self.axes[axis].interpolate(h, values, off, guide)
            return [np.moveaxis(of, 1, 1 + axis) for of in found]

        def put(rows: np.ndarray, cols: np.ndarray, found: Sequence[np.ndarray]) -> None:
            row, col = np.ix_(rows, cols)
            at, there = (slice(None), row, col), known[row, col]
            predicted[at], judged[at] = found
            filled[at], errors[at] = np.where(there, filled[at], found[0]), np.where(there, 0.0, found[1])

        first, second = self.axes
        for h in self.steps:
            put(first.new(h), second.old(h), along(0, h, second.old(h)))
            put(first.old(h), second.new(h), along(1, h, first.old(h)))
            ways = [along(0, h, second.new(h)), along(1, h, first.new(h))]
            weights = [np.concatenate([(e + TINY) ** -2, np.ones_like(e[:1])])[guide] for _, e in ways]
            total = weights[0] + weights[1]
            with np.errstate(invalid="ignore"):
                mean = [(weights[0] * one + weights[1] * two) / total for one, two in zip(*ways, strict=True)]
            put(first.new(h), second.new(h), mean)
        return filled, predicted, judged


class Refinement:
    """The course of an adaptive scan: `todo` says which points to compute next, `take` takes what they gave.

    It depends on values alone, and on all those of a round at once: the same values, in whatever order they were
    computed, give the same points in the same order. `axes`: (A,), or (A,) and (B,), in any order; the grid's points
    around `places` are computed in the first round.
    """

    def __init__(self, axes: Sequence[np.ndarray], places: Iterable[Sequence[float]] = ()):
        self._shape = tuple(map(len, axes))
        both = [*axes, np.zeros(1)][:2]  # a line is a plane of one column
        orders = [np.argsort(axis, kind="stable") for axis in both]
        self._lattice = Lattice(*(axis[order] for axis, order in zip(both, orders, strict=True)))
        self._index = np.arange(math.prod(self._shape)).reshape(len(both[0]), -1)[np.ix_(*orders)]
        self._lot = np.random.default_rng(0).permutation(self._index.size).reshape(self._index.shape)
        self._known = np.zeros(self._index.shape, bool)
        self._strict, self._passed = STRICT, False
        self._check: np.ndarray | None = None  # the points that this round computes to check the others
        self._next = self._lattice.step == BASE
        for place in places:
            around = [
                np.clip(np.searchsorted(axis.x, at) - np.arange(2), 0, len(axis.x) - 1)
                for axis, at in zip(self._lattice.axes, (*place, 0.0), strict=False)
            ]
            self._next[np.ix_(*around)] = True

    @property
    def todo(self) -> np.ndarray:
        """Indices of the grid's points, counted row by row, to compute in this round; none when all is done."""
        return np.sort(self._index[self._next])

    @property
    def computed(self) -> np.ndarray:
        """Which points were computed: bool, of the grid's shape."""
        return self._given(self._known)

    @property
    def bound(self) -> np.ndarray:
        """(fields, *the grid's shape): the stated error of the points not computed, 0 at the others.

        It is the judged error, and on top the largest share of the tolerance by which a known value, judged alike, was
        off by more than judged. It may say more than the tolerance; where it does not, the tolerance holds.
        """
        bounds = np.zeros_like(self._judged)
        fields = zip(bounds, self._judged, self._allowed, self._misses, strict=True)
        for bound, judged, allowed, misses in fields:
            near = self._tested & (judged <= 2 * STRICT * allowed) & (allowed > 0)
            over = (misses - judged)[near] / allowed[near]
            bound[~self._known] = (judged + over.max(initial=0.0) * allowed)[~self._known]
        return self._given(bounds)

    def take(self, values: np.ndarray, tolerance: np.ndarray) -> None:
        """Go on to the next round with what the points of `todo` gave: values (fields, points), perhaps not finite,
        and how far off an interpolated one may be there."""
        if not self._known.any():
            self._values, self._tolerance = np.full((2, len(values), *self._known.shape), np.nan)
        order = np.searchsorted(self.todo, self._index[self._next])
        self._values[:, self._next], self._tolerance[:, self._next] = values[:, order], tolerance[:, order]
        self._known |= self._next
        if self._check is not None:
            with np.errstate(invalid="ignore"):
                close = np.abs(self._values - self._filled) <= self._allowed
            missed = ~close.all(axis=0)[self._check]
            self._passed, self._check = bool(missed.mean() <= CHECKED), None
            self._strict *= 1 if self._passed else TIGHTER
        self._judge()
        self._next = self._chosen()

    def fill(self, columns: np.ndarray, guide: np.ndarray) -> np.ndarray:
        """Columns (C, *the grid's shape) with interpolants where nothing was computed; `guide` as in a Lattice."""
        sorted_ = columns.reshape(len(columns), -1)[:, self._index]
        return self._given(self._lattice.interpolate(sorted_, self._known, guide)[0])

    def _judge(self) -> None:
        """From all that is known: values, the errors allowed, the judged ones, and how far known values were missed."""
        fields = len(self._values)
        lattice, known = self._lattice, self._known
        self._allowed, _, _ = lattice.interpolate(self._tolerance, known, np.full(fields, STRAIGHT))
        self._filled, predicted, judged = lattice.interpolate(self._values, known, np.arange(fields))
        self._tested = known & (lattice.step < BASE)
        with np.errstate(invalid="ignore"):
            misses = np.abs(predicted - self._values)
        self._misses = np.where(self._tested & np.isfinite(misses), misses, 0.0)
        nearby = np.zeros_like(judged)
        for h in lattice.steps:
            window = np.ones((1, 2 * h + 1, 2 * h + 1))
            window[0, h, h] = 0  # its own miss is what the judgement of a point is tested on
            new = np.where(lattice.step == h, self._misses, 0.0)
            largest = maximum_filter(new, footprint=window, mode="constant")
            share = np.where(lattice.step >= h, 1.0, np.where(lattice.step == h // 2, 0.5, 0.0))
            nearby = np.maximum(nearby, largest * share)
        self._judged = judged + nearby

    def _chosen(self) -> np.ndarray:
        """(A, B) bool: the coarsest of the points whose error may be too large; if there are none, points to check."""
        within = (self._judged <= self._strict * self._allowed).all(axis=0)  # not so where it is not a number
        broken = self._known & ~np.isfinite(self._values).all(axis=0)
        chosen = ~self._known & (~within | binary_dilation(broken, np.ones((3, 3))))
        if chosen.any():
            return chosen & (self._lattice.turn == self._lattice.turn[chosen].max())
        rest = np.sort(self._lot[~self._known])
        if self._passed or not rest.size:
            return chosen
        last = max(min(CHECKS, rest.size // 4), math.isqrt(rest.size - 1))
        self._check = ~self._known & (self._lot <= rest[last])
        return self._check

    def _given(self, values: np.ndarray) -> np.ndarray:
        """(..., A, B) in the order of the sorted axes, as the grid was given."""
        flat = np.empty((*values.shape[:-2], self._index.size), values.dtype)
        flat[..., self._index.ravel()] = values.reshape(*values.shape[:-2], -1)
        return flat.reshape(*values.shape[:-2], *self._shape)


def refined(
    refinement: Refinement, rows: Rows, marked: range, sizes: Sequence[int], tolerance: float | str
) -> Iterator[Sequence[int]]:
    """The points of each round, the marks first; whoever asks for the next has put the last one's rows into `rows`.

    `sizes`: examples of each objective; the standard error of an error rate of 0 or 1 counts as one example.
    """
    yield marked
    least = np.array([(0.0, 1 / size) for size in sizes])
    while len(todo := refinement.todo):
        yield todo.tolist()
        found = np.array([rows[i] for i in todo.tolist()]).reshape(len(todo), len(sizes), -1)
        values, stderrs = found[..., :2], found[..., 2:4]
        allowed = np.maximum(stderrs, least) if tolerance == "stderr" else np.full_like(values, tolerance)
        refinement.take(values.reshape(len(todo), -1).T, allowed.reshape(len(todo), -1).T)


def interpolated(refinement: Refinement | None, rows: Rows, marked: range, objectives: int) -> np.ndarray:
    """The rows of all points, the grid's and then the marks', (points, width).

    Standard errors are interpolated along straight lines, draws with the weights of what they are drawn of.
    """
    if refinement is None:
        return np.array([rows[i] for i in range(marked.stop)])
    computed = refinement.computed
    known = [*np.flatnonzero(computed).tolist(), *marked]
    values = np.full((marked.stop, len(rows[known[0]])), np.nan)
    values[known] = [rows[i] for i in known]
    width = values.shape[1] // objectives
    like = np.array([0, 1, STRAIGHT, STRAIGHT, *np.repeat([0, 1], width // 2 - 2)])
    guide = np.concatenate([np.where(like < 0, STRAIGHT, like + k * width) for k in range(objectives)])
    grid = refinement.fill(values[: computed.size].T.reshape(-1, *computed.shape), guide)
    largest = np.tile(np.where(like == 1, 1.0, np.inf), objectives)  # an error rate
    within = np.clip(grid.reshape(len(grid), -1).T, 0.0, largest)
    values[: computed.size][~computed.ravel()] = within[~computed.ravel()]
    return values
