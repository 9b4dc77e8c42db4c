"""`--to csv` and `--to parquet`: the history in long form, one row per measurement.

| column | meaning |
|---|---|
| epoch | from 1 |
| modulus | the task's q |
| split | train or validation; also validation_raw if the run averages its weights |
| loss | in nats, or divided by ln q if `task_scale` is set, so that guessing gives 1 |
| accuracy | a share; empty if the target is a real number (waves) |

Training values come from the forward pass before the update, with dropout. Rows are sorted by
epoch, then split, then modulus in the run's order.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.config.config import Config, to_toml
from miiii.runs.counts import counted, epoch_sizes, with_accuracies

COLUMNS = ("epoch", "modulus", "split", "loss", "accuracy")
SPLITS = ("train", "validation", "validation_raw")
"""validation_raw belongs to the raw weights, validation then to their average."""
COMPRESSION = "zstd"

_ROWS_AT_ONCE = 2**17
_PREFIX = "miiii."
"""Prefix of the keys of a Parquet file's metadata."""


@dataclass(frozen=True)
class HistoryTable:
    """The history in long form: R rows.

    Attributes:
        epoch: [R] int64.
        modulus: [R] int64.
        split: [R] int8, the index in `SPLITS`.
        loss: [R], as it is stored.
        accuracy: [R] float64, the share of right answers.
    """

    epoch: NDArray[np.int64]
    modulus: NDArray[np.int64]
    split: NDArray[np.int8]
    loss: NDArray[Any]
    accuracy: NDArray[Any]


def history_table(config: Config, rows: dict[str, NDArray[Any]]) -> HistoryTable:
    """Bring a run's history into long form.

    Args:
        config: the run's configuration.
        rows: the history from `RunDirectory.history`.

    Raises:
        ValueError: the history is empty.
    """
    if not rows or not len(rows["epoch"]):
        raise ValueError("the run has no history yet: nothing was trained or saved")
    moduli = np.array(config.task.task_moduli, np.int64)
    train, validation, _ = config.task.split_sizes
    sizes = epoch_sizes(train, validation, config.training.minibatches)
    # Older runs store float32 accuracies. Their counts are recovered, so that the float64 share is
    # exact and thresholds hold as for newer runs.
    rows = with_accuracies(counted(rows, sizes))
    parts = []
    for index, split in enumerate(SPLITS):
        if f"{split}_loss" not in rows:
            continue
        epoch = rows["epoch" if split == "train" else "validation_epoch"]
        shape = (len(epoch), len(moduli))
        parts.append(
            (
                np.broadcast_to(epoch[:, None], shape),
                np.broadcast_to(moduli, shape),
                np.full(shape, index, np.int8),
                rows[f"{split}_loss"],
                rows[f"{split}_accuracy"],
            )
        )
    columns = [
        np.concatenate([each.ravel() for each in column]) for column in zip(*parts, strict=True)
    ]
    # A stable sort by epoch only: rows of an epoch stay sorted by split and modulus.
    order = np.argsort(columns[0], kind="stable")
    table = HistoryTable(*(column[order] for column in columns))
    if config.task.is_regression:
        table.accuracy[:] = np.nan
    return table


def to_csv(table: HistoryTable) -> bytes:
    """The table as CSV (RFC 4180) with a header line; numbers have the shortest exact form."""
    text = io.StringIO(newline="")
    text.write(",".join(COLUMNS) + "\r\n")
    names = np.array(SPLITS)
    for start in range(0, len(table.epoch), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        columns = (
            table.epoch[part].tolist(),
            table.modulus[part].tolist(),
            names[table.split[part]].tolist(),
            _digits(table.loss[part]),
            _digits(table.accuracy[part]),
        )
        text.writelines(",".join(map(str, row)) + "\r\n" for row in zip(*columns, strict=True))
    return text.getvalue().encode("ascii")


def _digits(values: NDArray[Any]) -> list[str]:
    return ["" if text == "nan" else text for text in values.astype(str).tolist()]


def to_parquet(table: HistoryTable, name: str, config: Config) -> bytes:
    """The table as Parquet, with the run's name and settings (TOML) in the schema's metadata.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
    """
    import pyarrow
    import pyarrow.parquet

    columns = {
        "epoch": pyarrow.array(table.epoch),
        "modulus": pyarrow.array(table.modulus),
        "split": pyarrow.DictionaryArray.from_arrays(
            pyarrow.array(table.split), list(SPLITS[: int(table.split.max()) + 1])
        ),
        # Unknown values are null, as they are empty in CSV: readers sort NaN above all numbers.
        "loss": pyarrow.array(table.loss, from_pandas=True),
        "accuracy": pyarrow.array(table.accuracy, from_pandas=True),
    }
    metadata = {f"{_PREFIX}run": name, f"{_PREFIX}config": to_toml(config)}
    sink = io.BytesIO()
    pyarrow.parquet.write_table(
        pyarrow.table(columns, metadata=metadata), sink, compression=COMPRESSION
    )
    return sink.getvalue()
