"""Pictures of training: Figures 4, 5, 8, 9, 17, 18 and 24 (paper §4.1–4.3, Appendices A and E)."""

from collections.abc import Iterator, Mapping

from miiii.analysis.parts.curves import curve_strips, mean_strips
from miiii.figures import frequencies as frequency_figures
from miiii.figures import gradients as gradient_figures
from miiii.figures.comparison import comparison_lines, comparison_strip
from miiii.figures.training import accuracy_lines, accuracy_strip, loss_lines, loss_strip
from miiii.report.pictures.picture import Picture
from miiii.report.pictures.sources import Look, Sources, origin
from miiii.results.paper import Results
from miiii.tasks.dataset import mirrored_text

_STRIP = (
    "One square per task and log-spaced column of epochs: its area is the column's mean {measure}. "
)
_LINES = "One line per task, labelled by its modulus, and their mean in black. "
_PASS = (
    "Training values are of the pass that made the update{dropout}; validation is after the "
    "update, dropout off. "
)


def curves(number: str, measure: str, sources: Sources, look: Look) -> Iterator[Picture]:
    """Figures 4 (accuracy) and 17 (loss)."""
    main = sources.classifying() if measure == "accuracy" else sources.need("main")
    yield from _curves(number, measure, {"": main}, look)


def without_dropout(number: str, measure: str, sources: Sources, look: Look) -> Iterator[Picture]:
    """Figures 5 (accuracy) and 18 (loss)."""
    without = sources.need("no_dropout")
    runs = {"no dropout": without}
    if sources.main is not None and not sources.main.run.config.task.is_regression:
        main = sources.main
        runs[f"dropout {main.run.config.training.dropout:g}"] = main
    yield from _curves(number, measure, runs, look, ", without dropout")


def filter_strengths(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 24."""
    sources.need("filters")
    main = sources.classifying()
    runs = {filter_name(one, main): one for one in (main, *sources.filters)}
    named = {name: one.curves for name, one in runs.items()}
    origins = " ".join(f"{name}: {origin(one)}" for name, one in runs.items())
    note = (
        "λ is the strength of the gradient filter (Grokfast, Lee et al. 2024); a control has no "
        "filter and the learning rate that λ would amount to if it only scaled the gradient. "
    )
    yield Picture(
        "24",
        "figure-24-filter-strengths",
        "Loss and accuracy at several strengths of the gradient filter",
        "One row per run; a square's area is the mean over tasks in the column of epochs. "
        + note
        + origins,
        comparison_strip(mean_strips(named), style=look.style),
    )
    yield Picture(
        "24",
        "figure-24-filter-strengths-lines",
        "Loss and accuracy at several strengths of the gradient filter",
        "One line per run, the mean over its tasks. " + _passes(main) + note + origins,
        comparison_lines(named, style=look.style),
    )


def frequencies(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 8."""
    main = sources.classifying()
    main.need_snapshots()
    spectra = main.spectra
    draws = 0 if spectra.null_counts is None else spectra.null_counts.shape[1]
    about = (
        "All hidden MLP neurons over the whole p×p grid, every snapshot, dropout off. A "
        "frequency's power is the neurons' mean variance on it, on either digit alone or on both. "
    )
    yield Picture(
        "8",
        "figure-8-frequencies",
        "Frequencies of the MLP neurons through training",
        about + "A square's area is the frequency's share of the variance at that snapshot. "
        "The paper's figure was of one neuron over a corner of the grid. " + origin(main),
        frequency_figures.frequency_strip(spectra, style=look.style),
    )
    yield Picture(
        "8",
        "figure-8-counts",
        "How unevenly frequencies are used, and how many stand out",
        about + f"Above the variance of the power over frequencies; below the number of "
        f"frequencies above μ + {spectra.multiple:g}σ, and the calibrated number: those above "
        f"everything that {draws} random renamings of the digits reach. The rule μ + 2σ alone "
        "finds frequencies in untrained models too, and at most a fifth of all: of 56 frequencies "
        "11 equal ones count as 11, and 12 as 0, so that its line can fall while frequencies are "
        "added. " + origin(main),
        frequency_figures.frequency_counts(spectra, style=look.style),
    )


def gradients(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 9."""
    main = sources.need("main")
    norms = main.gradient_norms
    about = (
        "L2 norm of each weight's gradient, before the filter and with dropout on where the run "
        f"has it, as a share of the weight's own peak; a running median over {norms.window} "
        "epochs. "
    )
    yield Picture(
        "9",
        "figure-9-gradients",
        "Gradient norms through training",
        about + "A square's area is the share, the mean over its column of epochs. " + origin(main),
        gradient_figures.gradient_strip(norms, style=look.style),
    )
    yield Picture(
        "9",
        "figure-9-gradients-lines",
        "Gradient norms through training",
        about + origin(main),
        gradient_figures.gradient_lines(norms, style=look.style),
    )


def filter_name(results: Results, main: Results) -> str:
    """A run's filter and, where it differs from the main run's, its learning rate."""
    optim, other = results.run.config.optim, main.run.config.optim
    strength = 0.0 if optim.filter == "none" else optim.filter_strength
    name = f"λ = {strength:g}"
    ratio = optim.learning_rate / other.learning_rate
    return name if abs(ratio - 1) < 1e-9 else f"{name}, rate × {ratio:.3g}"


def _curves(
    number: str, measure: str, runs: Mapping[str, Results], look: Look, remark: str = ""
) -> Iterator[Picture]:
    """Both forms of the curves: squares and lines."""
    strip, lines = (
        (accuracy_strip, accuracy_lines) if measure == "accuracy" else (loss_strip, loss_lines)
    )
    drawn = [one.curves for one in runs.values()]
    names = tuple(runs) if len(runs) > 1 else ()
    origins = " ".join(origin(one) for one in runs.values())
    passes = " ".join(dict.fromkeys(_passes(one) for one in runs.values()))
    if measure == "accuracy":
        for mirrored in dict.fromkeys(mirrored_text(one.run.dataset) for one in runs.values()):
            passes += f"{mirrored[0].upper()}{mirrored[1:]}. " if mirrored else ""
    shown = "accuracy" if measure == "accuracy" else "loss as a multiple of what guessing costs"
    name = f"figure-{number}-{measure}" + ("-no-dropout" if remark else "")
    title = f"{measure.capitalize()} of every task through training{remark}"
    yield Picture(
        number,
        name,
        title,
        _STRIP.format(measure=shown) + passes + origins,
        strip(*curve_strips(*drawn), names=names, style=look.style),
    )
    yield Picture(
        number,
        f"{name}-lines",
        title,
        _LINES + passes + origins,
        lines(*drawn, names=names, style=look.style),
    )


def _passes(results: Results) -> str:
    return _PASS.format(dropout=", dropout on" if results.run.config.training.dropout else "")
