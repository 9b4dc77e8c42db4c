"""The structural form of the certificate: a head whose answer depends on n mod q only.

A head's restricted logits are its logits averaged over the numbers of each residue class n ≡ r
(mod q), which projects them onto the constant and the harmonics of q. Their margin m(r) is one
number per residue. The residual at n, logits minus restricted logits, changes the difference of two
logits by at most its spread: its largest entry over the head's classes minus its smallest. If the
margin exceeds the spread at every number, the head answers right because of its harmonics of q,
whatever the residual is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.certificate.arithmetic import FLOAT64, FloatArray
from miiii.analysis.harmonics.task_harmonics import residue_sums


@dataclass(frozen=True)
class StructuralForm:
    """Restricted margins against the residual. All in units of logits."""

    modulus: int
    """q."""
    margin: FloatArray
    """[q]: m(r), the right restricted logit minus the largest other one."""
    spread: FloatArray
    """[p²]: of the residual at each number, over the head's classes."""
    rounding: float
    """A bound on the rounding error of a margin minus a spread."""

    @property
    def largest_spread(self) -> FloatArray:
        """[q]: over the numbers of each residue class."""
        largest = np.zeros(self.modulus)
        np.maximum.at(largest, np.arange(len(self.spread)) % self.modulus, self.spread)
        return largest

    @property
    def decided(self) -> NDArray[np.bool_]:
        """[p²]: whether the restricted margin exceeds the residual's spread at each number."""
        margin = self.margin[np.arange(len(self.spread)) % self.modulus]
        return margin - self.spread > self.rounding

    @property
    def right_residues(self) -> int:
        """How many residues the restricted logits answer right."""
        return int((self.margin > self.rounding).sum())

    @property
    def certified(self) -> bool:
        """Whether every number is decided by its residue."""
        return bool(self.decided.all())


def structural_form(
    logits: FloatArray, error: float, right: NDArray[np.int64], modulus: int
) -> StructuralForm:
    """Restrict a head to its residue classes.

    Args:
        logits: [p², C], one head's.
        error: bounds the rounding error of each.
        right: [p²], the right class, the same for all numbers of a residue class.
        modulus: q, at most p².

    Raises:
        ValueError: two numbers of one residue class have different right classes.
    """
    numbers = np.arange(len(logits))
    residue = numbers % modulus
    answer = right[:modulus]
    if not np.array_equal(answer[residue], right):
        raise ValueError(f"targets are no function of n mod {modulus}: expected one per residue")
    counts = np.bincount(residue, minlength=modulus)
    restricted = residue_sums(logits, modulus) / counts[:, None]
    rows = np.arange(modulus)
    others = restricted.copy()
    others[rows, answer] = -np.inf
    margin = restricted[rows, answer] - others.max(axis=1)
    residual = logits - restricted[residue]
    spread = residual.max(axis=1) - residual.min(axis=1)
    # A mean has its logits' errors and those of its own sum. Margin minus spread consists of two
    # means and two residuals, each a logit minus a mean. The last term is for the subtractions.
    size = float(np.abs(logits).max())
    unit = FLOAT64.unit_roundoff
    of_mean = error + (int(counts.max()) + 1) * 1.01 * unit * size
    # Widened by far more than the rounding of its own computation.
    rounding = 4 * of_mean + 2 * error + 16 * unit * size
    return StructuralForm(modulus, margin, spread, rounding * (1 + 1e-12))
