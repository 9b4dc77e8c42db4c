"""A task of one's own: stored with its run, the same from every process."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import miiii
from command import call, call_each
from miiii import from_toml, to_toml
from miiii.experiment.members import identity
from miiii.tasks.dataset import build_dataset
from miiii.tasks.labels import decode_labels, encode_labels, keep_labels, kept_labels
from wording import naming

pytestmark = pytest.mark.slow

BASE = 7


def squares(base=BASE):
    """x0² + x1² mod p in plain Python, beside the parity of n."""
    return [[((n % base) ** 2 + (n // base) ** 2) % base, n % 2] for n in range(base * base)]


def config(labels=None, **fields):
    base = miiii.replace_fields(
        miiii.get_preset("tiny"), width=8, heads=2, snapshots=2, epochs=12, **fields
    )
    return miiii.with_labels(base, squares() if labels is None else labels)


@given(base=st.integers(3, 9), tasks=st.integers(1, 3), seed=st.integers(0, 99))
def test_what_is_trained_on_is_what_was_given(base, tasks, seed):
    labels = np.random.default_rng(seed).integers(0, 5, (base * base, tasks))
    names = tuple(range(2, 2 + tasks))
    made = miiii.with_labels(miiii.get_preset("tiny"), labels, names)
    dataset = build_dataset(made.task, seed)
    assert np.array_equal(dataset.targets, labels)
    assert (made.task.base, dataset.moduli) == (base, names)
    assert dataset.class_sizes == tuple(max(2, int(column.max()) + 1) for column in labels.T)
    assert from_toml(to_toml(made)) == made


def test_labels_go_through_bytes_unchanged():
    digest = keep_labels(squares())
    decode_labels(encode_labels(digest), digest)
    assert kept_labels(digest).tolist() == squares()
    assert not kept_labels(digest).flags.writeable
    with pytest.raises(ValueError, match=naming("labels")):
        decode_labels(encode_labels(digest), "0" * 16)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros(10, int), "(10,) [p²,tasks]"),
        (np.zeros((4, 1), int), "(4,1) p 3"),
        (np.zeros((9, 0), int), "(9,0) [p²,tasks]"),
        (np.zeros(9), "float64 whole"),
        (np.full(9, -2), "-2"),
        (np.full(9, 2**31), "2147483648 classes"),
        (np.zeros((9, 2), int), "labels 2,2 classes names"),
    ],
)
def test_labels_that_are_none_are_refused_on_one_line(labels, said):
    with pytest.raises(ValueError, match=naming(said)) as refusal:
        miiii.with_labels(miiii.get_preset("tiny"), labels)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"task": "custom"}, "miiii.with_labels"),
        ({"labels": "0" * 16}, "labels classes unanswered custom miiii"),
        ({"task": "custom", "labels": "0" * 16, "moduli": (5,)}, "classes () 2 (5,)"),
    ],
)
def test_settings_that_do_not_fit_are_refused(fields, said):
    with pytest.raises(ValueError, match=naming(said)):
        miiii.replace_fields(miiii.get_preset("tiny"), **fields)


def test_the_labels_count_in_a_runs_identity():
    shuffled = np.random.default_rng(0).permutation(squares())
    assert identity(config()) == identity(config())
    assert identity(config()) != identity(config(shuffled))


def test_a_task_is_trained_stored_and_read_by_another_process(tmp_path, cache):
    outcome = miiii.start([config()], ["own"], tmp_path / "runs")
    assert outcome.state == "finished"
    run = miiii.load_run("own", tmp_path / "runs")
    assert np.array_equal(np.load(run.path / "labels.npy"), squares())
    predicted = np.asarray(run.activations().logits)
    # Measured by training itself on the same weights, number by number.
    split = run.dataset.split.validation
    share = (predicted[split, :BASE].argmax(axis=1) == np.array(squares())[split, 0]).mean()
    assert run.history.validation_accuracy[-1, 0] == pytest.approx(share)

    commands = [
        ["show", "own", "--json"],
        ["resume", "own", "--epochs", "20"],
        ["train", "--config", "runs/own/config.toml", "--name", "again"],
        ["certify", "own"],
        ["figures", "own", "--only", "4", "--format", "svg"],
    ]
    shown, longer, again, certified, figures = call_each(commands, tmp_path, cache)
    assert shown.returncode == 0, shown.stderr
    assert [task["modulus"] for task in json.loads(shown.stdout)["tasks"]] == [BASE, 2]
    assert longer.returncode == 0, longer.stderr
    whole = miiii.replace_fields(config(), epochs=20)
    miiii.start([whole], ["whole"], tmp_path / "runs")
    one, other = (miiii.load_run(name, tmp_path / "runs") for name in ("own", "whole"))
    assert one.history.train_loss.tobytes() == other.history.train_loss.tobytes()
    assert again.returncode == 0, again.stderr
    assert np.array_equal(np.load(tmp_path / "runs/again/labels.npy"), squares())
    assert certified.returncode in (0, 1), certified.stderr
    folder = run.path / "analysis"
    checked = subprocess.run(
        [sys.executable, folder / "check_certificate.py", folder / "certificate.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert figures.returncode == 0, figures.stderr
    assert "own labels" in (run.path / "figures" / "captions.md").read_text()


def test_labels_that_were_changed_or_lost_are_noticed(tmp_path, cache):
    miiii.start([config()], ["own"], tmp_path)
    file = tmp_path / "own" / "labels.npy"
    file.write_bytes(encode_labels(keep_labels(np.arange(49) % 3)))
    with pytest.raises(miiii.RunError, match=naming("labels.npy holds")):
        miiii.load_run("own", tmp_path)
    file.unlink()
    with pytest.raises(miiii.RunError, match=r"labels.npy"):
        miiii.load_run("own", tmp_path)
    lost = call(["train", "--config", "own/config.toml", "--name", "x"], tmp_path, cache)
    assert lost.returncode == 2
    assert lost.stderr.count("\n") == 1
    assert "miiii.with_labels" in lost.stderr


def test_seeds_of_one_task_train_as_one_batch(tmp_path):
    configs = [miiii.replace_fields(config(), seed=seed) for seed in (0, 1)]
    miiii.start(configs, ["a", "b"], tmp_path)
    miiii.start(configs[:1], ["alone"], tmp_path)
    one, other = (miiii.load_run(name, tmp_path) for name in ("a", "b"))
    assert np.array_equal(one.dataset.targets, other.dataset.targets)
    assert not np.array_equal(one.dataset.split.train, other.dataset.split.train)
    np.testing.assert_allclose(
        one.history.train_loss, miiii.load_run("alone", tmp_path).history.train_loss, rtol=1e-4
    )
