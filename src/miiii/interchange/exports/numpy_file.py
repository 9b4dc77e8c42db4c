"""`--to numpy`: a run in one .npz file for NumPy, without pickled objects.

| key | shape | content |
|---|---|---|
| weights.NAME | as in `model.parameters` | weights.token_embedding, weights.blocks.0.query … |
| digits | [p², 2] | x0 and x1 of n = x0 + p·x1, in the order of n |
| targets | [p², N] | the right class of each task (waves: the real value) |
| moduli, class_sizes | [N] | q and number of classes of each task, in the order of the logits |
| split | [p²] | 0 train, 1 validation, 2 test |
| history.KEY | [E, …] or [M, …] | the run's history: history.epoch, history.train_loss … |
| weights_kind | [] text | average or raw; only if the run averages its weights |
| epoch | [] | the epoch after which the weights were taken |
| name, config | [] text | the run's name, and its settings as TOML |
"""

import io

import numpy as np

from miiii.config.config import to_toml
from miiii.experiment.model_at import ModelAt


def to_npz(exported: ModelAt) -> bytes:
    """The file's bytes."""
    run = exported.run
    dataset = run.dataset
    kind = {"weights_kind": np.array("raw" if run.raw else "average")}
    arrays = {
        **{f"weights.{name}": weight for name, weight in exported.weights.items()},
        "digits": dataset.digits,
        "targets": dataset.targets,
        "moduli": np.array(dataset.moduli, np.int64),
        "class_sizes": np.array(dataset.class_sizes, np.int64),
        "split": exported.split,
        **{f"history.{key}": rows for key, rows in run.directory.history().items()},
        "epoch": np.array(exported.epoch, np.int64),
        **(kind if run.config.training.average_weights else {}),
        "name": np.array(run.name),
        "config": np.array(to_toml(run.config)),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
