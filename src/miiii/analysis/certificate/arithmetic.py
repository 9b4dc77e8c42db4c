"""Numbers that carry how far they may be off: forward error analysis of a network's operations.

Three networks are kept apart. The exact one is given by the stored weights and real arithmetic. The
float64 one is what is computed here. The third is the same network in another arithmetic, which
need not be run: its error is bounded too. An `Enclosed` array holds the float64 values and, for
every arithmetic, a bound on the distance between the exact value and the one that this arithmetic
computes, whatever the order of its sums.

Each operation bounds its result from its inputs' bounds. With u the unit roundoff, λ the smallest
normal number (lost at most when a result underflows) and γ_k = k·u/(1 − k·u):

    product over k terms   (γ_k·|A| + E_A)·|B| + |A|·E_B + 3k·λ
    sum of two             E_a + E_b + u·|a + b| + λ

|A| stands for a bound on the value in both networks. Bounds are themselves computed in float64,
from terms that are not negative, so that widening them by a few more units of roundoff than they
have operations makes them hold. `docs/certificate.md` has the proofs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

EXP_ULPS = 4
"""Assumed of every library's exp: at most this many units in the last place from the truth."""

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
            ValueError: so many terms that no useful bound is left.
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
"""In which the network's logits are bounded. The first is the one that values are computed in."""


@dataclass(frozen=True)
class Enclosed:
    """Values and, per arithmetic, how far its values may be from the exact ones."""

    value: FloatArray
    """[…], computed in float64."""
    errors: tuple[FloatArray, ...]
    """One per arithmetic, each […]; infinite where no bound can be given."""

    def __getitem__(self, place: Any) -> "Enclosed":
        return Enclosed(self.value[place], tuple(error[place] for error in self.errors))

    def reshape(self, *shape: int) -> "Enclosed":
        """The same numbers in another shape."""
        return Enclosed(
            self.value.reshape(*shape), tuple(error.reshape(*shape) for error in self.errors)
        )

    def magnitude(self, which: int) -> FloatArray:
        """No less than the absolute value, be it exact, computed here or in that arithmetic."""
        error = self.errors[0] if which == 0 else self.errors[0] + self.errors[which]
        return outward(np.abs(self.value) + error, 2)


def stored(values: ArrayLike) -> Enclosed:
    """Stored numbers: exact as they stand, and rounded or flushed where an arithmetic lacks them.

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
    errors = []
    for which in range(len(ARITHMETICS)):
        errors.append(rounding(left, right, which, carried=left.errors[which]))
    with np.errstate(over="ignore", invalid="ignore"):
        return Enclosed(left.value @ right.value, tuple(errors))


def rounding(
    left: Enclosed, right: Enclosed, which: int, carried: FloatArray | float = 0.0
) -> FloatArray:
    """What a matrix product adds to the errors of its left side: […, m].

    Args:
        left: […, k].
        right: [k, m], stored weights, which an arithmetic may have to round.
        which: the arithmetic.
        carried: errors to add, multiplied by |right|; […, k].
    """
    terms, arithmetic = len(right.value), ARITHMETICS[which]
    factor, magnitude = arithmetic.gamma(terms), left.magnitude(which)
    bound = times(factor * magnitude + carried, right.magnitude(which))
    # bound / γ is no less than any partial sum: past the largest number nothing is known.
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


def with_one(rows: Enclosed) -> Enclosed:
    """[…, k] to […, k + 1]: what a bias multiplies, exactly 1."""
    return Enclosed(
        np.concatenate([rows.value, np.ones_like(rows.value[..., :1])], axis=-1),
        tuple(without_error(error) for error in rows.errors),
    )


def without_error(errors: FloatArray) -> FloatArray:
    """[…, k] to […, k + 1]: errors of rows that end with `with_one`'s 1."""
    return np.concatenate([errors, np.zeros_like(errors[..., :1])], axis=-1)


def with_bias(weight: Enclosed, bias: Enclosed) -> Enclosed:
    """[k, m] and [m] to [k + 1, m]: a bias is one more term of every sum."""
    return Enclosed(
        np.concatenate([weight.value, bias.value[None]]),
        tuple(
            np.concatenate([error, other[None]])
            for error, other in zip(weight.errors, bias.errors, strict=True)
        ),
    )


def outward(bound: FloatArray, operations: int) -> FloatArray:
    """A bound computed with so many float64 operations on numbers ≥ 0, widened to make it hold."""
    return bound * (1 + 2 * _HALF * (operations + 4))


def unless(lost: NDArray[np.bool_] | bool, bound: FloatArray) -> FloatArray:
    """The bound, infinite where it is lost or no number."""
    return np.where(lost | np.isnan(bound), np.inf, bound)


def times(left: FloatArray, right: FloatArray) -> FloatArray:
    """Product of bounds; all infinite where one of them is."""
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return np.full((*left.shape[:-1], right.shape[-1]), np.inf)
    with np.errstate(over="ignore"):
        return left @ right
