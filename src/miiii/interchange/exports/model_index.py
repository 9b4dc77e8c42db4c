"""A run's accuracies as the Hub's `model-index`, which leaderboards and the model page read.

When a card is loaded and saved again, the Hub's library merges results with equal task type and
dataset into one entry under the first one's name. Therefore each task has a separate configuration
of the dataset, named `mod-q`.
"""

import json
from collections.abc import Mapping, Sequence

PARTS = ("validation", "test")
"""Parts of the split that were not trained on."""


def model_index(
    name: str,
    base: int,
    moduli: Sequence[int],
    scores: Mapping[str, Sequence[float | None]],
    *,
    regression: bool = False,
) -> str:
    """The lines of the front matter, in YAML.

    Args:
        name: the run's name.
        base: p.
        moduli: [N], the tasks' q.
        scores: for each part of the split [N]: the share of right answers, or for a regression the
            mean squared error; None for a part without numbers.
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
    """The text as a JSON string, which is also a YAML string."""
    return json.dumps(text, ensure_ascii=False)
