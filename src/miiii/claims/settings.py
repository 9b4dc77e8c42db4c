"""The optimiser and loss of the runs that a claim was judged on, beside the paper's."""

from collections.abc import Iterable
from dataclasses import dataclass

from miiii.claims.measurements import Measurements, Origin
from miiii.claims.text import number

OPTIMISERS = {"adamw": "AdamW", "muon": "Muon"}

PAPER_LEARNING_RATE, PAPER_BASE = 3e-4, 113
"""Of Table 2. Other values are reported; the optimiser still counts as the paper's."""


@dataclass(frozen=True)
class JudgedUnder:
    """The optimiser and loss of the runs behind a verdict."""

    text: str
    """Both in words."""
    departures: tuple[str, ...]
    """Differences from the paper: its optimiser is AdamW behind Grokfast's EMA filter (§3.4), its
    loss the softmax cross-entropy (Eq. 10), summed or averaged over tasks with equal weights."""

    @property
    def papers(self) -> bool:
        """Whether optimiser and loss are the paper's, so that the verdict is on its own claim."""
        return not self.departures


def departures(origin: Origin) -> tuple[str, ...]:
    """The differences of a run's optimiser and loss from the paper's, in words.

    Strength of the filter, learning rate, weight decay and dropout are left out: the paper's own
    experiments vary them.
    """
    found = []
    if origin.optimiser != "adamw":
        found.append(f"{OPTIMISERS.get(origin.optimiser, origin.optimiser)} instead of AdamW")
    if origin.filter not in ("ema", "none"):
        found.append(f"the gradient filter {origin.filter} instead of Grokfast's EMA")
    if origin.orthogonal_gradient:
        found.append("⊥Grad")
    if origin.minibatches > 1:
        found.append(f"{origin.minibatches} updates an epoch")
    if origin.restarts:
        found.append("a learning rate that starts again")
    if origin.normaliser != "softmax":
        found.append(f"{origin.normaliser} instead of the softmax")
    if origin.label_smoothing:
        found.append(f"labels smoothed by {number(origin.label_smoothing)}")
    if origin.large_task_power:
        found.append(f"tasks weighed by size to the power {number(origin.large_task_power)}")
    if origin.average_weights:
        found.append(f"weights averaged with decay {number(origin.average_weights)}")
    if origin.task_reduction not in ("sum", "mean"):
        found.append(f"{origin.task_reduction.replace('_', ' ')} over tasks")
    return tuple(found)


def judged_under(runs: Iterable[Measurements]) -> JudgedUnder | None:
    """The optimiser and loss of the runs behind a verdict; None without runs.

    Args:
        runs: of every experiment that the claim's rule reads.
    """
    origins = [run.origin for run in runs]
    if not origins:
        return None
    found = tuple(dict.fromkeys(text for origin in origins for text in departures(origin)))
    if found:
        return JudgedUnder(", ".join(found), found)
    reductions = " and ".join(dict.fromkeys(origin.task_reduction for origin in origins))
    return JudgedUnder(
        f"AdamW with Grokfast's EMA filter, plain cross-entropy, {reductions} over tasks", ()
    )


def beside_the_paper(runs: Iterable[Measurements]) -> str:
    """Size and learning rate of T_miiii's runs beside the paper's; "" where both are the same."""
    origins = [run.origin for run in runs]
    bases = sorted({origin.base for origin in origins} - {PAPER_BASE})
    rates = sorted({origin.learning_rate for origin in origins} - {PAPER_LEARNING_RATE})
    parts = []
    if bases:
        parts.append(f"p = {', '.join(map(str, bases))} (the paper: {PAPER_BASE})")
    if rates:
        shown = ", ".join(map(number, rates))
        parts.append(f"learning rate {shown} (the paper: {PAPER_LEARNING_RATE:g})")
    return ", ".join(parts)
