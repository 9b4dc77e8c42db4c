"""The file of a study: T_miiii's settings in full, and the changes of each experiment, as TOML."""

from collections.abc import Mapping
from typing import Any

import tomli_w

from miiii.config.config import (
    SECTIONS,
    Config,
    differences,
    field_sections,
    from_table,
    read_toml,
    to_table,
)
from miiii.refusals import check_entries
from miiii.runs.creation import validate_name
from miiii.studies.plan import Plan, run_name

FORMAT = 1
_HEADING = "# A study of miiii: its runs are in runs/. Written by `miiii reproduce`.\n\n"
_KEYS = ("format", "scale", "preset", "version", "settings", "experiments")
_EXPERIMENT_KEYS = ("seeds", "runs", "changes")


def plan_to_toml(plan: Plan, version: str) -> str:
    """The text of a study's file; `version` is that of the package that made the study."""
    settings = to_table(plan.base)
    settings.pop("seed")
    record = {
        "format": FORMAT,
        "scale": plan.scale,
        "preset": plan.preset,
        "version": version,
        "experiments": {
            key: {
                "seeds": list(plan.seeds[key]),
                "runs": [run_name(key, seed) for seed in plan.seeds[key]],
                "changes": _changes(plan.base, config),
            }
            for key, config in plan.configs.items()
        },
        "settings": settings,
    }
    return _HEADING + tomli_w.dumps(record)


def _changes(base: Config, config: Config) -> dict[str, dict[str, Any]]:
    """The fields in which an experiment differs from T_miiii, by section."""
    sections = field_sections()
    found: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for name, (_, value) in differences(base, config).items():
        found[sections[name]][name] = value
    return {section: fields for section, fields in found.items() if fields}


def plan_from_toml(text: str) -> tuple[Plan, str]:
    """The inverse of `plan_to_toml`: the plan and the version.

    Raises:
        ValueError: not TOML, of another format, or an entry is missing, unknown or out of its
            limits; the message names it.
    """
    record = read_toml(text)
    if record.get("format") != FORMAT:
        raise ValueError(f"format is {record.get('format')!r}: this version reads {FORMAT}")
    check_entries(record, _KEYS)
    for key in ("scale", "preset", "version"):
        if not isinstance(record[key], str):
            raise ValueError(f"{key} is {record[key]!r}: it must be text")
    base = _config(record["settings"], Config(), "settings")
    configs, seeds = {}, {}
    if not isinstance(record["experiments"], Mapping):
        raise ValueError("experiments must be a table")
    for key, entry in record["experiments"].items():
        where = f"experiments.{key}"
        if not isinstance(entry, Mapping):
            raise ValueError(f"{where} must be a table")
        check_entries(entry, _EXPERIMENT_KEYS, where=where)
        configs[key] = _config(entry["changes"], base, f"{where}.changes")
        seeds[key] = _seeds(key, entry, where)
    return Plan(record["scale"], record["preset"], base, configs, seeds), record["version"]


def _config(changes: Any, base: Config, where: str) -> Config:
    if not isinstance(changes, Mapping):
        raise ValueError(f"{where} must be a table")
    try:
        return from_table(changes, base)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _seeds(key: str, entry: Mapping[str, Any], where: str) -> tuple[int, ...]:
    seeds = entry["seeds"]
    whole = isinstance(seeds, list) and all(type(seed) is int and seed >= 0 for seed in seeds)
    if not whole or not seeds or seeds != sorted(set(seeds)):
        raise ValueError(f"{where}.seeds is {seeds!r}: it must be ascending whole numbers")
    names = [run_name(validate_name(key), seed) for seed in seeds]
    if entry["runs"] != names:
        raise ValueError(f"{where}.runs is {entry['runs']!r}: with those seeds it must be {names}")
    return tuple(seeds)
