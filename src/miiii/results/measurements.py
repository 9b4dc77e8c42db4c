"""The measurements of one run that the ledger uses, a function per record; dropout is off."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.circuits.causal import harmonic_removal, neuron_removal
from miiii.analysis.circuits.sharing import sharing_index
from miiii.analysis.dynamics.snapshots import stack_spectra
from miiii.analysis.harmonics.fourier import spectrum as power_spectrum
from miiii.analysis.parts.attention import attention_pattern
from miiii.analysis.parts.concentration import frequency_need, periodicity
from miiii.analysis.parts.embeddings import (
    digit_embeddings,
    embedding_spectrum,
    positional_embeddings,
)
from miiii.analysis.parts.neurons import neuron_spectra
from miiii.analysis.parts.singular import singular_spectrum
from miiii.analysis.permuting import permutations, sample_numbers
from miiii.analysis.scoring import margins
from miiii.claims.measurements import (
    Embeddings,
    Frequencies,
    Gradients,
    Heads,
    LateSharing,
    Neurons,
    Origin,
    Performance,
    Sharing,
)
from miiii.claims.rules import paper as rules
from miiii.claims.rules.published import LAST_EPOCHS, PUBLISHED_EPOCHS
from miiii.experiment.run import Run
from miiii.model.parameters import Parameters
from miiii.results.paper import Results
from miiii.results.spectra import snapshot_spectra
from miiii.runs.listing import ending_text
from miiii.runs.measured import History
from miiii.streams import Stream, generator
from miiii.tasks.dataset import Dataset

Progress = Callable[[int, int], None]
"""Called with (snapshots done, all snapshots)."""

OUTPUT_DRAWS, HIDDEN_DRAWS = 19, 5
"""Renamings of the digits for the null of periodicity. The claims judge it after W_out: 19 draws
allow a p-value of 1/20. After the ReLU there are four times as many neurons, so fewer are made."""
NEED_DRAWS = 3
"""Renamings whose median frequency need is taken; three are enough, since they hardly differ."""
EMBEDDING_DRAWS, RANDOM_EMBEDDINGS = 199, 20
"""Renamings of the digits, and random matrices, for embeddings; both are cheap."""
SHARING_DRAWS, SHARING_NUMBERS = 2, 2048
"""Random circuits as control, and numbers that are scored. The standard error of an accuracy is at
most 0.011, and that of the mean over pairs of tasks far lower."""

LATE, LATELY = 20, 10
"""Late values are means or medians over the last 1/`LATE` of a history; the late gain is the rise
over the last 1/`LATELY`."""


def origin(run: Run) -> Origin:
    """The run and its settings."""
    config, provenance = run.config, run.provenance
    versions = provenance.get("versions") or {}
    return Origin(
        run=run.name,
        seed=config.seed,
        epoch=int(run.history.epoch[-1]),
        epochs=config.training.epochs,
        task=config.task.task,
        base=config.task.base,
        moduli=tuple(run.dataset.moduli),
        masked=tuple(config.task.masked_tasks),
        width=config.model.width,
        train_fraction=config.task.train_fraction,
        optimiser=config.optim.optimiser,
        learning_rate=config.optim.learning_rate,
        weight_decay=config.optim.weight_decay,
        filter_strength=0.0 if config.optim.filter == "none" else config.optim.filter_strength,
        dropout=config.training.dropout,
        precision=config.training.precision,
        device=str((provenance.get("device") or {}).get("platform", "")),
        versions={name: str(version) for name, version in versions.items() if version},
        filter=config.optim.filter,
        orthogonal_gradient=config.optim.orthogonal_gradient,
        minibatches=config.training.minibatches,
        restarts=config.optim.restarts,
        normaliser=config.training.normaliser,
        label_smoothing=config.training.label_smoothing,
        large_task_power=config.training.large_task_power,
        average_weights=config.training.average_weights,
        task_reduction=config.training.task_reduction,
        stopped=bool(ending_text(run.status)),
    )


def performance(run: Run, logits: NDArray[np.floating]) -> Performance:
    """Accuracies and losses of each task.

    Args:
        run: with at least one epoch and one validation.
        logits: [p², V], of the last weights.
    """
    history, masked = run.history, run.config.task.masked_tasks
    trained = [modulus not in masked for modulus in history.moduli]
    train = history.train_loss[:, trained].mean(axis=1)
    validation = history.validation_loss[:, trained].mean(axis=1)
    held = history.first_reached(rules.GENERALISED_AT, held=True)
    lowest = int(validation.argmin())
    return Performance(
        held_from=tuple(held[modulus] for modulus in history.moduli),
        train_accuracy=_numbers(history.train_accuracy[-1]),
        validation_accuracy=_numbers(history.validation_accuracy[-1]),
        domain_accuracy=domain_accuracy(logits, run.dataset),
        train_loss=_numbers(history.train_loss[-1]),
        validation_loss=_numbers(history.validation_loss[-1]),
        first_train_loss=float(train[0]),
        late_train_loss=float(np.median(_late(train))),
        lowest_validation_loss=float(validation[lowest]),
        lowest_validation_epoch=int(history.validation_epoch[lowest]),
        late_validation_loss=float(np.median(_late(validation))),
        late_gain=late_gain(history.validation_accuracy[:, trained].mean(axis=1)),
    )


def with_exact_accuracies(measured: Performance, history: History) -> Performance:
    """The same record with the last accuracies of the history.

    Earlier versions stored these accuracies rounded to float32.
    """
    return replace(
        measured,
        train_accuracy=_numbers(history.train_accuracy[-1]),
        validation_accuracy=_numbers(history.validation_accuracy[-1]),
    )


def late_gain(accuracy: NDArray[np.floating]) -> float:
    """Rise of a curve over its last tenth; both ends are means over a twentieth of it.

    Args:
        accuracy: [M], at least one.
    """
    before = accuracy[: max(1, len(accuracy) - math.ceil(len(accuracy) / LATELY))]
    width = math.ceil(len(accuracy) / LATE)
    return float(accuracy[-width:].mean() - before[-width:].mean())


def domain_accuracy(logits: NDArray[np.floating], dataset: Dataset) -> tuple[float, ...]:
    """Per task the share of all numbers with an answer whose right logit is above every other.

    Args:
        logits: [p², V], every task's classes side by side.
        dataset: with the classes of every number.

    Returns:
        [N]; NaN for waves, which has no classes.
    """
    if not np.issubdtype(dataset.targets.dtype, np.integer):
        return (float("nan"),) * len(dataset.moduli)
    rows = dataset.answered
    # A tie has margin 0 and is no right answer: it would depend on the order of the classes.
    right = margins(logits[rows], dataset.targets[rows], dataset.class_sizes) > 0
    return _numbers(right.mean(axis=0))


def gradients(run: Run) -> Gradients:
    """The epoch from which each weight's gradient is at rest."""
    found = Results(run).gradient_norms
    return Gradients(found.names, found.settled, _numbers(found.share[-1]), found.window)


