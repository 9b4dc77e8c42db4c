"""A checkpoint of TransformerLens, whatever it is wrapped in, as one record.

A file holds a state dict, or a dictionary with one under `model` (`state_dict`,
`model_state_dict`), and perhaps what TransformerLens' grokking demonstration saves with it:
`config`, `checkpoints` with `checkpoint_epochs` (or `state_dicts` with `epochs`), `train_indices`,
`train_losses`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from miiii.interchange.imports.torch_file import Foreign, read_torch_file
from miiii.runs.errors import DamagedFileError
from miiii.tasks.config import Operation

State = dict[str, NDArray[Any]]

_FINAL = ("model", "state_dict", "model_state_dict")
_SERIES = (("checkpoints", "checkpoint_epochs"), ("state_dicts", "epochs"))
_CONFIGS = ("config", "cfg")

OPERATIONS = get_args(Operation)


@dataclass(frozen=True)
class Checkpoint:
    """What a file says of a model.

    Attributes:
        states: the weights by epoch, as the file numbers them; at least one.
        config: the model's settings; empty where the file has none.
        train_indices: [n], which inputs trained, input i being the digits (i // p, i % p); None
            where the file does not say.
        operation: of the two digits modulo p; None where the file does not say.
    """

    states: dict[int, State]
    config: dict[str, Any]
    train_indices: NDArray[np.int64] | None = None
    operation: Operation | None = None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a .pth, .pt or .safetensors file. Nothing in it is run.

    Beside a .safetensors file its `config.json`, and the `tasks.json` of a run exported by miiii,
    are read where there are any.

    Raises:
        DamagedFileError: it is damaged, or of another format.
        ValueError: it is missing, or holds no weights.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name the file in it")
    if not path.is_file():
        raise ValueError(f"{path} is not there")
    if path.suffix == ".safetensors":
        return _with_neighbours(path, _read_safetensors(path))
    return _unwrap(path, read_torch_file(path))


def _read_safetensors(path: Path) -> State:
    try:
        return safetensors.numpy.load(path.read_bytes())
    except OSError as error:
        raise DamagedFileError(path, f"cannot be read: {error.strerror}") from error
    except Exception as error:  # whatever the reader makes of arbitrary bytes
        raise DamagedFileError(path, f"is damaged or no safetensors file: {error}") from error


def _with_neighbours(path: Path, state: State) -> Checkpoint:
    config = _read_json(path.with_name("config.json"))
    tasks = _read_json(path.with_name("tasks.json"))
    if tasks.get("task") != "nanda":
        return Checkpoint({1: state}, config)
    base, train = tasks.get("base"), _indices(tasks.get("train"))
    if not isinstance(base, int) or train is None or tasks.get("operation") not in OPERATIONS:
        raise DamagedFileError(path.with_name("tasks.json"), "lacks base, train or operation")
    epoch = tasks.get("epoch")
    epoch = epoch if isinstance(epoch, int) and epoch > 0 else 1
    # From n = x0 + p·x1 to the place of (x0, x1) in rows of x0.
    indices = train % base * base + train // base
    return Checkpoint({epoch: state}, config, indices, tasks["operation"])


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DamagedFileError(path, f"is not valid JSON: {error}") from error
    return found if isinstance(found, dict) else {}


def _unwrap(path: Path, content: Any) -> Checkpoint:
    if _is_state(content):
        return Checkpoint({1: dict(content)}, {})
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds a {type(content).__name__}: expected weights by name")
    states: dict[int, State] = {}
    for series, epochs in _SERIES:
        if isinstance(content.get(series), Sequence) and content[series]:
            states = _series(path, content, series, epochs)
    final = next((content[key] for key in _FINAL if _is_state(content.get(key))), None)
    if final is not None:
        losses = content.get("train_losses")
        trained = len(losses) if isinstance(losses, Sequence) else 0
        if not states or not _same(final, states[max(states)]):
            states[max([trained, *(epoch + 1 for epoch in states), 1])] = dict(final)
    if not states:
        known = ", ".join(str(key) for key in list(content)[:6]) or "nothing"
        raise ValueError(f"{path} holds {known}: expected weights by name, or 'model' with them")
    config = next((content[key] for key in _CONFIGS if key in content), {})
    config = config.state if isinstance(config, Foreign) else config
    return Checkpoint(
        states,
        dict(config) if isinstance(config, Mapping) else {},
        _indices(content.get("train_indices")),
    )


def _is_state(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(key, str) for key in content)
        and all(isinstance(value, np.ndarray) for value in content.values())
    )


def _series(path: Path, content: Mapping[str, Any], series: str, epochs: str) -> dict[int, State]:
    states, given = content[series], content.get(epochs)
    if not all(_is_state(state) for state in states):
        raise ValueError(f"{path}: {series} has an entry that is no state dict")
    if not isinstance(given, Sequence | np.ndarray) or len(given) < len(states):
        raise ValueError(f"{path}: {epochs} is missing or shorter than {series}")
    # A demonstration that was stopped early has more epochs planned than states.
    return {
        int(epoch): dict(state) for epoch, state in zip(given[: len(states)], states, strict=True)
    }


def _same(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f")
        for name in one
    )


def _indices(found: Any) -> NDArray[np.int64] | None:
    if not isinstance(found, Sequence | np.ndarray) or isinstance(found, str) or not len(found):
        return None
    array = np.asarray(found)
    return array.astype(np.int64) if array.ndim == 1 and array.dtype.kind in "iu" else None
