"""Panels as images: the same areas as pixels, and small files."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from svg_reading import images, mark_paths, marks, root

from miiii.esch import DARK, LIGHT, draw
from miiii.esch.image import coverage, pixels_per_cell, png, raster, rgb
from miiii.esch.marks import Look, layers

PAGE_16 = (4, 4, 113, 113)


def panel_layers(values, sign="outline", shape="square"):
    values = np.array(values, dtype=float)
    sides = np.sqrt(np.abs(np.nan_to_num(values)))
    return layers(values, sides, Look.of(LIGHT, shape, sign, 1.0))


@pytest.mark.parametrize("pixels", [3, 4, 7, 12])
def test_pixels_cover_the_area_that_the_mark_stands_for(pixels):
    values = np.linspace(0.01, 1, 25)[None]
    (squares,) = panel_layers(values)
    np.testing.assert_allclose(coverage(squares, pixels).sum((1, 2)) / pixels**2, values[0])
    (discs,) = panel_layers(values, shape="circle")
    found = coverage(discs, pixels).sum((1, 2)) / pixels**2
    np.testing.assert_allclose(found, np.pi / 4 * values[0], rtol=0.12, atol=0.01)


def test_outlines_are_open_in_the_middle():
    (layer,) = panel_layers([[-1.0]])
    found = coverage(layer, 12)[0]
    assert found[0].min() > 0.99
    assert found[5, 5] == 0


def test_an_image_is_in_the_right_place_and_colour():
    values = np.array([[1.0, 0.0, np.nan], [-1.0, 1.0, 0.0]])
    indices, palette = raster(panel_layers(values, sign="colour"), 2, 3, 5, LIGHT.background)
    cells = palette[indices].reshape(2, 5, 3, 5, 3)[:, 2, :, 2]  # the middle pixel of each cell
    expected = {
        (0, 0): LIGHT.positive,
        (0, 1): LIGHT.background,
        (0, 2): LIGHT.accent,
        (1, 0): LIGHT.negative,
        (1, 1): LIGHT.positive,
        (1, 2): LIGHT.background,
    }
    for cell, colour in expected.items():
        np.testing.assert_array_equal(cells[cell], rgb(colour))


@pytest.mark.parametrize("colours", [2, 16, 17, 46])
@pytest.mark.parametrize("width", [1, 8, 9])
def test_the_png_is_read_back_as_it_was(colours, width):
    random = np.random.default_rng(colours + width)
    indices = random.integers(0, colours, (5, width)).astype(np.uint8)
    palette = random.integers(0, 256, (colours, 3)).astype(np.uint8)
    data = png(indices, palette)
    assert png(indices, palette) == data  # files of equal runs are equal in bytes
    image = Image.open(io.BytesIO(data))
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), palette[indices])


def test_images_stand_where_the_vectors_would():
    array = np.random.default_rng(0).normal(size=(2, 1, 6, 9))
    vector = root(draw("r c h w", array, panels="vector", show_key=False).svg)
    image = root(draw("r c h w", array, panels="image", show_key=False).svg)
    panels = list(dict.fromkeys((mark.panel, mark.pitch) for mark in marks(vector)))
    pictures = [e.attrib for e in image.iter() if e.tag.endswith("image")]
    assert len(panels) == len(pictures) == 2
    for (corner, pitch), picture in zip(panels, pictures, strict=True):
        assert (float(picture["x"]), float(picture["y"])) == pytest.approx(corner)
        assert float(picture["width"]) == pytest.approx(9 * pitch, abs=0.01)
        assert float(picture["height"]) == pytest.approx(6 * pitch, abs=0.01)


def test_images_are_chosen_above_the_stated_number_of_marks():
    array = np.ones((10, 10))
    assert mark_paths(draw("h w", array, vector_limit=100, show_key=False).svg)
    assert images(draw("h w", array, vector_limit=99, show_key=False).svg)
    assert not images(draw("h w", array, vector_limit=99, panels="vector").svg)
    assert images(draw("h w", array, panels="image").svg)
    assert not images(draw("h w", np.eye(10), vector_limit=10).svg)  # zeros are no marks


@pytest.mark.parametrize("kind", ["positive", "signed", "negative"])
def test_sixteen_panels_of_113_by_113_stay_small(kind):
    array = np.random.default_rng(0).normal(size=PAGE_16)
    array = {"positive": abs(array), "signed": array, "negative": -abs(array)}[kind]
    vector = draw("n c h w", array, panels="vector", x_ticks=[0, 112], y_ticks=[0, 112])
    assert len(vector.svg.encode()) < 6e6
    assert not images(vector.svg)
    automatic = draw("n c h w", array, x_ticks=[0, 112], y_ticks=[0, 112])
    assert len(images(automatic.svg)) == 16
    assert len(automatic.svg.encode()) < 1e6


def test_dark_images_are_dark():
    (uri,) = images(draw("h w", np.eye(4), panels="image", style=DARK).svg)
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    each = pixels.shape[0] // 4
    np.testing.assert_array_equal(pixels[each // 2, each // 2], rgb(DARK.foreground))
    np.testing.assert_array_equal(pixels[each // 2, each + each // 2], rgb(DARK.background))


def test_cells_have_whole_pixels_within_bounds():
    assert [pixels_per_cell(pitch) for pitch in (0.2, 1.0, 2.0, 14.0)] == [3, 5, 9, 12]


def test_colours_of_another_form_are_refused():
    with pytest.raises(ValueError, match="colour: expected '#rrggbb', found 'red'"):
        rgb("red")
