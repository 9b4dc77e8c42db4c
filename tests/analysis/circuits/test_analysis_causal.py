"""The causal matrix against models that are run again, and circuits planted apart or together."""

import math

import numpy as np
import pytest

from analysis.planted import random_parameters
from analysis.planted_circuits import circuit_model, with_noise
from miiii.analysis.circuits.ablation import (
    ablate,
    fix_at_mean,
    keep_functions,
    remove_digit_waves,
    remove_functions,
    remove_heads,
)
from miiii.analysis.circuits.causal import attributed_neurons, harmonic_removal, neuron_removal
from miiii.analysis.circuits.causal_inputs import embedding_removal, head_removal
from miiii.analysis.circuits.serving import served_tasks
from miiii.analysis.circuits.sharing import damage, sharing_index
from miiii.analysis.circuits.subspaces import BasisSubspace, random_subspace
from miiii.analysis.harmonics.task_harmonics import task_harmonics
from miiii.analysis.recording import record
from miiii.analysis.scoring import score_tasks
from miiii.streams import Stream, generator
from miiii.tasks.config import TaskConfig
from miiii.tasks.dataset import build_dataset
from wording import naming

BASE, MODULI = 5, (2, 3)
MODEL = random_parameters(BASE, neurons=6, outputs=5)
DATASET = build_dataset(TaskConfig(base=BASE, moduli=MODULI), 0)


def brute_scores(logits, targets, class_sizes):
    """Loss in units of guessing and accuracy, number by number."""
    losses, rights = np.zeros(len(class_sizes)), np.zeros(len(class_sizes))
    for row, labels in zip(logits, targets, strict=True):
        start = 0
        for task, (size, label) in enumerate(zip(class_sizes, labels, strict=True)):
            own = [float(value) for value in row[start : start + size]]
            start += size
            total = sum(math.exp(value - own[label]) for value in own)
            losses[task] += math.log(total) / math.log(size) / len(logits)
            others = own[:label] + own[label + 1 :]
            rights[task] += (own[label] > max(others)) / len(logits)
    return losses, rights


def check(scores, place, logits, numbers=slice(None)):
    losses, rights = brute_scores(logits[numbers], DATASET.targets[numbers], DATASET.class_sizes)
    np.testing.assert_allclose(scores.loss[place], losses, rtol=1e-9)
    np.testing.assert_allclose(scores.accuracy[place], rights)


def test_scores_are_those_of_the_definition():
    logits = np.random.default_rng(0).normal(0, 3, (25, 5))
    logits[0] = 1.0  # a tie is wrong
    before = logits.copy()
    scores = score_tasks(logits, DATASET.targets, DATASET.class_sizes)
    check(scores, ..., logits)
    np.testing.assert_array_equal(logits, before)
    guess = score_tasks(np.zeros((25, 5)), DATASET.targets, DATASET.class_sizes)
    np.testing.assert_allclose(guess.loss, 1)
    assert guess.accuracy.tolist() == [0, 0]
    huge = score_tasks(1e4 * logits, DATASET.targets, DATASET.class_sizes)
    assert np.isfinite(huge.loss).all()


@pytest.mark.parametrize("numbers", [None, [3, 7, 24, 11]])
def test_removed_harmonics_are_those_of_a_model_run_again(numbers):
    result = harmonic_removal(MODEL, DATASET, draws=2, seed=5, numbers=numbers)
    chosen = slice(None) if numbers is None else numbers
    check(result.base, ..., ablate(MODEL), chosen)
    for row, modulus in enumerate(MODULI):
        task = task_harmonics(BASE, modulus)
        check(result.without, row, ablate(MODEL, remove_functions(task)), chosen)
        check(result.kept, row, ablate(MODEL, keep_functions(task)), chosen)
    controls = generator(Stream.CIRCUIT_CONTROLS, 5)
    for draw in range(2):
        functions = random_subspace(BASE, 2, controls).functions
        for row, size in enumerate((1, 2)):
            logits = ablate(MODEL, remove_functions(BasisSubspace(BASE, functions[:, :size])))
            check(result.control, (draw, row), logits, chosen)
    assert result.numbers == (25 if numbers is None else 4)
    assert result.sizes.tolist() == [1, 2]


