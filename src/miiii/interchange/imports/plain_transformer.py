"""The transformer in float64 by NumPy, and the gradient of its loss.

`model.transformer` written out plainly, so that a model can be measured without JAX, whose start
and compilation take longer than the measuring. Nothing is dropped out.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.model.config import Architecture

Array = NDArray[np.float64]

_BLOCK = ("query", "key", "value", "output", "mlp_in", "mlp_out", "mlp_in_bias", "mlp_out_bias")
_EXAMPLES = 4096
"""Computed at a time."""


def ordered(weights: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Weights in the order in which `model.parameters.weight_names` lists them."""
    depth = sum(name.endswith(".mlp_in") for name in weights)
    inner = [f"blocks.{block}.{name}" for block in range(depth) for name in _BLOCK]
    names = ("token_embedding", "position_embedding", *inner, "unembedding")
    return {name: weights[name] for name in names if name in weights}


@dataclass(frozen=True)
class _Passed:
    """What a block computed: T positions are read, and Q, the last ones, go on."""

    read: Array  # [B, T, D], or of a first block [T, tokens, D]
    query: Array  # [B, Q, H, K]
    key: Array  # [B, T, H, K]
    value: Array  # [B, T, H, K]
    softmax: Array  # [B, H, Q, T]
    weights: Array  # [B, H, Q, T]
    mixed: Array  # [B, Q, H·K]
    middle: Array  # [B, Q, D]
    before: Array  # [B, Q, F]
    neurons: Array  # [B, Q, F]
    out: Array  # [B, Q, D]


