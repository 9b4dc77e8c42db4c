"""The runs that pictures are drawn from, by role."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from miiii.esch.style import LIGHT, Style
from miiii.results.circuits import Circuits
from miiii.results.paper import MissingInputError, Results

ROLES = {
    "main": ("a run", "RUN"),
    "nanda": ("a run of T_nanda", "--compare RUN"),
    "basis": ("a run of T_basis", "--baseline RUN"),
    "no_dropout": ("a run without dropout", "--no-dropout RUN"),
    "filters": ("runs at other strengths of the gradient filter", "--filters RUN RUN …"),
    "waves": ("a run of T_waves", "--waves RUN"),
}
"""Description of each role, and the option that gives its run."""


@dataclass(frozen=True)
class Sources:
    """The runs by role. One run may have several: a T_nanda run given as main is nanda as well.

    Attributes:
        main: the run that the pictures are about.
        nanda: T_nanda, to compare with.
        basis: T_basis, the baseline of shuffled labels.
        no_dropout: the main task without dropout.
        filters: the main task at other λ, and controls of the learning rate.
        waves: the cosine model of Appendix D.
        circuits: of the main run; None: with default settings.
    """

    main: Results | None = None
    nanda: Results | None = None
    basis: Results | None = None
    no_dropout: Results | None = None
    filters: tuple[Results, ...] = ()
    waves: Results | None = None
    circuits: Circuits | None = None

    def __post_init__(self) -> None:
        if self.main is None:
            return
        if self.circuits is None:
            object.__setattr__(self, "circuits", Circuits(self.main))
        task = self.main.run.config.task.task
        if task in ("nanda", "basis", "waves") and getattr(self, task) is None:
            object.__setattr__(self, task, self.main)

    def need(self, role: str) -> Results:
        """The run of a role.

        Raises:
            MissingInputError: it was not given.
        """
        found = getattr(self, role)
        if not found:
            description, option = ROLES[role]
            raise MissingInputError(f"needs {description}: give {option}")
        return found

    def classifying(self) -> Results:
        """The main run, which must be a classification.

        Raises:
            MissingInputError: it was not given, or is a regression.
        """
        main = self.need("main")
        if main.run.config.task.is_regression:
            raise MissingInputError(
                f"needs a run of a task with classes: {main.run.name} learns a real number"
            )
        return main

    def provenances(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Name and provenance of every run, each run once."""
        several = (self.main, self.nanda, self.basis, self.no_dropout, *self.filters, self.waves)
        runs = {each.run.path: each.run for each in several if each is not None}
        return [(run.name, run.provenance) for run in runs.values()]


FILTERS = ("lambda-0", "lambda-2", "matched-half", "matched-2")
"""Experiments of a study in Figure 24."""


def study_sources(results: Mapping[str, Results]) -> Sources:
    """The runs of a study by role.

    Args:
        results: by experiment; some may be missing.
    """
    return Sources(
        main=results.get("miiii"),
        nanda=results.get("nanda"),
        basis=results.get("basis"),
        no_dropout=results.get("no-dropout"),
        filters=tuple(results[key] for key in FILTERS if key in results),
        waves=results.get("waves"),
    )


@dataclass(frozen=True)
class Look:
    """Options of drawing.

    Attributes:
        style: colours and fonts.
        corner: digits of each axis in grids; None: all p.
    """

    style: Style = LIGHT
    corner: int | None = 37


TASK_NAMES = {
    "miiii": "T_miiii",
    "nanda": "T_nanda",
    "basis": "T_basis",
    "waves": "T_waves",
    "custom": "own labels",
}


def origin(results: Results, *, weights: bool = False) -> str:
    """The run of a picture and its settings, for the caption.

    Args:
        results: of the run.
        weights: whether the picture is of the weights at one epoch, not of the whole training.
    """
    config = results.run.config
    task, model, optim, training = config.task, config.model, config.optim, config.training
    count = len(task.task_moduli)
    parts = [
        f"Run {results.run.name}: {TASK_NAMES.get(task.task, task.task)}, p = {task.base}",
        *([plural(count, "task")] if count > 1 else []),
        f"{task.train_fraction:.3g} of the numbers",
        f"d = {model.width}, {plural(model.heads, 'head')}",
        *([plural(model.depth, "block")] if model.depth > 1 else []),
        f"{optim.optimiser}, learning rate {optim.learning_rate:.3g}, "
        f"weight decay {optim.weight_decay:.3g}",
        "no gradient filter"
        if optim.filter == "none"
        else f"λ = {optim.filter_strength:.3g} ({optim.filter})",
        f"dropout {training.dropout:.3g}" if training.dropout else "no dropout",
        f"seed {config.seed}",
        training.precision,
    ]
    if average := training.average_text:
        parts.append(f"the model is the {average} (training values are of the raw weights)")
    end = f"weights of epoch {results.model.epoch:,}, dropout off" if weights else ""
    last = results.run.status["epoch"]
    return ", ".join(parts) + (f"; {end}." if weights else f"; {last:,} epochs.")


def plural(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
