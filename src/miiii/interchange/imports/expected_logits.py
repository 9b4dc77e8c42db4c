"""Compare logits in a file beside a model with those computed here."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.interchange.imports.safetensors_file import read_safetensors
from miiii.runs.errors import DamagedFileError

FILES = ("expected_logits.safetensors", "expected_logits.npz")
AGREE = 1e-4
"""Logits agree up to this difference, a share of the largest logit. It is above float32's rounding,
about 1e-6, and below the difference of another model's logits."""


@dataclass(frozen=True)
class Agreement:
    """The result of a comparison of logits.

    Attributes:
        file: the name of the file with logits.
        inputs: number of compared inputs.
        difference: the largest difference, as a share of the largest logit.
    """

    file: str
    inputs: int
    difference: float

    @property
    def agree(self) -> bool:
        """Whether the logits are equal up to rounding."""
        return self.difference <= AGREE

    def __str__(self) -> str:
        found = f"{self.difference:.1e} of the largest" if self.difference else "nothing"
        word = "agree" if self.agree else "do NOT agree"
        return (
            f"logits in {self.file} {word} with those computed here on {self.inputs:,} inputs: "
            f"they differ by at most {found}"
        )


def read_expected(path: Path) -> tuple[str, Mapping[str, NDArray[Any]]] | None:
    """Read arrays `tokens` [B, T] and `logits` [B, V] beside a model; None if there is no file.

    Raises:
        DamagedFileError: the file cannot be read, or lacks one of the arrays.
    """
    for name in FILES:
        place = path.with_name(name)
        if not place.is_file():
            continue
        found = read_safetensors(place) if name.endswith(".safetensors") else _npz(place)
        if "tokens" not in found or "logits" not in found:
            raise DamagedFileError(place, "lacks the arrays tokens and logits")
        return name, found
    return None


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # Arbitrary bytes can raise any exception.
        raise DamagedFileError(path, f"is not readable: {error}") from error


def compare(
    expected: tuple[str, Mapping[str, NDArray[Any]]],
    logits: NDArray[np.float64],
    base: int,
    *,
    separate_tokens: bool,
) -> Agreement:
    """Compare with the logits of all numbers.

    Args:
        expected: from `read_expected`.
        logits: [p², V], for n = x0 + p · x1; classes that are no answers may follow the first p.
        base: p.
        separate_tokens: whether the digit x1 = v is token p + v.

    Raises:
        ValueError: tokens or logits have wrong shapes, or tokens are no digits.
    """
    name, arrays = expected
    tokens, stored = arrays["tokens"], arrays["logits"]
    fitting = tokens.ndim == 2 and tokens.dtype.kind in "iu" and tokens.shape[1] > 1
    if not fitting or not len(tokens) or stored.shape[:1] != tokens.shape[:1] or stored.ndim != 2:
        raise ValueError(
            f"{name} has tokens {list(tokens.shape)} and logits {list(stored.shape)}: expected "
            "[inputs, tokens] and [inputs, classes]"
        )
    first, second = (tokens[:, place].astype(np.int64) for place in (0, 1))
    second = second - base if separate_tokens else second
    if min(first.min(), second.min()) < 0 or max(first.max(), second.max()) >= base:
        raise ValueError(f"{name} has tokens that are no digits of p = {base}")
    if stored.shape[1] not in (base, logits.shape[1]):
        raise ValueError(f"{name} has {stored.shape[1]} classes: expected {logits.shape[1]}")
    computed = logits[first + base * second][:, : stored.shape[1]]
    largest = float(np.abs(stored).max()) or 1.0
    return Agreement(name, len(tokens), float(np.abs(computed - stored).max()) / largest)
