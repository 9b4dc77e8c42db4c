"""`miiii doctor`: checks of this machine."""

import json
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from miiii.cli import machine
from miiii.cli.arguments import UsageError, parse


@dataclass(frozen=True)
class DoctorArguments:
    """Check this machine: device, versions, precision, speed, memory, write access."""

    runs_dir: Path = Path("runs")
    """The directory that will hold runs."""
    json: bool = False
    """Print JSON on stdout."""


def doctor_command(words: list[str]) -> int:
    """Run `miiii doctor`; returns 0 if everything that a run needs is there, else 1."""
    arguments = parse(DoctorArguments, words, "miiii doctor")
    from miiii.experiment.compiled_programs import cache_directory

    checks: list[dict[str, Any]] = []

    def check(name: str, ok: bool, text: str) -> None:
        checks.append({"check": name, "ok": ok, "finding": text})
        if not arguments.json:
            print(f"{'ok  ' if ok else 'FAIL'}  {name:16}{text}", flush=True)

    python = ".".join(map(str, sys.version_info[:3]))
    check("python", sys.version_info >= (3, 11), f"{python} (3.11 or later is needed)")
    from miiii.cli.requirements import unmet_requirements
    from miiii.runs.provenance import package_versions

    versions = package_versions()
    listed = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
    unmet = unmet_requirements()
    check("packages", None not in versions.values() and not unmet, "; ".join([*unmet, listed]))
    try:
        machine.prepare_jax()
    except UsageError as error:
        check("devices", False, str(error))
        if arguments.json:
            print(json.dumps(checks, indent=2))
        return 1
    import jax

    devices = jax.local_devices()
    kinds = ", ".join(sorted({f"{device.platform} ({device.device_kind})" for device in devices}))
    check("devices", True, f"{len(devices)}: {kinds}; {os.cpu_count()} CPU cores")
    check("float64", _float64_works(), "1 + 1e-12 differs from 1")
    speed = _matrix_speed()
    check("speed", True, f"{speed:,.0f} GFLOP/s in float32 matrix products of the paper's shapes")
    check("memory", True, _memory())
    check(*_write_access("runs directory", arguments.runs_dir))
    kept = cache_directory()
    if kept is None:
        check("compiled cache", True, "none: no home directory (set MIIII_CACHE to have one)")
    else:
        # A run does not need the cache: without it every program is compiled again.
        name, writable, text = _write_access("compiled cache", kept)
        check(name, True, text if writable else f"none, compiles each time: {text}")
    if arguments.json:
        print(json.dumps(checks, indent=2))
    return 0 if all(item["ok"] for item in checks) else 1


def _float64_works() -> bool:
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True):
        return float(jnp.float64(1) + jnp.float64(1e-12)) > 1.0


def _matrix_speed() -> float:
    """GFLOP/s of the product [3830, 256] × [256, 1024], the fastest of ten."""
    import jax
    import jax.numpy as jnp

    rows, inner, columns = 3830, 256, 1024
    one, other = jnp.ones((rows, inner)), jnp.ones((inner, columns))
    product = jax.jit(lambda a, b: a @ b)
    product(one, other).block_until_ready()
    best = float("inf")
    for _ in range(10):
        began = time.perf_counter()
        product(one, other).block_until_ready()
        best = min(best, time.perf_counter() - began)
    return 2 * rows * inner * columns / best / 1e9


def _memory() -> str:
    try:
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return "unknown"
    return f"{available / 2**30:.1f} GiB free (the paper preset needs under 1.5)"


def _write_access(name: str, directory: Path) -> tuple[str, bool, str]:
    from miiii.runs.atomic import check_writable
    from miiii.runs.errors import StorageError

    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    try:
        check_writable(existing)
    except StorageError as error:
        return name, False, str(error)
    free = shutil.disk_usage(existing).free / 2**30
    return name, True, f"{directory} can be written, {free:.1f} GiB free"
