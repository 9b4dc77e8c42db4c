"""Search spaces, and the paper's (Tables 1 and 2)."""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from miiii.config.config import Config, field_sections
from miiii.refusals import unknown_name

Value = float | int | str | bool


@dataclass(frozen=True)
class Dimension:
    """One setting and its listed values."""

    field: str
    """The setting's name in `Config`, without its section."""
    symbol: str
    """The paper's name for it."""
    values: tuple[Value, ...]
    """Distinct values, in the paper's order."""


@dataclass(frozen=True)
class Interval:
    """One setting and its limits, both included."""

    field: str
    """The setting's name in `Config`, without its section."""
    symbol: str
    """A short name for tables."""
    low: float
    high: float
    log: bool = False
    """Whether values are drawn uniformly in their logarithm."""
    whole: bool = False
    """Whether values are integers."""


@dataclass(frozen=True)
class SearchSpace:
    """The searched settings, with the values or limits of each.

    Raises:
        ValueError: there is no dimension, a field is unknown or repeated, a dimension has no value
            or a repeated one, or an interval is empty or has a logarithm and a limit ≤ 0.
    """

    dimensions: tuple[Dimension | Interval, ...]

    def __post_init__(self) -> None:
        if not self.dimensions:
            raise ValueError("dimensions are empty: a search space needs at least one")
        known = list(field_sections())
        fields = [each.field for each in self.dimensions]
        for each in self.dimensions:
            if each.field not in known:
                raise ValueError(unknown_name("field", each.field, known))
            if fields.count(each.field) > 1:
                raise ValueError(f"field {each.field!r} is given twice: expected once")
            if isinstance(each, Interval):
                _check_interval(each)
            elif not each.values or len(set(each.values)) != len(each.values):
                raise ValueError(
                    f"values of {each.field!r} are {each.values}: expected at least one, each once"
                )

    @property
    def fields(self) -> tuple[str, ...]:
        """The settings' names."""
        return tuple(each.field for each in self.dimensions)

    @property
    def is_grid(self) -> bool:
        """Whether every setting has listed values."""
        return all(isinstance(each, Dimension) for each in self.dimensions)

    @property
    def values(self) -> dict[str, tuple[Value, ...]]:
        """The listed values by field.

        Raises:
            ValueError: a setting has limits instead of listed values.
        """
        found: dict[str, tuple[Value, ...]] = {}
        for each in self.dimensions:
            if isinstance(each, Interval):
                raise ValueError(
                    f"{each.field} has limits {each.low:g} and {each.high:g}: "
                    "a grid needs a list of values"
                )
            found[each.field] = each.values
        return found

    @property
    def symbols(self) -> dict[str, str]:
        """The paper's names of the settings, by field."""
        return {each.field: each.symbol for each in self.dimensions}

    @property
    def size(self) -> int:
        """Number of points of the grid."""
        return math.prod(map(len, self.values.values()))

    def points(self) -> Iterator[dict[str, Value]]:
        """Every combination, as fields for `replace_fields`; the last dimension varies fastest."""
        for combination in itertools.product(*self.values.values()):
            yield dict(zip(self.fields, combination, strict=True))

    def read(self, config: Config) -> dict[str, Value]:
        """A configuration's values of these settings."""
        sections = field_sections()
        return {name: getattr(getattr(config, sections[name]), name) for name in self.fields}

    def outside(self, settings: Mapping[str, Value]) -> tuple[str, ...]:
        """The fields whose value is not in the space.

        Args:
            settings: field to value, one for every dimension.

        Raises:
            ValueError: a field is missing.
        """
        missing = [name for name in self.fields if name not in settings]
        if missing:
            raise ValueError(
                f"settings lack {', '.join(missing)}: expected {', '.join(self.fields)}"
            )
        return tuple(each.field for each in self.dimensions if not _holds(each, settings))


def _holds(each: Dimension | Interval, settings: Mapping[str, Value]) -> bool:
    value = settings[each.field]
    if isinstance(each, Dimension):
        return value in each.values
    return isinstance(value, int | float) and each.low <= value <= each.high


def _check_interval(each: Interval) -> None:
    if not each.low < each.high:
        raise ValueError(
            f"{each.field!r} has low {each.low:g} and high {each.high:g}: low must be below high"
        )
    if each.log and not each.low > 0:
        raise ValueError(f"{each.field!r} has low {each.low:g} and log: low must be above 0")


TABLE_1 = SearchSpace(
    (
        Dimension("dropout", "dropout", (0.0, 1 / 2, 1 / 5, 1 / 10)),
        Dimension("filter_strength", "λ", (0.0, 1 / 2, 2.0)),
        Dimension("weight_decay", "wd", (0.0, 1 / 10, 1 / 2, 1.0)),
        Dimension("width", "d", (128, 256)),
        Dimension("learning_rate", "lr", (3e-4, 1e-4)),
        Dimension("heads", "heads", (4, 8)),
    )
)
"""The paper's search space (§3.4, Table 1): 384 points."""

TABLE_2: dict[str, Value] = {
    "dropout": 1 / 10,
    "filter_strength": 1 / 2,
    "weight_decay": 1 / 3,
    "width": 256,
    "learning_rate": 3e-4,
    "heads": 4,
}
"""The best settings of the paper's search (§4.1, Table 2). Their weight decay is not in Table 1,
although the paper says that it searched Table 1."""
