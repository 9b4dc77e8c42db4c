"""The share of a neuron's variance in its strongest frequencies (paper §4.3, §4.4; C6 to C8).

A periodic neuron has most of its variance in a few; the same values in another order have it
spread over all.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least, finite, share_of_one
from miiii.analysis.parts.neurons import Layer, NeuronGrids, neuron_spectra
from miiii.analysis.permuting import Permuted, permutations
from miiii.refusals import check_choice

Rule = Literal["ranks", "strongest"]


@dataclass(frozen=True)
class FrequencyNeed:
    """The number of frequencies that hold a given share of a neuron's variance (paper §4.4; C8)."""

    share: float
    """Of the variance, 0 to 1."""
    needed: NDArray[np.int64]
    """[F]: the smallest n whose n strongest frequencies hold at least `share`; 0 where silent."""
    silent: int
    """The number of neurons without variance."""
    median: float
    """Over the other neurons; NaN if there are none."""
    quartiles: tuple[float, float]
    """The first and third, over the other neurons."""


@dataclass(frozen=True)
class Periodicity:
    """Share of each neuron's variance in its few strongest pairs of frequencies (Figures 6, 7)."""

    count: int
    """The number of pairs."""
    permuted: Permuted
    """Whether the permutations permute digits or numbers."""
    share: NDArray[np.float64]
    """[F], 0 to 1: variance in the `count` strongest pairs / variance; NaN where silent."""
    null: NDArray[np.float64]
    """[R, F]: the same after each permutation."""
    silent: int
    """The number of neurons without variance, which the medians leave out."""

    @property
    def median(self) -> float:
        """Over the neurons that are not silent; NaN if all are."""
        return _median(self.share)

    @property
    def null_medians(self) -> NDArray[np.float64]:
        """[R]: the median of each permutation."""
        return np.array([_median(row) for row in self.null])


@dataclass(frozen=True)
class NeuronExamples:
    """A few neurons, picked by a fixed rule (paper Figures 6 and 7)."""

    base: int
    """p."""
    layer: str
    """Where the neurons were recorded: mlp_hidden (after the ReLU), mlp_output (after W_out), or
    the name of a layer of another kind of model."""
    rule: Rule
    """See `neuron_examples`."""
    count: int
    """The number of pairs of frequencies whose share is the concentration."""
    active: int
    """The number of neurons to pick from: those with variance."""
    index: NDArray[np.int64]
    """[n]: the neurons picked, the most concentrated first."""
    rank: NDArray[np.int64]
    """[n]: their ranks among the active ones by concentration; 1 is the most concentrated."""
    grids: NDArray[np.float64]
    """[n, x1, x0]: their activations, dropout off."""
    share: NDArray[np.float64]
    """[n, K, K]: share of the neuron's variance on (k1, k0), summing to 1."""
    concentration: NDArray[np.float64]
    """[n], 0 to 1: variance in the `count` strongest pairs / variance."""
    pair: NDArray[np.int64]
    """[n, 2]: (k1, k0) of the strongest pair, cycles per p digits along x1 and x0."""
    pair_share: NDArray[np.float64]
    """[n], 0 to 1: that pair's variance / variance."""


def strongest_share(power: ArrayLike, count: int) -> NDArray[np.float64]:
    """Share of each neuron's variance in its `count` strongest frequencies.

    Args:
        power: [F, …]: per pair or per single frequency.
        count: how many, at least 1.

    Returns:
        [F], 0 to 1; NaN for a neuron without variance.
    """
    ranked = _ranked(power)
    total = ranked.sum(axis=1)
    held = ranked[:, : at_least("count", count, 1)].sum(axis=1)
    return np.divide(held, total, out=np.full(len(total), np.nan), where=total > 0)


def frequency_need(power: ArrayLike, share: float = 0.9) -> FrequencyNeed:
    """Count the frequencies that each neuron needs for a share of its variance.

    Args:
        power: [F, …]: `NeuronSpectra.power` counts pairs of frequencies, `.frequency_power` single
            ones.
        share: of the variance, above 0 and at most 1.
    """
    share_of_one("share", share)
    ranked = _ranked(power)
    held = ranked.cumsum(axis=1)
    total = held[:, -1]
    # A sum that is below the share only by rounding counts as reaching it.
    needed = (held < (share * (1 - 1e-12)) * total[:, None]).sum(axis=1) + 1
    needed = np.where(total > 0, needed, 0)
    active = needed[total > 0]
    low, middle, high = np.quantile(active, (0.25, 0.5, 0.75)) if active.size else (np.nan,) * 3
    silent = int((total <= 0).sum())
    return FrequencyNeed(share, needed, silent, float(middle), (float(low), float(high)))


