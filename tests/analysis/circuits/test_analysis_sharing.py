"""The sharing index on matrices whose answer is known."""

import numpy as np
import pytest

from miiii.analysis.circuits.causal import CausalMatrix
from miiii.analysis.circuits.sharing import damage, sharing_index
from miiii.analysis.dynamics.sharing import stack_sharing
from miiii.analysis.scoring import TaskScores
from wording import naming

MODULI = (2, 3, 5, 7, 11, 13)
COUNT = len(MODULI)
EYE = np.eye(COUNT, dtype=bool)


def scores(accuracy):
    """Some accuracy with a loss that falls in step with it."""
    accuracy = np.asarray(accuracy, float)
    return TaskScores(1.2 * (1 - accuracy), accuracy)


def matrix(without, control=1.0, base=1.0, draws=4, spread=0.0, moduli=MODULI, removed="neurons"):
    size = len(moduli)
    noise = spread * np.random.default_rng(0).normal(size=(draws, size, size))
    return CausalMatrix(
        removed=removed,
        moduli=moduli,
        sizes=np.full(size, 10),
        numbers=100,
        base=scores(np.full(size, base)),
        without=scores(without),
        kept=None,
        control=scores(np.full((draws, size, size), control) + noise),
    )


def test_separate_circuits_have_index_zero_and_a_single_one_has_one():
    separate = sharing_index(matrix(np.where(EYE, 0.2, 1.0)))
    assert separate.index.value == pytest.approx(0)
    assert separate.own.value == pytest.approx(0.8)
    assert separate.control.value == pytest.approx(0)
    single = sharing_index(matrix(np.full((COUNT, COUNT), 0.2)))
    assert single.index.value == single.ratio.value == pytest.approx(1)
    assert (single.index.low, single.index.high) == pytest.approx((1, 1))


def test_the_index_is_damage_beyond_control_written_out():
    generator = np.random.default_rng(1)
    without = np.where(EYE, 0.2, 0.9) + 0.05 * generator.normal(size=(COUNT, COUNT))
    given = matrix(without, control=0.95, spread=0.02)
    result = sharing_index(given)
    own, others, own_raw, others_raw = [], [], [], []
    for i in range(COUNT):
        for j in range(COUNT):
            lost = 1.0 - without[i, j]
            at_random = np.mean([1.0 - draw[i, j] for draw in given.control.accuracy])
            (own if i == j else others).append(lost - at_random)
            (own_raw if i == j else others_raw).append(lost)
    assert result.index.value == pytest.approx(np.mean(others) / np.mean(own))
    assert result.ratio.value == pytest.approx(np.mean(others_raw) / np.mean(own_raw))
    assert result.own.value == pytest.approx(np.mean(own_raw))
    assert result.others.value == pytest.approx(np.mean(others_raw))
    for interval in (result.index, result.ratio, result.own, result.others, result.control):
        assert interval.low < interval.value < interval.high


def test_the_interval_covers_what_other_tasks_would_give():
    # Tasks of which a third share with all: the index of few tasks scatters as its interval says.
    generator = np.random.default_rng(5)
    size, hits = 12, 0
    for _ in range(60):
        shares = generator.random(size) < 1 / 3
        without = np.where(np.eye(size, dtype=bool) | shares[:, None], 0.2, 1.0)
        given = matrix(without, moduli=tuple(range(2, 2 + size)))
        result = sharing_index(given, resamples=300)
        hits += result.index.low <= 1 / 3 <= result.index.high
    assert 50 <= hits <= 60


def test_loss_counts_up_to_guessing():
    base, worse = (
        TaskScores(np.array([0.2, 1.5]), np.ones(2)),
        TaskScores(np.array([7.0, 9.0]), np.zeros(2)),
    )
    assert damage(base, worse, "loss").tolist() == [0.8, 0.0]
    assert damage(base, worse, "accuracy").tolist() == [1.0, 1.0]
    result = sharing_index(matrix(np.where(EYE, 0.0, 1.0)), "loss")
    assert result.own.value == 1.0


