"""Activations on all p² numbers, by name, and their values on the grid of the two digits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import finite
from miiii.model.activations import check_names
from miiii.model.parameters import Parameters
from miiii.model.transformer import named_activations
from miiii.tasks.numbers import digits


@contextmanager
def exact_products(parameters: Parameters) -> Iterator[Parameters]:
    """The weights as NumPy arrays; inside, JAX computes in their own precision.

    Without it JAX rounds float64 weights to float32, and a GPU may round the factors of float32
    products to TensorFloat-32.
    """
    weights = jax.tree.map(np.asarray, parameters)
    wide = any(leaf.dtype == np.float64 for leaf in jax.tree.leaves(weights))
    with jax.enable_x64(wide), jax.default_matmul_precision("highest"):
        yield weights


def record(parameters: Parameters, *names: str) -> dict[str, NDArray[np.floating]]:
    """Run the model without dropout on every number and keep the named activations.

    Matrix products are exact in the weights' own precision, on every device.

    Args:
        parameters: the weights, float32 or float64.
        names: among `model.activations.NAMES`.

    Returns:
        Name to array [p², …], in the canonical order and the weights' precision.

    Raises:
        ValueError: a name is unknown (the nearest is given), or an activation is not finite.
    """
    check_names(names)
    with exact_products(parameters) as weights:
        values = named_activations(weights, digits(weights.base), names)
    return {
        name: finite(f"activation {name}", np.asarray(value), None)
        for name, value in zip(names, values, strict=True)
    }


def to_grid(values: ArrayLike, base: int) -> NDArray[Any]:
    """Values of all numbers, rearranged as grids.

    Args:
        values: [p², …] in the canonical order n = x0 + p·x1.
        base: p.

    Returns:
        […, x1, x0], a contiguous copy in the values' own precision.

    Raises:
        ValueError: there are not p² rows.
    """
    array = np.asarray(values)
    if array.ndim == 0 or array.shape[0] != base**2:
        raise ValueError(
            f"values have shape {array.shape}: expected p² = {base**2} rows for base p = {base}"
        )
    grid = array.reshape(base, base, *array.shape[1:])
    return np.ascontiguousarray(np.moveaxis(grid, (0, 1), (-2, -1)))
