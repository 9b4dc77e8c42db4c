"""What a study trains: experiments as configurations, and which claims and questions need which.

The paper's own experiments are planned unless told otherwise; those of its further work
only where they are asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from miiii.claims.rules.further_work import QUESTIONS
from miiii.claims.rules.paper import CLAIMS, FIRST_FOUR, LEAST_SEEDS
from miiii.config.config import Config, replace_fields
from miiii.config.further_work import VARIATIONS
from miiii.config.presets import PRESETS, get_preset
from miiii.refusals import unknown_name

SCALES: dict[str, tuple[str, ...]] = {
    "small": ("mini", "small", "tiny"),
    "medium": ("small",),
    "paper": ("fast", "fast3000", "brief", "paper", "reference", "reference32"),
}
"""The presets that a study of each scale can start from; the first is the default."""

LAMBDA = 0.5
"""λ of T_miiii (paper Table 2). Its comparisons are λ = 0 and λ = 2 (§3.4)."""

NEEDS: dict[str, tuple[str, ...]] = {
    claim.id: claim.experiments for claim in (*CLAIMS.values(), *QUESTIONS.values())
}
"""Which experiments each claim or question needs, as its rule says."""

Settings = Callable[[Config], Config | None]


@dataclass(frozen=True)
class Experiment:
    """One setting, made from T_miiii's."""

    key: str
    what: str
    """A few words for a table."""
    settings: Settings
    """T_miiii's configuration in, this one's out; None where the base has no such setting."""
    share: float = 1.0
    """Of the epochs. The schedule is not compressed: it is the beginning of a longer run."""
    why: str = ""
    """Why that share is enough."""
    seeds: int | None = None
    """How many, whatever the caller says; None: as many as the caller says."""
    beyond: bool = False
    """Whether it belongs to the further work, planned only where it is asked for."""


def _changed(**changes: Any) -> Settings:
    return lambda miiii: replace_fields(miiii, **changes)


def _nanda(miiii: Config) -> Config:
    like = get_preset("nanda")
    return replace_fields(
        miiii,
        task="nanda",
        moduli=(),
        target="remainder",
        dropout=like.training.dropout,
        # With T_miiii's weight decay of a third it memorises and stays there.
        weight_decay=like.optim.weight_decay,
        # At the paper's 3e-4 nobody has seen addition generalise.
        learning_rate=max(like.optim.learning_rate, miiii.optim.learning_rate),
    )


def _masked(miiii: Config) -> Config | None:
    moduli = miiii.task.task_moduli
    first = tuple(modulus for modulus in FIRST_FOUR if modulus in moduli)
    return replace_fields(miiii, masked_tasks=first) if set(moduli) > set(first) else None


def _unfiltered(times: float) -> Settings:
    """λ = 0 as a strength of the same filter: g + 0·e is g, and the program stays the same."""
    return lambda miiii: replace_fields(
        miiii, filter_strength=0.0, learning_rate=times * miiii.optim.learning_rate
    )


def _waves(miiii: Config) -> Config:
    """A function of its own kind, small enough to be seen whole: settings of its own."""
    return replace_fields(get_preset("waves"), base=miiii.task.base)


_ALL = (
    Experiment("miiii", f"T_miiii, λ = {LAMBDA}", _changed()),
    Experiment(
        "nanda",
        "T_nanda: addition",
        _nanda,
        share=0.5,
        why="one task generalises within a quarter of the epochs (368 at p = 41)",
    ),
    Experiment(
        "basis",
        "T_basis: shuffled labels",
        _changed(task="basis"),
        share=0.5,
        why="there are only labels to learn: nine tenths after an eighth, little more after half",
    ),
    Experiment("no-dropout", "dropout 0", _changed(dropout=0.0)),
    Experiment("lambda-0", "λ = 0", _unfiltered(1.0)),
    Experiment("lambda-2", "λ = 2", _changed(filter_strength=2.0)),
    Experiment("matched-half", "λ = 0, learning rate × 1.5", _unfiltered(1 + LAMBDA)),
    Experiment("matched-2", "λ = 0, learning rate × 3", _unfiltered(1 + 2.0)),
    Experiment("masked", "tasks 2, 3, 5, 7 masked", _masked),
    Experiment("waves", "cos(a) + sin(b), Appendix D", _waves, seeds=1),
    *(Experiment(one.key, one.what, one.settings, beyond=True) for one in VARIATIONS.values()),
)

