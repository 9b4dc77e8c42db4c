"""Settings shared by all tests."""

import os

import pytest
from hypothesis import settings

# A machine under load makes single examples slow; that is no failure.
settings.register_profile("default", deadline=None, max_examples=30)
settings.load_profile("default")

os.environ.setdefault("JAX_PLATFORMS", "cpu")


@pytest.fixture
def x64():
    """Run a test in float64."""
    import jax

    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """Compiled programs, shared by all processes that the tests start."""
    return tmp_path_factory.mktemp("cache")
