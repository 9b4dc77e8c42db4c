"""Arrays with bounds on their rounding errors: forward error analysis of a network's operations.

There are three networks. The exact one has the stored weights and real arithmetic. The float64 one
is computed here. The third is the same network in another arithmetic; it is not run, but its error
is bounded too. An `Enclosed` array holds the float64 values and, for every arithmetic, a bound on
the distance between the exact value and the value that this arithmetic computes, in any order of
its sums.

Each operation bounds its result from its inputs' bounds. With u the unit roundoff, λ the smallest
normal number (the largest error of a result that underflows) and γ_k = k·u/(1 − k·u):

    product over k terms   (γ_k·|A| + E_A)·|B| + |A|·E_B + 3k·λ
    sum of two             E_a + E_b + u·|a + b| + λ

|A| stands for a bound on the value in both networks. Bounds are themselves computed in float64,
from terms that are not negative, so they hold once they are widened by a few more units of roundoff
than they have operations. `docs/certificate.md` has the proofs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

EXP_ULPS = 4
"""Assumption: every library's exp is at most this many units in the last place off."""

_HALF = 2.0**-53  # unit roundoff of the float64 in which bounds are computed


@dataclass(frozen=True)
class Arithmetic:
    """A binary floating-point arithmetic that rounds to nearest."""

    name: str
    unit_roundoff: float
    """u: the largest relative error of one operation."""
    smallest: float
    """λ: the smallest normal number. Results below it may be flushed to zero."""
    largest: float
    dtype: Any

    def gamma(self, terms: int) -> float:
        """γ_k, rounded upwards.

        Raises:
            ValueError: there are too many terms for a useful bound.
        """
        product = terms * self.unit_roundoff
        if product > 0.05:
            raise ValueError(
                f"a sum has {terms} terms: expected at most {0.05 / self.unit_roundoff:.0f}, "
                f"or its error in {self.name} cannot be bounded"
            )
        return product / (1 - product) * (1 + 4 * _HALF)


def _arithmetic(dtype: Any) -> Arithmetic:
    facts = np.finfo(dtype)
    return Arithmetic(
        np.dtype(dtype).name,
        float(facts.eps) / 2,
        float(facts.smallest_normal),
        float(facts.max),
        dtype,
    )


FLOAT64 = _arithmetic(np.float64)
FLOAT32 = _arithmetic(np.float32)
ARITHMETICS = (FLOAT64, FLOAT32)
"""The arithmetics for which errors are bounded. Values are computed in the first."""


@dataclass(frozen=True)
class Enclosed:
    """Values and, per arithmetic, a bound on the distance of its values from the exact ones."""

    value: FloatArray
    """[…], computed in float64."""
    errors: tuple[FloatArray, ...]
    """One per arithmetic, each […]; infinite where no bound can be given."""

    def map(self, move: Callable[[FloatArray], FloatArray]) -> "Enclosed":
        """Rearrange the entries: `move` is applied to values and errors alike."""
        return Enclosed(move(self.value), tuple(move(error) for error in self.errors))

    def __getitem__(self, place: Any) -> "Enclosed":
        return self.map(lambda array: array[place])

    def reshape(self, *shape: int) -> "Enclosed":
        """The same numbers in another shape."""
        return self.map(lambda array: array.reshape(*shape))

    def magnitude(self, which: int) -> FloatArray:
        """A bound on the absolute value: exact, computed here, or computed in that arithmetic."""
        error = self.errors[0] if which == 0 else self.errors[0] + self.errors[which]
        return outward(np.abs(self.value) + error, 2)


def stored(values: ArrayLike) -> Enclosed:
    """Stored numbers: exact, with errors where an arithmetic must round or flush them.

    Args:
        values: […], float32 or float64.
    """
    exact = np.asarray(values, np.float64)
    size = np.abs(exact)
    errors = []
    for arithmetic in ARITHMETICS:
        with np.errstate(over="ignore", under="ignore"):
            rounded = exact.astype(arithmetic.dtype).astype(np.float64)
        flushed = np.where(size < arithmetic.smallest, size, 0.0)
        errors.append(np.maximum(np.abs(exact - rounded), flushed))
    return Enclosed(exact, tuple(errors))


