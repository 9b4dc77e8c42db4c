"""Figures 20 to 23 and their check read back: every weight where it belongs."""

import numpy as np
import pytest

from analysis.planted import noise
from esch.svg_reading import mark_paths, path_marks, texts
from figures.drawn import panels, words
from miiii.analysis.parts.waves_fit import compare_waves
from miiii.esch import DARK, LIGHT
from miiii.figures.waves import (
    attention_weights,
    embedding_weights,
    mlp_weights,
    unembedding_weights,
)
from miiii.figures.waves_check import waves_check
from miiii.tasks.targets import waves
from wording import naming

WIDTH, HEADS, HEAD_WIDTH, NEURONS = 8, 2, 4, 12


def model(base=13, outputs=1):
    shapes = {
        "token_embedding": (base + 1, WIDTH),
        "position_embedding": (3, WIDTH),
        "blocks.0.query": (HEADS, WIDTH, HEAD_WIDTH),
        "blocks.0.key": (HEADS, WIDTH, HEAD_WIDTH),
        "blocks.0.value": (HEADS, WIDTH, HEAD_WIDTH),
        "blocks.0.output": (HEADS, HEAD_WIDTH, WIDTH),
        "blocks.0.mlp_in": (WIDTH, NEURONS),
        "blocks.0.mlp_out": (NEURONS, WIDTH),
        "unembedding": (WIDTH, outputs),
    }
    return {
        name: (1 + seed) * noise(shape, seed).astype(np.float32)
        for seed, (name, shape) in enumerate(shapes.items())
    }


def relative(values, largest=None):
    return np.asarray(values) / (np.abs(values).max() if largest is None else largest)


@pytest.mark.parametrize("style", [LIGHT, DARK])
def test_embeddings_share_a_scale_and_their_rows_are_dimensions(style):
    weights = model()
    drawing = embedding_weights(weights, title="Embeddings", style=style)
    read = panels(drawing, [(WIDTH, 14), *[(WIDTH, 1)] * 3])
    tokens, positions = weights["token_embedding"], weights["position_embedding"]
    largest = max(np.abs(tokens).max(), np.abs(positions).max())
    np.testing.assert_allclose(read[0], relative(tokens.T, largest), atol=0.01)
    for position in range(3):
        expected = relative(positions[position], largest)
        np.testing.assert_allclose(read[1 + position][:, 0], expected, atol=0.01)
    text = words(drawing)
    assert {"Embeddings", "W_E,tok", "W_E,pos"} <= set(texts(drawing.svg))
    assert "token: the digits 0 to 12, and = for “answer here”" in text
    assert texts(drawing.svg).count("=") == 2


def test_many_tokens_are_wrapped_and_none_is_lost():
    weights = model(base=113)
    drawing = embedding_weights(weights)
    first, *positions, second = panels(drawing, [(WIDTH, 57), *[(WIDTH, 1)] * 3, (WIDTH, 57)])
    largest = max(np.abs(weights[name]).max() for name in ("token_embedding", "position_embedding"))
    expected = relative(weights["token_embedding"].T, largest)
    np.testing.assert_allclose(np.hstack([first, second]), expected, atol=0.01)
    assert len(positions) == 3
    assert {"0", "56", "64", "104"} <= set(texts(drawing.svg))
    assert drawing.width < 480


@pytest.mark.parametrize("style", [LIGHT, DARK])
def test_every_head_has_its_four_matrices(style):
    weights = model()
    drawing = attention_weights(weights, title="Attention", style=style)
    read = panels(drawing, [(HEAD_WIDTH, WIDTH)] * 4 * HEADS)
    matrices = [
        *(weights[f"blocks.0.{name}"].transpose(0, 2, 1) for name in ("key", "query", "value")),
        weights["blocks.0.output"],
    ]
    for row, matrix in enumerate(matrices):
        np.testing.assert_allclose(read[2 * row : 2 * row + 2], relative(matrix), atol=0.01)
    labels = texts(drawing.svg)
    assert {"W_k", "W_q", "W_v", "W_o", "head 0", "head 1"} <= set(labels)
    # each row of panels states its scale
    stated = [float(label.removeprefix("■ = ")) for label in labels if label.startswith("■ = ")]
    assert stated == pytest.approx([np.abs(matrix).max() for matrix in matrices], rel=0.005)


