"""The settings of a study: configurations and their differences, runs, versions, commands."""

import dataclasses
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from miiii.config.config import SECTIONS, Config, differences
from miiii.runs.conditions import conditions_text, has_changed, resumption_lines
from miiii.runs.listing import ending_text
from miiii.studies.plan import EXPERIMENTS, Plan, plan
from miiii.studies.study import default_name

if TYPE_CHECKING:
    from miiii.experiment.run import Run
    from miiii.studies.study import Study


@dataclass(frozen=True)
class ExperimentRow:
    """One experiment and its changes of settings."""

    key: str
    what: str
    changes: tuple[tuple[str, str, str], ...]
    """(setting, its value, T_miiii's)."""


@dataclass(frozen=True)
class RunRow:
    """One run."""

    name: str
    experiment: str
    seed: int
    epochs: str
    """The number of trained epochs; with the planned number where it is larger."""
    device: str
    precision: str
    revision: str
    """Git revision, shortened, with a note on uncommitted changes."""
    time: str
    """Start of the run, UTC."""


@dataclass(frozen=True)
class StudySettings:
    """The section of settings."""

    base: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """(section, its settings and values) of T_miiii."""
    experiments: tuple[ExperimentRow, ...]
    runs: tuple[RunRow, ...]
    versions: tuple[tuple[str, str], ...]
    """(package, version), all versions where runs differ."""
    platforms: tuple[str, ...]
    conditions: tuple[str, ...]
    """Threads and flags, each combination once; early runs have no record of them."""
    resumed: tuple[tuple[str, str], ...]
    """(run, epoch of a resumption and its changes)."""
    changed: int
    """Number of runs that were resumed under changed conditions."""
    command: str
    """The command that makes the study; "" if one command is not enough."""
    recorded: tuple[tuple[str, int], ...]
    """(command, number of runs that it started), from the runs' provenance."""


def study_settings(study: "Study", runs: "Mapping[str, Sequence[Run]]") -> StudySettings:
    """Gather the settings from the study's file and its runs' provenance.

    Args:
        study: with its plan.
        runs: by experiment.
    """
    every = [(key, run) for key, group in runs.items() for run in group]
    records = [run.provenance for _, run in every]
    return StudySettings(
        base=tuple((section, tuple(_fields(study.plan.base, section))) for section in SECTIONS),
        experiments=tuple(_experiment(study.plan, key) for key in study.plan.configs),
        runs=tuple(_run_row(key, run) for key, run in every),
        versions=_versions(records),
        platforms=tuple(dict.fromkeys(filter(None, map(_platform, records)))),
        conditions=tuple(dict.fromkeys(filter(None, map(conditions_text, records)))),
        resumed=tuple(
            (run.name, line)
            for (_, run), record in zip(every, records, strict=True)
            for line in resumption_lines(record)
        ),
        changed=sum(map(has_changed, records)),
        command=command_of(study.plan, study.name),
        recorded=_commands(records),
    )


def command_of(wanted: Plan, name: str) -> str:
    """The command `miiii reproduce` with exactly this plan; "" if there is none.

    Args:
        wanted: the study's plan.
        name: of the study.
    """
    counts = sorted({len(seeds) for seeds in wanted.seeds.values()})
    experiments = tuple(wanted.configs)
    for only in ((), experiments):
        for seeds in (None, *counts):
            try:
                found = plan(wanted.scale, wanted.preset, seeds, only)
            except ValueError:
                continue  # this version lacks the preset
            if found == wanted:
                words = ["miiii", "reproduce", "--scale", wanted.scale, "--preset", wanted.preset]
                words += ["--seeds", str(seeds)] if seeds else []
                words += ["--only", ",".join(only)] if only else []
                words += ["--name", name] if name != default_name(wanted) else []
                return shlex.join(words)
    return ""


def value_text(value: Any) -> str:
    """A setting's value as text."""
    if isinstance(value, list | tuple):
        return ", ".join(map(value_text, value)) or "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}" if value >= 10_000 else str(value)
    return str(value) or "–"


def _fields(config: Config, section: str) -> list[tuple[str, str]]:
    record = dataclasses.asdict(getattr(config, section))
    if section == "task":
        # Defaults that depend on other settings are resolved.
        record["moduli"] = config.task.task_moduli
        if record["data_seed"] < 0:
            record["data_seed"] = "the run's seed"
    return [(name.replace("_", " "), value_text(value)) for name, value in record.items()]


def _experiment(wanted: Plan, key: str) -> ExperimentRow:
    pairs = differences(wanted.configs[key], wanted.base)
    changes = tuple(
        (name.replace("_", " "), value_text(one), value_text(other))
        for name, (one, other) in pairs.items()
    )
    return ExperimentRow(key, EXPERIMENTS[key].label if key in EXPERIMENTS else "", changes)


def _run_row(key: str, run: "Run") -> RunRow:
    record, planned = run.provenance, run.config.training.epochs
    git = record.get("git") or {}
    revision = str(git.get("revision") or "")[:10]
    return RunRow(
        name=run.name,
        experiment=key,
        seed=run.config.seed,
        epochs=reached_text(run.status, planned),
        device=_device(record),
        precision=run.config.training.precision,
        revision=revision + (" and changes" if revision and git.get("dirty") else "") or "–",
        time=str(record.get("time") or "–").replace("T", " ")[:16],
    )


def reached_text(status: Mapping[str, Any], planned: int) -> str:
    """The epochs of a run, the planned ones if more, and whether its stopping rule ended it."""
    trained = int(status["epoch"])
    if trained >= planned:
        return f"{trained:,}"
    ended = ", ended by its stopping rule" if ending_text(status) else ""
    return f"{trained:,} of {planned:,}{ended}"


def _device(record: Mapping[str, Any]) -> str:
    device = record.get("device") or {}
    platform, kind = str(device.get("platform") or ""), str(device.get("kind") or "")
    return platform if kind in ("", platform) else f"{platform} ({kind})"


def _platform(record: Mapping[str, Any]) -> str:
    platform = record.get("platform") or {}
    return " ".join(str(platform.get(part) or "") for part in ("system", "machine")).strip()


def _versions(records: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    found: dict[str, dict[str, None]] = {}
    for record in records:
        for package, version in (record.get("versions") or {}).items():
            found.setdefault(package, {})[str(version or "none")] = None
    return tuple((package, " and ".join(versions)) for package, versions in found.items())


def _commands(records: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, int], ...]:
    commands = Counter(shlex.join(map(str, record.get("command") or [])) for record in records)
    return tuple((command, count) for command, count in commands.items() if command)
