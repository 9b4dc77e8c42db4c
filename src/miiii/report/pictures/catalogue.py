"""The catalogue of pictures: those of the paper, and those of circuits."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from miiii.report.pictures.entries import (
    circuits,
    embeddings,
    model_free,
    neurons,
    published,
    training,
    waves,
)
from miiii.report.pictures.picture import Picture
from miiii.report.pictures.sources import Look, Sources

Draw = Callable[[Sources, Look], Iterator[Picture]]


@dataclass(frozen=True)
class Entry:
    """A figure or table of the paper.

    Attributes:
        number: of the figure ("4") or table ("T1").
        about: a few words.
        draw: yields its pictures; raises `MissingInputError` where a run is missing.
        model_free: whether it needs no run.
    """

    number: str
    about: str
    draw: Draw
    model_free: bool = False


CATALOGUE = (
    Entry("1", "periodic patterns in polar coordinates", model_free.polar, model_free=True),
    Entry("2", "input space", model_free.input_space, model_free=True),
    Entry("3", "output space", model_free.output_space, model_free=True),
    Entry("4", "accuracy through training", partial(training.curves, "4", "accuracy")),
    Entry("5", "accuracy without dropout", partial(training.without_dropout, "5", "accuracy")),
    Entry("6", "neurons and their spectra", neurons.main_neurons),
    Entry("7", "neurons of T_basis and their spectra", neurons.basis_neurons),
    Entry("8", "frequencies through training", training.frequencies),
    Entry("9", "gradient norms through training", training.gradients),
    Entry("10", "positional embeddings", embeddings.positions),
    Entry("11", "singular values of the token embedding", embeddings.singular_values),
    Entry("12", "singular vectors, T_nanda", partial(embeddings.vectors, "12")),
    Entry("13", "singular vectors", partial(embeddings.vectors, "13")),
    Entry("14", "embedding spectrum, T_nanda", partial(embeddings.spectrum, "14")),
    Entry("15", "embedding spectrum", partial(embeddings.spectrum, "15")),
    Entry("16", "attention to the digits", embeddings.attention),
    Entry("17", "loss through training", partial(training.curves, "17", "loss")),
    Entry("18", "loss without dropout", partial(training.without_dropout, "18", "loss")),
    Entry("19", "DFT matrix", model_free.dft_matrix, model_free=True),
    Entry("20", "embeddings of the cosine model", waves.embedding_weights),
    Entry("21", "attention weights of the cosine model", waves.attention_weights),
    Entry("22", "MLP weights of the cosine model", waves.mlp_weights),
    Entry("23", "unembedding of the cosine model", waves.unembedding_weights),
    Entry("24", "several strengths of the gradient filter", training.filter_strengths),
    Entry("T1", "search space", model_free.search_space, model_free=True),
    Entry("T2", "settings", model_free.settings, model_free=True),
)
"""Figures 1 to 24 and Tables 1 and 2, in the paper's numbering."""

BESIDE = (
    Entry("4P", "each task's epoch beside the paper's Figure 4", published.epochs),
    Entry("8P", "later training beside the paper's Figure 8", published.later_training),
)
"""A run at p = 113 beside the published values: drawn on request, and in reports."""

CIRCUITS = (
    Entry("N1", "spectrum on the number line", circuits.spectrum),
    Entry("N2", "neurons by task", circuits.neurons),
    Entry("N3", "without each task's neurons", partial(circuits.without, "N3", "neurons")),
    Entry("N4", "without each task's harmonics", partial(circuits.without, "N4", "harmonics")),
    Entry("N5", "without heads and embedding frequencies", circuits.without_inputs),
    Entry("N6", "sharing through training", circuits.sharing),
    Entry("N7", "power and accuracy of each task", circuits.power),
    Entry("N8", "progress measures through training", circuits.progress),
    Entry("N9", "the certificate's margins", circuits.certificate),
    Entry("N10", "progress measures of addition (T_nanda)", circuits.addition),
)
"""The pictures of `miiii circuits`, which the paper does not have."""


def choose(numbers: Sequence[str], catalogue: Sequence[Entry] = CATALOGUE) -> tuple[Entry, ...]:
    """Entries by number, in the catalogue's order; all if no number is given.

    Raises:
        ValueError: a number is unknown.
    """
    beside = BESIDE if catalogue is CATALOGUE else ()
    known = {entry.number: entry for entry in (*catalogue, *beside)}
    wanted = [number.strip().upper() for number in numbers]
    for number in wanted:
        if number not in known:
            expected = "figures 1 to 24, or tables T1 and T2, or 4P and 8P"
            if catalogue is not CATALOGUE:
                expected = f"one of {', '.join(known)}"
            raise ValueError(f"--only has {number!r}: expected {expected}")
    if not wanted:
        return tuple(catalogue)
    return tuple(entry for entry in known.values() if entry.number in wanted)
