"""The basis kept in a file: the dictionary's own, whatever became of the file."""

import numpy as np
import pytest

from analysis.planted import noise
from miiii.analysis.harmonics.dictionary import harmonic_dictionary
from miiii.results.stored_basis import stored_basis
from miiii.runs.errors import StorageError

BASE, MODULI = 13, (3, 5, 7)


def test_the_file_is_written_once_for_each_set_of_moduli(tmp_path):
    dictionary = harmonic_dictionary(BASE, MODULI)
    folder = tmp_path / "made" / "cache"
    made = stored_basis(dictionary, folder)
    np.testing.assert_array_equal(made, dictionary.functions())
    np.testing.assert_allclose(made.T @ made, np.eye(dictionary.rank), atol=1e-12)
    (path,) = folder.iterdir()
    written = path.stat().st_mtime_ns
    np.testing.assert_array_equal(stored_basis(dictionary, folder), made)
    assert path.stat().st_mtime_ns == written
    stored_basis(harmonic_dictionary(BASE, (3, 5, 11)), folder)
    stored_basis(harmonic_dictionary(17, MODULI), folder)
    assert len(list(folder.iterdir())) == 3


def test_what_is_no_basis_of_these_harmonics_is_made_anew(tmp_path):
    dictionary = harmonic_dictionary(BASE, MODULI)
    made = stored_basis(dictionary, tmp_path)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    for damage in (b"", content[:-8], b"no array"):
        path.write_bytes(damage)
        np.testing.assert_array_equal(stored_basis(dictionary, tmp_path), made)
        assert path.read_bytes() == content
    orthonormal = np.linalg.qr(noise(made.shape))[0]
    for wrong in (orthonormal, made * 2, made[:, :-1], made.astype(np.float32), made + 1e-3):
        np.save(path, wrong)
        np.testing.assert_array_equal(stored_basis(dictionary, tmp_path), made)
        assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"not a directory|already"):
        stored_basis(harmonic_dictionary(5, (2,)), tmp_path / "file" / "cache")
