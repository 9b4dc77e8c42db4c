"""The experiments of the paper's further work (§6), as changes of T_miiii's settings.

A study trains them beside the paper's own when asked (`miiii reproduce --beyond`), and each is a
preset, at the settings of `mini`. What they are asked is in `claims/rules/further_work.py`.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from miiii.config.config import Config, replace_fields

FIRST_TASKS = (2, 3, 5, 7)
"""Whose frequencies are amplified: the tasks of the first circuits (§4.2)."""
STRENGTH = 2.0
"""λ where chosen frequencies are amplified: the larger of the paper's two (§3.4), since few
directions of one weight are amplified at all. Compared with the experiment lambda-2."""
LEFT_OUT = {"smallest": (2, 8), "largest": (2, 4, 8), "random": (2, 4, 8)}
"""How many tasks are left out, and which. The four smallest are the experiment `masked`."""
LONGER = 10
"""Times as many epochs as T_miiii."""

Which = Literal["smallest", "largest", "random"]
_SHUFFLE_SEED = 0


@dataclass(frozen=True)
class Variation:
    """One experiment."""

    key: str
    what: str
    """A few words for a table."""
    settings: Callable[[Config], Config | None]
    """T_miiii's configuration in, this one's out; None where the base has too few tasks."""


def left_out(moduli: Sequence[int], which: str, count: int) -> tuple[int, ...]:
    """The tasks to leave out, ascending.

    Args:
        moduli: all tasks.
        which: smallest, largest, or random (one shuffled order, the same for every count, so that
            more left out always means the same and others).
        count: how many.
    """
    ordered = sorted(moduli)
    if which == "largest":
        ordered.reverse()
    elif which == "random":
        draw = random.Random(_SHUFFLE_SEED)
        ordered.sort(key=lambda _: draw.random())
    return tuple(sorted(ordered[:count]))


def _without(which: str, count: int) -> Callable[[Config], Config | None]:
    def settings(miiii: Config) -> Config | None:
        moduli = miiii.task.task_moduli
        if count >= len(moduli):
            return None
        return replace_fields(miiii, masked_tasks=left_out(moduli, which, count))

    return settings


def _changed(**changes: object) -> Callable[[Config], Config]:
    return lambda miiii: replace_fields(miiii, **changes)


def _on(name: str) -> Callable[[Config], Config]:
    return _changed(filter=name, filter_tasks=FIRST_TASKS, filter_strength=STRENGTH)


def _tenfold(miiii: Config) -> Config:
    return replace_fields(miiii, epochs=LONGER * miiii.training.epochs)


_UNREGULARISED = {"dropout": 0.0, "weight_decay": 0.0}
_FIRST = ", ".join(map(str, FIRST_TASKS))

VARIATIONS: dict[str, Variation] = {
    one.key: one
    for one in (
        *(
            Variation(
                f"without-{which}-{count}",
                f"{count} tasks left out: the {which}"
                if which != "random"
                else f"{count} tasks left out, drawn at random",
                _without(which, count),
            )
            for which, counts in LEFT_OUT.items()
            for count in counts
        ),
        Variation("divisibility", "does q divide n?", _changed(target="divisibility")),
        Variation("slow-on-tasks", f"λ = 2 on the frequencies of {_FIRST}", _on("ema_on_tasks")),
        Variation("slow-on-random", "λ = 2 on as many random directions", _on("ema_on_random")),
        Variation(
            "stablemax", "StableMax in place of the softmax", _changed(normaliser="stablemax")
        ),
        Variation(
            "orthogonal", "⊥Grad: nothing along the weights", _changed(orthogonal_gradient=True)
        ),
        Variation("unregularised", "no dropout, no weight decay", _changed(**_UNREGULARISED)),
        Variation(
            "unregularised-stablemax",
            "no dropout, no weight decay, StableMax",
            _changed(**_UNREGULARISED, normaliser="stablemax"),
        ),
        Variation(
            "unregularised-orthogonal",
            "no dropout, no weight decay, ⊥Grad",
            _changed(**_UNREGULARISED, orthogonal_gradient=True),
        ),
        Variation("tenfold", f"{LONGER} times as many epochs", _tenfold),
    )
}
"""By key, in the order of the questions."""
