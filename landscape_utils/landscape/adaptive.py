"""Which points of a grid to compute, and what the others are, with a stated error.

A grid is first computed on a coarse lattice: every s-th point of each axis and the last one, s being the largest power
of two that leaves at least `CELLS` steps; and around the marks. Its cells are halved, again and again, only where
interpolation from what is known is not good enough. A feature narrower than the lattice's step that shows at no point
of the lattice, at no mark's neighbour and at none of the points drawn for the check at the end is missed.

Interpolation is the piecewise polynomial harmonic scheme (Amat, Donat, Liandrat and Trillo 2006) along each axis: the
line through the two neighbours, and the harmonic mean of the two corrections that a third point, on the left (q_l) or
on the right (q_r), makes to it, or none if they differ in sign. It is exact for quadratics and does not ring at a wall.
In the middle of a cell, the axis along which the surface bends less counts more.

The error of a point that is not computed is judged as the sum of |q_l - q_r| + (|q_l| + |q_r|) / 2, how far the two
corrections disagree and half of what they come to; of the judged error of the points it is interpolated from; of the
largest miss nearby, |value - interpolant| at known points new in the same lattice; and of a tenth of the tolerance.
Known points are judged alike, from coarser lattices, and miss / judged error tells how large errors really are on this
surface. A point is interpolated where its judged error, times the 80 % quantile of these ratios, is within the
tolerance. Its stated error is the judged one times the largest of them, or 1 if that is more, and half as much again,
as other points may be off by more than those that are known.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy.ndimage import maximum_filter

from ..engine.precision import Journal

CELLS = 9  # steps of the coarsest lattice an axis, at least
FLOOR = 0.1  # share of the tolerance that a point may be off by, however smooth the surface looks
QUANTILE = 0.8  # of miss / judged error at known points: what the errors of other points are taken to be
ENOUGH = 30  # known points of which a quantile is taken; of fewer, errors are taken to be as large as judged
MARGIN = 1.5  # of the stated error over what the largest ratio at a known point comes to
CHECKS = 40  # points drawn to check the others, of few about a quarter
CHECKED = 0.05  # share of the checked points that may be off by more than the tolerance
BASE = 1 << 30  # the step of the points of the coarsest lattice: no cell was halved for them
TIGHTER = 0.7  # what the tolerance is multiplied by after each check that failed
STRAIGHT = -1  # the guide of columns interpolated along straight lines


def steps_along(points: int) -> np.ndarray:
    """(points,): of each point of an axis the step of the coarsest lattice that holds it."""
    index, coarse = np.arange(points), 1
    while (points - 1) / (2 * coarse) >= CELLS:
        coarse *= 2
    return np.where((index % coarse == 0) | (index == points - 1), BASE, index & -index)


def interpolate(
    x: np.ndarray, new: np.ndarray, old: np.ndarray, given: np.ndarray, guide: np.ndarray
) -> np.ndarray:
    """Values and judged errors, (2, C, new, B), at the points `new` of an axis x from those of `old` in `given`, (2, C,
    n, B); at a border, or beside what is not finite, the third point on the other side stands for both. `guide`: as in
    `Lattice.interpolate`."""
    b, last = np.searchsorted(old, new), len(old) - 1
    left, right = np.where(b > 1, b - 2, b + 1), np.where(b < last, b + 1, b - 2)
    places = old[[left, b - 1, b, right]]  # (4, new)
    at, (x_left, x_a, x_b, x_right) = x[new][:, None], x[places][..., None]
    values, errors = given
    v_left, v_a, v_b, v_right = (values[:, place] for place in places)
    with np.errstate(all="ignore"):  # what is not finite, or stands twice at one place, gives no number
        slope = (v_b - v_a) / (x_b - x_a)
        q_left, q_right = (
            ((v - v_a) / (x_c - x_a) - slope) / (x_c - x_b) * (at - x_a) * (at - x_b)
            for x_c, v in ((x_left, v_left), (x_right, v_right))
        )
        q_left, q_right = (
            np.where(np.isfinite(q), q, other) for q, other in ((q_left, q_right), (q_right, q_left))
        )
        both = q_left + q_right
        share = np.where(q_left * q_right > 0, 2 * q_left * q_right / both**2, 0 * both)[guide]
        share[guide == STRAIGHT] = 0.0
        judged = np.abs(q_left - q_right) + (np.abs(q_left) + np.abs(q_right)) / 2
        judged += errors[:, places[1:3]].max(axis=1)
        return np.array([v_a + slope * (at - x_a) + share * both, judged])


class Lattice:
    """The points of a grid, (A, B), of sorted `axes`.

    Attributes:
        step: (A, B) of each point the step of the coarsest lattice that holds it, `BASE` for the first one.
        steps: of the other lattices, the largest first.
        turn: (A, B) the order in which points can be judged, the largest first: edges of a cell before its centre.
    """

    def __init__(self, *axes: np.ndarray):
        self.axes, self._along = axes, [steps_along(len(axis)) for axis in axes]
        self.step = np.minimum.outer(*self._along)
        self.steps = np.unique(self.step)[-2::-1].tolist()
        self.turn = 2 * self.step - np.equal.outer(*self._along)

    @np.errstate(invalid="ignore")  # beside what is infinite there is no number
    def interpolate(self, columns: np.ndarray, known: np.ndarray, guide: np.ndarray) -> np.ndarray:
        """Interpolants of columns (C, A, B) and their judged errors, (2, C, A, B), from the points `known`, (A, B), and
        at them from others; NaN and 0 on the coarsest lattice, which is all known. `guide` (C,): for each column the
        one with whose weights it is interpolated, or `STRAIGHT` for lines alone."""
        exact = np.array([columns, np.zeros_like(columns)])
        found = np.array([np.full_like(columns, np.nan), exact[1]])

        def along(axis: int, new: np.ndarray, old: np.ndarray, across: np.ndarray) -> np.ndarray:
            given = np.where(known, exact, found).swapaxes(2, 2 + axis)[..., across]
            return interpolate(self.axes[axis], new, old, given, guide).swapaxes(2, 2 + axis)

        for h in self.steps:
            rows, cols = ((np.flatnonzero(step == h), np.flatnonzero(step > h)) for step in self._along)
            (new_rows, old_rows), (new_cols, old_cols) = rows, cols
            found[..., new_rows[:, None], old_cols] = along(0, *rows, old_cols)
            found[..., old_rows[:, None], new_cols] = along(1, *cols, old_rows)
            ways = np.array([along(0, *rows, new_cols), along(1, *cols, new_rows)])  # (2, 2, C, new, new)
            weights = ((ways[:, 1] + 1e-12) ** -2)[:, guide]
            weights[:, guide == STRAIGHT] = 1.0
            mean = (weights[:, None] * ways).sum(axis=0) / weights.sum(axis=0)
            found[..., new_rows[:, None], new_cols] = mean
        return found


class Refinement:
    """The course of an adaptive scan: `todo` says which points to compute next, `take` takes what they gave. The same
    values, in whatever order those of a round were computed, give the same points in the same order.

    `axes`: (A,), or (A,) and (B,), in any order; points around `places` are computed in the first round.
    """

    def __init__(self, axes: Sequence[np.ndarray], places: Iterable[Sequence[float]] = ()):
        self._shape = tuple(map(len, axes))
        both = [*axes, np.zeros(1)][:2]  # a line is a plane of one column
        orders = [np.argsort(axis, kind="stable") for axis in both]
        self._lattice = Lattice(*(axis[order] for axis, order in zip(both, orders, strict=True)))
        self._index = np.arange(math.prod(self._shape)).reshape(len(both[0]), -1)[np.ix_(*orders)]
        self._back = np.ix_(*map(np.argsort, orders))
        self._lot = np.random.default_rng(0).permutation(self._index.size).reshape(self._index.shape)
        self._known = np.zeros(self._index.shape, bool)
        self._strict, self._checking, self._passed = 1.0, False, False
        self._next = self._lattice.step == BASE
        for place in places:
            around = [
                np.clip(np.searchsorted(axis, at) - np.arange(2), 0, len(axis) - 1)
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
        """(fields, *the grid's shape): the stated error of points not computed, 0 at others; infinite within a region
        that is not finite. It may be more than the tolerance, and holds at 95 of 100 points or more."""
        largest = [MARGIN * max(1.0, ratios.max(initial=0.0)) for ratios in self._ratios()]
        stated = np.where(self._lost, np.inf, np.array(largest)[:, None, None] * self._judged)
        return self._given(np.where(self._known, 0.0, stated))

    @np.errstate(invalid="ignore")
    def take(self, values: np.ndarray, tolerance: np.ndarray) -> None:
        """Go on to the next round with what the points of `todo` gave: values (fields, points), perhaps not finite,
        and how far off an interpolated one may be there."""
        if not self._known.any():
            self._taken = np.full((2, len(values), self._index.size), np.nan)
        self._taken[:, :, self.todo] = values, tolerance
        self._values, tolerances = self._taken[:, :, self._index]
        self._known |= self._next
        if self._checking:
            close = np.abs(self._values - self._predicted) <= self._allowed
            close |= self._lost & ~np.isfinite(self._values)
            self._passed = bool((~close.all(axis=0)[self._next]).mean() <= CHECKED)
            self._strict *= 1 if self._passed else TIGHTER
        self._judge(tolerances)
        self._choose()

    def rounds(self, rows: Journal, sizes: Sequence[int], tolerance: float | str) -> Iterator[list[int]]:
        """The points of each round; whoever asks for the next has put the last one's rows into `rows`. `sizes`: the
        number of examples of each objective; the standard error of an error rate of 0 or 1 counts as one example."""
        least = np.array([(0.0, 1 / size) for size in sizes])
        while todo := self.todo.tolist():
            yield todo
            found = np.array([rows[i] for i in todo]).reshape(len(todo), len(sizes), -1)
            values, stderrs = found[..., :2], found[..., 2:4]
            # a regression has no error rate: none that is to be known anywhere
            none = np.isnan(values[..., 1:]) & np.isfinite(values[..., :1])
            values = np.concatenate([values[..., :1], np.where(none, 0.0, values[..., 1:])], axis=-1)
            allowed = np.fmax(stderrs, least) if tolerance == "stderr" else np.full_like(values, tolerance)
            self.take(values.reshape(len(todo), -1).T, allowed.reshape(len(todo), -1).T)

    def completed(self, values: np.ndarray) -> np.ndarray:
        """One objective's values, (points, 4 + 2 draws), of the grid and then of the marks, with interpolants where not
        computed: of standard errors along straight lines, of draws with the weights of what they are drawn of."""
        draws = values.shape[1] // 2 - 2
        guide = np.array([0, 1, STRAIGHT, STRAIGHT, *draws * [0], *draws * [1]])
        grid, at_marks = np.split(values, [self.computed.size])
        filled = self.fill(grid.T.reshape(-1, *self.computed.shape), guide).reshape(len(guide), -1).T
        # an error rate is 1 at most, and only a loss of the user's can be below 0
        least = np.where((guide == 0) & (grid[:, 0] < 0).any(), -np.inf, 0.0)
        possible = np.clip(filled, least, np.where(guide == 1, 1.0, np.inf))
        return np.concatenate([np.where(self.computed.reshape(-1, 1), grid, possible), at_marks])

    def fill(self, columns: np.ndarray, guide: np.ndarray) -> np.ndarray:
        """Columns (C, *the grid's shape) with interpolants where nothing was computed; `guide` as in a Lattice."""
        sorted_ = columns.reshape(len(columns), -1)[:, self._index]
        predicted, _ = self._lattice.interpolate(sorted_, self._known, guide)
        return self._given(np.where(self._known, sorted_, predicted))

    def _judge(self, tolerances: np.ndarray) -> None:
        """From all that is known: the errors allowed, the judged ones, how far known values were missed, and where a
        value may lie on the border of what has no number, or within it."""
        fields, lattice, known = len(tolerances), self._lattice, self._known
        straight, _ = lattice.interpolate(tolerances, known, np.full(fields, STRAIGHT))
        self._allowed = np.where(known, tolerances, straight)
        self._predicted, judged = lattice.interpolate(self._values, known, np.arange(fields))
        misses = np.abs(self._predicted - self._values)
        self._misses = np.where(np.isfinite(misses), misses, 0.0)
        finite = np.isfinite(self._values)
        nearby, beside, off = np.zeros_like(judged), np.zeros_like(finite), np.zeros_like(finite)
        for h in lattice.steps:
            new, size = lattice.step == h, (1, 2 * h + 1, 2 * h + 1)
            beside |= new & maximum_filter(known & finite, size, mode="constant")
            off |= new & maximum_filter(known & ~finite, size, mode="constant")
            around = np.ones(size)
            around[0, h, h] = 0  # its own miss is what the judgement of a point is tested on
            largest = maximum_filter(np.where(new, self._misses, 0.0), footprint=around, mode="constant")
            nearby = np.maximum(nearby, np.where(lattice.step >= h, largest, 0.0))
        self._border, self._lost = off & beside, off & ~beside & ~known
        self._judged = judged + nearby + FLOOR * self._allowed

    def _ratios(self) -> list[np.ndarray]:
        """For each field miss / judged error at the known points of the finer lattices."""
        numbers = np.isfinite(self._values + self._predicted + self._judged)
        tested = self._known & numbers & (self._allowed > 0)
        return [m[at] / judged[at] for m, judged, at in zip(self._misses, self._judged, tested, strict=True)]

    def _choose(self) -> None:
        """Next are the coarsest of the points whose error may be too large; if there are none, points to check."""
        usual = [
            np.quantile(ratios, QUANTILE, method="higher") if len(ratios) >= ENOUGH else 1.0
            for ratios in self._ratios()
        ]
        within = (
            np.array(usual)[:, None, None] * self._judged <= self._strict * self._allowed
        )  # not so of NaN
        left_out = within & ~self._border | self._lost
        self._next = ~self._known & ~left_out.all(axis=0)
        rest = np.sort(self._lot[~self._known])
        self._checking = bool(rest.size) and not (self._passed or self._next.any())
        if self._checking:
            self._next = ~self._known & (self._lot <= rest[min(CHECKS, rest.size // 4)])
        elif self._next.any():
            self._next &= self._lattice.turn == self._lattice.turn[self._next].max()

    def _given(self, values: np.ndarray) -> np.ndarray:
        """(..., A, B) in the order of the sorted axes, as the grid was given."""
        rows, cols = self._back
        return values[..., rows, cols].reshape(*values.shape[:-2], *self._shape)
