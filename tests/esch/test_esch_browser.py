"""A real browser draws what the SVG says, moves it, and heeds reduced motion."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from miiii.esch import draw

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--window-size=300,300",
]
CELL = 30

pytestmark = [
    pytest.mark.skipif(
        BROWSER is None, reason="NO CHROMIUM HERE: NO DRAWING WAS SEEN IN A BROWSER"
    ),
]


def screenshot(drawing, folder, *flags):
    """The page as the browser shows it, [row, column], 0 black to 255 white."""
    source, target = drawing.save(folder / "page.svg"), folder / "page.png"
    command = [BROWSER, *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}"]
    command += [f"--screenshot={target}", source.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with Image.open(target) as image:
        return np.asarray(image.convert("L")).astype(int)


def ink(picture, drawing, row, column):
    """Share of a cell that is black; CSS has 96 pixels to 72 points."""
    x, y = drawing.scene.anchor
    left, top = (4 / 3 * (x + CELL * column), 4 / 3 * (y + CELL * row))
    side = 4 / 3 * CELL
    cell = picture[round(top) : round(top + side), round(left) : round(left + side)]
    return 1 - cell.mean() / 255


def test_areas_on_the_screen_are_the_values(tmp_path):
    array = np.array([[1.0, 0.5, 0.25], [0.0, -1.0, 0.1]])
    drawing = draw("h w", array, cell=CELL, title="Seen", show_key=False)
    picture = screenshot(drawing, tmp_path)
    for (row, column), value in np.ndenumerate(array):
        # An outline has its stroke inside: a tenth of a cell on each side.
        expected = 0.81 * value if value >= 0 else 0.9**2 - 0.7**2
        assert ink(picture, drawing, row, column) == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize(
    ("flags", "frame"),
    [(("--virtual-time-budget=4500",), 1), (("--force-prefers-reduced-motion",), 2)],
)
def test_frames_are_shown_in_their_turn(tmp_path, flags, frame):
    array = np.zeros((1, 3, 3))
    array[0, [0, 1, 2], [0, 1, 2]] = 1  # frame k has its mark in column k
    drawing = draw("h w t", array, cell=CELL, duration=9, still=2, show_key=False)
    picture = screenshot(drawing, tmp_path, *flags)
    seen = [ink(picture, drawing, 0, column) > 0.5 for column in range(3)]
    assert seen == [column == frame for column in range(3)]
