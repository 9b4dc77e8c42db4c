"""ASCII replacements for characters that a terminal's or pipe's encoding lacks.

An error handler registered with `codecs` as `NAME` replaces each character by readable ASCII, or by
"?" where there is none. Files that this package writes are UTF-8, whatever the locale.
"""

import codecs
import io
import re
import unicodedata
from typing import Any

NAME = "miiii.plain"

_SPELLED = {
    **{"−": "-", "–": "-", "—": "--", "·": "*", "×": "x", "÷": "/", "±": "+/-", "…": "..."},
    **{"≥": ">=", "≤": "<=", "≠": "!=", "≡": "=", "≈": "~", "∝": "~", "→": "->", "←": "<-"},
    **{"√": "sqrt ", "∞": "inf", "∈": "in", "⊗": "(x)", "⊥": "_|_", "‖": "||", "½": "1/2"},
    **{"⅓": "1/3", "⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")", "’": "'", "‘": "'"},
    **{"“": '"', "”": '"', "§": "section ", "°": " deg", "ß": "ss", "─": "-", "│": "|"},
    **{"✓": "ok", "✗": "x", "●": "*", "•": "*", "■": "#", "█": "#", "λ": "lambda", "Λ": "Lambda"},
}
_RAISED = re.compile("[⁰¹²³⁴-⁹⁻ᵀ]+")


def spell(text: str) -> str:
    """A text in ASCII: signs in ASCII spelling, Greek letters by name, others without accents."""
    powers = _RAISED.sub(lambda found: "^" + unicodedata.normalize("NFKC", found[0]), text)
    return "".join(one if one.isascii() else _spell_one(one) for one in powers)


def _spell_one(character: str) -> str:
    if character in _SPELLED:
        return _SPELLED[character]
    name = unicodedata.name(character, "")
    if name.startswith("GREEK") and "LETTER" in name:
        word = name.partition("LETTER ")[2].partition(" ")[0].capitalize()
        return word if character.isupper() else word.lower()
    if name.startswith("BOX DRAWINGS"):
        return "+"
    # A letter with accents, or a ligature.
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"


def _handle(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return spell(error.object[error.start : error.end]), error.end


codecs.register_error(NAME, _handle)


def write_plainly(*streams: Any) -> None:
    """Let text streams spell characters that their encoding lacks, instead of an exception."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=NAME)
