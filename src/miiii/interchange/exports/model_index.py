"""A run's accuracies as the hub's `model-index`: what leaderboards and the model page read.

The hub's own library takes results of one task type and one dataset for one entry, and puts all
their numbers under the first one's name when a card is loaded and saved again. So every task and
part of the split is a configuration of the dataset of its own, named `mod-q`.
"""

import json
from collections.abc import Mapping, Sequence

PARTS = ("validation", "test")
"""The parts of the split whose numbers were not trained on."""


def model_index(
    name: str,
    base: int,
    moduli: Sequence[int],
    scores: Mapping[str, Sequence[float | None]],
    *,
    regression: bool = False,
) -> str:
    """The front matter's lines, YAML.

    Args:
        name: of the run.
        base: p.
        moduli: [N], of the tasks.
        scores: per part of the split a score of every task: a share right, or for a regression the
            mean squared error; None where there is none.
        regression: whether the output is a real number.
    """
    metric = ("mse", "mean squared error") if regression else ("accuracy", "share right")
    lines = ["model-index:", f"- name: {_quoted(name)}", "  results:"]
    for index, modulus in enumerate(moduli):
        label = "waves" if regression else f"n mod {modulus}"
        for part in PARTS:
            value = scores[part][index]
            if value is None:
                continue
            lines += [
                "  - task:",
                "      type: tabular-" + ("regression" if regression else "classification"),
                f"      name: {_quoted(label)}",
                "    dataset:",
                f"      name: {_quoted(f'all n below {base}²')}",
                f"      type: {_quoted(f'numbers-below-{base}-squared')}",
                f"      config: {_quoted('waves' if regression else f'mod-{modulus}')}",
                f"      split: {part}",
                "    metrics:",
                f"    - type: {metric[0]}",
                f"      value: {value!r}",
                f"      name: {_quoted(f'{metric[1]}, {part}')}",
            ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A JSON string is a YAML one."""
    return json.dumps(text, ensure_ascii=False)
