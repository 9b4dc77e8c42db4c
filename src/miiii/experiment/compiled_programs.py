"""Compiled programs, kept on the disk between processes: the command line's and a notebook's."""

import os
import warnings
from pathlib import Path


def cache_directory() -> Path | None:
    """Where compiled programs are kept: $MIIII_CACHE, else the user's cache directory.

    None where the user has no home; a variable that is blank counts as unset. A leading ~ is the
    home, as where no shell replaced it. A relative XDG_CACHE_HOME is passed over, as its
    specification wants it.
    """
    try:
        if chosen := os.environ.get("MIIII_CACHE", "").strip():
            return Path(chosen).expanduser()
        base = Path(os.environ.get("XDG_CACHE_HOME", "").strip()).expanduser()
        return (base if base.is_absolute() else Path.home() / ".cache") / "miiii"
    except RuntimeError:
        return None


def keep_programs() -> None:
    """Keep what JAX compiles from now on, unless it has a directory for that already."""
    import jax

    if jax.config.values["jax_compilation_cache_dir"]:
        return
    directory = cache_directory()
    try:
        if directory is None:
            return
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # A cache is a convenience: without one everything compiles anew.
    jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")
