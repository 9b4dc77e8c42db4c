"""What a file says of its making, in the metadata of SVG, PDF and PNG.

No dates, no random names: equal drawings that say the same are equal files.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

_FIELDS = {
    "svg": ("Creator", "Description"),
    "pdf": ("Creator", "Subject"),
    "png": ("Software", "Description"),
}
_UNDATED: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}
_NAMESPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:cc="http://creativecommons.org/ns#" '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
)


@dataclass(frozen=True)
class About:
    """Who made a file, and from what."""

    program: str
    """With its version."""
    description: str
    """Plain text."""


def matplotlib_metadata(kind: str, about: About | None) -> dict[str, Any]:
    """What `savefig` is given as metadata.

    Args:
        kind: svg, pdf or png.
        about: kept under the format's own names; None: nothing is said.
    """
    if about is None:
        return _UNDATED[kind]
    program, description = _FIELDS[kind]
    return {**_UNDATED[kind], program: about.program, description: about.description}


def svg_metadata(about: About | None) -> str:
    """A <metadata> element in Dublin Core, as matplotlib's SVG files have it; empty for None."""
    if about is None:
        return ""
    program, description = escape(about.program), escape(about.description)
    return (
        f"<metadata><rdf:RDF {_NAMESPACES}><cc:Work><dc:creator><cc:Agent><dc:title>{program}"
        f"</dc:title></cc:Agent></dc:creator><dc:description>{description}</dc:description>"
        "</cc:Work></rdf:RDF></metadata>"
    )
