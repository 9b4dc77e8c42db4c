"""What a dispatch costs: epochs made one per call, as many as training makes, and eight.

On a CPU each call allocates the program's intermediate arrays anew, and the kernel clears their
pages. Processor time counts here, and the kernel's share of it, since that is what is saved.
Huge pages make a fault 512 times as large: `GLIBC_TUNABLES=glibc.malloc.hugetlb=1 python -m
benchmarks dispatch` (Linux, glibc 2.35 or later, huge pages at `madvise` or `always`).
"""

import os
import resource

import jax

from benchmarks.epoch import our_epochs
from miiii.config.config import replace_fields
from miiii.config.presets import get_preset
from miiii.experiment.pace import SLOW_EPOCHS

COUNTS = (1, SLOW_EPOCHS, 8)


def cost(call, count):
    """(processor seconds, of these the kernel's, page faults) per epoch of one call."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    jax.block_until_ready(call())
    after = resource.getrusage(resource.RUSAGE_SELF)
    system = after.ru_stime - before.ru_stime
    total = system + after.ru_utime - before.ru_utime
    return total / count, system / count, (after.ru_minflt - before.ru_minflt) / count


def report(rounds, presets=("reference32", "paper", "fast")):
    """Measure and print."""
    print(f"GLIBC_TUNABLES: {os.environ.get('GLIBC_TUNABLES', '') or 'not set'}")
    for preset in presets:
        config = replace_fields(get_preset(preset), validate_every=8)
        calls = {count: our_epochs(config, count)[0] for count in COUNTS}
        for call in calls.values():
            jax.block_until_ready(call())
        costs = {count: [] for count in COUNTS}
        for _ in range(rounds):
            for count, call in calls.items():
                costs[count].append(cost(call, count))
        single = min(costs[1])[0]
        for count in COUNTS:
            seconds, system, faults = min(costs[count])
            pairs = sorted(a[0] / b[0] for a, b in zip(costs[count], costs[1], strict=True))
            print(
                f"  {preset:12} {count} epochs per dispatch: {seconds:.3f} s of processor time per "
                f"epoch, the kernel's {system / seconds:.0%}, {faults:,.0f} page faults; ratio to "
                f"one {seconds / single:.2f} ({pairs[rounds // 2]:.2f})"
            )
