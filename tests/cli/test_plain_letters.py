"""Locales without UTF-8: what is printed stays readable."""

import io
from pathlib import Path

import pytest

import miiii
from miiii.cli.plain_letters import NAME, spell, write_plainly

# Not signs but the limits of what XML can hold, and what stands for a sign that is missing.
NO_SIGNS = {"\ufffd", "\ue000", "\U00010000", "\U0010ffff", "\ud7ff"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("validation ≥ 0.99", "validation >= 0.99"),
        ("from 0 to 2³¹ − 1", "from 0 to 2^31 - 1"),
        ("10⁻³ · Σ … → –", "10^-3 * Sigma ... -> -"),
        ("λ = 2, μ, Φ, ‖x‖, ⌊n/2⌋", "lambda = 2, mu, Phi, ||x||, floor(n/2)"),
        ("Göttingen, naïve ﬁle", "Gottingen, naive file"),
        ("╭─╮│", "+-+|"),
        ("plain", "plain"),
        ("中", "?"),
    ],
)
def test_signs_are_spelled_as_they_are_typed(text, expected):
    assert spell(text) == expected
    assert text.encode("ascii", NAME).decode() == expected


def test_only_what_the_encoding_lacks_is_spelled():
    assert "3 · 2 ≥ é".encode("latin-1", NAME).decode("latin-1") == "3 · 2 >= é"
    assert "3 · 2 ≥ é".encode("utf-8", NAME).decode() == "3 · 2 ≥ é"


def test_every_sign_of_the_package_has_a_spelling():
    files = Path(miiii.__file__).parent.rglob("*.py")
    signs = set("".join(path.read_text(encoding="utf-8") for path in files)) - NO_SIGNS
    assert sorted(sign for sign in signs if spell(sign) == "?" and sign != "?") == []
    assert len(signs) > 128


def test_a_stream_writes_them():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    write_plainly(stream, None)
    print("from 1 to 5 … ≥", file=stream, flush=True)
    assert stream.buffer.getvalue() == b"from 1 to 5 ... >=\n"  # pyright: ignore[reportAttributeAccessIssue]