class PlainTransformer:
    """A model's weights, ready to be computed with.

    Args:
        weights: by our names, as `Parameters` has them.
        architecture: what their shapes do not tell.
        base: p.
    """

    def __init__(
        self, weights: Mapping[str, NDArray[Any]], architecture: Architecture, base: int
    ) -> None:
        self._weights = {
            name: np.asarray(one, np.float64) for name, one in ordered(weights).items()
        }
        self._rules = architecture
        self._depth = sum(name.endswith(".mlp_in") for name in weights)
        self._heads, _, self._head_width = self._weights["blocks.0.query"].shape
        self._second = base if architecture.digit_tokens == "separate" else 0
        self._activation, self._slope = _ACTIVATIONS[architecture.activation]()

    def logits(self, digits: NDArray[np.int32]) -> Array:
        """[B, V]: at the last position.

        Args:
            digits: [B, 2], the columns x0 and x1.
        """
        return np.concatenate([self._forward(part)[1] for part in _parts(digits)])

    def gradient_norms(self, digits: NDArray[np.int32], labels: NDArray[np.int32]) -> Array:
        """[W]: of the mean cross-entropy (in nats, over all classes), the L2 norm per weight.

        Args:
            digits: [B, 2].
            labels: [B].
        """
        totals = {name: np.zeros_like(one) for name, one in self._weights.items()}
        for part, right in zip(_parts(digits), _parts(labels), strict=True):
            passed, logits = self._forward(part)
            wrong = np.exp(logits - logits.max(axis=1, keepdims=True))
            wrong /= wrong.sum(axis=1, keepdims=True)
            wrong[np.arange(len(right)), right] -= 1
            self._backward(part, passed, wrong / len(digits), totals)
        return np.array([np.linalg.norm(total) for total in totals.values()], np.float64)

    def _forward(self, digits: NDArray[np.int32]) -> tuple[list[_Passed], Array]:
        tokens: _Tokens | None = _Tokens(self._tokens(digits))
        embedding = self._weights["token_embedding"]
        stream = embedding + self._weights["position_embedding"][:, None]
        passed = []
        for block in range(self._depth):
            passed.append(self._block(block, stream, tokens, last=block == self._depth - 1))
            stream, tokens = passed[-1].out, None
        return passed, stream[:, -1] @ self._weights["unembedding"]

    def _tokens(self, digits: NDArray[np.int32]) -> NDArray[np.int64]:
        """[B, T]."""
        tokens = digits + np.array([0, self._second])
        positions = len(self._weights["position_embedding"])
        answer = len(self._weights["token_embedding"]) - 1
        more = np.full((len(digits), positions - 2), answer)
        return np.concatenate([tokens, more], axis=1)

    def _block(self, block: int, read: Array, tokens: "_Tokens | None", *, last: bool) -> _Passed:
        """What a block computes; a first block projects every token once and looks it up."""

        def looked_up(table: Array) -> Array:
            return table if tokens is None else tokens.rows(table)

        key = self._per_head(looked_up(read @ self._flat(block, "key")))
        value = self._per_head(looked_up(read @ self._flat(block, "value")))
        asked = 1 if last else key.shape[1]
        asks = _last(read, asked, tokens)
        query = self._per_head(looked_up(asks @ self._flat(block, "query")))
        asking = looked_up(asks)
        scores = np.einsum("bqhk,bthk->bhqt", query, key) / math.sqrt(self._head_width)
        seen = key.shape[1]
        visible = np.ones((asked, seen), bool)
        if self._rules.attention_mask == "causal":
            visible = np.arange(seen) <= np.arange(seen - asked, seen)[:, None]
        scores = np.where(visible, scores, -np.inf)
        softmax = np.exp(scores - scores.max(axis=-1, keepdims=True))
        softmax /= softmax.sum(axis=-1, keepdims=True)
        share = self._rules.attention_coefficient
        weights = np.where(visible, share * softmax + (1 - share), 0)
        mixed = np.einsum("bhqt,bthk->bqhk", weights, value).reshape(*asking.shape[:2], -1)
        middle = asking + mixed @ self._flat(block, "output")
        before = middle @ self._flat(block, "mlp_in") + self._bias(block, "mlp_in_bias")
        neurons = self._activation(before)
        out = middle + neurons @ self._flat(block, "mlp_out") + self._bias(block, "mlp_out_bias")
        return _Passed(
            read, query, key, value, softmax, weights, mixed, middle, before, neurons, out
        )

    def _backward(
        self,
        digits: NDArray[np.int32],
        passed: list[_Passed],
        of_logits: Array,
        totals: dict[str, Array],
    ) -> None:
        """Add the gradient of these examples to the totals."""
        totals["unembedding"] += passed[-1].out[:, -1].T @ of_logits
        stream = (of_logits @ self._weights["unembedding"].T)[:, None]
        tokens = _Tokens(self._tokens(digits))
        for block in reversed(range(self._depth)):
            looked_up = None if block else tokens
            stream = self._block_backward(block, passed[block], stream, looked_up, totals)
        totals["position_embedding"] += stream.sum(axis=1)
        totals["token_embedding"] += stream.sum(axis=0)

    def _block_backward(
        self,
        block: int,
        passed: _Passed,
        of_out: Array,
        tokens: "_Tokens | None",
        totals: dict[str, Array],
    ) -> Array:
        """The gradient with respect to what the block read, from that of what it gave."""

        def add(name: str, inputs: Array, of_outputs: Array) -> None:
            total = totals[f"blocks.{block}.{name}"]
            found = _rows(inputs).T @ _rows(of_outputs)
            if total.ndim == 3 and name != "output":
                found = found.reshape(len(found), *total.shape[::2]).swapaxes(0, 1)
            total += found.reshape(total.shape)
            if (bias := f"blocks.{block}.{name}_bias") in totals:
                totals[bias] += _rows(of_outputs).sum(axis=0)

        add("mlp_out", passed.neurons, of_out)
        of_before = (of_out @ self._flat(block, "mlp_out").T) * self._slope(passed.before)
        add("mlp_in", passed.middle, of_before)
        of_middle = of_out + of_before @ self._flat(block, "mlp_in").T
        add("output", passed.mixed, of_middle)
        of_mixed = self._per_head(of_middle @ self._flat(block, "output").T)
        of_value = np.einsum("bhqt,bqhk->bthk", passed.weights, of_mixed)
        of_weights = np.einsum("bqhk,bthk->bhqt", of_mixed, passed.value)
        of_weights *= self._rules.attention_coefficient
        mean = (of_weights * passed.softmax).sum(axis=-1, keepdims=True)
        of_scores = passed.softmax * (of_weights - mean) / math.sqrt(self._head_width)
        of_query = np.einsum("bhqt,bthk->bqhk", of_scores, passed.key)
        of_key = np.einsum("bhqt,bqhk->bthk", of_scores, passed.query)
        asked, read = of_middle.shape[1], passed.read

        def collected(of_rows: Array) -> Array:
            return of_rows if tokens is None else tokens.sums(of_rows, read.shape[1])

        of_key, of_value = collected(_side_by_side(of_key)), collected(_side_by_side(of_value))
        of_query = collected(_side_by_side(of_query))
        asks = _last(read, asked, tokens)
        add("query", asks, of_query)
        add("key", read, of_key)
        add("value", read, of_value)
        of_read = of_key @ self._flat(block, "key").T + of_value @ self._flat(block, "value").T
        of_asks = _last(of_read, asked, tokens)  # a view
        of_asks += collected(of_middle) + of_query @ self._flat(block, "query").T
        return of_read

    def _flat(self, block: int, name: str) -> Array:
        """A weight as one matrix, heads side by side."""
        found = self._weights[f"blocks.{block}.{name}"]
        if found.ndim == 2:
            return found
        if name == "output":
            return found.reshape(-1, found.shape[2])
        return found.swapaxes(0, 1).reshape(found.shape[1], -1)

    def _bias(self, block: int, name: str) -> Array | float:
        return self._weights.get(f"blocks.{block}.{name}", 0.0)

    def _per_head(self, flat: Array) -> Array:
        return flat.reshape(*flat.shape[:2], self._heads, self._head_width)


