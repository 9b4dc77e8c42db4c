"""Ticks: which cells are marked at a panel's edge, and which labels there is room for.

Ticks are written as

    [0, 5, 10]                   cells, labelled by their number
    {0: "1", 31: "1,024"}        cells and their labels
    ["2", "3", "5", ...]         one label per cell of the axis
    [{8: "50 %"}, {40: "50 %"}]  a mapping per panel, in reading order

Every tick gets its line. Labels that would touch are first turned (below a panel) or set
smaller (beside it); what still finds no room is left out, the ends last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from miiii.esch.style import Style
from miiii.esch.text import text_width

TicksLike: TypeAlias = (
    Sequence[int] | Sequence[str] | Mapping[int, Any] | Sequence[Mapping[int, Any]]
)

GAP = 3.0  # points between neighbouring labels
SMALLEST = 5.0  # points; smaller text is not readable in print
LINE = 1.0  # distance of lines that may not touch, em


@dataclass(frozen=True)
class Tick:
    """A marked cell and its label, which may be empty."""

    cell: int
    label: str


@dataclass(frozen=True)
class Ticks:
    """The ticks along one axis.

    Attributes:
        panels: ticks of each panel in reading order, or one entry that all share.
        shared: whether all panels share them; then only outer panels show them.
    """

    panels: tuple[tuple[Tick, ...], ...]
    shared: bool

    def of(self, panel: int) -> tuple[Tick, ...]:
        """The ticks of one panel."""
        return self.panels[0] if self.shared else self.panels[panel]


@dataclass(frozen=True)
class Fitted:
    """Ticks with room found for their labels.

    Attributes:
        ticks: all of them.
        labels: those whose labels are drawn.
        size: of the labels, points.
        turned: whether labels read upwards.
    """

    ticks: tuple[Tick, ...]
    labels: tuple[Tick, ...]
    size: float
    turned: bool = False

    @property
    def widest(self) -> float:
        """Width of the widest label drawn, points."""
        return max((text_width(tick.label, self.size) for tick in self.labels), default=0.0)


def read(name: str, ticks: TicksLike | None, axis: str, size: int, panels: int) -> Ticks:
    """Read ticks in any of the ways they may be written.

    Args:
        name: the option's name, for errors.
        ticks: see the module's text; None for no ticks.
        axis: the axis's letter, for errors.
        size: cells along the axis.
        panels: panels in the drawing.

    Returns:
        The ticks, sorted by cell.

    Raises:
        ValueError: on cells outside the axis, or a list of the wrong length.
    """
    if ticks is None:
        return Ticks(((),), shared=True)
    if isinstance(ticks, Mapping):
        return Ticks((_mapping(name, ticks, axis, size),), shared=True)
    if isinstance(ticks, str) or not isinstance(ticks, Iterable):
        raise ValueError(f"{name}: expected cells, labels or mappings, found {ticks!r}")
    listed = list(ticks)
    if listed and all(isinstance(entry, Mapping) for entry in listed):
        if len(listed) != panels:
            raise ValueError(
                f"{name}: expected {panels} mappings, one per panel; found {len(listed)}"
            )
        found = tuple(_mapping(name, entry, axis, size) for entry in listed)  # type: ignore[arg-type]
        return Ticks(found, shared=False)
    if listed and all(isinstance(entry, str) for entry in listed):
        if len(listed) != size:
            raise ValueError(
                f"{name}: expected {size} labels, one per cell of axis {axis}; found {len(listed)}"
            )
        return Ticks((_mapping(name, dict(enumerate(listed)), axis, size),), shared=True)
    cells = {entry: entry for entry in listed}
    return Ticks((_mapping(name, cells, axis, size),), shared=True)


def _mapping(name: str, ticks: Mapping[Any, Any], axis: str, size: int) -> tuple[Tick, ...]:
    found: list[Tick] = []
    for cell, label in ticks.items():
        if isinstance(cell, bool) or not hasattr(cell, "__index__"):
            raise ValueError(f"{name}: expected whole numbers of cells, found {cell!r}")
        if not 0 <= cell < size:
            raise ValueError(
                f"{name}: expected cells of axis {axis} within 0..{size - 1}, found {cell}"
            )
        found.append(Tick(int(cell), " ".join(str(label).split())))
    return tuple(sorted(found, key=lambda tick: tick.cell))


def fit_below(ticks: tuple[Tick, ...], pitch: float, style: Style) -> Fitted:
    """Find room for labels below a panel whose cells are `pitch` points wide."""
    size = style.small_size
    labelled = tuple(tick for tick in ticks if tick.label)
    flat = _choose(labelled, pitch, [text_width(tick.label, size) + GAP for tick in labelled])
    if len(flat) < len(labelled):
        turned = _choose(labelled, pitch, [LINE * size] * len(labelled))
        if len(turned) == len(labelled):
            return Fitted(ticks, turned, size, turned=True)
    return Fitted(ticks, flat, size)


def fit_beside(ticks: tuple[Tick, ...], pitch: float, style: Style) -> Fitted:
    """Find room for labels beside a panel whose cells are `pitch` points high."""
    labelled = tuple(tick for tick in ticks if tick.label)
    size = style.small_size
    if len(labelled) > 1:
        closest = min(b.cell - a.cell for a, b in pairwise(labelled))
        size = min(size, max(SMALLEST, closest * pitch / LINE))
    return Fitted(ticks, _choose(labelled, pitch, [LINE * size] * len(labelled)), size)


def _choose(ticks: tuple[Tick, ...], pitch: float, lengths: list[float]) -> tuple[Tick, ...]:
    """Which labels to keep so that none overlap, each being so long along the axis.

    Where not all fit, every k-th is kept, with the least k that works, and the last one
    in place of any neighbours in its way.
    """

    def fits(kept: list[int]) -> bool:
        return all(
            (ticks[b].cell - ticks[a].cell) * pitch >= (lengths[a] + lengths[b]) / 2 - 1e-9
            for a, b in pairwise(kept)
        )

    last = len(ticks) - 1
    every = (list(range(0, last + 1, step)) for step in range(1, last + 2))
    kept = next((choice for choice in every if fits(choice)), [])
    if kept and kept[-1] != last:
        while len(kept) > 1 and not fits([kept[-1], last]):
            kept.pop()
        if fits([kept[-1], last]):
            kept.append(last)
    return tuple(ticks[index] for index in kept)
