"""Runs that the report's tests share."""

import pytest

from report.tiny_study import make_study


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """T_miiii, T_basis and no dropout at two seeds each; everything else is missing."""
    folder = tmp_path_factory.mktemp("studies") / "tiny"
    return make_study(folder, ("miiii", "basis", "no-dropout"), 2)
