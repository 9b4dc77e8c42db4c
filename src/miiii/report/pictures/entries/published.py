"""A run at p = 113 beside the paper's published values: its Figure 4, and later training."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from miiii.claims.measurements import Frequencies, Measurements
from miiii.claims.rules.published import (
    LAST_EPOCHS,
    PUBLISHED_BASE,
    PUBLISHED_EPOCHS,
    PUBLISHED_LEVEL,
    READING_ERROR,
    RISE_AND_FALL_EPOCH,
    BesidePublished,
    beside_published,
)
from miiii.claims.statistics import RankCorrelation
from miiii.figures.published import published_epochs, ratio_text
from miiii.markup import csv_text, markdown_table
from miiii.report.pictures.picture import Picture
from miiii.report.pictures.sources import Look, Sources, origin
from miiii.results.paper import MissingInputError, Results
from miiii.results.store import stored_measurements

NEAR = 2.0**0.5
"""Factor around `RISE_AND_FALL_EPOCH` within which a snapshot counts as near it."""


def epochs(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 4P: each task's first epoch at 0.9, of the run and of the paper's Figure 4."""
    main = sources.classifying()
    history = main.run.history
    beside = beside_published(history.first_reached(PUBLISHED_LEVEL))
    if beside is None or main.run.config.task.task != "miiii":
        raise MissingInputError(f"needs a run of T_miiii at p = {PUBLISHED_BASE}")
    trained = int(history.epoch[-1])
    about = (
        f"First epoch with a validation accuracy of {PUBLISHED_LEVEL}; the published ones were "
        f"read off the squares of the paper's Figure 4 (±{READING_ERROR:.0%}). "
        f"{_how_far(main)}{_ratios(beside)} "
    )
    yield Picture(
        "4P",
        "figure-4p-beside-the-published",
        "When each task generalises, beside the paper's Figure 4",
        about + origin(main),
        published_epochs(beside, trained=trained, reading_error=READING_ERROR, style=look.style),
    )
    rows = [
        [
            str(task.modulus),
            f"{task.published:,}",
            f"{task.own:,.0f}" if math.isfinite(task.own) else f"not by {trained:,}",
            ratio_text(task.ratio),
        ]
        for task in beside.tasks
    ]
    yield Picture(
        "4P",
        "table-4p-beside-the-published",
        "When each task generalises, beside the paper's Figure 4",
        about + origin(main),
        table_forms(["q", "the paper", main.run.name, "ratio"], rows),
    )


def later_training(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 8P: frequencies near epoch 16,000, and the sharing index of the last 20,000 epochs."""
    del look
    main = sources.classifying()
    if main.run.config.task.base != PUBLISHED_BASE:
        raise MissingInputError(f"needs a run of T_miiii at p = {PUBLISHED_BASE}")
    measured = stored_measurements(main.run)
    if measured is None or measured.frequencies is None:
        raise MissingInputError(
            "needs the run's measurements: give the study of the run to `miiii ledger`, which "
            "measures and keeps them"
        )
    found = measured.frequencies
    rows = [
        [f"{epoch:,}", str(count), str(calibrated), f"{null:.1f}"]
        for epoch, count, calibrated, null in zip(
            found.epochs, found.counts, found.calibrated, found.null_counts, strict=True
        )
        if epoch >= RISE_AND_FALL_EPOCH / 8
    ]
    yield Picture(
        "8P",
        "table-8p-later-training",
        "Significant frequencies and the sharing index through later training",
        f"{_how_far(main)}{_rise_and_fall(found)} {_sharing(measured)} Frequencies of all hidden "
        "neurons at the snapshots, above μ + 2σ, above everything that renamed digits reach "
        "(calibrated), and how many μ + 2σ finds with the digits renamed. " + origin(main),
        table_forms(["epoch", "above μ + 2σ", "calibrated", "digits renamed"], rows),
    )


def table_forms(head: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, str]:
    """A table as Markdown and as CSV, by file ending."""
    return {"md": "\n".join(markdown_table(head, rows)) + "\n", "csv": csv_text(head, rows)}


def _how_far(main: Results) -> str:
    done, planned = int(main.run.history.epoch[-1]), main.run.config.training.epochs
    if done >= planned:
        return ""
    return f"The run has not ended: it is at {done:,} of {planned:,} epochs. "


def _ratios(beside: BesidePublished) -> str:
    ratios = [task.ratio for task in beside.reached]
    if not ratios:
        return "No task has come yet."
    count = len(ratios)
    parts = [
        f"{count} of {len(beside.tasks)} tasks have come, at a median {np.median(ratios):.3g} "
        f"times the published epoch ({min(ratios):.3g} to {max(ratios):.3g})",
        _correlation_text("rank correlation of both epochs", beside.correlation),
        _correlation_text("without 2, 3, 5 and 7", beside.correlation_later),
    ]
    return "; ".join(part for part in parts if part) + "."


def _correlation_text(name: str, found: RankCorrelation | None) -> str:
    if found is None or math.isnan(found.rho):
        return ""
    if found.interval is None:
        return f"{name} {found.rho:.2f}"
    return f"{name} {found.rho:.2f} (95 % {found.interval.low:.2f} to {found.interval.high:.2f})"


def _rise_and_fall(found: Frequencies) -> str:
    """Whether the count rises and falls near the epoch where the paper's count does."""
    low, high = RISE_AND_FALL_EPOCH / NEAR, RISE_AND_FALL_EPOCH * NEAR
    before = [c for e, c in zip(found.epochs, found.counts, strict=True) if low / NEAR <= e < low]
    near = [c for e, c in zip(found.epochs, found.counts, strict=True) if low <= e <= high]
    after = [c for e, c in zip(found.epochs, found.counts, strict=True) if high < e <= high * NEAR]
    if not (before and near and after):
        return f"Its snapshots do not reach past epoch {high * NEAR:,.0f} yet."
    rises = max(near) > max(before) and max(near) > max(after)
    return (
        f"Near epoch {RISE_AND_FALL_EPOCH:,} at most {max(near)} frequencies are above μ + 2σ, "
        f"{max(before)} before and {max(after)} after: the count "
        f"{'rises and falls' if rises else 'does not rise and fall'} there."
    )


def _sharing(measured: Measurements) -> str:
    """The change of the sharing index late in training."""
    late, found, when, whose = measured.late_sharing, measured.sharing, "", ""
    if late is not None:
        found, count = late.index, len(late.moduli)
        whose = f" of the {count} tasks that hold at the first of these"
    elif found is not None and found.epochs[-1] < PUBLISHED_EPOCHS - LAST_EPOCHS:
        when = f", before the last {LAST_EPOCHS:,},"
    if found is None or len(found.epochs) < 2:
        return "The sharing index was not measured: not every task has generalised."
    return (
        f"From epoch {found.epochs[0]:,} to {found.epochs[-1]:,}{when} the sharing index{whose} "
        f"moves from {found.neurons[0]:.3f} to {found.neurons[-1]:.3f} (neurons; 95 % "
        f"{found.neurons_low[0]:.3f} to {found.neurons_high[0]:.3f} and "
        f"{found.neurons_low[-1]:.3f} to {found.neurons_high[-1]:.3f}) and from "
        f"{found.harmonics[0]:.3f} to {found.harmonics[-1]:.3f} (harmonics)."
    )