def test_removed_neurons_are_those_of_a_model_run_again():
    groups = [[4, 1, 3], []]
    result = neuron_removal(MODEL, DATASET, groups, draws=2, seed=1)
    check(result.without, 0, ablate(MODEL, fix_at_mean(groups[0])))
    check(result.without, 1, ablate(MODEL))
    check(result.kept, 0, ablate(MODEL, fix_at_mean([0, 2, 5])))
    check(result.kept, 1, ablate(MODEL, fix_at_mean(np.arange(6))))
    controls = generator(Stream.CIRCUIT_CONTROLS, 1)
    for draw in range(2):
        order = controls.permutation(6)
        check(result.control, (draw, 0), ablate(MODEL, fix_at_mean(order[:3])))
        check(result.control, (draw, 1), ablate(MODEL))
    assert result.sizes.tolist() == [3, 0]


def test_single_precision_weights_are_scored_in_double():
    single = random_parameters(BASE, neurons=6, outputs=5, dtype=np.float32)
    found = neuron_removal(single, DATASET, [[0], [1]], draws=1)
    double = neuron_removal(MODEL, DATASET, [[0], [1]], draws=1)
    assert found.without.loss.dtype == np.float64
    np.testing.assert_allclose(found.without.loss, double.without.loss, rtol=1e-5)


def test_removed_heads_and_embeddings_are_those_of_a_model_run_again():
    heads = head_removal(MODEL, DATASET, draws=2)
    for head in range(2):
        check(heads.without, head, ablate(MODEL, remove_heads([head])))
    assert heads.control.loss.shape == (2, 2)
    assert not np.allclose(heads.control.loss[0], heads.control.loss[1])
    matched = attributed_neurons(MODEL, MODULI, draws=1)
    found = embedding_removal(MODEL, DATASET, matched, draws=2)
    for row, modulus in enumerate(MODULI):
        harmonics = matched.harmonics_of(row)
        over_x0 = [k / modulus for k in harmonics]
        over_x1 = [k * BASE / modulus for k in harmonics]
        check(found.without, row, ablate(MODEL, remove_digit_waves(over_x0, over_x1)))
        assert found.sizes[row] == len(harmonics)
    assert found.control.loss.shape == (2, 2, 2)
    assert found.kept is None


PLANTED = (3, 5, 7)
PLANTED_DATASET = build_dataset(TaskConfig(base=13, moduli=PLANTED), 0)
SEPARATE = [([(3, 1)], 60), ([(5, 2)], 60), ([(7, 3)], 60)]
SHARED = [([(3, 1), (5, 2)], 120), ([(7, 3)], 60)]
GUESSING = np.array([1 / 3, 1 / 5, 1 / 7])


def planted(circuits, noise):
    parameters, groups = circuit_model(13, PLANTED, circuits)
    return (with_noise(parameters, noise) if noise else parameters), groups


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_separate_circuits_are_read_back_and_proved_separate(noise):
    parameters, groups = planted(SEPARATE, noise)
    found = attributed_neurons(parameters, PLANTED)
    for task, (group, harmonic) in enumerate(zip(groups, (1, 2, 3), strict=True)):
        np.testing.assert_array_equal(found.groups()[task], group)
        assert set(found.harmonic[group]) == {harmonic}
        assert np.median(found.share[group]) > 0.98
    assert np.median(found.belief) > 0.95
    hidden = record(parameters, "mlp_hidden")["mlp_hidden"]
    served = served_tasks(hidden, 13, PLANTED)
    for task, group in enumerate(groups):
        np.testing.assert_array_equal(served.served[group], np.eye(3, dtype=bool)[[task] * 60])
    matrix = neuron_removal(parameters, PLANTED_DATASET)
    assert matrix.base.accuracy.min() > 0.98
    np.testing.assert_allclose(np.diag(matrix.without.accuracy), GUESSING, atol=0.02)
    off = ~np.eye(3, dtype=bool)
    untouched = np.tile(matrix.base.accuracy, (3, 1))
    np.testing.assert_allclose(matrix.without.accuracy[off], untouched[off], atol=0.01)
    # What is kept alone does its own task and guesses at the others.
    np.testing.assert_allclose(np.diag(matrix.kept.accuracy), matrix.base.accuracy, atol=0.01)
    assert (matrix.kept.accuracy - GUESSING)[off].max() < 0.1
    for measure in ("accuracy", "loss"):
        index = sharing_index(matrix, measure)
        assert index.index.low <= index.index.value <= index.index.high < 0.05
        assert index.ratio.high < 0.02
        assert index.own.low > 0.5
    np.testing.assert_array_equal(beyond_controls(matrix), np.eye(3, dtype=bool))


