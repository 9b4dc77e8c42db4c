"""Amplify the slow gradient on chosen frequencies of the digits only (beyond paper Eq. 11).

Grokfast amplifies the slow part of every gradient. The paper's further work asks for something
narrower: to amplify what the circuits of chosen tasks are made of. On the digits, a circuit for
n mod q is made of the frequencies k/q, in cycles per digit: n = x0 + p·x1, so that the harmonic k
turns k/q with each step of x0 and p·k/q (modulo 1) with each step of x1. Those are again harmonics
of q, so that both digits' frequencies of a task together are only the k/q.

    >>> import optax
    >>> directions = lambda tokens: task_directions(tokens - 1, (2, 3, 5, 7))
    >>> optimiser = optax.chain(grokfast_on_rows("token_embedding", directions), optax.adamw(1e-3))
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

Directions = NDArray[np.float64]
"""[p + 1, R]: orthonormal columns over the rows of the token embedding. The last row, that of the
answer token, is 0."""

_RANDOM_SEED = 0


def digit_frequencies(base: int, tasks: Sequence[int]) -> list[tuple[int, int]]:
    """The frequencies of tasks on both digits, as reduced fractions k/q of a turn per digit.

    Args:
        base: p.
        tasks: the moduli q.

    Returns:
        (k, q) with 1 ≤ k ≤ q/2, each once (the frequency 1 − k/q is k/q run backwards), ascending.
    """
    found = set()
    for modulus in tasks:
        for harmonic in range(1, modulus):
            for turns in (harmonic, base * harmonic % modulus):
                lower = min(turns, modulus - turns)
                if lower > 0:
                    divisor = int(np.gcd(lower, modulus))
                    found.add((lower // divisor, modulus // divisor))
    return sorted(found, key=lambda pair: (pair[0] / pair[1], pair[1]))


def task_directions(base: int, tasks: Sequence[int]) -> Directions:
    """An orthonormal basis of the functions cos and sin 2πkx/q of the digits x = 0 … p − 1.

    Args:
        base: p.
        tasks: the moduli q, at least one.

    Returns:
        [p + 1, R]; R is the number of those functions, or p where they span every function.
    """
    digits = np.arange(base)
    columns = []
    for harmonic, modulus in digit_frequencies(base, tasks):
        angle = 2 * np.pi * (harmonic * digits % modulus) / modulus
        columns += [np.cos(angle), np.sin(angle)]
    left, singular, _ = np.linalg.svd(np.stack(columns, axis=1), full_matrices=False)
    rank = int((singular > singular[0] * base * np.finfo(np.float64).eps).sum())
    return _with_answer_token(left[:, :rank])


def random_directions(base: int, tasks: Sequence[int]) -> Directions:
    """As many directions as `task_directions` has, drawn at random, the same every time."""
    dimension = task_directions(base, tasks).shape[1]
    # Not from `streams`: runs were trained with this draw before that module was there.
    drawn = np.random.default_rng(_RANDOM_SEED).normal(size=(base, dimension))
    return _with_answer_token(np.linalg.qr(drawn)[0])


def _with_answer_token(directions: NDArray[np.float64]) -> Directions:
    return np.concatenate([directions, np.zeros((1, directions.shape[1]))])


class RowsFilterState(NamedTuple):
    """State of `grokfast_on_rows`."""

    count: Int[Array, ""]
    """Gradients seen."""
    average: Float[Array, "R D"]
    """e, as coefficients of the directions."""


def grokfast_on_rows(
    weight: str,
    directions: Callable[[int], NDArray[np.float64]],
    decay: float = 0.98,
    strength: float | Float[Array, ""] = 0.5,
    start: Literal["gradient", "zeros"] = "gradient",
) -> optax.GradientTransformation:
    """Grokfast's EMA within a subspace of one weight: e ← αe + (1 − α)g, g ← g + λPe.

    P = QQᵀ is the orthogonal projector on the directions Q; every other weight's gradient passes as
    it is. Qᵀe is all of e that the projector keeps, so that it is all that is averaged.

    Args:
        weight: the weight's name, a matrix [rows, D].
        directions: number of rows to orthonormal columns [rows, R].
        decay: α, per update.
        strength: λ; may be traced.
        start: what e is before the first update: the first gradient, or zeros.

    Raises:
        ValueError: no weight has this name (when the filter is initialised or used).
    """
    if start not in ("gradient", "zeros"):
        raise ValueError(f"start is {start!r}: it must be 'gradient' or 'zeros'")

    def columns_for(leaf: Array) -> Float[Array, "rows R"]:
        return jnp.asarray(directions(leaf.shape[0]), leaf.dtype)

    def init(parameters: optax.Params) -> RowsFilterState:
        leaf = _named(parameters, weight)
        size = (columns_for(leaf).shape[1], *leaf.shape[1:])
        return RowsFilterState(jnp.zeros([], jnp.int32), jnp.zeros(size, leaf.dtype))

    def update(
        gradients: optax.Updates, state: RowsFilterState, parameters: optax.Params | None = None
    ) -> tuple[optax.Updates, RowsFilterState]:
        del parameters
        gradient = _named(gradients, weight)
        columns = columns_for(gradient)
        inside = columns.T @ gradient
        average = decay * state.average + (1 - decay) * inside
        if start == "gradient":
            average = jnp.where(state.count == 0, inside, average)
        amplified = gradient + strength * (columns @ average)

        def chosen(path: Any, leaf: Array) -> Array:
            return amplified if _name(path) == weight else leaf

        filtered = jax.tree_util.tree_map_with_path(chosen, gradients)
        return filtered, RowsFilterState(state.count + 1, average)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _named(tree: Any, weight: str) -> Array:
    leaves = {_name(path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}
    if weight not in leaves:
        raise ValueError(f"weight is {weight!r}: it must be one of {', '.join(leaves)}")
    return leaves[weight]
