"""The style: accepted by matplotlib, readable on its background, light to import."""

import subprocess
import sys
from dataclasses import fields

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from miiii.esch import DARK, LIGHT, matplotlib_style
from miiii.esch.image import rgb

STYLES = pytest.mark.parametrize("style", [LIGHT, DARK], ids=["light", "dark"])


def luminance(colour):
    """Relative luminance as WCAG 2 defines it."""
    share = rgb(colour) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@STYLES
def test_text_and_marks_stand_out_from_the_background(style):
    assert contrast(style.foreground, style.background) > 15
    assert contrast(style.grey, style.background) > 4.5
    for colour in (style.positive, style.negative, style.accent):
        assert contrast(colour, style.background) > 3


@STYLES
def test_signs_differ_in_lightness_or_blueness_whatever_the_eye(style):
    # Red-green blindness leaves the blue channel: the two signs are far apart in it.
    assert abs(rgb(style.positive)[2] - rgb(style.negative)[2]) > 100


@STYLES
def test_matplotlib_takes_every_setting(style):
    with matplotlib.rc_context(matplotlib_style(style)):
        assert matplotlib.rcParams["svg.fonttype"] == "none"
        axes = Figure().subplots()
        (line,) = axes.plot([0, 1], [0, 1])
        assert line.get_color() == style.palette[0]
        assert not axes.spines["top"].get_visible()
        assert axes.xaxis.label.get_color() == style.foreground
        assert axes.xaxis.label.get_fontname() == "DejaVu Sans"


def test_colours_have_one_form():
    for style in (LIGHT, DARK):
        for field in fields(style):
            value = getattr(style, field.name)
            colours = value if isinstance(value, tuple) else [value]
            for colour in colours:
                if isinstance(colour, str) and colour.startswith("#"):
                    assert rgb(colour).shape == (3,)


def test_importing_esch_loads_no_matplotlib():
    code = "import sys, miiii.esch; print([m for m in ('matplotlib', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
