"""Settings shared by all tests."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# A machine under load makes single examples slow; that is no failure.
settings.register_profile("default", deadline=None, max_examples=30)
settings.load_profile("default")

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Compiling is most of what many tests do, and less optimised programs are made sooner: a third of
# the time. In survival, runs that are cut anywhere are compiled as users' are.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
)


def _hear_signals():
    """A shell's background job ignores Ctrl-C and nohup ignores HUP, and so would all processes
    that are started here: a signal that is ignored at the start stays ignored."""
    for each in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1):
        if signal.getsignal(each) is signal.SIG_IGN:
            default = signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL
            signal.signal(each, default)


def pytest_configure(config):
    """Before workers start: a cache of compiled programs for them and for all that they start."""
    _hear_signals()
    if hasattr(config, "workerinput"):
        return
    path = tempfile.mkdtemp(prefix="miiii-tests-cache-")
    config.add_cleanup(lambda: shutil.rmtree(path, ignore_errors=True))
    os.environ |= {
        "MIIII_CACHE": path,
        "JAX_COMPILATION_CACHE_DIR": path,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
        # With a largest size JAX locks the directory: no process reads what another half wrote.
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(4 * 2**30),
    }


def pytest_collection_modifyitems(config, items):
    """Files with slow tests first, so that no worker is left alone with one at the end.

    What takes longest beside a test of the same kind runs with MIIII_THOROUGH=1 (`make thorough`).
    """
    if not os.environ.get("MIIII_THOROUGH"):
        left = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def unchanged_environment():
    """A command that runs in this process may set variables (a sweep's worker: one core)."""
    before = {**os.environ}
    yield
    after = {**os.environ}
    for name in before.keys() | after.keys():
        if name != "PYTEST_CURRENT_TEST" and before.get(name) != after.get(name):
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


@pytest.fixture
def x64():
    """Run a test in float64."""
    import jax

    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def cache():
    """Compiled programs, shared by all processes that the tests start."""
    return Path(os.environ["MIIII_CACHE"])
