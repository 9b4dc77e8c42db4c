"""Restricted and excluded loss, Gini, norms and effective rank against what was planted."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.planted import harmonics, noise, power_in, random_parameters
from analysis.planted_addition import addition, clock_model
from analysis.planted_circuits import circuit_model
from miiii.analysis.dynamics.gini import gini
from miiii.analysis.dynamics.progress import (
    embedding_gini,
    model_progress,
    stack_progress,
)
from miiii.analysis.dynamics.task_losses import group_means, logit_progress, residues, task_progress
from miiii.analysis.dynamics.weight_statistics import effective_rank, weight_statistics
from miiii.analysis.harmonics.task_harmonics import task_harmonics
from miiii.tasks.config import TaskConfig
from miiii.tasks.dataset import build_dataset
from wording import naming

BASE, MODULI = 13, (3, 5, 7)
NUMBERS = np.arange(BASE**2)
DATASET = build_dataset(TaskConfig(base=BASE, moduli=MODULI, train_fraction=0.5), 0)


def cross_entropy(logits, labels):
    """Mean over samples / ln(classes), one sample after the other."""
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        total += math.log(sum(math.exp(each - row[label]) for each in row))
    return total / len(labels) / math.log(logits.shape[1])


def heads(logits):
    ends = np.cumsum(MODULI)
    return [logits[:, end - q : end] for end, q in zip(ends, MODULI, strict=True)]


def test_losses_are_those_of_the_projected_logits():
    logits = noise((BASE**2, sum(MODULI)), 3) * 2
    found = logit_progress(logits, DATASET)
    train = DATASET.split.train
    for task, (own, q) in enumerate(zip(heads(logits), MODULI, strict=True)):
        # Least squares on the harmonics as they stand is an oracle of its own.
        functions = np.concatenate([np.ones((BASE**2, 1)), harmonics(BASE, q)], axis=1)
        kept = functions @ np.linalg.lstsq(functions, own, rcond=None)[0]
        rest = own - kept + own.mean(axis=0)
        labels = NUMBERS % q
        assert found.loss[task] == pytest.approx(cross_entropy(own, labels))
        assert found.train_loss[task] == pytest.approx(cross_entropy(own[train], labels[train]))
        assert found.restricted_loss[task] == pytest.approx(cross_entropy(kept, labels))
        others = np.setdiff1d(NUMBERS, train)
        carried = np.stack([own[others][others % q == n % q].mean(axis=0) for n in NUMBERS])
        assert found.carried_loss[task] == pytest.approx(cross_entropy(carried, labels))
        assert found.carried_accuracy[task] == (carried.argmax(axis=1) == labels).mean()
        held_out = cross_entropy(own[others], labels[others])
        assert found.held_out_loss[task] == pytest.approx(held_out)
        assert found.held_out_accuracy[task] == pytest.approx(
            (own.argmax(axis=1) == labels)[others].mean()
        )
        excluded = cross_entropy(rest[train], labels[train])
        assert found.excluded_loss[task] == pytest.approx(excluded)
        assert found.restricted_accuracy[task] == (kept.argmax(axis=1) == labels).mean()
        assert found.excluded_accuracy[task] == (rest.argmax(axis=1) == labels)[train].mean()
        centred = own - own.mean(axis=1, keepdims=True)
        power = power_in(task_harmonics(BASE, q), centred).sum()
        varying = ((centred - centred.mean(axis=0)) ** 2).sum()
        assert found.span_share[task] == pytest.approx(power / varying)


def test_restricted_and_residual_are_the_whole():
    own, q = noise((BASE**2, 7), 1), 7
    inside = group_means(own.T, NUMBERS % q)[:, NUMBERS % q].T
    projected = own.mean(axis=0) + task_harmonics(BASE, q).project(own)
    np.testing.assert_allclose(inside, projected, atol=1e-12)
    rest = own - inside
    np.testing.assert_allclose(task_harmonics(BASE, q).coefficients(rest), 0, atol=1e-12)
    squares = [(each**2).sum() for each in (own, inside, rest)]
    assert squares[0] == pytest.approx(squares[1] + squares[2])


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_group_means_by_hand(groups):
    values = noise((2, len(groups)), len(groups))
    found = group_means(values, np.array(groups))
    assert found.shape == (2, max(groups) + 1)
    for group in range(max(groups) + 1):
        members = [i for i, each in enumerate(groups) if each == group]
        chosen = members or list(range(len(groups)))  # what does not occur is the mean of all
        expected = [values[row, chosen].mean() for row in range(2)]
        np.testing.assert_allclose(found[:, group], expected)


def test_the_logits_that_are_given_are_left_alone():
    for order in "CF":
        logits = np.array(noise((BASE**2, sum(MODULI))), order=order)
        before = logits.copy()
        logit_progress(logits, DATASET)
        np.testing.assert_array_equal(logits, before)


def test_a_circuit_restricts_to_nothing_lost_and_excludes_to_guessing():
    circuits = [([(3, 1)], 200), ([(7, 2)], 200)]
    parameters, _ = circuit_model(BASE, MODULI, circuits, scale=4.0)
    found = task_progress(parameters, DATASET)
    for task in (0, 2):
        assert found.restricted_loss[task] < 0.03
        assert found.restricted_accuracy[task] == 1
        assert 0.95 < found.excluded_loss[task] < 1.3
        assert found.span_share[task] > 0.9
    # No circuit for 5: its logits are 0.
    silent = [found.loss[1], found.restricted_loss[1], found.excluded_loss[1]]
    np.testing.assert_allclose(silent, 1)
    assert np.isnan(found.span_share[1])


def test_what_is_memorised_is_excluded_from_the_harmonics():
    generator = np.random.default_rng(0)
    base, q = 31, 11
    dataset = build_dataset(TaskConfig(base=base, moduli=(q,), train_fraction=0.3), 1)
    numbers, train = np.arange(base**2), dataset.split.train
    remembered = 20 * np.eye(q)[generator.integers(0, q, base**2)]
    # The means over each class are taken off, so that the table has no harmonics at all.
    labels = numbers % q
    remembered[train] = 20 * np.eye(q)[labels[train]]
    for residue in range(q):
        remembered[labels == residue] -= remembered[labels == residue].mean(axis=0)
    found = logit_progress(remembered, dataset)
    assert found.train_accuracy[0] == found.excluded_accuracy[0] == 1
    assert found.excluded_loss[0] == pytest.approx(found.train_loss[0], abs=1e-9)
    assert found.restricted_loss[0] == pytest.approx(1)
    assert found.span_share[0] == pytest.approx(0, abs=1e-20)


def test_memory_of_most_numbers_restricts_well_but_does_not_carry():
    base, q = 31, 7
    dataset = build_dataset(TaskConfig(base=base, moduli=(q,), train_fraction=0.8), 1)
    labels = np.random.default_rng(3).integers(0, q, base**2)
    labels[dataset.split.train] = dataset.split.train % q
    found = logit_progress(10 * np.eye(q)[labels], dataset)
    assert found.train_accuracy[0] == found.restricted_accuracy[0] == 1
    assert found.restricted_loss[0] < 0.05
    assert found.held_out_accuracy[0] < 0.3
    assert found.carried_loss[0] > 0.8
    circuit = logit_progress(10 * np.eye(q)[np.arange(base**2) % q], dataset)
    assert circuit.carried_loss[0] == pytest.approx(circuit.restricted_loss[0])


def test_each_task_has_its_own_functions():
    np.testing.assert_array_equal(residues(DATASET), NUMBERS[:, None] % MODULI)
    shuffled = build_dataset(TaskConfig(task="basis", base=BASE), 0)
    np.testing.assert_array_equal(residues(shuffled)[:, 1], NUMBERS % 3)
    for operation, expected in (
        ("add", NUMBERS % BASE + NUMBERS // BASE),
        ("subtract", NUMBERS % BASE - NUMBERS // BASE),
        ("multiply", (NUMBERS % BASE) * (NUMBERS // BASE)),
    ):
        two_digits = build_dataset(TaskConfig(task="nanda", base=BASE, operation=operation), 0)
        np.testing.assert_array_equal(residues(two_digits)[:, 0], expected % BASE)
    own = build_dataset(TaskConfig(base=BASE, moduli=(BASE,)), 0)
    np.testing.assert_array_equal(residues(own)[:, 0], NUMBERS % BASE)
    found = task_progress(clock_model(BASE, (1, 3)), addition(BASE))
    assert found.restricted_loss[0] < 0.01
    assert found.excluded_loss[0] > 0.8


def test_divisibility_is_scored_on_its_two_classes():
    config = TaskConfig(base=BASE, moduli=MODULI, target="divisibility")
    dataset = build_dataset(config, 0)
    logits = np.zeros((BASE**2, 6))
    for task, q in enumerate(MODULI):
        logits[:, 2 * task + 1] = np.where(NUMBERS % q == 0, 5.0, -5.0)
    found = logit_progress(logits, dataset)
    np.testing.assert_allclose(found.restricted_loss, math.log1p(math.exp(-5)) / math.log(2))
    np.testing.assert_allclose(found.span_share, 1)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12).filter(any))
@settings(max_examples=60, deadline=None)
def test_gini_is_half_the_mean_difference_over_the_mean(amounts):
    pairs = [abs(a - b) for a in amounts for b in amounts]
    expected = Fraction(sum(pairs), len(pairs)) / (2 * Fraction(sum(amounts), len(amounts)))
    assert float(gini(amounts)) == pytest.approx(float(expected), abs=1e-12)


def test_gini_of_the_extremes():
    assert gini([3, 3, 3]) == 0
    assert gini([0, 0, 0, 9]) == pytest.approx(3 / 4)
    table = gini([[1, 1], [0, 2], [0, 0]])
    np.testing.assert_array_equal(table, [0, 0.5, np.nan])
    np.testing.assert_array_equal(gini([[1, 0], [1, 5]], axis=0), [0, 0.5])


def test_an_embedding_of_few_frequencies_is_unequal():
    parameters = clock_model(BASE, (2,))
    assert embedding_gini(parameters) == pytest.approx(5 / 6)
    even = random_parameters(BASE, width=400)
    assert embedding_gini(even) < 0.15


def entropy_rank(matrix):
    """exp of the entropy of the squared singular values' shares, from the eigenvalues of M Mᵀ."""
    values = np.linalg.eigvalsh(matrix @ matrix.T)
    shares = [value / values.sum() for value in values if value > 1e-12 * values.max()]
    return math.exp(-sum(share * math.log(share) for share in shares))