def neurons(hidden: NDArray[np.floating], output: NDArray[np.floating]) -> Neurons:
    """Periodicity of the neurons.

    Args:
        hidden: [F, x1, x0], after the ReLU.
        output: [D, x1, x0], after W_out.
    """
    of_hidden = periodicity(hidden, rules.STRONGEST, draws=HIDDEN_DRAWS)
    of_output = periodicity(output, rules.STRONGEST, draws=OUTPUT_DRAWS)
    spectra = neuron_spectra(hidden)
    need = frequency_need(spectra.frequency_power, rules.VARIANCE_SHARE)
    orders = permutations(spectra.base, NEED_DRAWS, seed=0)
    renamed = [
        frequency_need(neuron_spectra(hidden, order).frequency_power, rules.VARIANCE_SHARE).median
        for order in orders
    ]
    return Neurons(
        hidden_share=of_hidden.median,
        hidden_null=_numbers(of_hidden.null_medians),
        output_share=of_output.median,
        output_null=_numbers(of_output.null_medians),
        needed=need.median,
        needed_quartiles=need.quartiles,
        needed_null=float(np.median(renamed)),
        needed_pairs=frequency_need(spectra.power, rules.VARIANCE_SHARE).median,
        silent=need.silent,
    )


def frequencies(
    run: Run, progress: Progress | None = None, *, last_only: bool = False
) -> Frequencies | None:
    """Significant frequencies through the snapshots.

    Args:
        run: with or without snapshots.
        progress: called after each snapshot.
        last_only: measure only the last snapshot.

    Returns:
        None without snapshots.
    """
    epochs = sorted(run.snapshots)[-1:] if last_only else sorted(run.snapshots)
    if not epochs:
        return None

    def with_progress():
        for done, item in enumerate(snapshot_spectra(run, epochs), 1):
            yield item
            if progress is not None:
                progress(done, len(epochs))

    found = stack_spectra(with_progress())
    calibrated, null = found.calibrated_counts, found.null_counts
    assert calibrated is not None
    assert null is not None
    return Frequencies(
        available=len(found.frequencies),
        epochs=_numbers(found.epochs),
        counts=_numbers(found.counts),
        calibrated=_numbers(calibrated),
        null_counts=_numbers(null.mean(axis=1)),
        pair_counts=_numbers(found.pair_counts),
    )


