"""`miiii train` and `miiii resume`."""

import dataclasses
import itertools
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from miiii.cli import machine
from miiii.cli.arguments import UsageError, option_names, parse, peek
from miiii.cli.checks import check_range, writable
from miiii.cli.config_file import ConfigFile, read_config
from miiii.cli.console import exit_now, to_stderr
from miiii.cli.text import directory_option
from miiii.config.config import Config, replace_fields
from miiii.config.presets import PRESETS, get_preset
from miiii.runs.listing import ending_text
from miiii.runs.text import clock
from miiii.tracking.loading import load_trackers
from miiii.tracking.protocol import Factory


@dataclass(frozen=True)
class TrainArguments:
    """Train one configuration, with one seed or several at once."""

    preset: str = "small"
    """The preset that gives every field: tiny, mini, small, fast, fast3000, brief, paper,
    reference, reference32, nanda, waves, or mini-… for the experiments of the further work."""
    config_file: ConfigFile = field(default=None, metadata={"option": "--config"})
    """A TOML file of some or all fields, such as a run's config.toml, that replace the preset's."""
    from_run: Annotated[str, tyro.conf.arg(name="from", metavar="RUN")] = field(
        default="", metadata={"option": "--from"}
    )
    """Branch a stored run: begin with its weights and its settings. All settings but those of its
    model and tasks can be changed. Epochs continue its count."""
    from_epoch: int | None = None
    """The epoch at which to branch, of a snapshot or a checkpoint; default: the newest weights."""
    from_optimiser: bool = False
    """Take the optimiser's state as well, which only checkpoints have; default: a new one."""
    name: str = ""
    """Name of the run's directory; default: the preset's name, numbered (for a branch: its
    origin's name and the epoch). With several seeds, -seed0, -seed1, … is added."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    seeds: int = 1
    """How many seeds to train together, from --seed on; each is stored as a separate run. In a
    batch a seed's numbers differ from those of the same seed by itself, first in the last bits."""
    force: bool = False
    """Move an existing run of the same name aside instead of refusing."""
    dry_run: bool = False
    """Print parameters, memory and time, measured over a few seconds; write nothing."""
    track: str = ""
    """Other tools that receive the run's numbers, separated by commas: tensorboard, or module:Class
    for a class that you write."""
    json: bool = False
    """Print the result as JSON on stdout."""
    config: tyro.conf.OmitArgPrefixes[Config] = field(default_factory=Config)


