"""Figure 16 read back from what was drawn."""

import numpy as np
import pytest

from figures.drawn import panels, words
from miiii.analysis.parts.attention import attention_pattern
from miiii.figures.attention import attention
from wording import naming, says


def pattern(base, heads, seed=0):
    weights = np.random.default_rng(seed).dirichlet([1.0, 1.0, 0.3], size=(base**2, heads))
    return weights, attention_pattern(weights, base)


@pytest.mark.parametrize(("heads", "position"), [(1, "x0"), (4, "x0"), (8, "x1"), (4, "answer")])
def test_marks_are_the_weights_of_each_head(heads, position):
    weights, measured = pattern(11, heads)
    drawing = attention(measured, (position,), title="run")
    column = ("x0", "x1", "answer").index(position)
    for head, read in enumerate(panels(drawing, [(11, 11)] * heads)):
        for number in range(121):
            expected = weights[number, head, column]
            assert read[number // 11, number % 11] == pytest.approx(expected, abs=0.02)
    text = words(drawing)
    for head in range(heads):
        x0, x1, answer = weights[:, head].mean(axis=0)
        entropy = -(weights[:, head] * np.log(weights[:, head])).sum(axis=1).mean()
        assert (
            f"head {head} x0 {x0:.2f}, x1 {x1:.2f} answer {answer:.2f} entropy {entropy:.2f} nats"
        ) in text
    assert says(text, f"answer to {position}")


def test_several_positions_stand_side_by_side_and_sum_to_one():
    weights, measured = pattern(7, 3)
    drawing = attention(measured, ("x0", "answer", "x1"))
    read = np.array(panels(drawing, [(7, 7)] * 9)).reshape(3, 3, 7, 7)
    np.testing.assert_allclose(read.sum(axis=1), 1, atol=0.03)
    np.testing.assert_allclose(read[1, 1].ravel(), weights[:, 1, 2], atol=0.02)
    text = words(drawing)
    for head in range(3):
        mean = weights[:, head].mean(axis=0)
        order = [f"x0 {mean[0]:.2f}", f"answer {mean[2]:.2f}", f"x1 {mean[1]:.2f}"]
        assert all(label in text for label in order)
        assert f"head {head} entropy" in text


def test_a_full_mark_is_weight_one_even_where_no_weight_is():
    weights = np.tile([0.25, 0.5, 0.25], (25, 2, 1))
    read = panels(attention(attention_pattern(weights, 5)), [(5, 5)] * 2)
    np.testing.assert_allclose(read, 0.25, atol=0.01)


def test_pictures_stay_small_at_p_113():
    _, measured = pattern(113, 8)
    assert 100_000 < len(attention(measured, ("x0", "x1", "answer")).svg) < 1_000_000


@pytest.mark.parametrize("positions", [(), ("x2",), ("x0", "x0")])
def test_refusals(positions):
    with pytest.raises(ValueError, match=naming("positions x0,x1")):
        attention(pattern(3, 1)[1], positions)
