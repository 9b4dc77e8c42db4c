"""Real grokking, small enough to watch: memorised first, understood later, or never."""

from pathlib import Path

import numpy as np
import pytest

import miiii

SMALL = miiii.get_preset("small")
THREE_TASKS = miiii.replace_fields(
    SMALL, base=31, moduli=(2, 3, 5), width=64, train_fraction=0.7, epochs=600, decay_epochs=0
)


def train(config, name, folder: Path):
    outcome = miiii.start([config], [name], folder)
    assert outcome.state == "finished"
    return miiii.load_run(folder / name)


def accuracy(run, numbers):
    """Per task, from the logits, in plain NumPy."""
    logits = np.asarray(run.activations(numbers).logits)
    ends = np.cumsum(run.dataset.class_sizes)
    return [
        (logits[:, end - size : end].argmax(axis=1) == run.dataset.targets[numbers, task]).mean()
        for task, (size, end) in enumerate(zip(run.dataset.class_sizes, ends, strict=True))
    ]


@pytest.mark.slow
def test_three_remainders_are_understood_on_numbers_never_seen(tmp_path):
    run = train(THREE_TASKS, "miiii", tmp_path)
    assert min(accuracy(run, run.dataset.split.validation)) > 0.99
    assert min(accuracy(run, run.dataset.split.test)) > 0.99
    solved = run.history.first_reached(0.99)
    assert all(epoch is not None and epoch > 10 for epoch in solved.values())


@pytest.mark.thorough
@pytest.mark.slow
def test_shuffled_labels_are_memorised_and_never_understood(tmp_path):
    run = train(
        miiii.replace_fields(THREE_TASKS, task="basis", dropout=0.0, epochs=1200),
        "basis",
        tmp_path,
    )
    assert min(run.history.train_accuracy[-1]) > 0.95
    held_out = np.concatenate([run.dataset.split.validation, run.dataset.split.test])
    for share, modulus in zip(accuracy(run, held_out), run.history.moduli, strict=True):
        # five standard deviations of guessing on the numbers held out
        noise = 5 * np.sqrt((1 - 1 / modulus) / modulus / len(held_out))
        assert abs(share - 1 / modulus) < noise + 0.03


@pytest.mark.thorough
@pytest.mark.slow
def test_addition_is_memorised_long_before_it_is_understood(tmp_path):
    config = miiii.replace_fields(
        miiii.get_preset("nanda"),
        base=23,
        width=64,
        train_fraction=0.8,
        learning_rate=3e-3,
        initialisation="reference",
        filter_start="zeros",
        epochs=2000,
    )
    run = train(config, "nanda", tmp_path)
    history = run.history
    memorised = int(history.epoch[(history.train_accuracy[:, 0] >= 0.99).argmax()])
    # Of some fifty numbers: one that stays wrong is no lack of understanding.
    understood = history.first_reached(0.9)[23]
    assert understood is not None
    assert understood > 2 * memorised
