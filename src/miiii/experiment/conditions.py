"""The conditions under which this process trains, for provenance (`runs.conditions`)."""

import os
from collections.abc import Sequence
from typing import Any

import jax

from miiii.experiment.program import device_count
from miiii.runs.conditions import RESUMED_KEY, changes, changes_text, last_conditions, resumptions
from miiii.runs.directory import RunDirectory
from miiii.runs.listing import PROVENANCE_NAME
from miiii.runs.provenance import collect_provenance

VARIABLES = ("XLA_FLAGS", "LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE")
"""Environment variables that change what compiled programs compute."""
SETTINGS = (
    "jax_allow_f16_reductions",
    "jax_compiler_enable_remat_pass",
    "jax_debug_infs",
    "jax_debug_nans",
    "jax_disable_most_optimizations",
    "jax_exec_time_optimization_effort",
    "jax_optimization_level",
    "jax_softmax_custom_jvp",
    "jax_use_direct_linearize",
    "jax_use_shardy_partitioner",
    "jax_xla_profile_version",
)
"""Settings of JAX that change how it differentiates or compiles, without those that
`program.numerics` sets."""


def conditions(runs: int) -> dict[str, Any]:
    """The conditions of a batch of `runs` runs in this process, beside their settings.

    Returns:
        device (platform, kind), devices (how many the batch is spread over), threads (of XLA's
        pool on the CPU), flags.
    """
    device = jax.local_devices()[0]
    flags = {name: os.environ.get(name, "") for name in VARIABLES}
    flags |= {name: str(jax.config.values[name]) for name in SETTINGS if name in jax.config.values}
    return {
        "device": {"platform": device.platform, "kind": device.device_kind},
        "devices": device_count(runs),
        "threads": threads(),
        "flags": flags,
    }


def threads() -> int:
    """Threads that XLA uses on the CPU: $PJRT_NPROC, else $NPROC, else as many as usable cores."""
    for name in ("PJRT_NPROC", "NPROC"):
        value = os.environ.get(name, "")
        if value.isdigit():
            return max(1, int(value))
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def changed_since(directory: RunDirectory, done: int, runs: int) -> str:
    """The conditions that have changed since a run trained its epoch `done`, as text."""
    if not done:
        return ""
    now = collect_provenance([], conditions(runs))
    return changes_text(changes(last_conditions(directory.provenance, done), now))


def record_resumption(
    directory: RunDirectory, done: int, runs: int, command: Sequence[str]
) -> None:
    """Add to a run's provenance that training goes on after epoch `done`.

    Records of earlier resumptions stay, but for those whose epochs were all dropped.
    """
    provenance = directory.provenance
    entry = {"epoch": done, **collect_provenance(list(command), conditions(runs))}
    entry.pop("platform")
    kept = [*resumptions(provenance, done), entry]
    directory.write_json(PROVENANCE_NAME, {**provenance, RESUMED_KEY: kept})
