"""JAX's cache of compiled programs on the disk, for the command line and notebooks."""

import os
import warnings
from pathlib import Path


def cache_directory() -> Path | None:
    """The directory of compiled programs: $MIIII_CACHE, else in the user's cache directory.

    A blank variable counts as unset, and a leading ~ stands for the home directory. A relative
    XDG_CACHE_HOME is ignored, as its specification requires.

    Returns:
        The directory; None where the user has no home directory.
    """
    try:
        if chosen := os.environ.get("MIIII_CACHE", "").strip():
            return Path(chosen).expanduser()
        base = Path(os.environ.get("XDG_CACHE_HOME", "").strip()).expanduser()
        return (base if base.is_absolute() else Path.home() / ".cache") / "miiii"
    except RuntimeError:
        return None


def keep_programs() -> None:
    """Let JAX keep its compiled programs from now on, unless a directory is set already."""
    import jax

    if jax.config.values["jax_compilation_cache_dir"]:
        return
    directory = cache_directory()
    try:
        if directory is None:
            return
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # Without a cache every program is compiled again.
    jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")
