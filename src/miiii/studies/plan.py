"""The experiments of a study as configurations, and which claims and questions need which.

A plan has the paper's experiments by default, and those of its further work on request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from miiii.claims.rules.further_work import QUESTIONS
from miiii.claims.rules.paper import CLAIMS, FIRST_FOUR, LEAST_SEEDS
from miiii.config.config import Config, replace_fields
from miiii.config.further_work import VARIATIONS, Settings, changed
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


@dataclass(frozen=True)
class Experiment:
    """One configuration, made from T_miiii's."""

    key: str
    label: str
    """A few words for a table."""
    settings: Settings
    share: float = 1.0
    """Share of T_miiii's epochs. The schedule is not compressed: the run is its beginning."""
    share_reason: str = ""
    """Why that share is enough."""
    seeds: int | None = None
    """A fixed number of seeds; None: as many as the caller asks for."""
    beyond: bool = False
    """Whether it belongs to the further work, which is planned only on request."""


def _nanda(miiii: Config) -> Config:
    like = get_preset("nanda")
    return replace_fields(
        miiii,
        task="nanda",
        moduli=(),
        target="remainder",
        dropout=like.training.dropout,
        # With T_miiii's weight decay of a third the model memorises and does not generalise.
        weight_decay=like.optim.weight_decay,
        # At the paper's 3e-4 no run of addition has generalised.
        learning_rate=max(like.optim.learning_rate, miiii.optim.learning_rate),
    )


def _masked(miiii: Config) -> Config | None:
    moduli = miiii.task.task_moduli
    first = tuple(modulus for modulus in FIRST_FOUR if modulus in moduli)
    return replace_fields(miiii, masked_tasks=first) if set(moduli) > set(first) else None


def _unfiltered(times: float) -> Settings:
    """λ = 0 as a strength of the same filter, so that the compiled program is the same."""
    return lambda miiii: replace_fields(
        miiii, filter_strength=0.0, learning_rate=times * miiii.optim.learning_rate
    )


def _waves(miiii: Config) -> Config:
    return replace_fields(get_preset("waves"), base=miiii.task.base)


_ALL = (
    Experiment("miiii", f"T_miiii, λ = {LAMBDA}", changed()),
    Experiment(
        "nanda",
        "T_nanda: addition",
        _nanda,
        share=0.5,
        share_reason="one task generalises within a quarter of the epochs (368 at p = 41)",
    ),
    Experiment(
        "basis",
        "T_basis: shuffled labels",
        changed(task="basis"),
        share=0.5,
        share_reason="shuffled labels are only memorised: nine tenths of them after an eighth of "
        "the epochs, little more after half",
    ),
    Experiment("no-dropout", "dropout 0", changed(dropout=0.0)),
    Experiment("lambda-0", "λ = 0", _unfiltered(1.0)),
    Experiment("lambda-2", "λ = 2", changed(filter_strength=2.0)),
    Experiment("matched-half", "λ = 0, learning rate × 1.5", _unfiltered(1 + LAMBDA)),
    Experiment("matched-2", "λ = 0, learning rate × 3", _unfiltered(1 + 2.0)),
    Experiment("masked", "tasks 2, 3, 5, 7 masked", _masked),
    Experiment("waves", "cos(a) + sin(b), Appendix D", _waves, seeds=1),
    *(Experiment(one.key, one.label, one.settings, beyond=True) for one in VARIATIONS.values()),
)

EXPERIMENTS: dict[str, Experiment] = {experiment.key: experiment for experiment in _ALL}
"""All experiments, by key. Those that claims compare with T_miiii train for as many epochs."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study."""

    name: str
    """<experiment>-seed<N>."""
    experiment: str
    config: Config


@dataclass(frozen=True)
class Plan:
    """The runs of a study."""

    scale: str
    preset: str
    base: Config
    """T_miiii's settings, from which the others are made; seed 0."""
    configs: Mapping[str, Config]
    """The settings of each experiment, with seed 0."""
    seeds: Mapping[str, tuple[int, ...]]
    """The seeds of each experiment, ascending."""

    @property
    def runs(self) -> tuple[PlannedRun, ...]:
        """Every run, experiment by experiment, seeds ascending."""
        return tuple(
            PlannedRun(run_name(key, seed), key, replace_fields(config, seed=seed))
            for key, config in self.configs.items()
            for seed in self.seeds[key]
        )


def run_name(experiment: str, seed: int) -> str:
    """The name of a study's run."""
    return f"{experiment}-seed{seed}"


def plan(
    scale: str,
    preset: str | None = None,
    seeds: int | None = None,
    only: Sequence[str] = (),
    beyond: bool = False,
) -> Plan:
    """Plan the paper's experiments at one scale, and those of its further work on request.

    Args:
        scale: a key of `SCALES`.
        preset: gives T_miiii's settings; default: the scale's first.
        seeds: seeds of each experiment, from 0 on; default: as many as a claim needs to be decided.
            An experiment with a number of its own (waves: 1) keeps it.
        only: claims (C4), questions (B1) or experiments (lambda-0) to plan for; default: all of the
            paper's.
        beyond: add every experiment that the questions of the further work need.

    Raises:
        ValueError: an unknown scale, preset, claim or experiment (the nearest is given), fewer than
            one seed, or an experiment that needs more tasks than the preset's base has.
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
        config = experiment.settings(base)
        if config is not None:
            epochs = round(experiment.share * config.training.epochs)
            epochs = max(config.training.validate_every, epochs)
            configs[key] = replace_fields(config, epochs=epochs)
        elif only and not beyond:
            raise ValueError(
                f"experiment {key!r} does not exist at base {base.task.base}: "
                f"its tasks are only {', '.join(map(str, base.task.task_moduli))}"
            )
    counts = {key: EXPERIMENTS[key].seeds or seeds or LEAST_SEEDS for key in configs}
    return Plan(scale, preset, base, configs, {key: tuple(range(n)) for key, n in counts.items()})


def _base(scale: str, preset: str) -> Config:
    """T_miiii at the settings of a preset, with the paper's λ."""
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
    """The keys of the experiments that `only` and `beyond` ask for."""
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
