"""Interventions on circuits: remove, keep, fix or replace activations, and compute the logits.

Each function makes an `Intervention`; `ablate` takes any number of them (and so does
`model.intervention.intervene`, which also returns the activations). A removed part is replaced by
its mean over all p² numbers, so that only its dependence on n is removed. All of them need the
activations on all p² numbers in the canonical order; the arithmetic is float64.

    ablate(parameters, remove_functions(task_harmonics(113, 7)), fix_at_mean([4, 19]))
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import finite
from miiii.analysis.harmonics.digit_waves import wave_basis
from miiii.analysis.harmonics.task_harmonics import FloatArray, FunctionSubspace
from miiii.analysis.recording import exact_products
from miiii.model.intervention import Intervention, intervene
from miiii.model.parameters import Parameters
from miiii.refusals import check_choice
from miiii.tasks.numbers import digits

Fill = Literal["mean", "zero"]


def ablate(parameters: Parameters, *interventions: Intervention) -> NDArray[np.floating]:
    """The logits on all p² numbers with some activations changed, dropout off.

    Matrix products are exact in the weights' own precision, on every device.

    Args:
        parameters: the weights, float32 or float64.
        interventions: applied together.

    Returns:
        [p², V], in the canonical order and the weights' precision.

    Raises:
        ValueError: an intervention does not fit the model, or the logits are not finite.
    """
    with exact_products(parameters) as weights:
        logits = np.asarray(intervene(weights, digits(weights.base), *interventions)[0])
    return finite("logits", logits, None)


def remove_functions(
    subspace: FunctionSubspace, activation: str = "mlp_hidden", block: int = -1
) -> Intervention:
    """Remove a set of functions of n from every component of an activation.

    Args:
        subspace: such as a task's harmonics.
        activation: of `model.intervention.EDITABLE`, with one row per number.
        block: which.
    """

    def change(value: Array) -> FloatArray:
        whole = np.asarray(value, np.float64)
        return whole - subspace.project(whole)

    return Intervention(activation, change, block)


def keep_functions(
    subspace: FunctionSubspace, activation: str = "mlp_hidden", block: int = -1
) -> Intervention:
    """Keep only the mean and a set of functions of n of every component of an activation.

    Args:
        subspace: such as a task's harmonics.
        activation: of `model.intervention.EDITABLE`, with one row per number.
        block: which.
    """

    def change(value: Array) -> FloatArray:
        whole = np.asarray(value, np.float64)
        return whole.mean(axis=0) + subspace.project(whole)

    return Intervention(activation, change, block)


def fix_at_mean(
    components: ArrayLike, activation: str = "mlp_hidden", block: int = -1
) -> Intervention:
    """Fix components of an activation, such as neurons, at their mean over all numbers.

    Args:
        components: indices along the activation's last axis; may be empty.
        activation: of `model.intervention.EDITABLE`, with one row per number.
        block: which.
    """
    chosen = _indices(components)

    def change(value: Array) -> Array | FloatArray:
        if chosen.size == 0:
            return value
        whole = np.array(value, np.float64)
        _inside(f"components of {activation}", chosen, whole.shape[-1])
        whole[..., chosen] = whole[..., chosen].mean(axis=0)
        return whole

    return Intervention(activation, change, block)


def remove_heads(heads: ArrayLike, block: int = -1, fill: Fill = "mean") -> Intervention:
    """Remove the contributions of attention heads to the residual stream.

    Args:
        heads: indices; may be empty.
        block: which.
        fill: what takes their place: their mean over all numbers, or zero.

    Raises:
        ValueError: the filling is neither.
    """
    chosen = _indices(heads)
    check_choice("fill", fill, get_args(Fill))

    def change(value: Array) -> Array | FloatArray:
        if chosen.size == 0:
            return value
        whole = np.array(value, np.float64)
        _inside("heads", chosen, whole.shape[2])
        part = whole[:, :, chosen]
        whole[:, :, chosen] = part.mean(axis=0) if fill == "mean" else 0
        return whole

    return Intervention("attention_mixed", change, block)


def remove_digit_waves(over_x0: Sequence[float], over_x1: Sequence[float]) -> Intervention:
    """Remove frequencies from the digits' embeddings at x0 and at x1.

    Of each latent dimension, the least-squares fit of these waves over the p digits is subtracted.

    Args:
        over_x0: frequencies on x0, cycles per digit: k/q for a task.
        over_x1: frequencies on x1: pk/q for the same task.
    """

    def change(value: Array) -> FloatArray:
        tables = np.array(value, np.float64)
        for table, frequencies in zip(tables, (over_x0, over_x1), strict=True):
            # Waves of near frequencies are nearly dependent, so a basis of their span comes from an
            # SVD.
            waves = wave_basis(np.asarray(frequencies, float), len(table)).reshape(-1, len(table))
            _, sizes, directions = np.linalg.svd(waves, full_matrices=False)
            kept = directions[sizes > 1e-9]
            table -= kept.T @ (kept @ table)
        return tables

    return Intervention("digit_embeddings", change)


def replace_activation(activation: str, tensor: ArrayLike, block: int = -1) -> Intervention:
    """Replace an activation by a given tensor, such as the same activation of another run.

    Args:
        activation: of `model.intervention.EDITABLE`.
        tensor: of the activation's shape; where a single position is computed its axis may be
            missing, as in the properties of `Activations`.
        block: which.
    """
    array = np.asarray(tensor)

    def change(value: Array) -> NDArray[np.floating]:
        if array.ndim == value.ndim - 1:
            position = 2 if activation in ("attention_scores", "attention_weights") else 1
            return np.expand_dims(array, position)
        return array

    return Intervention(activation, change, block)


def _indices(values: ArrayLike) -> NDArray[np.int64]:
    indices = np.atleast_1d(np.asarray(values))
    if indices.size == 0:
        return np.zeros(0, np.int64)
    if indices.ndim != 1 or not np.issubdtype(indices.dtype, np.integer):
        raise ValueError(f"indices must be a list of whole numbers: found {values!r}")
    return indices.astype(np.int64)


def _inside(name: str, indices: NDArray[np.int64], size: int) -> None:
    outside = indices[(indices < 0) | (indices >= size)]
    if outside.size:
        raise ValueError(f"{name} has {outside[0]}: expected 0 to {size - 1}")