@dataclass(frozen=True)
class ResumeArguments:
    """Resume a run from its newest checkpoint, with those that trained together with it."""

    run: tyro.conf.Positional[str] = field(metadata={"option": None})
    """Name of the run, or its path."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    epochs: int | None = None
    """A larger number of epochs than the run was started with; default: unchanged."""
    stop_when: float | None = None
    """From now on, end the run early at this validation accuracy, as miiii train does (0: train all
    epochs, even after the rule has ended the run); default: unchanged."""
    stop_after: int | None = None
    """From now on, epochs for which --stop-when must have held; default: unchanged."""
    config_file: ConfigFile = field(default=None, metadata={"option": "--config"})
    """A TOML file that the run's configuration must agree with. Only its epochs may be larger, and
    its stopping rule another."""
    track: str = ""
    """Other tools that receive the run's numbers, separated by commas: tensorboard, or module:Class
    for a class that you write."""
    json: bool = False
    """Print the result as JSON on stdout."""


def train_command(words: list[str]) -> int:
    """Run `miiii train`; returns the exit code."""
    arguments = parse_train(words)
    check_range(arguments, "seeds", 1)
    trackers = load_trackers(arguments.track)
    config = arguments.config
    seeds = range(config.seed, config.seed + arguments.seeds)
    configs = [replace_fields(config, seed=seed) for seed in seeds]
    if (arguments.from_epoch is not None or arguments.from_optimiser) and not arguments.from_run:
        raise UsageError("--from-epoch and --from-optimiser need a run to branch: give --from RUN")
    if arguments.dry_run:
        return _dry_run(configs, arguments)
    name = arguments.name or _free_name(arguments)
    names = [name] if len(seeds) == 1 else [f"{name}-seed{seed}" for seed in seeds]
    from miiii.runs.creation import check_new_runs

    with writable("--runs-dir", arguments.runs_dir):
        check_new_runs(arguments.runs_dir, names, arguments.force)
    _note_tasks(configs[0])
    command = ["miiii", "train", *words]

    def begin(progress, stop):
        from miiii.experiment import training as experiment

        return experiment.start(
            configs,
            names,
            arguments.runs_dir,
            force=arguments.force,
            origin=_origin(arguments),
            command=command,
            progress=progress,
            stop=stop,
        )

    return _supervise(begin, names[0], arguments.runs_dir, arguments.json, trackers)


def resume_command(words: list[str]) -> int:
    """Run `miiii resume`; returns the exit code."""
    _refuse_other_settings(words)
    arguments = parse(ResumeArguments, words, "miiii resume")
    from miiii.runs.directory import RunDirectory

    directory = RunDirectory.open(arguments.runs_dir, arguments.run)
    trackers = load_trackers(arguments.track)
    config = None
    if arguments.config_file is not None:
        from miiii.experiment.members import written_config

        config = read_config(arguments.config_file, written_config(directory))
    given = {"stop_when": arguments.stop_when, "stop_after": arguments.stop_after}
    rule = {name: value for name, value in given.items() if value is not None}

    def go_on(progress, stop):
        from miiii.experiment import training as experiment

        return experiment.resume(
            directory.path,
            arguments.runs_dir,
            epochs=arguments.epochs,
            config=config,
            rule=rule,
            command=["miiii", "resume", *words],
            progress=progress,
            stop=stop,
        )

    return _supervise(go_on, arguments.run, arguments.runs_dir, arguments.json, trackers)


def _refuse_other_settings(words: Sequence[str]) -> None:
    """Refuse options of `miiii resume` that are settings, which only `miiii train` takes."""
    settings = set(option_names(Config)) - set(option_names(ResumeArguments))
    for word in words:
        name = word.split("=")[0].replace("_", "-")
        if name in settings:
            raise UsageError(
                f"{name} is a setting, and a run is resumed with its own: "
                f"miiii train --from RUN {name} … begins another run with its weights"
            )


def parse_train(words: list[str]) -> TrainArguments:
    """Parse the words after `miiii train`, the inverse of `command_line.train_words`.

    In two passes, because preset, file and origin give the defaults of other fields.

    Raises:
        UsageError: a word is not understood, or two contradict each other.
        ValueError: a setting is not allowed.
    """
    preset, file = peek(words, "--preset"), peek(words, "--config")
    config = get_preset(preset or TrainArguments.preset)
    if origin := peek(words, "--from"):
        if preset is not None:
            raise UsageError(
                f"--preset is {preset!r} and --from {origin!r}: both say where the settings begin, "
                "so leave one out"
            )
        from miiii.runs.directory import RunDirectory

        runs_dir = Path(peek(words, "--runs-dir") or TrainArguments.runs_dir)
        config = read_config(RunDirectory.open(runs_dir, origin).path / "config.toml", Config())
    if file is not None:
        config = read_config(Path(file), config)
    default = TrainArguments(preset=preset or TrainArguments.preset, config=config)
    presets = "\n".join(f"  {name}: {preset.purpose}" for name, preset in PRESETS.items())
    return parse(
        TrainArguments,
        words,
        "miiii train",
        default=default,
        description=f"{TrainArguments.__doc__}\n\nPresets:\n{presets}",
    )


def _origin(arguments: TrainArguments) -> Any:
    if not arguments.from_run:
        return None
    from miiii.experiment.branching import Origin

    return Origin(arguments.from_run, arguments.from_epoch, arguments.from_optimiser)


def _free_name(arguments: TrainArguments) -> str:
    """The preset's name (for a branch the origin's), with the first number that makes it new."""
    taken = {path.name for path in arguments.runs_dir.glob("*")}
    stem = arguments.preset
    if arguments.from_run:
        at = "" if arguments.from_epoch is None else f"-{arguments.from_epoch}"
        stem = f"{Path(arguments.from_run).name}-branch{at}"
    names = (stem if number == 1 else f"{stem}-{number}" for number in itertools.count(1))
    return next(
        name
        for name in names
        if name not in taken and not any(other.startswith(f"{name}-seed") for other in taken)
    )


def _note_tasks(config: Config) -> None:
    """Print properties that make the tasks easier, harder or emptier than they look."""
    from miiii.tasks.dataset import build_dataset
    from miiii.tasks.notes import first_notes

    for note in first_notes(config.task, build_dataset(config.task, config.seed)):
        print(f"note: {note}", file=sys.stderr)


def _supervise(
    run, name: str, runs_dir: Path, as_json: bool, trackers: Sequence[Factory] = ()
) -> int:
    """Train with progress on the screen and signals handled, and print how it ended."""
    from miiii.experiment.interrupts import StopRequest
    from miiii.runs.directory import RunDirectory

    stop, began = StopRequest(), time.monotonic()
    with stop.listening():
        machine.prepare_jax()
        from miiii.cli.progress.run import RunProgress
        from miiii.cli.progress.screen import on_screen

        with on_screen(RunProgress) as progress:
            stop.notify = progress.stopping
            outcome = _tracked(run, progress, stop, trackers)
    if as_json:
        record = dataclasses.asdict(outcome)
        record["paths"] = [str(path) for path in outcome.paths]
        print(json.dumps(record))
    if outcome.state == "failed":
        for problem in outcome.problems:
            print(f"error: {problem}", file=sys.stderr)
        return 1
    where = directory_option(runs_dir, "runs")
    if outcome.state != "finished":
        to_stderr(f"saved at epoch {outcome.done:,}; go on with: miiii resume {name}{where}")
        exit_now(stop.exit_code)
    if not as_json:
        took = clock(time.monotonic() - began)
        for path, ended in zip(outcome.paths, outcome.stopped, strict=True):
            print(f"finished: {path} ({ended or outcome.done:,} epochs; {took} in this call)")
            if ended is not None:
                name = RunDirectory(path).name
                print(f"  {ending_text(RunDirectory(path).status)}")
                print(f"  without the rule: miiii resume {name}{where} --stop-when 0")
        print(f"next: miiii figures {outcome.paths[0].name}{where}")
    return 0


def _tracked(run, progress, stop, trackers: Sequence[Factory]) -> Any:
    """Train, and pass the numbers to trackers as well as to the screen."""
    if not trackers:
        return run(progress, stop)
    from miiii.tracking.following import TrackedProgress

    tracked, state = TrackedProgress(progress, trackers), "failed"
    try:
        outcome = run(tracked, stop)
        state = outcome.state
    finally:
        tracked.ended(state)
    return outcome


def _dry_run(configs: list[Config], arguments: TrainArguments) -> int:
    from miiii.experiment.interrupts import StopRequest

    machine.prepare_jax()
    from miiii.experiment.estimating import estimate

    stop, done, begins = StopRequest(), 0, []
    with stop.listening():
        if origin := _origin(arguments):
            from miiii.experiment.branching import Branching

            # Reads the weights and checks the settings, as the start would.
            branching = Branching(origin, configs, arguments.runs_dir)
            configs, done = branching.configs, branching.epoch
            begins = [("origin", f"{branching.run.name} after epoch {done:,}")]
            for message in branching.warnings(configs[0]):
                print(f"warning: {message}", file=sys.stderr)
        to_stderr("compiling, and timing a few epochs …")
        found = estimate(configs, stop, done=done)
    if found is None:
        exit_now(stop.exit_code)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(found)))
        return 0
    config = configs[0]
    megabytes = 1 / 2**20
    rows = [
        *begins,
        ("runs", f"{len(configs)}"),
        ("tasks", f"{len(config.task.task_moduli)}, {sum(config.task.class_sizes):,} outputs"),
        ("parameters", f"{found.parameters:,} per run"),
        ("numbers", f"{found.train:,} train, {found.validation:,} validation, {found.test:,} test"),
        ("memory", f"{found.memory_bytes * megabytes:,.0f} MiB for states, data and temporaries"),
        ("disk", f"{found.disk_bytes * megabytes:,.0f} MiB"),
        ("speed", f"{1 / found.seconds_per_epoch:,.1f} epochs/s (measured here, now)"),
        ("time", f"{clock(found.seconds)} for {config.training.epochs - done:,} epochs"),
    ]
    for name, value in rows:
        print(f"{name:11}{value}")
    print("nothing was written (--dry-run)", file=sys.stderr)
    return 0
