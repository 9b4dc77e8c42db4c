"""`miiii sweep new`: makes a sweep, a search of settings."""

from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from miiii.cli.arguments import UsageError, option_names, parse, peek
from miiii.cli.config_file import ConfigFile, read_config
from miiii.cli.console import at_intervals, to_stderr
from miiii.cli.text import directory_option, listed
from miiii.config.config import Config
from miiii.config.presets import get_preset
from miiii.sweeps.search.definition import MOST_TRIALS, Definition, Keep, Sampler
from miiii.sweeps.search.pruning import Prune
from miiii.sweeps.search.spacefile import read_space

if TYPE_CHECKING:
    from miiii.sweeps.queue.earlier import Earlier
    from miiii.sweeps.queue.sweep import Sweep


@dataclass(frozen=True)
class NewArguments:
    """Make a sweep. The same words again finish an interrupted one; more --trials extend it."""

    name: tyro.conf.Positional[str] = field(metadata={"option": None})
    """Name of the sweep, and of its directory."""
    space: str = ""
    """The search space: table1 (the paper's, 384 points), or a TOML file with lines such as
    width = [128, 256] and learning_rate = { low = 1e-4, high = 1e-2, log = true }."""
    from_sweep: str = ""
    """An earlier sweep (of --sweeps-dir) to widen: its finished runs that are points of this one
    come first, and are taken over with their results instead of being trained."""
    enqueue: Path | None = None
    """A TOML file of points that come first, a table [[points]] with every searched setting for
    each."""
    study: str = ""
    """Instead of a space: a study of `miiii reproduce` (its name in studies/, or its path), whose
    runs are the trials."""
    sampler: Sampler = "tpe"
    """tpe (each trial chosen from the results so far), grid (every point once), or random."""
    trials: int | None = None
    """The number of trials; default: the whole grid, or as many runs as the study has, else 100."""
    objective: str = "validation_loss"
    """One objective, or several separated by commas (the best runs are then those that no other
    beats in all): validation_loss, solved_epoch (first epoch from which all tasks hold 0.9), area
    (mean accuracy over log epoch)."""
    prune: Prune = "none"
    """none, or stuck: give up a run whose training loss, after a quarter of its epochs, has fallen
    by less than a tenth. No run is given up for its validation loss, which does not change before
    grokking."""
    keep: Keep = "all"
    """What is kept of a finished run: all, or weights (without the checkpoints to resume from,
    which are most of its bytes)."""
    sampler_seed: int = 0
    """Seed of the sampler."""
    storage: str = ""
    """The storage of the trials: a path, or a URL in SQLAlchemy's form
    (postgresql://user@host/database); default: a journal file in the sweep's directory."""
    sweeps_dir: Path = Path("sweeps")
    """The directory that holds the sweeps."""
    preset: str = "small"
    """The preset that gives the settings that are not searched."""
    config_file: ConfigFile = field(default=None, metadata={"option": "--config"})
    """A TOML file of some or all fields that replace the preset's."""
    config: tyro.conf.OmitArgPrefixes[Config] = field(default_factory=Config)


