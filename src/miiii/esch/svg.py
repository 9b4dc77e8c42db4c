"""The SVG writer: a scene as text, one element per layer of marks."""

from __future__ import annotations

import hashlib
import re
from html import escape

from miiii.esch.about import About, svg_metadata
from miiii.esch.image import data_uri
from miiii.esch.marks import UNITS, path_data
from miiii.esch.motion import frame_rules
from miiii.esch.scene import Item, Lines, MarkPath, Picture, Scene, Text

# What XML 1.0 cannot hold, not even escaped.
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(scene: Scene, about: About | None = None) -> str:
    """The scene as an SVG document; it moves by CSS only where the scene has frames."""
    fixed = "".join(_item(item) for item in scene.items)
    frames = ["".join(_item(item) for item in frame) for frame in scene.frames]
    moving, rules = "", ""
    if scene.timing is not None:
        # A page may hold many drawings, and their rules would meet: names must differ.
        digest = hashlib.sha256("".join([fixed, *frames, repr(scene.timing)]).encode()).hexdigest()
        name = f"esch{digest[:10]}"
        rules = f"<style>{frame_rules(name, len(frames), scene.timing)}</style>"
        for index, frame in enumerate(frames):
            hidden = "" if index == scene.timing.still else ' visibility="hidden"'
            moving += (
                f'<g id="{name}-{index}" class="{name}" data-frame="{index}"{hidden}>{frame}</g>'
            )
    width, height = _number(scene.width), _number(scene.height)
    title = f"<title>{_text(scene.title)}</title>" if scene.title else ""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}pt" height="{height}pt" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="{_text(scene.font_family)}">{title}{svg_metadata(about)}{rules}'
        f'<rect width="{width}" height="{height}" fill="{_text(scene.background)}"/>'
        f"{fixed}{moving}</svg>\n"
    )


def _item(item: Item) -> str:
    if isinstance(item, MarkPath):
        return _marks(item)
    if isinstance(item, Lines):
        return _lines(item)
    if isinstance(item, Text):
        return _label(item)
    return _picture(item)


def _marks(item: MarkPath) -> str:
    layer = item.layer
    colour = _text(layer.colour)
    paint = f'fill="{colour}"'
    if layer.stroke:
        paint = f'fill="none" stroke="{colour}" stroke-width="{layer.stroke * UNITS:g}"'
    place = f"translate({_number(item.x)} {_number(item.y)}) scale({item.pitch / UNITS:.7g})"
    return f'<path data-marks="{layer.name}" transform="{place}" {paint} d="{path_data(layer)}"/>'


def _lines(item: Lines) -> str:
    data: list[str] = []
    end: tuple[float, float] | None = None
    for x0, y0, x1, y1 in item.segments:
        if (x0, y0) != end:
            data.append(f"M{_number(x0)} {_number(y0)}")
        if y1 == y0:
            data.append(f"H{_number(x1)}")
        elif x1 == x0:
            data.append(f"V{_number(y1)}")
        else:
            data.append(f"L{_number(x1)} {_number(y1)}")
        end = (x1, y1)
    return (
        f'<path fill="none" stroke="{_text(item.colour)}" stroke-width="{_number(item.width)}" '
        f'stroke-linecap="square" d="{"".join(data)}"/>'
    )


def _label(item: Text) -> str:
    x, y = _number(item.x), _number(item.y)
    anchor = "" if item.anchor == "start" else f' text-anchor="{item.anchor}"'
    turn = f' transform="rotate(-90 {x} {y})"' if item.rotated else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{_number(item.size)}" fill="{_text(item.colour)}"'
        f"{anchor}{turn}>{_text(item.text)}</text>"
    )


def _picture(item: Picture) -> str:
    return (
        f'<image x="{_number(item.x)}" y="{_number(item.y)}" width="{_number(item.width)}" '
        f'height="{_number(item.height)}" preserveAspectRatio="none" '
        f'xlink:href="{data_uri(item.indices, item.palette)}"/>'
    )


def _number(value: float) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _text(text: str) -> str:
    return escape(FORBIDDEN.sub("\ufffd", text))
