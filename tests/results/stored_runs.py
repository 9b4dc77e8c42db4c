"""Runs put on disk without training: weights and history are drawn or planted."""

import jax
import numpy as np

from miiii.experiment.members import identity, new_member
from miiii.model.parameters import is_shape, parameter_shapes, weight_names
from miiii.tasks.dataset import build_dataset
from miiii.training.state import to_arrays

SNAPSHOTS = (0, 1, 3, 9, 24)


def weights(config, seed):
    """Random weights of a configuration's shapes, float32."""
    generator = np.random.default_rng(seed)
    outputs = sum(config.task.class_sizes)
    shapes = parameter_shapes(config.model, config.task.base, outputs)
    return jax.tree.map(
        lambda shape: generator.normal(0, 0.5, shape).astype(np.float32), shapes, is_leaf=is_shape
    )


def forward(parameters, base):
    """The model on all numbers in plain NumPy: logits [p², V] and attention [p², H, 3]."""
    numbers = np.arange(base**2)
    tokens = np.stack([numbers % base, numbers // base, np.full(base**2, base)], axis=1)
    leaves = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), parameters)
    stream = leaves.token_embedding[tokens] + leaves.position_embedding
    (block,) = leaves.blocks
    last, heads, attention = stream[:, 2], [], []
    for query, key, value, output in zip(
        block.query, block.key, block.value, block.output, strict=True
    ):
        scores = np.einsum("bk,btk->bt", last @ query, stream @ key) / np.sqrt(query.shape[1])
        weight = np.exp(scores - scores.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        attention.append(weight)
        heads.append(np.einsum("bt,btk->bk", weight, stream @ value) @ output)
    middle = last + sum(heads)
    out = middle + np.maximum(middle @ block.mlp_in, 0) @ block.mlp_out
    return out @ leaves.unembedding, np.stack(attention, axis=1)


def history(config, epochs, accuracy=None):
    """[E, N] of everything, validated at every epoch; accuracy rises to 0.5 unless it is given."""
    generator = np.random.default_rng(1)
    tasks = len(config.task.task_moduli)
    names = weight_names(weights(config, 0))
    rows = np.linspace(0.1, 0.5, epochs)[:, None] * np.ones(tasks)
    epoch = np.arange(1, epochs + 1)
    draws = {
        name: generator.uniform(0.5, 1.5, (epochs, width))
        for name, width in (
            ("train_loss", tasks),
            ("validation_loss", tasks),
            ("gradient_norm", len(names)),
        )
    }
    return {
        "epoch": epoch,
        "train_accuracy": rows.astype(np.float32),
        "validation_epoch": epoch,
        "validation_accuracy": np.asarray(rows if accuracy is None else accuracy, np.float32),
        **{name: values.astype(np.float32) for name, values in draws.items()},
    }


def store(folder, name, config, snapshots=SNAPSHOTS, accuracy=None, planted=None):
    """Write a finished run; its last snapshot holds its weights, drawn or planted."""
    split = str(len(build_dataset(config.task, config.seed).split.train))
    member = new_member(folder, name, config, False, [], split, ([name], 0))
    epochs = config.training.epochs
    rows = history(config, epochs, accuracy)
    member.directory.append_history(1, epochs, rows)
    for epoch in snapshots:
        given = planted if planted is not None and epoch == snapshots[-1] else None
        arrays = to_arrays(weights(config, epoch) if given is None else given)
        member.directory.save_snapshot(epoch, arrays, {"identity": identity(config)})
    status = {**member.directory.status, "state": "finished", "epoch": epochs}
    member.directory.write_status(status)
    return member.directory.path
