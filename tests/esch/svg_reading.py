"""Reads a drawing back from the SVG it wrote, knowing nothing of how it was written."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}"
SQUARE = re.compile(r"m(-?\d+) (-?\d+)h(\d+)v(\d+)h-(\d+)z")
CIRCLE = re.compile(
    r"m(-?\d+) (-?\d+)a([\d.]+) ([\d.]+) 0 1 0 (\d+) 0a([\d.]+) ([\d.]+) 0 1 0-(\d+) 0z"
)
CROSS = re.compile(r"m(-?\d+) (-?\d+)l(\d+) (\d+)m-(\d+) 0l(\d+)-(\d+)")
FORMS = {"square": SQUARE, "circle": CIRCLE, "cross": CROSS}


@dataclass(frozen=True)
class Mark:
    """A mark on the page, in points; `side` is what the eye sees, its stroke included."""

    name: str
    shape: str
    x: float
    y: float
    side: float
    filled: bool
    colour: str
    panel: tuple[float, float]
    pitch: float

    @property
    def cell(self) -> tuple[int, int]:
        """Row and column in its panel."""
        return (
            int((self.y - self.panel[1]) // self.pitch),
            int((self.x - self.panel[0]) // self.pitch),
        )

    @property
    def offset(self) -> float:
        """Distance of the mark's middle from its cell's, in cells."""
        down = (self.y - self.panel[1]) / self.pitch % 1 - 0.5
        right = (self.x - self.panel[0]) / self.pitch % 1 - 0.5
        return max(abs(down), abs(right))


def root(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in root(svg).iter(f"{SVG}text")]


def images(svg: str) -> list[str]:
    return [element.attrib[f"{XLINK}href"] for element in root(svg).iter(f"{SVG}image")]


def mark_paths(svg: str) -> list[ET.Element]:
    return [e for e in root(svg).iter(f"{SVG}path") if "data-marks" in e.attrib]


def marks(element: ET.Element) -> list[Mark]:
    return [
        m for e in element.iter(f"{SVG}path") if "data-marks" in e.attrib for m in path_marks(e)
    ]


def path_marks(path: ET.Element) -> list[Mark]:
    place = re.fullmatch(
        r"translate\(([-\d.]+) ([-\d.]+)\) scale\(([-\d.e]+)\)", path.attrib["transform"]
    )
    assert place, path.attrib["transform"]
    left, top, scale = (float(value) for value in place.groups())
    filled = path.attrib["fill"] != "none"
    stroke = 0.0 if filled else float(path.attrib["stroke-width"])
    colour = path.attrib["fill"] if filled else path.attrib["stroke"]
    data = path.attrib["d"]
    found: list[Mark] = []
    x = y = 0.0
    position = 0
    while position < len(data):
        matches = {shape: form.match(data, position) for shape, form in FORMS.items()}
        shape, match = next((item for item in matches.items() if item[1]), ("", None))
        assert match, f"no mark at {data[position : position + 60]!r}"
        position = match.end()
        numbers = [float(value) for value in match.groups()]
        x, y = x + numbers[0], y + numbers[1]
        if shape == "circle":
            radius, side = numbers[2], numbers[4]
            assert len({radius, *numbers[2:4], *numbers[5:7]}) == 1
            assert side == numbers[7] == 2 * radius
            middle = (x + side / 2, y)
        else:
            side = numbers[2]
            assert set(numbers[2:]) == {side}
            middle = (x + side / 2, y + side / 2)
            if shape == "cross":
                x, y = x + side, y  # where its second line ends
        outer = side if shape == "cross" else side + stroke
        found.append(
            Mark(
                name=path.attrib["data-marks"],
                shape=shape,
                x=left + scale * middle[0],
                y=top + scale * middle[1],
                side=scale * outer,
                filled=filled,
                colour=colour,
                panel=(left, top),
                pitch=1000 * scale,
            )
        )
    return found


def key_entries(svg: str) -> dict[str, Mark]:
    """Marks of the key by the text to their right."""
    document = root(svg)
    words = [
        (float(e.attrib["x"]), float(e.attrib["y"]), e.text or "")
        for e in document.iter(f"{SVG}text")
    ]
    found: dict[str, Mark] = {}
    for mark in marks(document):
        right = mark.panel[0] + mark.pitch
        for x, y, word in words:
            if 0 < x - right < 4 and 0 < y - mark.y < 5:
                found[word] = mark
    return found
