"""The state that an epoch changes, and the inputs that stay the same through training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from miiii.model.parameters import Parameters

Tree = TypeVar("Tree")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainState:
    """Everything that an update changes. The epoch number and the run's key complete it."""

    parameters: Parameters
    """The raw weights, which the optimiser updates."""
    optimiser: optax.OptState
    average: Parameters | None = None
    """The average of the weights, where the run keeps one (`training.averaging`)."""

    @property
    def model(self) -> Parameters:
        """The weights that are validated and kept: the average where there is one."""
        return self.parameters if self.average is None else self.average


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Samples:
    """Numbers and their targets."""

    digits: Int[Array, "B 2"]
    targets: Int[Array, "N B"] | Float[Array, "1 B"]
    """Task-major, the order in which the loss reads them."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Hyperparameters:
    """Settings that the compiled program takes as inputs, so that runs of a batch may differ."""

    learning_rate: Float[Array, ""]
    weight_decay: Float[Array, ""]
    filter_strength: Float[Array, ""]
    dropout: Float[Array, ""]
    task_weights: Float[Array, "N"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RunInputs:
    """The inputs of one run. The random key of epoch e is `fold_in(key, e)`."""

    key: Key[Array, ""]
    train: Samples
    validation: Samples
    hyperparameters: Hyperparameters


def to_arrays(tree: Any) -> dict[str, np.ndarray]:
    """A tree's leaves as named NumPy arrays, e.g. `parameters.blocks.0.query`."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {_name(path): np.asarray(leaf) for path, leaf in leaves}


def from_arrays(template: Tree, arrays: Mapping[str, np.ndarray]) -> Tree:
    """The inverse of `to_arrays`; `template` gives the structure (its leaves are not read)."""
    paths, structure = jax.tree_util.tree_flatten_with_path(template)
    return jax.tree.unflatten(structure, [arrays[_name(path)] for path, _ in paths])


RAW, AVERAGE = "parameters.", "average."
"""Prefixes of the names of raw and averaged weights among a state's arrays."""


def model_arrays(arrays: Mapping[str, np.ndarray], *, raw: bool = False) -> dict[str, np.ndarray]:
    """The weights among a state's arrays, named without their prefix.

    Args:
        arrays: of a state, as `to_arrays` makes them.
        raw: whether to give the raw weights; else those of `TrainState.model`.
    """
    averaged = any(name.startswith(AVERAGE) for name in arrays)
    prefix = AVERAGE if averaged and not raw else RAW
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def expected_arrays(template: Any) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and dtype of every leaf by name, to check a file against."""
    leaves = jax.tree_util.tree_flatten_with_path(template)[0]
    return {_name(path): (tuple(leaf.shape), str(leaf.dtype)) for path, leaf in leaves}


def _name(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
