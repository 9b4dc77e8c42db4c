"""Numbers without an answer: never trained, validated, scored or counted."""

import numpy as np
import pytest

from miiii import get_preset, replace_fields, with_labels
from miiii.analysis.circuits.removal import answered_among
from miiii.analysis.dynamics.task_losses import logit_progress, residues
from miiii.analysis.scoring import margins, score_tasks
from miiii.experiment.batch import make_batch
from miiii.experiment.members import identity
from miiii.results.measurements import domain_accuracy
from miiii.tasks.config import TaskConfig
from miiii.tasks.dataset import build_dataset
from miiii.tasks.targets import nanda
from wording import naming

SMALL = replace_fields(get_preset("tiny"), base=7, width=8, heads=2, epochs=12)
DIVIDE = replace_fields(SMALL, task="nanda", operation="divide")


@pytest.mark.parametrize("base", [5, 7, 9, 12])
def test_a_quotient_is_the_one_number_that_gives_the_dividend_back(base):
    found = nanda(base, "divide")[:, 0]
    for n, answer in enumerate(found):
        x0, x1 = n % base, n // base
        answers = [c for c in range(base) if c * x1 % base == x0]
        whole = len({c * x1 % base for c in range(base)}) == base
        assert answer == (answers[0] if whole else -1)
    assert (found >= 0).sum() == TaskConfig("nanda", base=base, operation="divide").answered


def test_the_quadratic_form_by_brute_force():
    found = nanda(5, "x2xyy2")[:, 0].tolist()
    assert found == [(a * a + a * b + b * b) % 5 for b in range(5) for a in range(5)]


def test_nothing_without_an_answer_is_in_the_split():
    dataset = build_dataset(DIVIDE.task, 0)
    parts = vars(dataset.split).values()
    together = np.sort(np.concatenate(list(parts)))
    np.testing.assert_array_equal(together, np.arange(7, 49))
    assert tuple(map(len, parts)) == DIVIDE.task.split_sizes == (33, 5, 4)
    assert all(len(np.unique(part)) == len(part) for part in parts)
    program = make_batch([DIVIDE])
    assert (program.datasets[0].targets[dataset.split.train] >= 0).all()


def test_scores_and_margins_are_of_the_answered_numbers():
    dataset = build_dataset(DIVIDE.task, 0)
    logits = np.random.default_rng(0).normal(size=(49, 7))
    right = [logits[n].argmax() == dataset.targets[n, 0] for n in range(7, 49)]
    scores = score_tasks(logits, dataset.targets, dataset.class_sizes)
    assert scores.accuracy[0] == pytest.approx(np.mean(right))
    assert domain_accuracy(logits, dataset)[0] == pytest.approx(np.mean(right))
    costs = [
        np.log(np.exp(logits[n]).sum()) - logits[n, dataset.targets[n, 0]] for n in range(7, 49)
    ]
    assert scores.loss[0] == pytest.approx(np.mean(costs) / np.log(7))
    found = margins(logits, dataset.targets, dataset.class_sizes)[:, 0]
    assert np.isnan(found[:7]).all()
    assert ((found[7:] > 0) == right).all()


def test_progress_through_training_does_not_see_holes():
    dataset = build_dataset(DIVIDE.task, 0)
    logits = np.random.default_rng(0).normal(size=(49, 7))
    other = logits.copy()
    other[:7] = 100.0
    one, two = logit_progress(logits, dataset), logit_progress(other, dataset)
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, vars(two)[name])
    np.testing.assert_array_equal(residues(dataset), dataset.targets)
    train = dataset.split.train
    costs = np.log(np.exp(logits[train]).sum(1)) - logits[train, dataset.targets[train, 0]]
    assert one.train_loss[0] == pytest.approx(costs.mean() / np.log(7))
    chosen = answered_among(np.arange(49), dataset.targets)
    np.testing.assert_array_equal(chosen, np.arange(7, 49))


def test_own_labels_may_leave_numbers_out():
    labels = np.arange(49) % 5
    labels[[3, 30]] = -1
    config = with_labels(SMALL, labels)
    assert config.task.unanswered == 2
    assert sum(config.task.split_sizes) == 47
    split = build_dataset(config.task, 4).split
    assert not {3, 30} & set(np.concatenate([split.train, split.validation, split.test]).tolist())
    assert identity(config) != identity(with_labels(SMALL, np.arange(49) % 5))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full(49, -1), "nearly everywhere"),
        (np.full(49, -2), "-2 −1"),
        (np.array([[0, -1]] * 49), "number 0 task"),
    ],
)
def test_labels_that_are_none(labels, message):
    with pytest.raises(ValueError, match=naming(message)):
        with_labels(SMALL, labels, None if labels.ndim == 1 else (2, 3))


def test_holes_that_the_labels_do_not_have_are_noticed():
    config = with_labels(SMALL, np.arange(49) % 5)
    with pytest.raises(ValueError, match=naming("unanswered 3 labels 0")):
        build_dataset(replace_fields(config, unanswered=3).task, 0)
    with pytest.raises(ValueError, match=naming("task custom")):
        replace_fields(SMALL, unanswered=3)
