"""Pictures of circuits on the number line (beyond the paper): N1 to N10 of `miiii circuits`."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from miiii.esch.style import Style
from miiii.figures import causal as causal_figures
from miiii.figures import circuit_table, number_line
from miiii.figures import power as power_figures
from miiii.figures import progress as progress_figures
from miiii.figures.certificate import certificate_margins
from miiii.report.pictures.picture import Picture
from miiii.report.pictures.sources import Look, Sources, origin
from miiii.results.circuits import FOLLOWED_DRAWS, FOLLOWED_NUMBERS, Circuits

_INTERVALS = "Intervals: 95 %, bootstrap over tasks and control draws. "


def _circuits(sources: Sources) -> Circuits:
    main = sources.classifying()
    found = sources.circuits
    assert found is not None
    assert found.results is main
    found.dataset  # noqa: B018 - raises for other tasks
    return found


def spectrum(sources: Sources, look: Look) -> Iterator[Picture]:
    """N1."""
    circuits = _circuits(sources)
    found, dictionary = circuits.spectrum, circuits.dictionary
    on_tasks = sum(float(shares.sum()) for shares in found.harmonic_share)
    note = (
        "All hidden neurons together, without the part that one digit explains. The harmonics "
        f"k/q of all tasks are {dictionary.size - 1:,} of {found.base**2:,} dimensions (rank "
        f"{dictionary.rank:,} with the constant, condition {dictionary.condition:.3g}); each "
        f"task's shares summed: {on_tasks:.3f} of the variance. "
    )
    where = origin(circuits.results, weights=True)
    yield Picture(
        "N1",
        "circuits-n1-spectrum",
        "The neurons' spectrum on the number line",
        note + "Below, a row per task: hairlines at its harmonics, dots with an area "
        "proportional to their shares. " + where,
        number_line.number_line_spectrum(found, style=look.style),
    )
    yield Picture(
        "N1",
        "circuits-n1-harmonics",
        "Shares of each task's harmonics",
        note + "Area is the share of variance on the frequency k/q. " + where,
        number_line.harmonic_grid(found, style=look.style),
    )

    held = circuits.embedding
    active = [int(each.sum()) for each in held.active]
    yield Picture(
        "N1",
        "circuits-n1-embedding",
        "Tasks' frequencies in the embeddings",
        "Share of the digit embeddings' variance that the wave k/q explains by itself, by least "
        f"squares over the {held.base} digits; shares of waves of near frequencies overlap. "
        f"{sum(active)} of {sum(map(len, held.active))} waves are above {held.threshold:.4f}. In "
        f"{1 - held.level:.0%} of random renamings of the digits no wave is above it. " + where,
        number_line.harmonic_grid(
            held, "share of the embedding's variance, wave k/q alone", style=look.style
        ),
    )


def neurons(sources: Sources, look: Look) -> Iterator[Picture]:
    """N2."""
    circuits = _circuits(sources)
    matched, served = circuits.matched, circuits.served
    activation = circuits.results.run.config.model.activation_name
    live = ~matched.silent
    null = np.nanmedian(matched.paired_null) if not np.isnan(matched.paired_null).all() else np.nan
    note = (
        f"{int(live.sum())} neurons that vary. Before the {activation} x0 and x1 explain a median "
        f"{np.nanmedian(matched.additive_share):.5f} of a neuron's variance as a sum; its best "
        f"matched pair explains a median {np.nanmedian(matched.share):.3f} of both profiles "
        f"(profiles paired at random: {null:.3f}; noise: {np.nanmedian(matched.noise_null):.3f}). "
        f"After the {activation} a neuron serves a median {np.median(served.counts[live]):g} "
        f"tasks at level {served.level:g} (renamed digits: {served.null_serving:.3f} of neurons "
        "serve any). "
    )
    where = origin(circuits.results, weights=True)
    yield Picture(
        "N2",
        "circuits-n2-neurons",
        "Neurons by task",
        note + where,
        circuit_table.neuron_table(matched, served, activation=activation, style=look.style),
    )
    yield Picture(
        "N2",
        "circuits-n2-counts",
        "Neurons per task, and tasks per neuron",
        note + where,
        circuit_table.neuron_counts(matched, served, activation=activation, style=look.style),
    )


def without(number: str, kind: str, sources: Sources, look: Look) -> Iterator[Picture]:
    """N3 (neurons) and N4 (harmonics)."""
    yield from _matrix(_circuits(sources), number, kind, look.style)


def without_inputs(sources: Sources, look: Look) -> Iterator[Picture]:
    """N5."""
    circuits = _circuits(sources)
    yield from _matrix(circuits, "N5", "frequencies", look.style)
    effects = circuits.without_heads
    yield Picture(
        "N5",
        "circuits-n5-heads",
        "Loss of accuracy without each attention head",
        "Each head's part fixed at its mean over all numbers; control: as many random directions "
        f"of all heads' values, mean of {len(effects.control.accuracy)} draws. "
        + origin(circuits.results, weights=True),
        causal_figures.head_effects(effects, style=look.style),
    )


def sharing(sources: Sources, look: Look) -> Iterator[Picture]:
    """N6."""
    circuits = _circuits(sources)
    yield Picture(
        "N6",
        "circuits-n6-sharing",
        "The sharing index through training",
        "Each task's neurons (by their matched pair at that epoch) are fixed at their mean. Index: "
        "mean damage to another task / to the task itself, each beyond as many random neurons, "
        "over the tasks that are solved by then; none where losing its own circuit costs a task "
        f"no more than chance. {_INTERVALS}{FOLLOWED_DRAWS} control draws, "
        f"{min(FOLLOWED_NUMBERS, circuits.parameters.base**2):,} numbers per snapshot. "
        + origin(circuits.results),
        causal_figures.sharing_curve(circuits.sharing, style=look.style),
    )


def power(sources: Sources, look: Look) -> Iterator[Picture]:
    """N7."""
    circuits = _circuits(sources)
    found, appearance = circuits.power, circuits.appearance
    orders = Counter(appearance.half_order)
    counted = ", ".join(f"{order} {count}" for order, count in sorted(orders.items()))
    note = (
        "Power: share of what needs both digits on the task's harmonics that carries from the "
        "numbers trained on to the others. The epoch from which it is at least half of its last "
        f"value, against that from which the accuracy is at least {appearance.accuracy:g}: "
        f"{counted}. "
    )
    where = origin(circuits.results)
    yield Picture(
        "N7",
        "circuits-n7-power",
        "Power and accuracy of each task through training",
        note + where,
        power_figures.power_panels(found, circuits.progress, appearance, style=look.style),
    )
    yield Picture(
        "N7",
        "circuits-n7-power-strip",
        "Power and accuracy of each task on one time axis",
        note + where,
        power_figures.power_strip(found, circuits.progress, style=look.style),
    )


def progress(sources: Sources, look: Look) -> Iterator[Picture]:
    """N8."""
    circuits = _circuits(sources)
    where = origin(circuits.results)
    yield Picture(
        "N8",
        "circuits-n8-progress",
        "Progress measures per task",
        "Cross-entropy of each task's logits, guessing = 1. Restricted: only the part that is a "
        "function of n mod q, on all numbers. Carried: the same part, estimated on numbers that "
        "were not trained on, so that memorised labels do not count. Excluded: the logits without "
        "that part, on the numbers trained on. " + where,
        progress_figures.progress_lines(circuits.progress, style=look.style),
    )
    yield Picture(
        "N8",
        "circuits-n8-structure",
        "Sparsity of spectra, weight norms and effective ranks",
        "Gini coefficient of the embedding's power over frequencies and of neurons' powers over "
        "tasks; L2 norm of every weight; effective rank, exp of the entropy of the shares of σ² "
        "(after Roy and Vetterli 2007, who take σ). " + where,
        progress_figures.structure_lines(circuits.progress, circuits.power, style=look.style),
    )


def certificate(sources: Sources, look: Look) -> Iterator[Picture]:
    """N9."""
    main = sources.classifying()
    assert sources.circuits is not None
    found = sources.circuits.certificate
    done = sum(task.certified() for task in found.tasks)
    yield Picture(
        "N9",
        "circuits-n9-certificate",
        "Margins on every number against the bound on rounding",
        f"{done} of {len(found.tasks)} tasks are certified: on every number the right logit is "
        "above all others by more than the bound on rounding errors, so that the network with "
        "these weights, in real arithmetic, is right on every number. `miiii certify` writes the "
        "proof. " + origin(main, weights=True),
        certificate_margins(found, style=look.style),
    )


def addition(sources: Sources, look: Look) -> Iterator[Picture]:
    """N10."""
    sources.classifying()
    circuits = sources.circuits
    assert circuits is not None
    found = circuits.addition
    yield Picture(
        "N10",
        "circuits-n10-addition",
        "Progress measures of addition, and clock or pizza",
        "Restricted, excluded and trigonometric loss (Nanda et al. 2023) with the key frequencies "
        "of the last weights; distance irrelevance and gradient symmetricity (Zhong et al. 2023). "
        f"At the end distance irrelevance is {found.distance_irrelevance[-1]:.4f} on the correct "
        f"logit, as their paper defines it, and {found.wrong_distance_irrelevance[-1]:.4f} on the "
        "largest wrong logit, as their published tables hold it; gradient symmetricity "
        f"{found.gradient_symmetricity[-1]:.4f}, circularity {found.circularity[-1]:.4f}. "
        + origin(circuits.results),
        progress_figures.addition_lines(found, style=look.style),
    )


_KINDS = {
    "neurons": "its neurons (those whose best matched pair is the task's) fixed at their mean; "
    "control: as many of all neurons",
    "harmonics": "its harmonics k/q taken out of every hidden neuron; control: random subspaces "
    "of the same dimension",
    "frequencies": "the frequencies k/q at x0 and pk/q at x1 that its neurons have taken out of "
    "the digits' embeddings; control: as many random frequencies",
}


def _matrix(circuits: Circuits, number: str, kind: str, style: Style) -> Iterator[Picture]:
    from miiii.analysis.circuits.sharing import sharing_index

    matrix = getattr(circuits, f"without_{kind}")
    found = sharing_index(matrix)
    own, others, control, index = (
        f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
        for one in (found.own, found.others, found.control, found.index)
    )
    note = (
        f"A task's circuit is removed: {_KINDS[kind]}. Mean accuracy lost by the task itself "
        f"{own}, by another {others}, by any to the control {control}; sharing index {index}. "
        f"{_INTERVALS}Scored on {matrix.numbers:,} numbers. "
    )
    where = origin(circuits.results, weights=True)
    yield Picture(
        number,
        f"circuits-{number.lower()}-without-{kind}",
        f"Loss of accuracy without each task's {causal_figures.CIRCUITS[matrix.removed]}",
        note + where,
        causal_figures.causal_matrix(matrix, style=style),
    )
    if matrix.kept is not None:
        yield Picture(
            number,
            f"circuits-{number.lower()}-only-{kind}",
            f"Accuracy with only one task's {causal_figures.CIRCUITS[matrix.removed]}",
            "The rest of the MLP at its mean. " + where,
            causal_figures.kept_alone(matrix, style=style),
        )
