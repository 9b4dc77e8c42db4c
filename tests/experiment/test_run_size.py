"""How large the paper's own runs are on the disk: 65,536 epochs of 29 tasks."""

import numpy as np
import pytest

from miiii import get_preset, load_run, replace_fields, start
from miiii.experiment.batch import make_batch
from miiii.experiment.program import numerics, parameters_template, state_template
from miiii.runs.directory import RunDirectory
from miiii.training.chunk import snapshot_epochs, total_size


@pytest.mark.parametrize("preset", ["paper", "reference32"])
def test_a_run_of_the_paper_takes_at_most_400_megabytes(preset):
    config = get_preset(preset)
    batch = make_batch([config])
    with numerics(batch.setting):
        state, weights = state_template(batch.setting), parameters_template(batch.setting)
    training, tasks = config.training, len(config.task.task_moduli)
    assert tasks == 29
    kept = len(snapshot_epochs(training.epochs, training.snapshots))
    rows = training.epochs * (8 + 4 * (2 * tasks + 9))
    rows += training.epochs // training.validate_every * (8 + 4 * 2 * tasks)
    # The newest two checkpoints, and a third while it is being written.
    assert kept * total_size(weights) + 3 * total_size(state) + rows < 400e6


def test_a_history_of_65536_epochs_is_read_whole(tmp_path):
    config = replace_fields(get_preset("tiny"), epochs=65536, snapshots=0)
    start([config], ["full"], tmp_path, stop=lambda: True)
    directory = RunDirectory(tmp_path / "full")
    tasks, weights, last = len(config.task.task_moduli), 9, 0
    for last in (*range(900, 65536, 900), 65536):
        first = last - 899 if last < 65536 else 64801
        epoch = np.arange(first, last + 1, dtype=np.int64)
        tall = np.float32(epoch)[:, None]
        per_task = np.tile(tall, tasks)
        directory.append_history(
            first,
            last,
            {
                "epoch": epoch,
                "train_loss": per_task,
                "train_accuracy": per_task,
                "gradient_norm": np.tile(tall, weights),
                "validation_epoch": epoch,
                "validation_loss": per_task,
                "validation_accuracy": per_task,
            },
        )
    history = load_run("full", tmp_path).history
    np.testing.assert_array_equal(history.epoch, np.arange(1, 65537))
    np.testing.assert_array_equal(history.train_loss[:, 0], history.epoch)
    np.testing.assert_array_equal(history.validation_accuracy[:, -1], history.validation_epoch)
    files = list((directory.path / "history").iterdir())
    assert sum(path.stat().st_size for path in files) < 65536 * (16 + 4 * (4 * tasks + 9)) * 1.01
