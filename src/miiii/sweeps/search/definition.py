"""A sweep's definition (settings, space, sampler, objectives, trials) and its TOML form."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import tomli_w

from miiii import __version__
from miiii.config.config import Config, differences, from_table, read_toml, to_table
from miiii.refusals import check_entries, unknown_name
from miiii.runs.creation import validate_name
from miiii.sweeps.search.objectives import OBJECTIVES
from miiii.sweeps.search.points import point_of
from miiii.sweeps.search.pruning import PRUNERS
from miiii.sweeps.search.spacefile import setting, space_from_toml, space_to_table
from miiii.sweeps.search.spaces import SearchSpace

Sampler = Literal["tpe", "grid", "random"]
SAMPLERS: tuple[str, ...] = get_args(Sampler)
Keep = Literal["all", "weights"]
KEEPS: tuple[str, ...] = get_args(Keep)
FORMAT = 1
MOST_TRIALS = 1_000_000


@dataclass(frozen=True)
class Definition:
    """A sweep's definition. Workers with equal definitions can share a sweep.

    Raises:
        ValueError: a field is out of its limits, or the sampler is grid and the space is no grid.
    """

    name: str
    base: Config
    """Every setting that is not searched; `training.epochs` is a trial's number of epochs."""
    space: SearchSpace | None
    """The searched settings; None: the trials are the runs of a study."""
    trials: int
    sampler: str = "tpe"
    objectives: tuple[str, ...] = ("validation_loss",)
    seed: int = 0
    """The sampler's seed."""
    prune: str = "none"
    keep: str = "all"
    """What is kept of a finished run: all, or weights (deletes the checkpoints to resume from)."""
    study: str = ""
    """The directory of the study whose runs are the trials; empty if `space` is given."""
    version: str = __version__
    """Version of the package that made the sweep."""
    own_stream: bool = True
    """Whether points are drawn from the stream SEARCH_POINTS. Older sweeps lack this entry in their
    file; their points are drawn from the seed only."""
    first: tuple[Mapping[str, Any], ...] = ()
    """Points to try before all others: given by the user, or with results in an earlier sweep."""

    def __post_init__(self) -> None:
        validate_name(self.name)
        for kind, value, known in (
            ("sampler", self.sampler, SAMPLERS),
            ("prune", self.prune, PRUNERS),
            ("keep", self.keep, KEEPS),
        ):
            if value not in known:
                raise ValueError(unknown_name(kind, value, list(known)))
        if not self.objectives:
            raise ValueError(f"objective is missing: choose from {', '.join(OBJECTIVES)}")
        for name in self.objectives:
            if name not in OBJECTIVES:
                raise ValueError(unknown_name("objective", name, list(OBJECTIVES)))
            if self.objectives.count(name) > 1:
                raise ValueError(f"objective {name!r} is given twice: expected once")
        if not 1 <= self.trials <= MOST_TRIALS:
            raise ValueError(f"trials is {self.trials}: it must be from 1 to {MOST_TRIALS:,}")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"sampler seed is {self.seed}: it must be from 0 to 2³¹ − 1")
        space = self.space
        if space is not None and self.sampler == "grid" and self.trials > space.size:
            raise ValueError(f"trials is {self.trials}: the grid has only {space.size:,} points")
        count = len(self.first)
        if count and space is None:
            raise ValueError("first points need a search space: the trials of a study are its runs")
        if count > self.trials:
            raise ValueError(
                f"trials is {self.trials}: it must be at least {count}, the first points"
            )
        for point in self.first:
            if space is not None and point_of(space, point) != dict(point):
                raise ValueError(f"the point {dict(point)} is not in the space")

    def check_points(self) -> None:
        """Refuse a grid in which a point gives settings that no run can have.

        Raises:
            ValueError: as in `settings`.
        """
        if self.space is not None and self.sampler == "grid":
            for point in self.space.points():
                self.settings(point)

    @property
    def directions(self) -> list[str]:
        """For each objective, minimize or maximize."""
        return [OBJECTIVES[name].direction for name in self.objectives]

    def settings(self, params: Mapping[str, Any]) -> Config:
        """The configuration of a trial.

        Raises:
            ValueError: no run can have these settings.
        """
        return setting(self.base, params)

    def to_text(self) -> str:
        """The definition as TOML."""
        record: dict[str, Any] = {"format": FORMAT}
        for item in dataclasses.fields(self):
            if item.name not in ("base", "space"):
                value = getattr(self, item.name)
                record[item.name] = list(value) if isinstance(value, tuple) else value
        if not self.first:
            del record["first"]
        if self.space is not None:
            # TOML moves tables (intervals) behind lists, so the fields' order is stored too.
            record["order"] = list(self.space.fields)
            record["space"] = space_to_table(self.space)
        record["base"] = to_table(self.base)
        return tomli_w.dumps(record)


def definition_from_text(text: str) -> Definition:
    """The inverse of `Definition.to_text`.

    Raises:
        ValueError: the text is not TOML or has another format, or an entry is missing, unknown or
            out of its limits.
    """
    record = read_toml(text)
    if record.pop("format", None) != FORMAT:
        raise ValueError(f"its format is not {FORMAT}, the only one that this version reads")
    order = record.pop("order", [])
    record.setdefault("own_stream", False)
    record.setdefault("first", [])
    check_entries(record, [item.name for item in dataclasses.fields(Definition)], optional="space")
    record["base"] = from_table(record["base"])
    if "space" in record:
        space = space_from_toml(tomli_w.dumps(record["space"]), record["base"], "space")
        places = {field: place for place, field in enumerate(order)}
        ordered = sorted(space.dimensions, key=lambda each: places.get(each.field, len(places)))
        record["space"] = SearchSpace(tuple(ordered))
    record["objectives"] = tuple(record["objectives"])
    record["first"] = tuple(record["first"])
    return Definition(**{"space": None, **record})


def list_differences(one: Definition, other: Definition) -> list[str]:
    """The differences, as texts with the entry's name and both values.

    `version` and `own_stream` are not compared.
    """
    found = []
    for item in dataclasses.fields(Definition):
        if item.name in ("base", "space", "version", "own_stream"):
            continue
        pair = (getattr(one, item.name), getattr(other, item.name))
        if pair[0] == pair[1]:
            continue
        if item.name == "first":
            counts = " and ".join(str(len(each)) for each in pair)
            found.append(f"first points (--from-sweep, --enqueue): {counts}, not the same")
        else:
            found.append(f"{item.name}: {_shown(pair[0])}, not {_shown(pair[1])}")
    spaces = [space_to_table(each.space) if each.space else {} for each in (one, other)]
    for name in dict.fromkeys([*spaces[0], *spaces[1]]):
        old, new = (_shown(entries.get(name, "not searched")) for entries in spaces)
        if old != new:
            found.append(f"space.{name}: {old}, not {new}")
    for name, (old, new) in differences(one.base, other.base).items():
        found.append(f"base.{name}: {old!r}, not {new!r}")
    return found


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
