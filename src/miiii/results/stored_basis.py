"""The joint orthonormal basis of the tasks' harmonics, kept in a file between sessions.

At p = 113 it is 148 MB of float64. Nothing in the analysis needs it written out, since everything
there is computed from sums over remainders; it is for regressions and plots of one's own:

    basis = stored_basis(harmonic_dictionary(113, run.dataset.moduli), "cache")
"""

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.harmonics.dictionary import Dictionary
from miiii.analysis.harmonics.task_harmonics import harmonics
from miiii.runs.atomic import make_directory, write_atomically

_TOLERANCE = 1e-8


def stored_basis(dictionary: Dictionary, folder: str | Path) -> NDArray[np.float64]:
    """`dictionary.functions()`, from a file in the folder if it is there, else written to it.

    The file is named by base and moduli. One that is damaged, or is no orthonormal basis of these
    harmonics, is made anew; it is written whole or not at all.

    Args:
        dictionary: whose basis.
        folder: where the file is looked for; made if it does not exist.

    Returns:
        [p², rank], in memory.

    Raises:
        StorageError: the folder cannot be written to.
    """
    path = Path(folder) / _name(dictionary)
    found = _usable(path, dictionary)
    if found is not None:
        return found
    basis = dictionary.functions()
    content = io.BytesIO()
    np.save(content, basis)
    make_directory(path.parent)
    write_atomically(path, content.getvalue())
    return basis


def _name(dictionary: Dictionary) -> str:
    moduli = ",".join(map(str, dictionary.moduli))
    digest = hashlib.sha256(moduli.encode()).hexdigest()[:12]
    return f"harmonics-{dictionary.base}-{digest}.npy"


def _usable(path: Path, dictionary: Dictionary) -> NDArray[np.float64] | None:
    """The file's array if its functions are orthonormal and hold a harmonic of every task whole."""
    try:
        basis = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    if basis.shape != (dictionary.base**2, dictionary.rank) or basis.dtype != np.float64:
        return None
    probes = np.stack([harmonics(dictionary.base, q)[:, -1] for q in dictionary.moduli], axis=1)
    inside = basis @ (basis.T @ probes)
    # Orthonormal functions give a vector of coefficients back unchanged.
    weights = np.random.default_rng(0).normal(size=dictionary.rank)
    again = basis.T @ (basis @ weights)
    alike = np.allclose(inside, probes, atol=_TOLERANCE)
    return basis if alike and np.allclose(again, weights, atol=_TOLERANCE) else None
