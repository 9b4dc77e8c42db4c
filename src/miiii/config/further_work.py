"""The experiments of the paper's further work (§6), as changes of T_miiii's settings.

`miiii reproduce --beyond` trains them beside the paper's experiments, and each is also a preset at
the settings of `mini`. The questions about them are in `claims/rules/further_work.py`.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from miiii.config.config import Config, replace_fields

FIRST_TASKS = (2, 3, 5, 7)
"""Tasks whose frequencies are amplified: those of the first circuits (§4.2)."""
STRENGTH = 2.0
"""λ for chosen frequencies: the larger of the paper's two (§3.4), because only a few directions of
one weight are amplified. The experiment lambda-2 is compared with it."""
LEFT_OUT = {"smallest": (2, 8), "largest": (2, 4, 8), "random": (2, 4, 8)}
"""Which tasks are left out, and the numbers of them. The four smallest are the experiment
`masked`."""
LONGER = 10
"""Epochs of the experiment tenfold, as a multiple of T_miiii's."""

Settings = Callable[[Config], Config | None]
"""From T_miiii's configuration to an experiment's; None where the base has too few tasks."""
_SHUFFLE_SEED = 0


@dataclass(frozen=True)
class Variation:
    """One experiment."""

    key: str
    label: str
    """A few words for a table."""
    settings: Settings


def left_out(moduli: Sequence[int], which: str, count: int) -> tuple[int, ...]:
    """The tasks to leave out, ascending.

    Args:
        moduli: all tasks.
        which: smallest, largest, or random (one shuffled order for every count, so that a larger
            count leaves out the tasks of a smaller one and more).
        count: how many.
    """
    ordered = sorted(moduli)
    if which == "largest":
        ordered.reverse()
    elif which == "random":
        draw = random.Random(_SHUFFLE_SEED)
        ordered.sort(key=lambda _: draw.random())
    return tuple(sorted(ordered[:count]))


def _without(which: str, count: int) -> Settings:
    def settings(miiii: Config) -> Config | None:
        moduli = miiii.task.task_moduli
        if count >= len(moduli):
            return None
        return replace_fields(miiii, masked_tasks=left_out(moduli, which, count))

    return settings


def changed(**changes: object) -> Settings:
    """T_miiii with some fields replaced."""
    return lambda miiii: replace_fields(miiii, **changes)


def _on(filter_name: str) -> Settings:
    return changed(filter=filter_name, filter_tasks=FIRST_TASKS, filter_strength=STRENGTH)


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
        Variation("divisibility", "does q divide n?", changed(target="divisibility")),
        Variation("slow-on-tasks", f"λ = 2 on the frequencies of {_FIRST}", _on("ema_on_tasks")),
        Variation("slow-on-random", "λ = 2 on as many random directions", _on("ema_on_random")),
        Variation(
            "stablemax", "StableMax in place of the softmax", changed(normaliser="stablemax")
        ),
        Variation(
            "orthogonal", "⊥Grad: nothing along the weights", changed(orthogonal_gradient=True)
        ),
        Variation("unregularised", "no dropout, no weight decay", changed(**_UNREGULARISED)),
        Variation(
            "unregularised-stablemax",
            "no dropout, no weight decay, StableMax",
            changed(**_UNREGULARISED, normaliser="stablemax"),
        ),
        Variation(
            "unregularised-orthogonal",
            "no dropout, no weight decay, ⊥Grad",
            changed(**_UNREGULARISED, orthogonal_gradient=True),
        ),
        Variation(
            "tenfold",
            f"{LONGER} times as many epochs",
            lambda miiii: replace_fields(miiii, epochs=LONGER * miiii.training.epochs),
        ),
    )
}
"""By key, in the order of the questions."""
