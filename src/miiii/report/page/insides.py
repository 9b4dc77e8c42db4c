"""The parts of a model that the report draws at every snapshot: neurons, attention, embeddings.

Glossary: F neurons, H heads, p the base, K = ⌊p/2⌋ + 1 frequencies, D width. Dropout is off.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.dynamics.snapshots import measure_each
from miiii.analysis.harmonics.fourier import spectrum
from miiii.analysis.parts.attention import attention
from miiii.analysis.parts.concentration import neuron_examples
from miiii.analysis.parts.embeddings import digit_embeddings
from miiii.analysis.parts.neurons import neuron_grids, neuron_spectra
from miiii.analysis.recording import record, to_grid
from miiii.model.parameters import Parameters
from miiii.results.paper import Results

NEURONS = 6
"""Number of neurons."""
MOST_DIGITS = 60
"""Most digits of each axis of a picture, so that pictures are small."""


@dataclass(frozen=True)
class Inside:
    """The arrays of one snapshot."""

    grids: NDArray[np.float64]
    """[F, shown, shown]: hidden neurons over (x1, x0)."""
    shares: NDArray[np.float64]
    """[F, K, K]: shares of each neuron's variance on (k1, k0)."""
    attention: NDArray[np.float64]
    """[H, 2, shown, shown]: from the answer to x0 and to x1, over (x1, x0)."""
    mean_attention: NDArray[np.float64]
    """[H, 2]: over all p² numbers."""
    amplitude: NDArray[np.float64]
    """[K − 1, D]: of the token embedding, frequency 1 and up."""
    positions: NDArray[np.float64]
    """[2, D]: embeddings of the digits' positions."""


def look_inside(results: Results) -> tuple[NDArray[np.int64], dict[int, Inside]]:
    """Analyse every snapshot of a run.

    Args:
        results: of a run with snapshots.

    Returns:
        The indices of the neurons [F], and by ascending epoch the arrays of its snapshot.
    """
    run = results.run
    chosen = _chosen_neurons(run.snapshots[max(run.snapshots)])
    measured = measure_each(run.snapshots, partial(_look, chosen=chosen))
    return chosen, dict(results.track(measured, f"pictures of {run.name}", len(run.snapshots)))


def _chosen_neurons(parameters: Parameters) -> NDArray[np.int64]:
    """Hidden neurons spread evenly over ranks of concentration; if all are silent, any."""
    grids = neuron_grids(parameters)
    if np.ptp(grids.hidden, axis=(1, 2)).max() == 0:
        return np.arange(min(NEURONS, len(grids.hidden)))
    return neuron_examples(grids, "mlp_hidden", NEURONS).index


def _look(parameters: Parameters, chosen: NDArray[np.int64]) -> Inside:
    recorded = record(parameters, "mlp_hidden")["mlp_hidden"]
    hidden = to_grid(recorded[:, chosen], parameters.base)
    spectra = neuron_spectra(hidden)
    variance = spectra.variance[:, None, None]
    shares = np.divide(
        spectra.power, variance, out=np.zeros_like(spectra.power), where=variance > 0
    )
    looks = attention(parameters)
    return Inside(
        grids=hidden[:, :MOST_DIGITS, :MOST_DIGITS].astype(np.float64),
        shares=shares,
        attention=looks.weights[:, :2, :MOST_DIGITS, :MOST_DIGITS],
        mean_attention=looks.mean[:, :2],
        amplitude=np.sqrt(spectrum(digit_embeddings(parameters), axis=0)[1:]),
        positions=np.asarray(parameters.position_embedding, np.float64)[:2],
    )