def test_norms_and_ranks_by_hand():
    parameters = random_parameters(7, width=6, heads=2, neurons=5)
    found = weight_statistics(parameters)
    assert found.names[:2] == ("token_embedding", "position_embedding")
    block = parameters.blocks[0]
    index = found.names.index("blocks.0.output")
    assert found.norm[index] == pytest.approx(math.sqrt((block.output**2).sum()))
    leaves = [parameters.token_embedding, parameters.position_embedding, parameters.unembedding]
    leaves += [getattr(block, name.split(".")[-1]) for name in found.names if "blocks" in name]
    total = math.sqrt(sum((leaf**2).sum() for leaf in leaves))
    assert np.linalg.norm(found.norm) == pytest.approx(total)
    # The output of two heads: its rows are the heads' dimensions.
    rows = np.concatenate([block.output[0], block.output[1]])
    assert found.effective_rank[index] == pytest.approx(entropy_rank(rows))
    columns = np.concatenate([block.key[0], block.key[1]], axis=1)
    key = found.names.index("blocks.0.key")
    assert found.effective_rank[key] == pytest.approx(entropy_rank(columns))


def test_effective_rank_of_known_singular_values():
    left, right = np.linalg.qr(noise((8, 4)))[0], np.linalg.qr(noise((5, 4), 1))[0]
    assert effective_rank(left @ right.T) == pytest.approx(4)
    one = left @ np.diag([3.0, 0, 0, 0]) @ right.T
    assert effective_rank(one) == pytest.approx(1)
    unequal = left @ np.diag([2.0, 1, 0, 0]) @ right.T
    entropy = -(0.8 * math.log(0.8) + 0.2 * math.log(0.2))
    assert effective_rank(unequal) == pytest.approx(math.exp(entropy))
    entropy = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert effective_rank(unequal, power=1) == pytest.approx(math.exp(entropy))
    assert math.isnan(effective_rank(np.zeros((2, 2))))