def periodicity(
    grids: ArrayLike,
    count: int = 5,
    *,
    draws: int = 5,
    seed: int = 0,
    permuted: Permuted = "digits",
) -> Periodicity:
    """Measure the share of the neurons' variance in their strongest pairs of frequencies.

    Args:
        grids: [F, x1, x0].
        count: strongest pairs to take per neuron.
        draws: R, permutations, each the same for all neurons.
        seed: of the permutations.
        permuted: whether they permute digits or numbers (`permuting`).

    Raises:
        ValueError: grids have another shape or are not finite; count or draws is below 1.
    """
    array = np.asarray(grids)
    spectra = neuron_spectra(array)
    share = strongest_share(spectra.power, count)
    orders = permutations(spectra.base, draws, seed, permuted)
    null = [strongest_share(neuron_spectra(array, order).power, count) for order in orders]
    return Periodicity(count, permuted, share, np.stack(null), int(spectra.silent.sum()))


def neuron_examples(
    grids: NeuronGrids,
    layer: Layer = "mlp_output",
    examples: int = 4,
    *,
    count: int = 5,
    rule: Rule = "ranks",
) -> NeuronExamples:
    """Pick neurons for a picture by their concentration: the share in the `count` strongest pairs.

    Neurons with variance are ordered by concentration. Then

    - ranks: the order is cut into n equal parts, and the middle neuron of each is taken. The
      examples represent all neurons.
    - strongest: from the top, each neuron whose strongest pair no example has yet. The examples
      are the most periodic ones.

    Args:
        grids: as from `neurons.neuron_grids`.
        layer: mlp_hidden or mlp_output.
        examples: n, how many to pick; there are fewer if the neurons or pairs do not suffice.
        count: strongest pairs of the concentration.
        rule: as above.

    Raises:
        ValueError: layer or rule is unknown, examples or count is below 1, an activation is not
            finite, or all neurons are silent.
    """
    check_choice("layer", layer, get_args(Layer))
    check_choice("rule", rule, get_args(Rule))
    at_least("examples", examples, 1)
    values = grids.hidden if layer == "mlp_hidden" else grids.output
    spectra = neuron_spectra(values)
    active = np.flatnonzero(~spectra.silent)
    if not len(active):
        raise ValueError(
            f"{layer} has {len(spectra.silent)} neurons, all silent: expected at least one that "
            "varies over the numbers"
        )
    share = spectra.power[active] / spectra.power[active].sum(axis=(1, 2), keepdims=True)
    concentration = strongest_share(share, count)
    order = np.argsort(-concentration, kind="stable")
    strongest = share.reshape(len(share), -1).argmax(axis=1)
    if rule == "ranks":
        parts = min(examples, len(order))
        ranks = ((np.arange(parts) + 0.5) * len(order) / parts).astype(np.int64)
    else:
        ranks = np.sort(np.unique(strongest[order], return_index=True)[1])[:examples]
    chosen = order[ranks]
    return NeuronExamples(
        base=spectra.base,
        layer=layer,
        rule=rule,
        count=count,
        active=len(active),
        index=active[chosen],
        rank=ranks + 1,
        grids=values[active[chosen]].astype(np.float64),
        share=share[chosen],
        concentration=concentration[chosen],
        pair=np.stack(np.unravel_index(strongest[chosen], share.shape[1:]), axis=1),
        pair_share=share[chosen].max(axis=(1, 2)),
    )


def _median(shares: NDArray[np.float64]) -> float:
    usable = shares[~np.isnan(shares)]
    return float(np.median(usable)) if usable.size else float("nan")


def _ranked(power: ArrayLike) -> NDArray[np.float64]:
    array = finite("power", power)
    if array.ndim < 2:
        raise ValueError(f"power has shape {array.shape}: expected [neurons, frequencies …]")
    return -np.sort(-array.reshape(len(array), -1), axis=1)
