"""A run of `tiny` from a new Python process: with programs kept, against compiling anew.

Each round starts two processes, one after the other. `start` is what `miiii.start` takes, imports
of the process itself not counted; `longer` is `miiii.resume` to more epochs in the same process.
"""

import json
import os
import subprocess
import sys
import tempfile

from benchmarks.timing import ratio

PROGRAM = """
import json, sys, time
from pathlib import Path
import miiii
from miiii.experiment import training
config, folder = miiii.get_preset(sys.argv[1]), Path(sys.argv[2])
began = time.perf_counter()
miiii.start([config], ["run"], folder)
started = time.perf_counter()
miiii.resume("run", folder, epochs=config.training.epochs + 50)
print(json.dumps([started - began, time.perf_counter() - started]))
"""


def times(preset: str, cache: str, *, kept: bool) -> tuple[float, float]:
    """Seconds of a start and of the resume after it, in a process of its own."""
    environment = {**os.environ, "MIIII_CACHE": cache}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    environment["JAX_ENABLE_COMPILATION_CACHE"] = "1" if kept else "0"
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-c", PROGRAM, preset, folder]
        told = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    one, other = json.loads(told.stdout)
    return one, other


def report(rounds, preset="tiny"):
    """Measure and print."""
    seconds = {"kept": [], "anew": []}
    longer = []
    with tempfile.TemporaryDirectory() as cache:
        times(preset, cache, kept=True)
        for _ in range(rounds):
            for name, found in seconds.items():
                one, other = times(preset, cache, kept=name == "kept")
                found.append(one)
                longer.append(other)
    best, median = ratio(seconds, "kept", "anew")
    shown = ", ".join(f"{name} {min(values):.2f} s" for name, values in seconds.items())
    print(
        f"a start of {preset} from Python: {shown}; ratio {best:.2f} ({median:.2f}); 50 epochs "
        f"more in the same process: {min(longer):.2f} s"
    )
