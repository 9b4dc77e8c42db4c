"""Runs that differ only in their seed: groups of them, and the range of a number over seeds."""

import math
import re
from collections.abc import Mapping, Sequence
from os.path import commonprefix

import numpy as np

from miiii.config.config import Config, replace_fields


def seed_groups(configs: Mapping[str, Config]) -> dict[str, tuple[str, ...]]:
    """Runs in groups that differ in nothing but the seed.

    Args:
        configs: by name of the run.

    Returns:
        Name of the group to its runs, both in the given order. A single run keeps its name. A group
        has the common beginning of its runs' names and their number: `small (3 seeds)`.
    """
    groups: dict[Config, list[str]] = {}
    for name, config in configs.items():
        groups.setdefault(replace_fields(config, seed=0), []).append(name)
    found: dict[str, tuple[str, ...]] = {}
    for runs in groups.values():
        name = _common_name(runs)
        if name in found:
            name = f"{runs[0]} and {len(runs) - 1} more"
        found[name] = tuple(runs)
    return found


def _common_name(runs: Sequence[str]) -> str:
    if len(runs) == 1:
        return runs[0]
    # The common prefix by letters, as names are no paths.
    start = commonprefix(list(runs))  # noqa: RUF071
    start = re.sub(r"([-_.]+(seed|s)?|seed)\d*$", "", start) or runs[0]
    return f"{start} ({len(runs)} seeds)"


def summary(values: Sequence[float | None]) -> tuple[float, float, float] | None:
    """Median, lowest and highest value over seeds.

    None stands for a task that was never learnt. It counts as infinite, so that the median is
    infinite if half of the seeds or more never learnt the task.

    Returns:
        The three; None where no seed has a value.
    """
    known = [math.inf if value is None else float(value) for value in values]
    if all(math.isinf(value) for value in known):
        return None
    return float(np.median(known)), min(known), max(known)