def test_snapshots_are_stacked_in_order():
    circuit, _ = circuit_model(BASE, MODULI, [([(3, 1)], 40), ([(7, 2)], 40)])
    empty = replace(circuit, unembedding=np.zeros_like(circuit.unembedding))
    series = stack_progress(
        [(e, model_progress(w, DATASET)) for e, w in ((0, empty), (9, circuit))]
    )
    assert series.epochs.tolist() == [0, 9]
    assert series.moduli == MODULI
    np.testing.assert_allclose(series.restricted_loss[0], 1)
    assert series.restricted_loss[1, 0] < 0.05
    assert series.norm[0, -1] == 0
    assert np.isnan(series.effective_rank[0, -1])
    single = model_progress(circuit, DATASET)
    assert series.total_norm[1] == pytest.approx(np.linalg.norm(single.weights.norm))
    assert series.embedding_gini[1] == single.embedding_gini


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gini([1, -1]), "amounts 0 -1"),
        (lambda: effective_rank(np.zeros(3)), "two axes"),
        (lambda: effective_rank(np.eye(2), power=3), "power 3 1 2"),
        (lambda: logit_progress(np.zeros((3, 2)), DATASET), "[p²,V] (169,15)"),
        (lambda: stack_progress([]), "progress stack"),
        (
            lambda: task_progress(
                random_parameters(5, outputs=1), build_dataset(TaskConfig(task="waves", base=5), 0)
            ),
            "real output",
        ),
        (
            lambda: residues(build_dataset(TaskConfig(base=3, moduli=(9,)), 0)),
            "modulus 9 2 p² − 1 8",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
