"""The configuration of a run: the settings of task, model, optimiser and training, and as TOML."""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin, get_type_hints

import tomli_w

from miiii.markup import heading, table
from miiii.model.config import ModelConfig
from miiii.optim.config import OptimConfig
from miiii.refusals import unknown_name
from miiii.tasks.config import TaskConfig
from miiii.training.config import TrainingConfig

SECTIONS = ("task", "model", "optim", "training")


@dataclass(frozen=True)
class Config:
    """All settings of a run.

    On a CPU two runs of one configuration are equal bit for bit, given the same versions, number of
    threads, flags and number of runs in the batch.
    """

    task: TaskConfig = field(default_factory=TaskConfig)
    """What is learnt, and from which numbers."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """The transformer."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """The optimiser, its learning rate and the gradient filter."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    """How it is trained and measured."""
    seed: int = 0
    """Seed of the split, the initial weights and dropout (0 … 2³¹ − 1)."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed is {self.seed}: it must be from 0 to 2³¹ − 1")
        if self.training.validate_every > self.training.epochs:
            raise ValueError(
                f"validate_every is {self.training.validate_every}: it must be at most epochs, "
                f"{self.training.epochs}, or nothing is ever validated"
            )
        if self.optim.filter in ("ema_on_tasks", "ema_on_random") and (
            not self.model.answer_token or self.model.digit_tokens == "separate"
        ):
            raise ValueError(
                f"filter is {self.optim.filter!r}: it works on one table of p digits and the "
                "answer token, so answer_token must be true and digit_tokens shared"
            )
        if self.training.minibatches > 1:
            train, *_ = self.task.split_sizes
            if self.training.minibatches > train:
                raise ValueError(
                    f"minibatches is {self.training.minibatches}: it must be at most the number of "
                    f"training numbers, {train}"
                )
        if self.training.label_smoothing and self.task.is_regression:
            raise ValueError(
                f"label_smoothing is {self.training.label_smoothing}: task {self.task.task} has a "
                "real output and no classes to share among, so it must be 0"
            )

    def _repr_html_(self) -> str:
        """Every setting; those that are not the default are bold."""
        changed = differences(self, Config())
        rows: list[tuple[object, ...]] = [("", "seed", self.seed)]
        for name, section in field_sections().items():
            rows.append((section, name, getattr(getattr(self, section), name)))
        bold = frozenset(index for index, row in enumerate(rows) if row[1] in changed)
        note = f"{len(changed)} settings are not the default" if changed else "the defaults"
        return heading("Config", note) + table(("section", "setting", "value"), rows, bold)


def field_sections() -> dict[str, str]:
    """The section of every field by its name; names are unique over all sections."""
    return {
        item.name: section
        for section in SECTIONS
        for item in dataclasses.fields(get_type_hints(Config)[section])
    }


def replace_fields(config: Config, **values: Any) -> Config:
    """A configuration with some fields changed, named without their section.

    Example:
        >>> replace_fields(Config(), base=59, width=128).model.width
        128

    Raises:
        ValueError: a name is unknown (the nearest is given) or a value is out of its limits.
    """
    sections = field_sections()
    changes: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if name == "seed":
            continue
        if name not in sections:
            raise ValueError(unknown_name("field", name, [*sections, "seed"]))
        changes.setdefault(sections[name], {})[name] = value
    parts = {
        section: dataclasses.replace(getattr(config, section), **fields)
        for section, fields in changes.items()
    }
    return dataclasses.replace(config, **parts, seed=values.get("seed", config.seed))


def to_toml(config: Config) -> str:
    """The whole configuration as TOML text; `from_toml` reads it back to an equal one."""
    return tomli_w.dumps(to_table(config))


def to_table(config: Config) -> dict[str, Any]:
    """The whole configuration as a dict, which `from_table` reads back."""
    record = dataclasses.asdict(config)
    return {name: record[name] for name in ("seed", *SECTIONS)}


def read_toml(text: str, source: str = "") -> dict[str, Any]:
    """A TOML text as a dict.

    Raises:
        ValueError: it is not TOML; the message gives the reason, and the text's source if any.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{source} is not valid TOML: {error}".removeprefix(" is ")) from error


def from_toml(text: str, base: Config | None = None) -> Config:
    """Read a configuration, whole or in part.

    Args:
        text: `seed = …` and the tables [task], [model], [optim], [training].
        base: where fields that are not given come from; default: the defaults.

    Raises:
        ValueError: not TOML, or as in `from_table`.
    """
    return from_table(read_toml(text), base)


def from_table(record: Mapping[str, Any], base: Config | None = None) -> Config:
    """Read a configuration from a dict; otherwise as `from_toml`.

    Raises:
        ValueError: an unknown table or field (the nearest is given), a value of the wrong type or
            out of its limits.
    """
    base = base or Config()
    changes: dict[str, Any] = {}
    for key, value in record.items():
        if key == "seed":
            changes["seed"] = _checked("seed", value, int)
        elif key not in SECTIONS:
            raise ValueError(_misplaced(key))
        elif not isinstance(value, Mapping):
            raise ValueError(f"{key} is {value!r}: it must be a table, [{key}]")
        else:
            part = getattr(base, key)
            kinds = get_type_hints(type(part))
            names = [item.name for item in dataclasses.fields(part)]
            for name in value:
                if name not in names:
                    raise ValueError(unknown_name(f"field in [{key}]", name, names))
            checked = {name: _checked(name, item, kinds[name]) for name, item in value.items()}
            changes[key] = dataclasses.replace(part, **checked)
    return dataclasses.replace(base, **changes)


def _misplaced(key: str) -> str:
    sections = field_sections()
    if key in sections:
        return f"field {key!r} stands outside its table: put it under [{sections[key]}]"
    return unknown_name("table or field", key, ["seed", *SECTIONS, *sections])


def _checked(name: str, value: Any, kind: Any) -> Any:
    """A TOML value as the field's type; a ValueError names field, value and type."""
    if get_origin(kind) is tuple:
        if isinstance(value, list | tuple) and all(type(item) is int for item in value):
            return tuple(value)
        raise ValueError(f"{name} is {value!r}: it must be a list of whole numbers")
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind in (int, bool) and type(value) is kind:
        return value
    if (kind is str or get_args(kind)) and isinstance(value, str):
        return value
    names = {int: "a whole number", float: "a number", bool: "true or false"}
    raise ValueError(f"{name} is {value!r}: it must be {names.get(kind, 'text')}")


def differences(one: Config, other: Config) -> dict[str, tuple[Any, Any]]:
    """The fields in which two configurations differ, with both values."""
    pairs: dict[str, tuple[Any, Any]] = {"seed": (one.seed, other.seed)}
    for name, section in field_sections().items():
        pairs[name] = (getattr(getattr(one, section), name), getattr(getattr(other, section), name))
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
