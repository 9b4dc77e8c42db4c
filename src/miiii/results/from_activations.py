"""A model of any kind, given by its activations on all inputs, as a record for analysis."""

import math
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.refusals import check_choice
from miiii.results.given_arrays import (
    as_mapping,
    read_array,
    read_numbers,
    read_whole_numbers,
)
from miiii.results.recorded_model import RecordedModel
from miiii.tasks.dataset import Dataset, Split
from miiii.tasks.numbers import digits
from miiii.tasks.targets import nanda, remainders

Order = Literal["n", "a-major"]

_NOTHING_LEFT = 1e-9
"""Share of the logits' variance that rounding in float32 leaves unexplained by a full read-out."""
_WRONG_ORDER = 0.2
"""Gain in accuracy from which a warning suggests the other order."""


def from_activations(
    logits: ArrayLike,
    layers: Mapping[str, ArrayLike] | None = None,
    *,
    labels: ArrayLike | None = None,
    moduli: Sequence[int] | None = None,
    classes: Sequence[int] | None = None,
    readouts: Mapping[str, ArrayLike] | None = None,
    embeddings: Mapping[str, ArrayLike] | None = None,
    train: ArrayLike | None = None,
    order: Order = "n",
) -> RecordedModel:
    """Make a record of the activations of a model of any kind on all p² inputs.

    All analyses that need no transformer work on it. Arrays may come from PyTorch (detached), JAX,
    NumPy or anything else that NumPy can read; they are copied.

    Args:
        logits: [p², V], a row for every input, all tasks' classes side by side; p follows.
        layers: hidden layers by name, each [p², F], at one position.
        labels: [p²] or [p², N], the right class of every input. Default: n mod q for every modulus
            where moduli are given, else x0 + x1 mod p.
        moduli: [N], none twice. Without labels: the q of each task n mod q. With labels: a number
            by which each task is called; default: its number of classes.
        classes: [N], with sum V; needed where labels lack the largest class of a task.
        readouts: by layer, [F, V]: what each feature adds to each logit. Needed for removal.
        embeddings: tables of the digits by name, each [p, D]. For singular values and circularity.
        train: the inputs trained on: their rows, or a boolean for each row. Default: all.
        order: the order of the rows of logits, layers, labels and train. "n": the input (x0, x1) is
            row x0 + p·x1, as in `miiii.digits(p)`. "a-major": it is row x0·p + x1, as in
            `for a in range(p): for b in range(p)`.

    Returns:
        The record, with rows in the order n = x0 + p·x1.

    Example:
        >>> import numpy as np
        >>> from miiii import digits, from_activations
        >>> x0, x1 = digits(5).T
        >>> model = from_activations(np.eye(5)[(x0 + x1) % 5])  # logits of somebody's network
        >>> model.scores.accuracy
        array([1.])

    Raises:
        ValueError: an array has another shape, cannot be read or is not finite; labels, moduli,
            classes or train do not fit. The message names the field, its shape and what was
            expected.
    """
    array = read_numbers("logits", logits)
    base = _base(array.shape)
    check_choice("order", order, get_args(Order))
    # The given row of each n.
    rows = np.arange(base**2) if order == "n" else _other_order(base)
    array = array[rows]
    given = {
        name: _per_input(f"layers[{name!r}]", values, base)[rows]
        for name, values in as_mapping("layers", layers).items()
    }
    if labels is None:
        targets, names, sizes = _usual_task(base, array.shape[1], moduli, classes)
    else:
        targets, names, sizes = _own_labels(labels, base, array.shape[1], moduli, classes)
        targets = targets[rows]
    dataset = Dataset(digits(base), targets, names, sizes, _split(train, base, rows))
    weights = {}
    for name, values in as_mapping("readouts", readouts).items():
        check_choice("readouts' layer", name, list(given))
        weights[name] = _readout(name, values, given[name], array)
    tables = {
        name: _table(f"embeddings[{name!r}]", values, base)
        for name, values in as_mapping("embeddings", embeddings).items()
    }
    for each in (array, targets, *given.values(), *weights.values(), *tables.values()):
        each.flags.writeable = False
    made = RecordedModel(dataset, array, *map(MappingProxyType, (given, weights, tables)))
    if labels is None and moduli is not None:
        _suspect_order(made, order)
    return made


