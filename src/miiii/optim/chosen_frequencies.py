"""Amplify the slow gradient on chosen frequencies of the digits only (beyond paper Eq. 11).

Grokfast amplifies the slow part of every gradient. This filter amplifies only the frequencies of
chosen tasks' circuits (the paper's further work). With n = x0 + p·x1 the harmonic k of a task q
makes k/q turns with each step of x0 and p·k/q (modulo 1) with each step of x1. The latter are again
multiples of 1/q, so that a task's frequencies on both digits are the k/q.

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

from miiii.refusals import check_choice

Directions = NDArray[np.float64]
"""[p + 1, R]: orthonormal columns over the rows of the token embedding. The last row, that of the
answer token, is 0."""


def digit_frequencies(base: int, tasks: Sequence[int]) -> list[tuple[int, int]]:
    """The tasks' frequencies on both digits, as reduced fractions k/q of a turn per digit.

    Args:
        base: p.
        tasks: the moduli q.

    Returns:
        (k, q) with 1 ≤ k ≤ q/2, each once (1 − k/q has the same waves as k/q), ascending.
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
        [p + 1, R]; R is the dimension of their span, at most p.
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
    """As many random directions as `task_directions` has; a function of the arguments only."""
    dimension = task_directions(base, tasks).shape[1]
    # Not from `streams`, which is younger than runs that trained with this draw.
    drawn = np.random.default_rng(0).normal(size=(base, dimension))
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

    P = QQᵀ is the orthogonal projector on the directions Q. The state holds only Qᵀe, since
    Pe = Q(Qᵀe). The gradients of all other weights pass unchanged.

    Args:
        weight: the weight's name, a matrix [rows, D].
        directions: number of rows to orthonormal columns [rows, R].
        decay: α, per update.
        strength: λ; may be traced.
        start: e before the first update: gradient (the first one) or zeros.

    Raises:
        ValueError: start is neither; or no weight has this name (when the filter is initialised or
            used).
    """
    check_choice("start", start, ("gradient", "zeros"))

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
            return amplified if leaf_name(path) == weight else leaf

        filtered = jax.tree_util.tree_map_with_path(chosen, gradients)
        return filtered, RowsFilterState(state.count + 1, average)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


def leaf_name(path: Any) -> str:
    """A pytree path as text, such as blocks.0.query."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _named(tree: Any, weight: str) -> Array:
    leaves = {leaf_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
    check_choice("weight", weight, tuple(leaves))
    return leaves[weight]
