"""The public face as somebody else's code uses it; `test_public_api.py` has pyright read it.

Nothing here is executed. What a name is said to be is what the annotations must promise.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import assert_type

import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

import miiii
from miiii import (
    PRESETS,
    Config,
    History,
    Origin,
    Outcome,
    RecordedModel,
    Run,
    RunError,
    RunWarning,
    TaskWarning,
    digits,
    estimate,
    from_activations,
    from_toml,
    get_preset,
    load_run,
    register_optimiser,
    replace_fields,
    resume,
    start,
    to_toml,
    with_labels,
    with_split,
)
from miiii.analysis.circuits.ablation import remove_heads
from miiii.analysis.parts.curves import Curves, curves
from miiii.experiment.members import Member
from miiii.experiment.progress import Progress, Report
from miiii.runs.directory import RunDirectory
from miiii.tracking.protocol import TrackedRun, Tracker


def configure() -> Config:
    config = replace_fields(get_preset("tiny"), base=23, width=64, seed=1)
    assert_type(config, Config)
    assert_type(config.task.base, int)
    assert_type(config.task.moduli, tuple[int, ...])
    assert_type(config.optim.learning_rate, float)
    assert_type(config.training.dropout, float)
    assert_type(to_toml(config), str)
    again = from_toml("[task]\nbase = 23\n", base=config)
    for name, preset in PRESETS.items():
        print(name.upper(), preset.purpose.upper())
    return again


class Printing:
    """Progress of one's own."""

    def started(self, members: Sequence[Member], done: int, epochs: int) -> None:
        print(members[0].config.seed, done, epochs)

    def advanced(self, report: Report) -> None:
        print(report.done, f"{report.epochs_per_second:.1f}", report.rows[0]["train_loss"].mean())

    def interrupted(self, members: Sequence[Member], done: int) -> None:
        print(members[0].directory.name, done)

    def warned(self, message: str) -> None:
        print(message.upper())


def train(config: Config) -> Path:
    warnings.simplefilter("ignore", TaskWarning)
    warnings.simplefilter("ignore", RunWarning)
    progress: Progress = Printing()
    outcome = start([config], ["one"], Path("runs"), progress=progress, stop=lambda: False)
    assert_type(outcome, Outcome)
    branched = start([config], ["two"], origin=Origin("one", epoch=4, optimiser=False))
    assert_type(branched, Outcome)
    if outcome.state == "failed":
        print("; ".join(outcome.problems))
    longer = resume("one", epochs=2 * outcome.done)
    assert_type(longer.done, int)
    found = estimate([config], seconds=1.0)
    if found is not None:
        print(found.seconds_per_epoch * 2, found.parameters + 1)
    assert_type(outcome.paths, tuple[Path, ...])
    return outcome.paths[0]


def read(path: Path) -> Curves:
    try:
        run = load_run(path)
    except RunError as error:
        raise SystemExit(str(error)) from error
    assert_type(run, Run)
    assert_type(run.name, str)
    assert_type(run.path, Path)
    assert_type(run.directory, RunDirectory)
    history = run.history
    assert_type(history, History)
    assert_type(history.moduli, tuple[int, ...])
    assert_type(history.epoch, NDArray[np.int64])
    held: Mapping[int, int | None] = history.first_reached(0.9, held=True)
    print(max(epoch for epoch in held.values() if epoch is not None))
    for epoch, weights in run.snapshots.items():
        print(epoch + 1, np.asarray(weights.token_embedding).shape)
    print(np.asarray(run.parameters.unembedding).mean())
    assert_type(run.activations(names=["logits"]), dict[str, Array])
    inside = run.activations(np.arange(4), epoch=0)
    print(np.asarray(inside.attention_weights).shape, np.asarray(inside.blocks[0].mlp_hidden).max())
    (hidden,) = run.activations(names=("mlp_hidden",)).values()
    print(np.asarray(hidden).mean())
    print(np.asarray(run.ablate(remove_heads([0]))).shape)
    return curves(
        [str(modulus) for modulus in history.moduli],
        history.epoch,
        history.train_loss,
        history.train_accuracy,
        history.validation_epoch,
        history.validation_loss,
        history.validation_accuracy,
    )


def own_task() -> Config:
    numbers = digits(11)
    x0, x1 = numbers.T
    config = with_labels(get_preset("tiny"), (x0 * x0 + x1) % 11, names=[11])
    assert_type(with_split(config, lambda x0, x1: x0 <= x1, validation=[1]), Config)
    return with_split(config, [0, 2])


def own_optimiser() -> Config:
    import optax

    name = register_optimiser("lion", lambda rate, decay: optax.lion(rate, weight_decay=decay))
    assert_type(name, str)
    return replace_fields(get_preset("tiny"), optimiser=name)


def own_model(logits: NDArray[np.float32], hidden: NDArray[np.float32]) -> NDArray[np.float64]:
    model = from_activations(
        logits, {"hidden": hidden}, moduli=[2, 3], readouts={"hidden": np.eye(5)}, order="a-major"
    )
    assert_type(model, RecordedModel)
    assert_type(model.base, int)
    assert_type(model.moduli, tuple[int, ...])
    print(model.scores.accuracy.mean(), model.key_frequencies("hidden").frequencies)
    print(model.attribution("hidden").task.shape, model.neuron_removal("hidden", [[0], [1]]).sizes)
    assert_type(model.without_neurons("hidden", [0]), NDArray[np.float64])
    return model.margins


class Counting:
    """A tracker of one's own."""

    def __init__(self) -> None:
        self.count = 0

    def started(self, run: TrackedRun) -> int:
        print(run.name.upper(), run.path / "mine", run.config.seed + 1)
        return 0

    def logged(self, epoch: int, scalars: Mapping[str, float]) -> None:
        self.count += epoch + len(scalars)

    def ended(self, state: str) -> None:
        print(state.upper())


tracker: Tracker = Counting()
version: str = miiii.__version__
