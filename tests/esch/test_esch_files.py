"""Files: every format is what it says it is, and is written whole or not at all."""

import re
import zlib

import numpy as np
import pytest
from PIL import Image

from miiii.esch import LIGHT, canvas, draw
from miiii.esch.image import rgb
from wording import naming

ARRAY = np.array([[1.0, -1.0, 0.0], [0.25, np.nan, 1.0]])


def pdf_streams(data):
    """Everything compressed in a PDF, unpacked."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.S)
    unpacked = []
    for stream in streams:
        try:
            unpacked.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return unpacked


def test_svg_is_what_the_drawing_shows(tmp_path):
    drawing = draw("h w", ARRAY, title="λ")
    path = drawing.save(tmp_path / "a.svg")
    assert path.read_text(encoding="utf-8") == drawing.svg == drawing._repr_svg_()
    assert drawing.svg in drawing._repr_html_()


@pytest.mark.parametrize("dpi", [50, 144])
def test_png_has_the_size_asked_for_and_marks_in_their_places(tmp_path, dpi):
    drawing = draw("h w", ARRAY, cell=20, show_key=False)
    with Image.open(drawing.save(tmp_path / "a.png", dpi=dpi)) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    scale = dpi / 72
    assert abs(pixels.shape[1] - drawing.width * scale) <= 1
    assert abs(pixels.shape[0] - drawing.height * scale) <= 1

    def at(row, column):
        x, y = drawing.scene.anchor
        down = int((y + 20 * (row + 0.5)) * scale)
        return pixels[down, int((x + 20 * (column + 0.5)) * scale)]

    np.testing.assert_array_equal(at(0, 0), rgb(LIGHT.foreground))  # filled
    np.testing.assert_array_equal(at(0, 1), rgb(LIGHT.background))  # outlined
    np.testing.assert_array_equal(at(0, 2), rgb(LIGHT.background))  # zero
    assert at(1, 1)[0] > at(1, 1)[1] + 40  # the middle of a cross


@pytest.mark.parametrize("panels", ["vector", "image"])
def test_png_of_vectors_and_of_images_have_the_same_ink(panels):
    array = np.random.default_rng(0).uniform(0, 1, (12, 12))
    drawing = draw("h w t", array[..., None], cell=12, panels=panels, show_key=False)
    (picture,) = canvas.pictures(drawing.scene, 144)
    share = (255 - picture.astype(float)).sum() / 3 / 255 / (2 * 12) ** 2
    # The frame's hairline is ink too.
    assert share == pytest.approx(0.81 * array.sum(), rel=0.06)


@pytest.mark.parametrize("panels", ["vector", "image"])
def test_marks_of_a_pixel_or_two_keep_their_area(panels):
    # Snapped to pixels or picked from the nearest one, each would cover 1 or 4 pixels.
    array = np.ones((10, 10, 1))
    drawing = draw("h w t", array, cell=2, full=0.6, panels=panels, show_key=False)
    (picture,) = canvas.pictures(drawing.scene, 72)
    left, top = (round(place) + 1 for place in drawing.scene.anchor)
    inner = picture[top + 1 : top + 17, left + 1 : left + 17].astype(float)  # within the frame
    assert (1 - inner.mean() / 255) == pytest.approx(0.6**2, abs=0.06)


def test_pdf_is_vector_and_its_text_is_text(tmp_path):
    array = np.full((10, 10), 1.0)
    data = (
        draw("h w", array, title="Accuracy", show_key=False).save(tmp_path / "a.pdf").read_bytes()
    )
    assert data.startswith(b"%PDF")
    page = max(pdf_streams(data), key=lambda stream: stream.count(b" l\n"))
    assert page.count(b"\nh") >= 100  # a closed path per mark
    assert b"BT" in page
    assert b"/FontFile2" in data
    assert b"/Subtype /Image" not in data
    pictures = draw("h w", array, panels="image").save(tmp_path / "b.pdf").read_bytes()
    assert b"/Subtype /Image" in pictures


@pytest.mark.parametrize(("side", "cell"), [(113, 2), (113, 4), (40, 1)])
def test_images_in_a_pdf_are_the_pixels_and_not_a_resampling(tmp_path, side, cell):
    """matplotlib 3.11.2 resamples every image for a PDF unless interpolation is "none"."""
    array = np.indices((side, side)).sum(axis=0) % 2.0
    drawing = draw("h w", array, cell=cell, panels="image", show_key=False)
    (picture,) = [item for item in drawing.scene.still().items if hasattr(item, "palette")]
    data = drawing.save(tmp_path / "a.pdf").read_bytes()
    (header,) = re.findall(rb"<<([^>]*/Subtype /Image[^>]*)>>", data)
    width, height = (
        int(re.search(rb"/%s (\d+)" % word, header)[1]) for word in (b"Width", b"Height")
    )
    assert (height, width) == picture.indices.shape


def test_pdf_has_the_page_of_the_svg(tmp_path):
    drawing = draw("h w", ARRAY)
    data = drawing.save(tmp_path / "a.pdf").read_bytes()
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", data)
    assert [float(value) for value in box.groups()] == pytest.approx(
        [drawing.width, drawing.height]
    )


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_the_same_drawing_is_the_same_file(tmp_path, ending):
    one = draw("h w", ARRAY, title="t").save(tmp_path / f"one.{ending}").read_bytes()
    two = draw("h w", ARRAY, title="t").save(tmp_path / f"two.{ending}").read_bytes()
    assert one == two


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = draw("h w", ARRAY).save(tmp_path / "a.svg")
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        draw("h w", -ARRAY).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced_when_all_is_well(tmp_path):
    path = draw("h w", ARRAY).save(tmp_path / "a.svg")
    other = draw("h w", -ARRAY)
    other.save(path)
    assert path.read_text() == other.svg
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.jpg", {}, "path '.svg','.pdf','.png','.gif','.mp4' '.jpg'"),
        ("a", {}, "path '.svg' ''"),
        ("a.png", {"dpi": -1}, "dpi 0 -1"),
        ("a.gif", {}, "path .gif axis t none"),
    ],
)
def test_files_that_cannot_be_are_refused(tmp_path, name, options, message):
    with pytest.raises(ValueError, match=naming(message)):
        draw("h w", ARRAY).save(tmp_path / name, **options)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=naming("nowhere a.svg")):
        draw("h w", ARRAY).save(tmp_path / "nowhere" / "a.svg")
