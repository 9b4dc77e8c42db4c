"""Sweeps whose runs were never trained: their values are planted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from miiii import get_preset, replace_fields
from miiii.sweeps.outcome.results import RunRecord, SweepResults
from miiii.sweeps.search.definition import Definition
from miiii.sweeps.search.spaces import Dimension, Interval, SearchSpace

BASE = replace_fields(get_preset("tiny"), epochs=100)
GRID = SearchSpace(
    (
        Dimension("dropout", "dropout", (0.0, 0.5, 0.2)),
        Dimension("width", "d", (32, 64, 128)),
        Dimension("heads", "heads", (2, 4)),
    )
)
MIXED = SearchSpace(
    (
        Interval("learning_rate", "lr", 1e-4, 1e-2, log=True),
        Interval("dropout", "dropout", 0.0, 0.5),
        Dimension("width", "d", (32, 64)),
    )
)


def done(number: int, params: Mapping[str, Any], *values: float, **changes: Any) -> RunRecord:
    """A run that ended well."""
    given: dict[str, Any] = {
        "run": f"trial-{number:06d}",
        "number": number,
        "state": "done",
        "params": dict(params),
        "values": values,
        "epochs": 100,
        "budget": 100,
        "seconds": 2.0,
        "attempts": 1,
        "problem": "",
        "worker": "",
    }
    return RunRecord(**{**given, **changes})


def planted(
    runs: Iterable[RunRecord],
    space: SearchSpace | None = GRID,
    objectives: Sequence[str] = ("validation_loss",),
    **changes: Any,
) -> SweepResults:
    """A sweep of these runs."""
    listed = tuple(runs)
    definition = Definition(
        "planted",
        BASE,
        space,
        max(1, len(listed)),
        "random",
        tuple(objectives),
        **changes,
    )
    return SweepResults(definition, listed)


def on_grid(value: Callable[[Mapping[str, Any]], float], space: SearchSpace = GRID) -> SweepResults:
    """Every point of a grid, with a value that its settings give."""
    points = enumerate(space.points())
    return planted((done(number, point, value(point)) for number, point in points), space)
