"""A run's model at one epoch: its weights, logits and accuracies."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from miiii.experiment.run import Run
from miiii.model.parameters import Parameters, in_float64, weights_by_name
from miiii.model.transformer import forward
from miiii.tasks.splits import PARTS


@dataclass(frozen=True)
class ModelAt:
    """The model of a run at one epoch, read from its files on demand; dropout off.

    Attributes:
        run: the run; `with_raw_weights` gives its raw weights.
        snapshot: the epoch of the snapshot to read; None: the latest weights.
    """

    run: Run
    snapshot: int | None = None

    @property
    def epoch(self) -> int:
        """The epoch after which the weights were saved."""
        return int(self.run.status["epoch"]) if self.snapshot is None else self.snapshot

    @cached_property
    def parameters(self) -> Parameters:
        """The weights.

        Raises:
            KeyError: the run has no snapshot of that epoch.
            DamagedFileError: no weights can be read.
        """
        return self.run.parameters if self.snapshot is None else self.run.snapshots[self.snapshot]

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """Every weight by name: token_embedding, …, blocks.0.query, …, unembedding."""
        return weights_by_name(self.parameters)

    @property
    def which_weights(self) -> str:
        """A sentence on the kind of the weights, where a run has two; else empty."""
        decay = self.run.config.training.average_weights
        if not decay:
            return ""
        average = f"exponential average (decay {decay} per update)"
        if self.run.raw:
            return f"The raw weights: the run is judged by their {average}."
        return f"They are an {average} of the weights that were trained."

    @property
    def split(self) -> NDArray[np.int8]:
        """[p²]: for every number the index of its part in `PARTS`; −1 if it is in none."""
        labels = np.full(len(self.run.dataset.digits), -1, np.int8)
        for index, name in enumerate(PARTS):
            labels[getattr(self.run.dataset.split, name)] = index
        return labels

    def tokens(self, numbers: NDArray[np.integer]) -> NDArray[np.int64]:
        """[B, T]: the tokens of numbers n = x0 + p·x1, in the order of `token_names`."""
        base, model = self.run.config.task.base, self.run.config.model
        second = numbers // base + (base if model.digit_tokens == "separate" else 0)
        columns = [numbers % base, second]
        if model.answer_token:
            columns.append(np.full_like(numbers, model.tokens(base) - 1))
        return np.stack(columns, axis=1).astype(np.int64)

    @property
    def token_names(self) -> str:
        """The tokens of n = x0 + p·x1 as text: `[x0, x1, p]` for the paper's model."""
        base, model = self.run.config.task.base, self.run.config.model
        second = f"{base} + x1" if model.digit_tokens == "separate" else "x1"
        names = ["x0", second, *([str(model.tokens(base) - 1)] if model.answer_token else [])]
        return f"[{', '.join(names)}]"

    def logits(self, numbers: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """[B, V]: the logits of numbers (all p² by default) computed in float64, dropout off."""
        digits = self.run.dataset.digits
        with jax.enable_x64(True), jax.default_matmul_precision("highest"):
            weights = in_float64(self.parameters)
            chosen: Any = digits if numbers is None else digits[numbers]
            return np.asarray(forward(weights, chosen)[0])

    def accuracies(self) -> dict[str, list[float | None]]:
        """Per part of the split (train, validation, test, all) every task's share of right answers.

        For T_waves the mean squared error instead. None where a part has no numbers.
        """
        dataset = self.run.dataset
        # In the run's own precision, so that they equal the accuracies of training.
        logits = np.asarray(self.run.ablate(epoch=self.snapshot))
        if self.run.config.task.is_regression:
            scores = (logits - dataset.targets) ** 2
        else:
            cuts = np.cumsum(dataset.class_sizes)[:-1]
            answers = [part.argmax(axis=1) for part in np.split(logits, cuts, axis=1)]
            scores = np.stack(answers, axis=1) == dataset.targets
        parts = {name: getattr(dataset.split, name) for name in PARTS}
        parts["all"] = dataset.answered
        return {
            name: [float(value) if len(chosen) else None for value in _mean(scores, chosen)]
            for name, chosen in parts.items()
        }


def _mean(scores: NDArray[Any], chosen: NDArray[np.integer]) -> NDArray[Any]:
    return scores[chosen].mean(axis=0) if len(chosen) else np.zeros(scores.shape[1])