def new(words: list[str]) -> int:
    """Run `miiii sweep new`; returns the exit code."""
    preset, file = peek(words, "--preset") or NewArguments.preset, peek(words, "--config")
    config = get_preset(preset)
    if file is not None:
        config = read_config(Path(file), config)
    asks_help = "--help" in words or "-h" in words
    default = None if asks_help else NewArguments("", preset=preset, config=config)
    arguments = parse(NewArguments, words, "miiii sweep new", default=default)
    given = {word.split("=")[0].replace("_", "-") for word in words if word.startswith("--")}
    definition = _definition(arguments, given)
    from miiii.sweeps.queue.sweep import make_sweep

    show = at_intervals()
    definition, earlier = _first_points(definition, arguments)
    runs = () if earlier is None else earlier.runs

    def take(made: "Sweep") -> None:
        from miiii.sweeps.queue.attempts import run_name
        from miiii.sweeps.queue.earlier import take_run

        for number, source in enumerate(runs):
            take_run(source, made.runs_dir / run_name(number))

    made = make_sweep(
        definition,
        arguments.sweeps_dir,
        arguments.storage,
        lambda done, total: show(f"made {done:,} of {total:,} trials"),
        take,
        None if earlier is None else earlier.record,
        to_stderr,
    )
    definition = made.definition
    where = directory_option(arguments.sweeps_dir, "sweeps")
    searched = f"space {arguments.space}" if definition.space else f"study {definition.study}"
    print(
        f"sweep {made.name} in {made.path}: {made.made:,} trials ({searched}, "
        f"{definition.sampler}), for {', '.join(definition.objectives)}"
    )
    if earlier is not None and earlier.recorded:
        print(
            f"{len(runs):,} runs of {arguments.from_sweep} were taken over when this sweep was "
            f"made ({made.path / 'sweep.toml'} lists them); {arguments.from_sweep} has "
            f"{earlier.done:,} done runs now, and a sweep of another name can take those"
        )
    elif earlier is not None:
        print(
            f"{len(runs):,} of the {earlier.done:,} done runs of {arguments.from_sweep} are points "
            "here too: they come first, and are not trained again"
        )
        if earlier.absent:
            print(
                f"{earlier.absent:,} more are, but their runs are not here: they are trained again"
            )
    if definition.space is not None:
        epochs = definition.base.training.epochs
        print(f"each trial trains {epochs:,} epochs at p = {definition.base.task.base}")
        for name in definition.space.fields:
            option = "--" + name.replace("_", "-")
            if option in given:
                print(f"note: {option} is searched, so that the value given for it is not used")
        if arguments.space == "table1":
            print("note: the paper's best weight decay, 1/3 (Table 2), is no point of its Table 1")
    print(f"next: miiii sweep worker {made.name}{where}")
    return 0


def _definition(arguments: NewArguments, given: Set[str]) -> Definition:
    """The definition of the sweep, checked as far as possible without its storage."""
    if bool(arguments.space) == bool(arguments.study):
        raise UsageError("give either --space (table1, or a TOML file) or --study")
    objectives = listed(arguments.objective)
    space, study, sampler, trials = None, "", arguments.sampler, arguments.trials
    if arguments.study:
        from miiii.studies.study import open_study

        found = open_study(arguments.study)
        if trials is not None:
            raise UsageError("--trials goes with --space: the trials of a study are its runs")
        settings = {"--preset", "--config", *option_names(Config)} & given
        if settings:
            raise UsageError(
                f"{', '.join(sorted(settings))} goes with --space: a study has settings of its own"
            )
        # Relative to the working directory, in which workers are started too.
        study, sampler, trials = str(found.path), "grid", len(found.plan.runs)
    else:
        space = read_space(arguments.space, arguments.config)
        if trials is None:
            trials = space.size if sampler == "grid" and space.is_grid else 100
        if not 1 <= trials <= MOST_TRIALS:
            raise UsageError(f"--trials is {trials}: it must be from 1 to {MOST_TRIALS:,}")
    return Definition(
        arguments.name,
        arguments.config,
        space,
        trials,
        sampler,
        objectives,
        arguments.sampler_seed,
        arguments.prune,
        arguments.keep,
        study,
    )


def _first_points(
    definition: Definition, arguments: NewArguments
) -> "tuple[Definition, Earlier | None]":
    """The definition with the points that come first, and the runs of an earlier sweep."""
    if not arguments.from_sweep and arguments.enqueue is None:
        return definition, None
    if definition.space is None:
        raise UsageError("--from-sweep and --enqueue go with --space: a study has its own runs")
    from miiii.sweeps.queue.earlier import equal_points, recorded, with_first
    from miiii.sweeps.queue.sweep import SweepNotFoundError, open_sweep
    from miiii.sweeps.search.points import read_points

    earlier, points = None, ()
    if arguments.from_sweep:
        found = open_sweep(arguments.from_sweep, arguments.sweeps_dir)
        # A sweep that was made before keeps its first points, even if the earlier one has grown.
        with suppress(SweepNotFoundError):
            made = open_sweep(arguments.name, arguments.sweeps_dir, arguments.storage)
            earlier = recorded(made, found)
        earlier = earlier or equal_points(found, definition)
        points = earlier.points
    if arguments.enqueue is not None:
        points += read_points(arguments.enqueue, definition.space)
    return with_first(definition, points), earlier