def sharing(run: Run, held_from: Sequence[int | None]) -> Sharing | None:
    """The sharing index at the first and at the last snapshot after all tasks hold.

    Args:
        run: of any task.
        held_from: [N]: the epoch from which each task holds; None if never.

    Returns:
        None for tasks other than T_miiii, where a task never held, and without such a snapshot.
    """
    epochs = [epoch for epoch in held_from if epoch is not None]
    if run.config.task.task != "miiii" or len(epochs) < len(held_from):
        return None
    after = sorted(epoch for epoch in run.snapshots if epoch >= max(epochs))
    if not after:
        return None
    return _sharing_at(run, sorted({after[0], after[-1]}))


def late_sharing(run: Run, held_from: Sequence[int | None]) -> LateSharing | None:
    """The sharing index at the snapshots of the last 20,000 of the paper's 65,536 epochs.

    It is of the tasks that hold at the first of these snapshots, so that all its values are of the
    same tasks, also in a run in which others never hold.

    Args:
        run: of any task.
        held_from: [N]: the epoch from which each task holds; None if never.

    Returns:
        None for tasks other than T_miiii, with fewer than two such snapshots or tasks.
    """
    epochs = sorted(epoch for epoch in run.snapshots if epoch >= PUBLISHED_EPOCHS - LAST_EPOCHS)
    if run.config.task.task != "miiii" or len(epochs) < 2:
        return None
    held = np.array([since is not None and since <= epochs[0] for since in held_from])
    if held.sum() < 2:
        return None
    moduli = tuple(q for q, holds in zip(run.dataset.moduli, held, strict=True) if holds)
    return LateSharing(moduli, _sharing_at(run, epochs, held))


def _sharing_at(run: Run, epochs: Sequence[int], tasks: NDArray[np.bool_] | None = None) -> Sharing:
    """The sharing index at snapshots, over some tasks [N]; None: all."""
    numbers = sample_numbers(run.config.task.base, SHARING_NUMBERS)
    indices: dict[str, list[tuple[float, float, float]]] = {"neurons": [], "harmonics": []}
    for epoch in epochs:
        weights = run.snapshots[epoch]
        for kind, removal in (("neurons", neuron_removal), ("harmonics", harmonic_removal)):
            matrix = removal(weights, run.dataset, draws=SHARING_DRAWS, numbers=numbers)
            index = sharing_index(matrix, tasks=tasks).index
            indices[kind].append((index.value, index.low, index.high))
    neurons, harmonics = (tuple(map(tuple, np.array(rows).T.tolist())) for rows in indices.values())
    return Sharing(tuple(epochs), *neurons, *harmonics)


def embeddings(run: Run, parameters: Parameters) -> Embeddings:
    """Token and positional embeddings of the last weights."""
    matrix = digit_embeddings(parameters)
    spectrum = embedding_spectrum(matrix, Results(run).initial_deviation, draws=EMBEDDING_DRAWS)
    singular = singular_spectrum(matrix)
    positions = np.asarray(parameters.position_embedding, np.float64)
    drawn = generator(Stream.FEW_FREQUENCIES_NULL)
    constant = (np.ptp(positions[:2], axis=1) == 0).any()
    return Embeddings(
        pearson=float("nan") if constant else positional_embeddings(positions).pearson,
        components_half=singular.half,
        components_nine_tenths=singular.nine_tenths,
        vector_share=_numbers(singular.frequency_share[: rules.LEADING_VECTORS]),
        random_share=float(np.quantile(singular.random_share, 1 - rules.VECTOR_LEVEL)),
        count=spectrum.count,
        random_count=float(spectrum.random_counts.mean()),
        calibrated=spectrum.calibrated_count,
        needed=_needed(spectrum.power),
        random_needed=tuple(
            _needed(power_spectrum(drawn.normal(size=matrix.shape), axis=0))
            for _ in range(RANDOM_EMBEDDINGS)
        ),
        available=len(spectrum.significant),
    )


def _needed(power: NDArray[np.floating]) -> int:
    """Least number of frequencies with `VARIANCE_SHARE` of power [K, D], without the constant."""
    per_frequency = power[1:].sum(axis=1)
    return int(frequency_need(per_frequency[None], rules.VARIANCE_SHARE).needed[0])


def heads(attention_weights: NDArray[np.floating], base: int, coefficient: float = 1.0) -> Heads:
    """Mean attention of each head to each position.

    Args:
        attention_weights: [p², H, T], from the last position.
        base: p.
        coefficient: the model's attention coefficient.
    """
    found = attention_pattern(attention_weights, base, coefficient)
    to_x0, to_x1, *rest = found.mean.T
    to_answer = rest[0] if rest else np.zeros_like(to_x0)
    return Heads(_numbers(to_x0), _numbers(to_x1), _numbers(to_answer), _numbers(found.entropy))


def _late(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return values[-math.ceil(len(values) / LATE) :]


def _numbers(values: NDArray[Any]) -> tuple[Any, ...]:
    """[n] as a tuple of Python's own numbers, which JSON can write."""
    return tuple(values.tolist())