def beyond_controls(matrix):
    """[N, N]: which tasks lose more without a circuit than without any control's functions."""
    controls = damage(matrix.base, matrix.control)
    return damage(matrix.base, matrix.without) > controls.max(axis=0)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_shared_circuit_is_told_from_separate_ones(noise):
    parameters, (both, other) = planted(SHARED, noise)
    # With few draws the null's far quantile, and so a neuron's weaker task, is a matter of luck.
    served = served_tasks(record(parameters, "mlp_hidden")["mlp_hidden"], 13, PLANTED, draws=40)
    assert served.served[both, :2].any(axis=1).mean() > 0.9
    assert served.served[both, :2].all(axis=1).mean() > 0.2
    assert not served.served[both, 2].any()
    np.testing.assert_array_equal(served.served[other], [[False, False, True]] * 60)
    shared = neuron_removal(parameters, PLANTED_DATASET, [both, both, other], draws=20)
    separate_model, groups = planted(SEPARATE, noise)
    separate = neuron_removal(separate_model, PLANTED_DATASET, groups, draws=20)
    # Without the neurons of either of the two, both guess; the third does not notice.
    np.testing.assert_allclose(
        shared.without.accuracy[:2, :2], np.tile(GUESSING[:2], (2, 1)), atol=0.02
    )
    assert shared.without.accuracy[:2, 2].min() > 0.98
    assert shared.without.accuracy[2, :2].min() > 0.98
    # Of six pairs two share everything.
    together, apart = sharing_index(shared), sharing_index(separate)
    assert together.ratio.value == pytest.approx(1 / 3, abs=0.1)
    assert apart.ratio.value < 0.01
    beyond = beyond_controls(shared)
    assert beyond[[0, 1, 2, 0, 1], [0, 1, 2, 1, 0]].all()
    assert not beyond[[0, 1, 2, 2], [2, 2, 0, 1]].any()


def test_removed_harmonics_cannot_tell_shared_neurons_from_separate_ones():
    for circuits in (SEPARATE, SHARED):
        parameters, _ = planted(circuits, 0.0)
        matrix = harmonic_removal(parameters, PLANTED_DATASET)
        off = ~np.eye(3, dtype=bool)
        assert (np.diag(matrix.without.accuracy) < GUESSING + 0.2).all()
        assert matrix.without.accuracy[off].min() > 0.98
        np.testing.assert_allclose(np.diag(matrix.kept.accuracy), 1, atol=0.01)
        assert sharing_index(matrix).ratio.high < 0.01


def test_frequencies_and_heads_of_the_planted_model_are_needed():
    parameters, _ = planted(SEPARATE, 0.0)
    heads = head_removal(parameters, PLANTED_DATASET, draws=1)
    np.testing.assert_allclose(heads.without.accuracy, np.tile(GUESSING, (2, 1)), atol=0.15)
    matrix = embedding_removal(parameters, PLANTED_DATASET, draws=1)
    assert matrix.sizes.tolist() == [1, 1, 1]
    # Without its one frequency a task is lost.
    np.testing.assert_allclose(np.diag(matrix.without.accuracy), GUESSING, atol=0.15)


def test_divisibility_is_scored_on_its_own_classes():
    dataset = build_dataset(TaskConfig(base=BASE, moduli=(4, 3), target="divisibility"), 0)
    parameters = random_parameters(BASE, neurons=6, outputs=4)
    matrix = harmonic_removal(parameters, dataset, draws=1)
    assert matrix.sizes.tolist() == [3, 2]
    losses, rights = brute_scores(ablate(parameters), dataset.targets, (2, 2))
    np.testing.assert_allclose(matrix.base.loss, losses)
    np.testing.assert_allclose(matrix.base.accuracy, rights)


WAVES = build_dataset(TaskConfig(task="waves", base=BASE), 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: neuron_removal(MODEL, DATASET, [[1]]), "groups 1 task 2"),
        (lambda: neuron_removal(MODEL, DATASET, [[1], [6]]), "neuron outside 0 5"),
        (lambda: harmonic_removal(MODEL, DATASET, draws=0), "draws 0 1"),
        (lambda: harmonic_removal(MODEL, DATASET, numbers=[25]), "numbers 25"),
        (lambda: harmonic_removal(MODEL, DATASET, numbers=[]), "numbers list"),
        (lambda: head_removal(MODEL, WAVES), "real output"),
        (lambda: score_tasks(np.ones((3, 5)), np.ones((3, 2), int), (2, 2)), "(3,4)"),
        (
            lambda: embedding_removal(MODEL, DATASET, attributed_neurons(MODEL, (2,), draws=1)),
            "matched moduli (2,) (2,3)",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