EXPERIMENTS: dict[str, Experiment] = {experiment.key: experiment for experiment in _ALL}
"""What there is to train. What claims compare with T_miiii trains for as many epochs."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study."""

    name: str
    """<experiment>-seed<N>."""
    experiment: str
    config: Config


@dataclass(frozen=True)
class Plan:
    """The runs that belong together."""

    scale: str
    preset: str
    base: Config
    """T_miiii's settings, which the others are made from; seed 0."""
    configs: Mapping[str, Config]
    """Per experiment its settings, with seed 0."""
    seeds: Mapping[str, tuple[int, ...]]
    """Per experiment its seeds, ascending."""

    @property
    def runs(self) -> tuple[PlannedRun, ...]:
        """Every run, experiment by experiment, seeds ascending."""
        return tuple(
            PlannedRun(run_name(key, seed), key, replace_fields(config, seed=seed))
            for key, config in self.configs.items()
            for seed in self.seeds[key]
        )


def run_name(experiment: str, seed: int) -> str:
    """What a study calls a run."""
    return f"{experiment}-seed{seed}"


def plan(
    scale: str,
    preset: str | None = None,
    seeds: int | None = None,
    only: Sequence[str] = (),
    beyond: bool = False,
) -> Plan:
    """Plan the paper's experiments at one scale, and those of its further work where asked.

    Args:
        scale: a key of `SCALES`.
        preset: what T_miiii is; default: the scale's first.
        seeds: how many seeds each experiment gets, from 0 on; default: as many as a claim needs
            to be decided. What no claim needs has one.
        only: claims (C4), questions (B1) or experiments (lambda-0) to plan for; default: all of the
            paper's.
        beyond: add every experiment that the questions of the further work need.

    Raises:
        ValueError: an unknown scale, preset, claim or experiment (the nearest is given), fewer than
            one seed, or an experiment that the preset's base has no room for.
    """
    if scale not in SCALES:
        raise ValueError(unknown_name("scale", scale, list(SCALES)))
    if seeds is not None and seeds < 1:
        raise ValueError(f"seeds is {seeds}: it must be at least 1")
    preset = preset or SCALES[scale][0]
    base = _base(scale, preset)
    wanted = _wanted(only, beyond)
    configs = {}
    for key, experiment in EXPERIMENTS.items():
        if key not in wanted:
            continue
        config = _configure(experiment, base)
        if config is not None:
            configs[key] = config
        elif only and not beyond:
            raise ValueError(
                f"experiment {key!r} does not exist at base {base.task.base}: "
                f"its tasks are only {', '.join(map(str, base.task.task_moduli))}"
            )
    counts = {key: EXPERIMENTS[key].seeds or seeds or LEAST_SEEDS for key in configs}
    return Plan(scale, preset, base, configs, {key: tuple(range(n)) for key, n in counts.items()})


def _base(scale: str, preset: str) -> Config:
    """T_miiii at the settings of a preset, and the paper's λ."""
    allowed = SCALES[scale]
    if preset not in allowed:
        raise ValueError(
            f"{unknown_name('preset', preset, list(allowed))} (scale {scale} has "
            f"{', '.join(allowed)})"
        )
    if preset not in PRESETS:
        there = [name for name in allowed if name in PRESETS]
        raise ValueError(
            f"preset {preset!r} is not among this version's presets: "
            f"choose one with --preset {' or '.join(there)}"
        )
    return replace_fields(get_preset(preset), filter="ema", filter_strength=LAMBDA, seed=0)


def _wanted(only: Sequence[str], beyond: bool) -> set[str]:
    """The experiments that claims, questions or experiments name."""
    wanted: set[str] = set()
    if beyond:
        wanted.update(key for question in QUESTIONS for key in NEEDS[question])
    if not only:
        return wanted | {key for key, one in EXPERIMENTS.items() if not one.beyond}
    for name in only:
        if name in EXPERIMENTS:
            wanted.add(name)
        elif name.upper() in NEEDS:
            wanted.update(NEEDS[name.upper()])
        else:
            raise ValueError(unknown_name("claim or experiment", name, [*NEEDS, *EXPERIMENTS]))
    return wanted


def _configure(experiment: Experiment, base: Config) -> Config | None:
    config = experiment.settings(base)
    if config is None:
        return None
    training = config.training
    epochs = max(training.validate_every, round(experiment.share * training.epochs))
    return replace_fields(config, epochs=epochs)