def _base(shape: tuple[int, ...]) -> int:
    base = math.isqrt(shape[0]) if len(shape) == 2 else 0
    if base < 3 or base**2 != shape[0] or shape[1] < 2:
        raise ValueError(
            f"logits have shape {shape}: expected [p², classes], a row for every pair of digits, p "
            "at least 3, and at least 2 classes"
        )
    return base


def _per_input(name: str, values: ArrayLike, base: int) -> NDArray[np.floating]:
    array = read_numbers(name, values)
    if array.ndim != 2 or len(array) != base**2:
        hint = "; choose one position" if array.ndim > 2 and len(array) == base**2 else ""
        raise ValueError(
            f"{name} have shape {array.shape}: expected [p², features] with p² = {base**2} rows, "
            f"as the logits have{hint}"
        )
    return array


def _table(name: str, values: ArrayLike, base: int) -> NDArray[np.floating]:
    array = read_numbers(name, values)
    if array.ndim != 2 or len(array) != base:
        raise ValueError(
            f"{name} have shape {array.shape}: expected [p, width] with p = {base} rows, the digits"
        )
    return array


def _usual_task(
    base: int, outputs: int, moduli: Sequence[int] | None, classes: Sequence[int] | None
) -> tuple[NDArray[np.int32], tuple[int, ...], tuple[int, ...]]:
    """Targets, names and classes of n mod q, or of addition."""
    if classes is not None:
        raise ValueError(f"classes is {tuple(classes)}: expected only with labels")
    if moduli is None:
        if outputs != base:
            raise ValueError(
                f"logits have {outputs} columns: without labels or moduli the task is x0 + x1 mod "
                f"p, with p = {base} classes. Give labels or moduli, or leave out columns of other "
                "tokens, such as that of '='"
            )
        return nanda(base), (base,), (base,)
    names = _names(moduli)
    for modulus in names:
        if modulus >= base**2:
            raise ValueError(f"moduli has {modulus}: expected each below p² = {base**2}")
    if sum(names) != outputs:
        raise ValueError(
            f"logits have {outputs} columns: expected {sum(names)}, the classes of moduli {names} "
            "side by side"
        )
    return remainders(base, names), names, names


def _own_labels(
    labels: ArrayLike,
    base: int,
    outputs: int,
    moduli: Sequence[int] | None,
    classes: Sequence[int] | None,
) -> tuple[NDArray[np.int32], tuple[int, ...], tuple[int, ...]]:
    table = read_whole_numbers("labels", labels)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or len(table) != base**2 or not table.shape[1]:
        raise ValueError(
            f"labels have shape {np.shape(labels)}: expected [p²] or [p², tasks] with p² = "
            f"{base**2} rows, as the logits have"
        )
    if table.min() < 0:
        raise ValueError(f"labels have {table.min()}: expected classes, from 0")
    tasks = table.shape[1]
    largest = [int(each) for each in table.max(axis=0)]
    if classes is not None:
        sizes = tuple(int(size) for size in classes)
    elif tasks == 1:
        sizes = (outputs,)
    else:
        sizes = tuple(max(each + 1, 2) for each in largest)
    if len(sizes) != tasks or sum(sizes) != outputs:
        raise ValueError(
            f"classes are {sizes}, together {sum(sizes)}: expected one number for each of {tasks} "
            f"columns of labels, together the logits' {outputs} columns"
        )
    for task, (most, size) in enumerate(zip(largest, sizes, strict=True)):
        if most >= size or size < 2:
            raise ValueError(
                f"labels of task {task} go to {most} with {size} classes: expected 0 to "
                f"{size - 1}, and at least 2 classes"
            )
    if moduli is None and len(set(sizes)) < tasks:
        raise ValueError(
            f"classes are {sizes}: where two tasks have as many, give moduli, a different number "
            "for every task"
        )
    names = sizes if moduli is None else _names(moduli)
    if len(names) != tasks:
        raise ValueError(f"moduli are {names}: expected {tasks}, one for each column of labels")
    return table.astype(np.int32), names, sizes


