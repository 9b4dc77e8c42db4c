"""Runs that are cut anywhere are compiled here as users' are, not as `tests/conftest.py` has it."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def compiled_as_for_users():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("XLA_FLAGS", raising=False)
        yield
