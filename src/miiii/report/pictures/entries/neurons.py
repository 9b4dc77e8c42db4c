"""Pictures of the MLP's neurons: Figures 6 and 7 (paper §4.3)."""

from collections.abc import Iterator

from miiii.claims.rules.paper import STRONGEST
from miiii.figures import neurons as neuron_figures
from miiii.report.pictures.picture import Picture
from miiii.report.pictures.sources import Look, Sources, origin
from miiii.results.paper import Results


def main_neurons(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 6."""
    main = sources.classifying()
    yield _examples("6", main, look)
    yield _examples("6", main, look, hidden=True)
    runs = {main.run.name: main}
    if sources.basis is not None:
        runs.setdefault(sources.basis.run.name, sources.basis)
    first = main.periodicity
    yield Picture(
        "6",
        "figure-6-concentration",
        "How few frequencies hold how much of the neurons' variance",
        f"All hidden neurons, silent ones left out: share of the variance in the "
        f"{STRONGEST} strongest pairs of frequencies, and single frequencies needed for "
        f"90 % of it. Dashed: the same with {first.permuted} permuted, which keeps each neuron's "
        "values and takes their order. "
        + " ".join(
            f"{name}: median share {one.periodicity.median:.3f} "
            f"(permuted {one.periodicity.null_medians.mean():.3f}), median "
            f"{one.frequency_need.median:g} frequencies."
            for name, one in runs.items()
        )
        + " "
        + " ".join(origin(one, weights=True) for one in runs.values()),
        neuron_figures.concentration(
            {name: one.periodicity for name, one in runs.items()},
            {name: one.frequency_need for name, one in runs.items()},
            {name: one.permuted_frequency_need for name, one in runs.items()},
            style=look.style,
        ),
    )


def basis_neurons(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 7."""
    yield _examples("7", sources.need("basis"), look)


def _examples(number: str, results: Results, look: Look, *, hidden: bool = False) -> Picture:
    examples = results.hidden_examples if hidden else results.neuron_examples
    corner = look.corner if look.corner and look.corner < examples.base else None
    part = f"the first {corner} digits of each axis are shown" if corner else "all digits are shown"
    name = ("neurons" if number == "6" else "neurons-basis") + ("-hidden" if hidden else "")
    activation = results.run.config.model.activation_name
    layer = f"after the {activation}" if hidden else "after W_out, as in the paper"
    sign = "" if hidden else ", minus its mean, positive filled, negative outlined"
    return Picture(
        number,
        f"figure-{number}-{name}",
        f"MLP neurons {layer.split(',')[0]} on the grid of the two digits, and their spectra",
        f"Above: activation {layer}{sign}; {part}. "
        "Below: share of the neuron's variance on each pair of frequencies (k1 down, k0 across; "
        f"cycles per {examples.base} digits), transformed over the whole grid. Of "
        f"{examples.active} neurons with variance, ranked by their share in the "
        f"{examples.count} strongest pairs, the middle one of each of "
        f"{len(examples.index)} equal parts: picked by rank, not by eye. "
        + origin(results, weights=True),
        neuron_figures.neuron_grids(
            examples, corner=corner, activation=activation, style=look.style
        ),
    )
