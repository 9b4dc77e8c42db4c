"""An epoch here, in PyTorch as it is usually written, and in the plain JAX of `plain.py`.

PyTorch runs in the environment for interchange (`make interop`), as a process of its own that waits
while the others have their turn. That it trains the same is tested (`tests/interchange`).
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np

from benchmarks.epoch import our_epochs, plain_epochs
from benchmarks.timing import ratio, take_turns
from miiii.config.config import Config, replace_fields
from miiii.config.presets import get_preset
from miiii.experiment.batch import make_batch
from miiii.experiment.program import numerics
from miiii.model.parameters import weight_names
from miiii.training.step import initial_parameters

PYTHON = Path(__file__).parents[1] / ".venv-interop" / "bin" / "python"
SCRIPT = Path(__file__).with_name("peers_torch.py")


def torch_arrays(config: Config) -> dict[str, np.ndarray]:
    """What the PyTorch process reads: weights of epoch 0, numbers, labels, settings."""
    optim, training = config.optim, config.training
    if optim.optimiser != "adamw" or optim.filter != "ema" or training.minibatches > 1:
        raise ValueError("the PyTorch step is AdamW on the full batch behind the EMA filter")
    batch = make_batch([config])
    with numerics(batch.setting):
        parameters = jax.jit(lambda: initial_parameters(batch.setting, config.seed))()
    leaves = jax.tree.leaves(parameters)
    weights = dict(zip(weight_names(parameters), map(np.asarray, leaves), strict=True))
    dataset = batch.datasets[0]
    chosen = dataset.split.train
    answer = np.full((len(chosen), 1), config.task.base)
    setting = {
        **{name: getattr(optim, name) for name in ("learning_rate", "weight_decay", "epsilon")},
        **{name: getattr(optim, name) for name in ("beta1", "beta2")},
        **{name: getattr(optim, name) for name in ("filter_decay", "filter_strength")},
        "filter_start": optim.filter_start,
        "dropout": training.dropout,
        "shared_mask": training.dropout_mask == "per_step",
        "reduction": training.task_reduction,
        "class_sizes": list(dataset.class_sizes),
    }
    return {
        **{f"weights.{name}": leaf for name, leaf in weights.items()},
        "tokens": np.concatenate([dataset.digits[chosen], answer], axis=1).astype(np.int64),
        "labels": dataset.targets[chosen].astype(np.int64),
        "setting": np.array(json.dumps(setting)),
    }


class TorchPeer:
    """The PyTorch process of a configuration.

    Args:
        config: AdamW behind the EMA filter, full batch, the paper's model.
        python: an interpreter with PyTorch.
        threads: that PyTorch may use.
    """

    def __init__(self, config: Config, python: Path = PYTHON, threads: int = 1) -> None:
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "arrays.npz"
        np.savez(path, **torch_arrays(config))  # pyright: ignore[reportArgumentType]
        self._process = subprocess.Popen(
            [str(python), str(SCRIPT), str(path), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, what: str, epochs: int):
        """`losses` or `seconds` of some epochs."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what} {epochs}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)
        self._folder.cleanup()


def products_per_number(config: Config) -> tuple[int, int]:
    """Multiplications of the large matrix products of a forward pass: in PyTorch, and here.

    A model of one block. At all T positions: queries, keys, values and W_o take 4 D² together, the
    MLP 8 D², the unembedding D · V. Here, at the last position only: W_o, MLP and unembedding.
    """
    width, outputs = config.model.width, sum(config.task.class_sizes)
    mlp = 2 * width * config.model.neurons
    everywhere = config.model.positions * (4 * width**2 + mlp + width * outputs)
    return everywhere, width**2 + mlp + width * outputs


def report(rounds):
    """Measure and print."""
    if not PYTHON.exists():
        print("peers: PyTorch is not there: run `make interop` first", file=sys.stderr)
        return
    threads = int(os.environ.get("NPROC") or os.cpu_count() or 1)
    # Epochs per call are as many as training makes of each, see `experiment.pace`.
    for name, goal, epochs in (("paper", 5, 4), ("reference", 6.5, 2)):
        # PyTorch has nothing to validate with, so that nobody validates.
        config = replace_fields(get_preset(name), validate_every=10**4)
        peer = TorchPeer(config, threads=threads)
        ours, _ = our_epochs(config, epochs)
        contestants = {
            "ours": (ours, epochs),
            "PyTorch": (lambda peer=peer: peer.ask("seconds", 1), 1),
            "plain": (plain_epochs(config, 1), 1),
        }
        seconds = take_turns(contestants, rounds)
        peer.close()
        numbers, precision = config.task.split_sizes[0], config.training.precision
        print(f"an epoch of {name}: {numbers:,} numbers, {precision}, {threads} threads")
        theirs, own = products_per_number(config)
        print(f"  products per number: PyTorch {theirs:,}, ours {own:,}: {theirs / own:.2f} times")
        for one in seconds:
            print(f"  {one:28}{1e3 * min(seconds[one]):8.1f} ms")
        for one in ("PyTorch", "plain"):
            best, median = ratio(seconds, one, "ours")
            print(f"  {one} / ours: {best:.2f} ({median:.2f})  goal: at least {goal}")
