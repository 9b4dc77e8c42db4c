"""Read a file with a published model into one record.

A file holds a state dict, a dictionary with one under `model` (`state_dict`, `model_state_dict`,
or another key), a whole module, or several of them by epoch. It may also have `config`, the losses
of training, and the inputs that trained.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from miiii.interchange.exports.layout import HOOKED
from miiii.interchange.imports.descriptions import describe
from miiii.interchange.imports.file_states import States, find_states, is_state
from miiii.interchange.imports.inert_pickle import Foreign
from miiii.interchange.imports.losses import Losses, read_losses
from miiii.interchange.imports.safetensors_file import is_safetensors, read_safetensors
from miiii.interchange.imports.state_names import looks_like_a_model
from miiii.interchange.imports.torch_file import read_torch_file
from miiii.interchange.imports.training_pairs import TrainingPairs, read_training_pairs
from miiii.runs.errors import DamagedFileError
from miiii.tasks.config import Operation

State = dict[str, NDArray[Any]]

_CONFIGS = ("config", "cfg")
_SETTINGS = frozenset(
    {"n_heads", "act_fn", "d_model", "attn_coeff", "funcs", "model_type", "fn_name"}
)
"""A JSON file beside a model has the model's settings if it has at least one of these keys."""


@dataclass(frozen=True)
class Checkpoint:
    """The content of a file with a model.

    Attributes:
        states: the weights by epoch, with the file's numbers; at least one.
        config: the model's settings; empty if the file has none.
        training: the inputs that trained; None if the file does not say.
        held_out: the numbers n of validation and of test in an export of miiii; None if they have
            to be drawn.
        operation: of the two digits modulo p; None if the file does not say.
        losses: of training, in nats; empty if the file has none.
        optimiser: settings of the optimiser; empty if the file has none.
        notes: where the parts were found, and which parts were not understood.
    """

    states: dict[int, State]
    config: dict[str, Any]
    training: TrainingPairs | None = None
    operation: Operation | None = None
    losses: Losses = field(default_factory=Losses)
    optimiser: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    held_out: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a .pth, .pt or .safetensors file without running any code in it.

    In a folder of snapshots that miiii exported, all snapshots are read. The model's settings are
    also read from a file beside it (`config_ID.json` for `model_ID.pt`, or `config.json`), and so
    is the `tasks.json` of an export of miiii.

    Raises:
        DamagedFileError: the file is damaged or has another format.
        ValueError: the file does not exist or holds no weights; the message describes its content.
    """
    if path.is_dir():
        return _read_snapshots(path)
    if not path.is_file():
        raise ValueError(f"{path} is {'no ordinary file' if path.exists() else 'not there'}")
    beside, notes = _settings_beside(path)
    if is_safetensors(path):
        return _with_tasks(path, _unwrap(path, read_safetensors(path), beside, notes))
    return _unwrap(path, read_torch_file(path), beside, notes)


def snapshot_files(folder: Path) -> dict[int, Path]:
    """The files with each epoch's weights in a folder from `miiii export --all-snapshots`."""
    found = {}
    for path in sorted(folder.glob(f"epoch-*/{HOOKED}")):
        number = path.parent.name.removeprefix("epoch-")
        if number.isdigit():
            found[int(number)] = path
    return found


def _read_snapshots(folder: Path) -> Checkpoint:
    files = snapshot_files(folder)
    if not files:
        raise ValueError(f"{folder} is a folder: give the file in it")
    read = {epoch: read_checkpoint(path) for epoch, path in files.items()}
    states = {epoch: next(iter(one.states.values())) for epoch, one in read.items()}
    return replace(read[max(read)], states=states)