class _Tokens:
    """The tokens of examples, and rows of tables [P, tokens, C] of their last P positions.

    Args:
        tokens: [B, T].
    """

    def __init__(self, tokens: NDArray[np.int64]) -> None:
        self._tokens = tokens

    def rows(self, table: Array) -> Array:
        """[B, P, C]: of every example its tokens' rows."""
        return table[np.arange(len(table)), self._tokens[:, -len(table) :]]

    def sums(self, rows: Array, count: int) -> Array:
        """[P, tokens, C]: over all examples, the rows [B, P, C] of each token."""
        positions = rows.shape[1]
        found = np.zeros((positions, count, rows.shape[2]))
        np.add.at(found, (np.arange(positions), self._tokens[:, -positions:]), rows)
        return found


def _last(read: Array, asked: int, tokens: _Tokens | None) -> Array:
    """The last positions of [B, T, D], or of a table [T, tokens, D]."""
    return read[:, -asked:] if tokens is None else read[-asked:]


def _parts(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (rows[start : start + _EXAMPLES] for start in range(0, len(rows), _EXAMPLES))


def _rows(values: Array) -> Array:
    return values.reshape(-1, values.shape[-1])


def _side_by_side(values: Array) -> Array:
    return values.reshape(*values.shape[:2], -1)


Function = Callable[[Array], Array]


def _gelu() -> tuple[Function, Function]:
    from scipy.special import ndtr  # the normal distribution function Φ

    def slope(before: Array) -> Array:
        return ndtr(before) + before * np.exp(-(before**2) / 2) / math.sqrt(2 * math.pi)

    return lambda before: before * ndtr(before), slope


_ACTIVATIONS: dict[str, Callable[[], tuple[Function, Function]]] = {
    "relu": lambda: (
        lambda before: np.maximum(before, 0),
        lambda before: (before > 0).astype(np.float64),
    ),
    "gelu": _gelu,
    "tanh": lambda: (np.tanh, lambda before: 1 - np.tanh(before) ** 2),
}
"""What neurons do, and its derivative."""
