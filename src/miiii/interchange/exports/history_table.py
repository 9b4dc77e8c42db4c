"""`--to csv` and `--to parquet`: the history in long form, one row per measurement.

| column | what it is |
|---|---|
| epoch | from 1 |
| modulus | the task |
| split | train or validation; validation_raw, where the run keeps an average of its weights |
| loss | divided by ln q where the settings say so (`task_scale`), so that guessing costs 1 |
| accuracy | a share; empty where the task is a real number (waves) |

Training values are of the pass that made the update: before it, and with dropout. Rows are ordered
by epoch, then split, then modulus as the run has them.
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
"""validation_raw is of the raw weights, where validation is of their average."""
COMPRESSION = "zstd"

_ROWS_AT_ONCE = 2**17
_PREFIX = "miiii."
"""Before the keys of a Parquet file's metadata."""


@dataclass(frozen=True)
class HistoryTable:
    """The history in long form: R rows.

    Attributes:
        epoch: [R] int64.
        modulus: [R] int64.
        split: [R] int8, the index in `SPLITS`.
        loss: [R], as it is stored.
        accuracy: [R] float64, right answers divided by numbers asked.
    """

    epoch: NDArray[np.int64]
    modulus: NDArray[np.int64]
    split: NDArray[np.int8]
    loss: NDArray[Any]
    accuracy: NDArray[Any]


def history_table(config: Config, rows: dict[str, NDArray[Any]]) -> HistoryTable:
    """Bring a run's history into long form.

    Args:
        config: the run's.
        rows: as `RunDirectory.history` returns them.

    Raises:
        ValueError: there are none.
    """
    if not rows or not len(rows["epoch"]):
        raise ValueError("the run has no history yet: nothing was trained or saved")
    moduli = np.array(config.task.task_moduli, np.int64)
    train, validation, _ = config.task.split_sizes
    sizes = epoch_sizes(train, validation, config.training.minibatches)
    # An older run's rounded accuracies as the counts behind them, so that thresholds hold for all.
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
    # Stable, so that moduli keep their order; split is the second key because train comes first.
    order = np.argsort(columns[0], kind="stable")
    table = HistoryTable(*(column[order] for column in columns))
    if config.task.is_regression:
        table.accuracy[:] = np.nan
    return table


def to_csv(table: HistoryTable) -> bytes:
    """RFC 4180 with a header line; numbers in as few digits as bring back their exact value."""
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
    """Parquet; the run's name and settings (TOML) stand in the schema's metadata.

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
        # What is not known is null, as in the CSV: readers order NaN above every number.
        "loss": pyarrow.array(table.loss, from_pandas=True),
        "accuracy": pyarrow.array(table.accuracy, from_pandas=True),
    }
    metadata = {f"{_PREFIX}run": name, f"{_PREFIX}config": to_toml(config)}
    sink = io.BytesIO()
    pyarrow.parquet.write_table(
        pyarrow.table(columns, metadata=metadata), sink, compression=COMPRESSION
    )
    return sink.getvalue()
