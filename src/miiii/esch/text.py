"""Text: how wide it is, where it breaks, how a number is written.

Widths are those of DejaVu Sans, which matplotlib carries with it. It is among the wider
of the usual sans-serif faces, so a viewer that falls back to another one has room.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

LEADING = 1.25  # distance of baselines, em
ASCENT = 0.78  # of the tallest ordinary letters above the baseline, em
DESCENT = 0.24  # below the baseline, em
HALF_CAPITAL = 0.365  # from the baseline to the middle of a digit, em
UNKNOWN = 1.0  # width given to a character the font lacks, em


def text_width(text: str, size: float) -> float:
    """Width of one line of text, in points, at `size` points."""
    return size * sum(_advance(character) for character in text)


def text_height(lines: int, size: float) -> float:
    """Height of a block of lines, in points."""
    return lines * LEADING * size


def wrap(text: str, size: float, width: float) -> tuple[str, ...]:
    """Break text at spaces so that no line is wider than `width` points.

    A single word that is wider stays whole. Line breaks in the text are kept.
    """
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if line and text_width(longer, size) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        if line:
            lines.append(line)
    return tuple(lines)


def widest_word(text: str, size: float) -> float:
    """Width of the widest word, in points: what no wrapping gets below."""
    return max((text_width(word, size) for word in text.split()), default=0.0)


def number(value: float) -> str:
    """A number for people: about three digits, a true minus sign, no needless zeros."""
    size = abs(value)
    if size == 0:
        return "0"
    if size == round(size) and size < 1e6:
        digits = f"{size:,.0f}"
    elif 1e-3 <= size < 999.5:
        digits = f"{size:.3g}"
    elif 999.5 <= size < 1e6:
        digits = f"{size:,.0f}"
    else:
        mantissa, exponent = f"{size:.2e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        digits = f"{mantissa}e{int(exponent)}".replace("-", "\u2212")
    return f"\u2212{digits}" if value < 0 else digits


@functools.cache
def _advance(character: str) -> float:
    """Advance width of one character, em."""
    font = _font()
    if font.get_char_index(ord(character)) == 0:
        return UNKNOWN
    # 16.16 fixed point at a size of 1000 pixels; unlike `.width` it is free of hinting.
    return font.load_char(ord(character)).linearHoriAdvance / 65536 / 1000


@functools.cache
def _font() -> Any:
    import matplotlib
    from matplotlib.ft2font import FT2Font

    font = FT2Font(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")))
    font.set_size(1000, 72)
    return font