@pytest.mark.parametrize("ordered", [True, False])
def test_neurons_are_the_same_columns_in_both_matrices(ordered):
    weights = model()
    inward, outward = weights["blocks.0.mlp_in"], weights["blocks.0.mlp_out"]
    order = list(range(NEURONS))
    if ordered:
        order.sort(key=lambda n: -np.sum(inward[:, n] ** 2.0) * np.sum(outward[n] ** 2.0))
        assert order != list(range(NEURONS))
    drawing = mlp_weights(weights, ordered=ordered)
    above, below = panels(drawing, [(WIDTH, NEURONS)] * 2)
    np.testing.assert_allclose(above, relative(inward[:, order]), atol=0.01)
    np.testing.assert_allclose(below, relative(outward[order].T), atol=0.01)
    rule = "in order of ‖w_in‖·‖w_out‖" if ordered else "as stored"
    assert f"neuron, {rule}" in words(drawing)


@pytest.mark.parametrize("outputs", [1, 5])
def test_the_unembedding_has_a_row_per_output(outputs):
    weights = model(outputs=outputs)
    drawing = unembedding_weights(weights, title="Unembedding")
    (read,) = panels(drawing, [(outputs, WIDTH)])
    np.testing.assert_allclose(read, relative(weights["unembedding"].T), atol=0.01)
    assert ("f(a, b)" in words(drawing)) == (outputs == 1)


def test_small_cells_tell_signs_by_colour():
    weights = model()
    wide = noise((4, 400))
    drawing = mlp_weights({**weights, "blocks.0.mlp_in": wide, "blocks.0.mlp_out": wide.T})
    marks = [mark for path in mark_paths(drawing.svg) for mark in path_marks(path)]
    assert all(mark.filled for mark in marks)
    assert {mark.colour for mark in marks} == {LIGHT.positive, LIGHT.negative}
    assert drawing.width < 500


def test_weights_of_zero_are_drawn_as_nothing():
    zeros = {name: np.zeros_like(weight) for name, weight in model().items()}
    for draw in (embedding_weights, attention_weights, mlp_weights, unembedding_weights):
        assert "all values are 0" in words(draw(zeros)) or "■ = 0" in words(draw(zeros))


@pytest.mark.parametrize("style", [LIGHT, DARK])
def test_the_check_shows_function_output_and_error(style):
    base = 9
    error = 0.1 * noise((base, base))
    fit = compare_waves(waves(base) + error.reshape(-1, 1), base)
    drawing = waves_check(fit, title="Check", style=style)
    turn = 2 * np.pi / base * np.arange(base)
    function = np.cos(turn)[None] + np.sin(turn)[:, None]
    found = {}
    for path in mark_paths(drawing.svg):
        for mark in path_marks(path):
            sign = {style.positive: 1, style.negative: -1}[mark.colour]
            cells = found.setdefault(mark.panel, {})
            cells[mark.cell] = sign * (mark.side / (0.9 * mark.pitch)) ** 2
    read = [cells for panel, cells in sorted(found.items()) if len(cells) > 1]
    for cells, grid in zip(read, (function, function + error, error), strict=True):
        matrix = np.zeros((base, base))
        for cell, value in cells.items():
            matrix[cell] = value
        np.testing.assert_allclose(matrix, relative(grid), atol=0.01)
    text = words(drawing)
    assert f"error, mean square {np.mean(error**2):.3g}" in text
    assert f"■ = {np.abs(error).max():.3g}" in text


def test_refusals():
    weights = model()
    without = {name: weight for name, weight in weights.items() if name != "unembedding"}
    with pytest.raises(ValueError, match=naming("weights hold 'unembedding' blocks.0.key")):
        unembedding_weights(without)
    with pytest.raises(ValueError, match=naming("token_embedding (3,) 2 axes")):
        embedding_weights({**weights, "token_embedding": np.ones(3)})
    with pytest.raises(ValueError, match=naming("position_embedding (3,2) [3 8")):
        embedding_weights({**weights, "position_embedding": np.ones((3, 2))})
    with pytest.raises(ValueError, match=naming("attention weights shapes")):
        attention_weights({**weights, "blocks.0.key": np.ones((1, WIDTH, HEAD_WIDTH))})
    with pytest.raises(ValueError, match=naming("mlp_in (8,12) mlp_out (3,8)")):
        mlp_weights({**weights, "blocks.0.mlp_out": np.ones((3, WIDTH))})