def product(left: Enclosed, right: Enclosed) -> Enclosed:
    """Matrix product, each entry a sum of products in any order.

    Args:
        left: […, k].
        right: [k, m], stored weights.
    """
    errors = [rounding(left, right, which, carried) for which, carried in enumerate(left.errors)]
    with np.errstate(over="ignore", invalid="ignore"):
        return Enclosed(left.value @ right.value, tuple(errors))


def rounding(
    left: Enclosed, right: Enclosed, which: int, carried: FloatArray | float = 0.0
) -> FloatArray:
    """A bound on the error of a matrix product, […, m]: its rounding, and carried errors.

    Args:
        left: […, k].
        right: [k, m], stored weights, which an arithmetic may have to round.
        which: the arithmetic, an index into `ARITHMETICS`.
        carried: errors of the left side, […, k], which are multiplied by |right|.
    """
    terms, arithmetic = len(right.value), ARITHMETICS[which]
    factor, magnitude = arithmetic.gamma(terms), left.magnitude(which)
    bound = times(factor * magnitude + carried, right.magnitude(which))
    # bound / γ is at least any partial sum; if that may overflow, there is no bound.
    lost = bound > factor * arithmetic.largest / 2
    if right.errors[which].any():
        bound = bound + times(magnitude, right.errors[which])
    return unless(lost, outward(bound + 3 * terms * arithmetic.smallest, 2 * terms + 8))


def add(one: Enclosed, other: Enclosed) -> Enclosed:
    """Entrywise sum."""
    value = one.value + other.value
    errors: list[FloatArray] = []
    for which, arithmetic in enumerate(ARITHMETICS):
        carried = one.errors[which] + other.errors[which]
        size = np.abs(value) + carried + (errors[0] if errors else 0.0)
        bound = outward(carried + arithmetic.unit_roundoff * size + arithmetic.smallest, 6)
        errors.append(unless(size > arithmetic.largest / 2, bound))
    return Enclosed(value, tuple(errors))


def joined(parts: Sequence[Enclosed]) -> Enclosed:
    """The rows of several arrays, one array after the other."""
    errors = zip(*(part.errors for part in parts), strict=True)
    return Enclosed(
        np.concatenate([part.value for part in parts]), tuple(map(np.concatenate, errors))
    )


class Layer:
    """A product with stored weights; a bias is one more term of every sum, times exactly 1.

    Args:
        weight: [k, m].
        bias: [m] or None.
    """

    def __init__(self, weight: Enclosed, bias: Enclosed | None) -> None:
        self.weight, self._biased = weight, bias is not None
        self._terms = weight if bias is None else joined([weight, bias[None]])

    def __call__(self, inputs: Enclosed) -> Enclosed:
        """[…, k] to […, m]."""
        return product(self._inputs(inputs), self._terms)

    def value(self, inputs: Enclosed) -> FloatArray:
        """[…, k] to […, m], without bounds."""
        return self._inputs(inputs).value @ self._terms.value

    def rounding(
        self, inputs: Enclosed, which: int, carried: FloatArray | float = 0.0
    ) -> FloatArray:
        """As `arithmetic.rounding`."""
        if self._biased and isinstance(carried, np.ndarray):
            carried = _extended(carried, 0.0)
        return rounding(self._inputs(inputs), self._terms, which, carried)

    def _inputs(self, inputs: Enclosed) -> Enclosed:
        if not self._biased:
            return inputs
        errors = tuple(_extended(error, 0.0) for error in inputs.errors)
        return Enclosed(_extended(inputs.value, 1.0), errors)


def _extended(rows: FloatArray, last: float) -> FloatArray:
    """[…, k] to […, k + 1]."""
    return np.concatenate([rows, np.full_like(rows[..., :1], last)], axis=-1)


def outward(bound: FloatArray, operations: int) -> FloatArray:
    """Widen a bound by more than the error of its float64 operations, all on numbers ≥ 0."""
    return bound * (1 + 2 * _HALF * (operations + 4))


def unless(lost: NDArray[np.bool_] | bool, bound: FloatArray) -> FloatArray:
    """The bound; infinite where it is lost or NaN."""
    return np.where(lost | np.isnan(bound), np.inf, bound)


def times(left: FloatArray, right: FloatArray) -> FloatArray:
    """Product of bounds; all infinite where one of them is."""
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return np.full((*left.shape[:-1], right.shape[-1]), np.inf)
    with np.errstate(over="ignore"):
        return left @ right
