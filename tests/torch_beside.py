"""PyTorch for tests that hand its tensors over: it lives in `.venv-interop` (`make interop`)."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def site_packages():
    """The folder to put last on sys.path; where it is missing, the test is skipped.

    Under MIIII_TESTS_NEED=interop it fails instead.
    """
    folder = ROOT / ".venv-interop"
    if (folder / "installed").exists():
        (found,) = folder.glob("lib/python*/site-packages")
        return found
    message = "PyTorch is not there: run `make interop` first"
    if "interop" in os.environ.get("MIIII_TESTS_NEED", "").split():
        pytest.fail(message)
    pytest.skip(message)