def _names(moduli: Sequence[int]) -> tuple[int, ...]:
    names = tuple(int(each) for each in moduli)
    if not names or min(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"moduli are {names}: expected at least one, each at least 2, none twice")
    return names


def _split(train: ArrayLike | None, base: int, rows: NDArray[np.intp]) -> Split:
    """All numbers, split into those trained on and the others as validation."""
    chosen = np.ones(base**2, bool)
    if train is not None:
        array = read_array("train", train)
        if array.dtype == np.bool_:
            if array.shape != (base**2,):
                raise ValueError(
                    f"train has shape {array.shape}: expected a boolean for each of {base**2} rows"
                )
            chosen = array.copy()
        else:
            indices = read_whole_numbers("train", array)
            if indices.ndim != 1 or not indices.size or indices.min() < 0:
                raise ValueError("train: expected rows from 0, at least one")
            if indices.max() >= base**2:
                raise ValueError(f"train has {indices.max()}: expected each below {base**2}")
            chosen = np.zeros(base**2, bool)
            chosen[indices] = True
    inside = chosen[rows]
    if not inside.any():
        raise ValueError("train has no row: expected at least one that was trained on")
    trained, others = (np.flatnonzero(each).astype(np.int32) for each in (inside, ~inside))
    return Split(trained, others, np.zeros(0, np.int32))


def _readout(
    name: str, values: ArrayLike, layer: NDArray[Any], logits: NDArray[Any]
) -> NDArray[np.floating]:
    array = read_numbers(f"readouts[{name!r}]", values)
    expected = (layer.shape[1], logits.shape[1])
    if array.shape != expected:
        turned = array.shape == expected[::-1]
        hint = ", which is its transpose (PyTorch's Linear keeps weight so): give weight.T"
        raise ValueError(
            f"readouts[{name!r}] have shape {array.shape}: expected [features, classes] = "
            f"{expected}{hint if turned else ''}"
        )
    square = expected[0] == expected[1]
    if square and _left(layer, array, logits) > _NOTHING_LEFT > _left(layer, array.T, logits):
        raise ValueError(
            f"readouts[{name!r}] have shape {array.shape} and give the logits when transposed, not "
            "as they are: expected [features, classes]; give weight.T of PyTorch's Linear"
        )
    return array


def _left(layer: NDArray[Any], weights: NDArray[Any], logits: NDArray[Any]) -> float:
    """Share of the logits' variance over the inputs that a read-out does not explain."""
    whole = logits - logits.mean(axis=0, dtype=np.float64)
    hidden = layer - layer.mean(axis=0, dtype=np.float64)
    total = float((whole**2).sum())
    return float(((whole - hidden @ weights) ** 2).sum()) / total if total > 0 else 0.0


def _other_order(base: int) -> NDArray[np.intp]:
    """[p²]: the place of each (x0, x1) in the other of both orders; its own inverse."""
    return np.arange(base**2).reshape(base, base).T.ravel()


def _suspect_order(made: RecordedModel, order: Order) -> None:
    """Warn where n mod q is answered far better when rows are read in the other order."""
    turned = made.logits[_other_order(made.base)]
    here, there = (made.score(each).accuracy.mean() for each in (made.logits, turned))
    if there > here + _WRONG_ORDER:
        other = "a-major" if order == "n" else "n"
        warnings.warn(
            f"the mean accuracy is {here:.3f} with order={order!r}, and would be {there:.3f} with "
            f"order={other!r}: is that the order of the rows?",
            stacklevel=3,
        )
