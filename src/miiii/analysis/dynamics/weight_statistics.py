"""Norms and effective ranks of the weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from miiii.analysis.checks import finite
from miiii.analysis.harmonics.task_harmonics import FloatArray
from miiii.model.parameters import Parameters, in_float64, weights_by_name


@dataclass(frozen=True)
class WeightStatistics:
    """The W weight matrices of one model; all heads' W_q are one matrix, side by side, and so on.

    Biases are left out.
    """

    names: tuple[str, ...]
    """[W]: as in `parameters.weight_names`."""
    norm: FloatArray
    """[W]: L2 norm of all entries."""
    effective_rank: FloatArray
    """[W]: see `effective_rank`; NaN for a matrix that is zero."""


def weight_statistics(parameters: Parameters) -> WeightStatistics:
    """Measure every weight matrix.

    Raises:
        ValueError: a weight is not finite.
    """
    wide = weights_by_name(in_float64(parameters))
    names = [name for name, leaf in wide.items() if leaf.ndim > 1]
    matrices = [_as_matrix(name, wide[name]) for name in names]
    return WeightStatistics(
        names=tuple(names),
        norm=np.array([float(np.linalg.norm(matrix)) for matrix in matrices]),
        effective_rank=np.array([effective_rank(matrix) for matrix in matrices]),
    )


def effective_rank(matrix: ArrayLike, power: int = 2) -> float:
    """Exp of the entropy of the singular values: r for r equal ones.

    With s_i = σ_i^power / Σ σ^power it is exp(−Σ s_i ln s_i). Roy and Vetterli (2007) define it
    with power 1. The default 2 takes shares of the squared norm, as variances are, and gives the
    smaller value.

    Args:
        matrix: [rows, columns].
        power: of the singular values, 1 or 2.

    Returns:
        1 to min(rows, columns); NaN where all entries are 0.

    Raises:
        ValueError: it is no finite matrix, or the power is neither.
    """
    array = finite("matrix", matrix)
    if array.ndim != 2:
        raise ValueError(f"matrix has shape {array.shape}: expected two axes")
    if power not in (1, 2):
        raise ValueError(f"power is {power}: expected 1 or 2")
    values = np.linalg.svd(array, compute_uv=False)
    if not values[0] > 0:
        return float("nan")
    shares = (values / values[0]) ** power
    shares = shares[shares > 0] / shares.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _as_matrix(name: str, weight: FloatArray) -> FloatArray:
    """A weight as one matrix: [H, D, K] as [D, H·K], the heads' output [H, K, D] as [H·K, D]."""
    if weight.ndim == 2:
        return weight
    if name.endswith("output"):
        return weight.reshape(-1, weight.shape[2])
    return weight.transpose(1, 0, 2).reshape(weight.shape[1], -1)
