"""JAX as the command line wants it: quiet, and with compiled programs kept between runs."""

import os
import warnings
from pathlib import Path

from miiii.cli.arguments import UsageError


def cache_directory() -> Path:
    """Where compiled programs are kept: $MIIII_CACHE, else the user's cache directory."""
    if "MIIII_CACHE" in os.environ:
        return Path(os.environ["MIIII_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "miiii"


def prepare_jax() -> None:
    """Import JAX once the command is known to be good, and keep what it compiles."""
    # XLA's own log lines would break the panel; errors still come through.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import jax

    try:
        jax.local_devices()
    except (RuntimeError, AssertionError) as error:
        wanted = os.environ.get("JAX_PLATFORMS", "")
        lines = str(error).splitlines() or [type(error).__name__]
        raise UsageError(
            f"JAX finds no device for JAX_PLATFORMS={wanted!r} ({lines[0]}): unset it, or install "
            "JAX for that device (docs/how-to/gpu.md)"
        ) from error
    # A traceback without JAX's frames would pass its errors off as ours (`refusals.is_refusal`).
    jax.config.update("jax_traceback_filtering", "off")
    directory = cache_directory()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # A cache is a convenience: without one everything compiles anew.
    jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")