def test_without_damage_there_is_no_index():
    unlearnt = sharing_index(matrix(np.full((COUNT, COUNT), 0.3), control=0.3, base=0.3))
    assert np.isnan([unlearnt.index.value, unlearnt.index.low, unlearnt.ratio.value]).all()
    assert unlearnt.own.value == 0
    # Nor where one's own circuit costs no more than chance.
    chance = sharing_index(matrix(np.full((COUNT, COUNT), 0.5), control=0.5, spread=0.1))
    assert np.isnan(chance.index.value)
    assert chance.own.value == pytest.approx(0.5)


def test_few_tasks_and_chosen_tasks():
    one = sharing_index(matrix([[0.2]], moduli=(3,)))
    assert one.own.value == pytest.approx(0.8)
    assert np.isnan([one.index.value, one.others.value]).all()
    without = np.where(EYE, 0.2, 1.0)
    without[:, 5] = without[5, :] = 0.2
    chosen = np.arange(COUNT) < 5
    assert sharing_index(matrix(without), tasks=chosen).index.value == pytest.approx(0)
    assert sharing_index(matrix(without)).index.value == pytest.approx(10 / 30)
    none = sharing_index(matrix(without), tasks=np.zeros(COUNT, bool))
    assert np.isnan([none.index.value, none.own.value, none.control.value]).all()


def test_sharing_through_training_counts_the_tasks_solved_by_then():
    # Nothing, then three tasks with circuits of their own, then all six sharing one.
    untrained = matrix(np.full((COUNT, COUNT), 0.3), control=0.3, base=0.3)
    some = matrix(np.where(EYE, 0.2, 1.0))
    half = np.where(np.arange(COUNT) < 3, 1.0, 0.4)
    some = CausalMatrix(
        **{**vars(some), "base": scores(half), "without": scores(np.where(EYE, 0.1, half))}
    )
    merged = matrix(np.full((COUNT, COUNT), 0.2))
    series = stack_sharing([(0, untrained), (8, some), (64, merged)])
    assert series.epochs.tolist() == [0, 8, 64]
    assert series.solved.sum(axis=1).tolist() == [0, 3, 6]
    index = series.series("index")
    assert index.shape == (3, 3)
    assert np.isnan(index[0]).all()
    np.testing.assert_allclose(index[1:, 0], [0, 1], atol=1e-12)
    np.testing.assert_allclose(series.series("own")[1:, 0], [0.9, 0.8])
    assert series.points[1].tasks.tolist() == [True] * 3 + [False] * 3
    assert (series.removed, series.measure, series.threshold) == ("neurons", "accuracy", 0.9)


def test_resampling_is_seeded():
    given = matrix(np.where(EYE, 0.2, 0.9), control=0.95, spread=0.02)
    first, again = sharing_index(given, seed=3), sharing_index(given, seed=3)
    other = sharing_index(given, seed=4)
    assert first.index == again.index
    assert first.index != other.index
    narrow = sharing_index(given, level=0.5)
    assert narrow.index.high - narrow.index.low < first.index.high - first.index.low


GIVEN = matrix(np.where(EYE, 0.2, 1.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sharing_index(GIVEN, "margin"), "measure 'margin'"),
        (lambda: sharing_index(GIVEN, level=1.5), "level 1.5 share"),
        (lambda: sharing_index(GIVEN, resamples=0), "resamples 0"),
        (lambda: sharing_index(GIVEN, tasks=[1, 0]), "(2,) 6 booleans"),
        (lambda: stack_sharing([]), "causal matrices stack"),
        (lambda: stack_sharing([(4, GIVEN), (4, GIVEN)]), "epochs ascend [4,4]"),
        (lambda: stack_sharing([(0, GIVEN), (1, matrix([[0.2]], moduli=(3,)))]), "same tasks"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
