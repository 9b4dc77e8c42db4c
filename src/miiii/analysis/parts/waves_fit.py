"""The error of a model of T_waves, cos(a) + sin(b), on every number (paper Appendix D)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import finite
from miiii.analysis.recording import record, to_grid
from miiii.model.parameters import Parameters
from miiii.tasks.targets import waves


@dataclass(frozen=True)
class WavesFit:
    """The function, the model's output and their difference on the whole grid."""

    base: int
    """p."""
    target: NDArray[np.float64]
    """[x1, x0]: cos(2π x0 / p) + sin(2π x1 / p)."""
    output: NDArray[np.float64]
    """[x1, x0], dropout off."""
    residual: NDArray[np.float64]
    """[x1, x0]: output − target."""
    mean_squared_error: float
    """Over all p² numbers (Eq. 4.2); the target's own variance is 1."""
    largest: float
    """Largest |residual|."""


def waves_fit(parameters: Parameters) -> WavesFit:
    """Run a model of T_waves on all p² numbers and compare it with the function.

    Raises:
        ValueError: the model has more than one output, or an activation is not finite.
    """
    return compare_waves(record(parameters, "logits")["logits"], parameters.base)


def compare_waves(outputs: ArrayLike, base: int) -> WavesFit:
    """Compare outputs with the function.

    Args:
        outputs: [p², 1], in the canonical order of the numbers.
        base: p.

    Raises:
        ValueError: another shape, or an output is not finite.
    """
    array = finite("outputs", outputs)
    if array.ndim != 2 or array.shape[1] != 1:
        raise ValueError(f"outputs have shape {array.shape}: expected [p², 1], one real output")
    output = to_grid(array[:, 0], base)
    target = to_grid(waves(base)[:, 0], base)
    residual = output - target
    return WavesFit(
        base=base,
        target=target,
        output=output,
        residual=residual,
        mean_squared_error=float(np.mean(residual**2)),
        largest=float(np.abs(residual).max()),
    )