def _unwrap(path: Path, content: Any, beside: dict[str, Any], notes: tuple[str, ...]) -> Checkpoint:
    if not is_state(content) or not looks_like_a_model(content):
        try:
            found = find_states(content)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if found is None:
            raise ValueError(f"{path} holds {describe(content)}")
    else:
        found = States({1: dict(content)}, False)
    inner = content if isinstance(content, Mapping) and not is_state(content) else {}
    losses, loss_notes = read_losses(inner)
    config, config_notes = _config(inner)
    if not config:
        config, beside_notes = beside, notes
    else:
        beside_notes = ()
    epoch = config.get("epoch")
    epoch = epoch if type(epoch) is int and 0 < epoch < 2**31 else 0
    states, epoch_notes = found.numbered(losses.epochs or epoch)
    training, training_notes = read_training_pairs(inner)
    optimiser = _optimiser(inner)
    config_notes += _contradictions(config, optimiser)
    more = (*epoch_notes, *loss_notes, *config_notes, *training_notes, *beside_notes)
    return Checkpoint(
        states, config, training, losses=losses, optimiser=optimiser, notes=(*found.notes, *more)
    )


def _config(content: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The settings in a file, and a note if the entry for them has another kind."""
    key = next((key for key in _CONFIGS if content.get(key) is not None), None)
    if key is None:
        return {}, []
    config = content[key]
    config = config.state if isinstance(config, Foreign) else config
    if isinstance(config, Mapping):
        return {str(name): value for name, value in config.items()}, []
    return {}, [f"{key} is {describe(config)}: it was not used"]


def _optimiser(content: Mapping[str, Any]) -> dict[str, Any]:
    """Plain settings of the first group of parameters of a PyTorch optimiser's state."""
    state = content.get("optimizer")
    groups = state.get("param_groups") if isinstance(state, Mapping) else None
    if not isinstance(groups, list) or not groups or not isinstance(groups[0], Mapping):
        return {}
    plain = (int, float, str, bool)
    return {str(key): value for key, value in groups[0].items() if isinstance(value, plain)}


def _contradictions(config: Mapping[str, Any], optimiser: Mapping[str, Any]) -> list[str]:
    """Notes on training settings that differ from the optimiser's state."""
    return [
        f"its settings say {name} {config[name]}, its optimiser's state {optimiser[name]}"
        for name in ("lr", "weight_decay")
        if isinstance(config.get(name), int | float)
        and name in optimiser
        and config[name] != optimiser[name]
    ]


def _settings_beside(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    stem = path.stem
    name = f"config_{stem.removeprefix('model_')}.json"
    for place in (path.with_name(name), path.with_suffix(".json"), path.with_name("config.json")):
        found = _read_json(place)
        if _SETTINGS & set(found):
            return found, (f"its settings were read from {place.name}",)
    return {}, ()


def _with_tasks(path: Path, found: Checkpoint) -> Checkpoint:
    """Add the split and the operation from the `tasks.json` of an export of miiii."""
    tasks = _read_json(path.with_name("tasks.json"))
    if tasks.get("task") != "nanda":
        return found
    base, train = tasks.get("base"), _numbers(tasks.get("train"))
    operation = tasks.get("operation")
    if not isinstance(base, int) or not len(train) or operation not in get_args(Operation):
        raise DamagedFileError(path.with_name("tasks.json"), "lacks base, train or operation")
    named = "validation" in tasks and "test" in tasks
    held_out = (_numbers(tasks["validation"]), _numbers(tasks["test"])) if named else None
    epoch = tasks.get("epoch")
    epoch = epoch if isinstance(epoch, int) and epoch > 0 else 1
    (state,) = found.states.values()
    # From n = x0 + p·x1 to the place p·x0 + x1 of the pair.
    pairs = TrainingPairs(train % base * base + train // base, "places")
    return replace(
        found, states={epoch: state}, training=pairs, operation=operation, held_out=held_out
    )


def _numbers(given: Any) -> NDArray[np.int64]:
    """A list of whole numbers as an array; empty for any other object."""
    whole = isinstance(given, list) and all(type(one) is int for one in given)
    return np.asarray(given if whole else [], np.int64)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedFileError(path, f"is not valid JSON: {error}") from error
    return found if isinstance(found, dict) else {}
