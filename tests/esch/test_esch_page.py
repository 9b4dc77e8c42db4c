"""The page: nothing overlaps, nothing is clipped, ticks stand at their cells."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from svg_reading import SVG, key_entries, marks, root, texts

from miiii.esch import DARK, draw
from miiii.esch.scene import Lines, Text, extent
from wording import naming

WORDS = [
    "a",
    "on",
    "neuron",
    "x₀",
    "W_E",
    "validation",
    "accuracy",
    "1,024",
    "antidisestablishmentarianism",
    "mod",
    "p",
]


def sentence(source, most):
    return " ".join(source.choice(WORDS) for _ in range(source.randint(1, most)))


def labelled(seed):
    """A drawing with labels and ticks of every kind, long and short, wherever there may be."""
    source = random.Random(seed)
    rows, columns = source.randint(1, 4), source.randint(1, 4)
    height, width = source.choice([1, 2, 5, 30]), source.choice([1, 2, 5, 30])
    count = rows * columns

    def maybe(make):
        return make() if source.random() < 0.6 else None

    def ticks(size):
        some = source.sample(range(size), source.randint(1, min(size, 9)))
        return source.choice(
            [
                some,
                [sentence(source, 1) for _ in range(size)],
                {cell: sentence(source, 2) for cell in some},
                [{source.randrange(size): sentence(source, 2)} for _ in range(count)],
            ]
        )

    array = np.random.default_rng(seed).normal(size=(rows, columns, height, width))
    return draw(
        "r c h w",
        array,
        title=maybe(lambda: sentence(source, 12)),
        x_label=maybe(lambda: sentence(source, 12)),
        y_label=maybe(lambda: sentence(source, 12)),
        row_labels=maybe(lambda: [sentence(source, 4) for _ in range(rows)]),
        column_labels=maybe(lambda: [sentence(source, 4) for _ in range(columns)]),
        panel_labels=maybe(lambda: [sentence(source, 3) for _ in range(count)]),
        x_ticks=maybe(lambda: ticks(width)),
        y_ticks=maybe(lambda: ticks(height)),
        normalise=source.choice(["drawing", "panel", "row", "strip"]),
        width=source.choice([60, 200, 468, 800]),
        height=source.choice([60, 300, 648]),
        cell=source.choice([None, None, 1, 20]),
        panels="image",
    )


def text_boxes(drawing, shrink=0.08):
    """Boxes of all texts; a little smaller, since an em's height has air in it."""
    for item in drawing.scene.items:
        if isinstance(item, Text):
            left, top, right, bottom = extent(item)
            by = shrink * item.size
            yield (left + by, top + by, right - by, bottom - by), item.text


def panel_boxes(drawing):
    edges = next(item for item in drawing.scene.items if isinstance(item, Lines)).segments
    for first in range(0, len(edges), 4):
        (left, top, right, _), (_, _, _, bottom) = edges[first : first + 2]
        yield left, top, right, bottom


def meet(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_no_text_meets_another_a_panel_or_the_edge(seed):
    drawing = labelled(seed)
    boxes = list(text_boxes(drawing))
    for (one, first), (other, second) in itertools.combinations(boxes, 2):
        assert not meet(one, other), (first, second)
    for panel in panel_boxes(drawing):
        for box, text in boxes:
            assert not meet(box, panel), text
    for box, text in boxes:
        assert box[0] >= 0, text
        assert box[1] >= 0, text
        assert box[2] <= drawing.width, text
        assert box[3] <= drawing.height, text


def test_panels_do_not_meet():
    drawing = draw("r c h w", np.ones((3, 4, 5, 6)), gap=1)
    boxes = list(panel_boxes(drawing))
    assert len(boxes) == 12
    assert not any(meet(a, b) for a, b in itertools.combinations(boxes, 2))


@pytest.mark.parametrize("shape", [(1, 1, 3, 3), (4, 4, 37, 37), (2, 1, 29, 80), (1, 6, 2, 200)])
@pytest.mark.parametrize("width", [234.0, 468.0])
def test_pages_keep_to_the_size_asked_for(shape, width):
    drawing = draw("r c h w", np.ones(shape), width=width, height=400, x_ticks=[0])
    assert drawing.width <= width + 0.01
    assert drawing.height <= 400.01
    assert root(drawing.svg).attrib["viewBox"] == f"0 0 {drawing.width:g} {drawing.height:g}"


def test_long_labels_are_broken_to_keep_to_the_page():
    label = "a label that goes on and on " * 8
    drawing = draw("h w", np.ones((9, 9)), title=label, x_label=label, y_label=label, width=300)
    assert drawing.width <= 300.01


def test_labels_of_both_axes_of_a_tiny_panel_do_not_meet():
    labels = {"x_label": "a label much wider than the panel", "y_label": "antidisestablishment"}
    boxes = list(text_boxes(draw("h w", [[1]], cell=5, show_key=False, **labels)))
    assert len(boxes) >= 2
    assert not any(meet(a, b) for (a, _), (b, _) in itertools.combinations(boxes, 2))


def test_the_cell_may_be_chosen():
    found = marks(root(draw("h w", np.ones((4, 7)), cell=5, show_key=False).svg))
    assert {round(mark.pitch, 6) for mark in found} == {5.0}


def test_ticks_stand_at_the_middle_of_their_cells():
    array = np.ones((30, 40))
    svg = draw("h w", array, x_ticks={3: "three", 39: "last"}, y_ticks=[0, 29], show_key=False).svg
    by_cell = {mark.cell: mark for mark in marks(root(svg))}
    places = {e.text: e.attrib for e in root(svg).iter(f"{SVG}text")}
    assert float(places["three"]["x"]) == pytest.approx(by_cell[0, 3].x, abs=0.01)
    assert float(places["last"]["x"]) == pytest.approx(by_cell[0, 39].x, abs=0.01)
    for label, row in (("0", 0), ("29", 29)):
        size = float(places[label]["font-size"])
        middle = float(places[label]["y"]) - 0.365 * size
        assert middle == pytest.approx(by_cell[row, 0].y, abs=0.01)
        assert places[label]["text-anchor"] == "end"


def test_ticks_of_panels_may_differ():
    svg = draw("r w", np.ones((2, 50)), x_ticks=[{5: "half"}, {30: "most"}], show_key=False).svg
    columns = {mark.cell[1]: mark.x for mark in marks(root(svg))}
    places = {e.text: float(e.attrib["x"]) for e in root(svg).iter(f"{SVG}text")}
    assert places["half"] == pytest.approx(columns[5], abs=0.01)
    assert places["most"] == pytest.approx(columns[30], abs=0.01)


def test_crowded_labels_turn_or_are_left_out_but_their_ticks_stay():
    turned = draw("w", np.ones(40), x_ticks=[f"label {i}" for i in range(40)])
    labels = [e for e in root(turned.svg).iter(f"{SVG}text") if "label" in (e.text or "")]
    assert len(labels) == 40
    assert all(label.attrib["transform"].startswith("rotate(-90") for label in labels)
    crowded = draw("h w", np.ones((2, 300)), x_ticks=range(300), width=300)
    shown = [text for text in texts(crowded.svg) if text.isdigit()]
    assert {"0", "299"} <= set(shown)
    assert 5 < len(shown) < 60
    ticks = [item for item in crowded.scene.items if isinstance(item, Lines)][1]
    assert len(ticks.segments) == 300


def test_a_strip_of_29_tasks_shows_every_label():
    tasks = [str(task) for task in range(100, 129)]
    drawing = draw("h w", np.ones((29, 64)), y_ticks=tasks, x_ticks={0: "1", 63: "65,536"})
    assert set(tasks) <= set(texts(drawing.svg))


def test_text_stays_text_whatever_its_characters():
    label = 'x₀ < "p" & λ = ½ $5 \x00'
    svg = draw("h w", [[1]], title=label).svg
    assert texts(svg)[-1] == 'x₀ < "p" & λ = ½ $5 \ufffd'
    assert root(svg).find(f"{SVG}title") is not None


def test_labels_are_in_their_places():
    svg = draw(
        "r c h w",
        np.ones((2, 2, 4, 4)),
        row_labels=["upper", "lower"],
        column_labels=["left", "right"],
        panel_labels=[["a", "b"], ["c", "d"]],
        x_label="across",
        y_label="down",
        cell=10,
    ).svg
    at = {
        e.text: (float(e.attrib["x"]), float(e.attrib["y"])) for e in root(svg).iter(f"{SVG}text")
    }
    assert at["upper"][1] < at["lower"][1]
    assert at["left"][0] == at["a"][0] == at["c"][0] < at["right"][0] == at["b"][0] == at["d"][0]
    assert at["left"][1] < at["a"][1] < at["c"][1] < at["across"][1]
    assert at["down"][0] < at["upper"][0] < at["a"][0]


def test_the_key_shows_marks_of_the_size_they_have_in_panels():
    svg = draw("h w", np.array([[1.0, 2.0], [4.0, -4.0]]), cell=20).svg
    panel, key = marks(root(svg)), key_entries(svg)
    for value, text in ((1.0, "1"), (2.0, "2"), (4.0, "4"), (-4.0, "\u22124")):
        cell = {1.0: (0, 0), 2.0: (0, 1), 4.0: (1, 0), -4.0: (1, 1)}[value]
        in_panel = next(m for m in panel if m.cell == cell and m.panel == panel[0].panel)
        assert key[text].side == pytest.approx(in_panel.side, rel=0.01)
        assert key[text].filled == in_panel.filled


def test_a_magnified_key_says_so_and_keeps_proportions():
    svg = draw("h w", np.array([[1.0, 4.0]]), cell=1.5).svg
    key = key_entries(svg)
    assert any("key magnified" in text for text in texts(svg))
    assert key["4"].side ** 2 == pytest.approx(4 * key["1"].side ** 2, rel=0.01)
    assert key["4"].side > 5


def test_the_key_names_the_value_and_can_be_left_out():
    assert "area \u221d accuracy" in texts(draw("h w", [[1]], value_label="accuracy", cell=9).svg)
    signed = draw("h w", [[-1]], value_label="weight", magnitude="side", cell=9)
    assert "side \u221d |weight|" in texts(signed.svg)
    assert texts(draw("h w", [[1]], show_key=False).svg) == []
    assert "all values are 0" in texts(draw("h w", [[0]]).svg)


def test_the_dark_variant_is_light_on_dark():
    svg = draw("h w", [[1]], style=DARK, title="Night").svg
    assert root(svg).find(f"{SVG}rect").attrib["fill"] == DARK.background
    assert {mark.colour for mark in marks(root(svg))} == {DARK.foreground}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"row_labels": ["a"]}, "row_labels 2 axis r"),
        ({"column_labels": []}, None),
        ({"column_labels": ["a"]}, "column_labels 3 panels"),
        ({"panel_labels": ["a"] * 5}, "panel_labels 6 panel 5"),
        ({"frame_labels": ["a"]}, "frame_labels axis t none"),
        ({"row_labels": "ab"}, "row_labels labels text 'ab'"),
        ({"x_ticks": [5]}, "x_ticks axis w 0..4 5"),
        ({"y_ticks": {-1: "a"}}, "y_ticks axis h 0..3 -1"),
        ({"y_ticks": ["a"]}, "y_ticks 4 axis h 1"),
        ({"x_ticks": [{0: "a"}]}, "x_ticks 6 panel 1"),
        ({"x_ticks": [0.5]}, "x_ticks whole 0.5"),
        ({"x_ticks": 3}, "x_ticks mappings 3"),
    ],
)
def test_labels_that_do_not_fit_are_refused_by_name(options, message):
    array = np.ones((2, 3, 4, 5))
    if message is None:
        assert draw("r c h w", array, **options).svg == draw("r c h w", array).svg
        return
    with pytest.raises(ValueError, match=naming(message)):
        draw("r c h w", array, **options)
