"""The transformer of `model.transformer` in NumPy and float64, with the gradient of its loss.

It measures a model without JAX, whose start and compilation take longer than the measurement. There
is no dropout.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.interchange.names import depth_of
from miiii.model.config import Architecture

Array = NDArray[np.float64]

_BLOCK = ("query", "key", "value", "output", "mlp_in", "mlp_out", "mlp_in_bias", "mlp_out_bias")
_EXAMPLES = 4096
"""Number of examples that are computed at once, which limits the memory."""


def ordered(weights: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The weights in the order of `model.parameters.weight_names`."""
    inner = [f"blocks.{block}.{name}" for block in range(depth_of(weights)) for name in _BLOCK]
    names = ("token_embedding", "position_embedding", *inner, "unembedding")
    return {name: weights[name] for name in names if name in weights}


@dataclass(frozen=True)
class _Passed:
    """A block's activations. It reads T positions and computes the last Q of them."""

    inputs: Array  # [B, T, D]; in the first block the table [T, tokens, D]
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
    """A model that computes logits and gradients.

    Args:
        weights: by the names of `model.parameters.weight_names`.
        architecture: settings that do not follow from the weights' shapes.
        base: p.
    """

    def __init__(
        self, weights: Mapping[str, NDArray[Any]], architecture: Architecture, base: int
    ) -> None:
        self._weights = {
            name: np.asarray(one, np.float64) for name, one in ordered(weights).items()
        }
        self._rules = architecture
        self._depth = depth_of(weights)
        self._heads, _, self._head_width = self._weights["blocks.0.query"].shape
        self._second = base if architecture.digit_tokens == "separate" else 0
        self._activation, self._slope = _ACTIVATIONS[architecture.activation]()

    def logits(self, digits: NDArray[np.int32]) -> Array:
        """[B, V]: logits at the last position.

        Args:
            digits: [B, 2], the columns x0 and x1.
        """
        return np.concatenate([self._forward(part)[1] for part in _parts(digits)])

    def gradient_norms(self, digits: NDArray[np.int32], labels: NDArray[np.int32]) -> Array:
        """[W]: L2 norm of the gradient of the mean cross-entropy (in nats), for each weight.

        Args:
            digits: [B, 2], the columns x0 and x1.
            labels: [B], the right classes.
        """
        totals = {name: np.zeros_like(one) for name, one in self._weights.items()}
        for part, right in zip(_parts(digits), _parts(labels), strict=True):
            passed, logits = self._forward(part)
            # The gradient of cross-entropy by logits is the softmax minus the one-hot label.
            grad = np.exp(logits - logits.max(axis=1, keepdims=True))
            grad /= grad.sum(axis=1, keepdims=True)
            grad[np.arange(len(right)), right] -= 1
            self._backward(part, passed, grad / len(digits), totals)
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
        """[B, T]: the tokens of each example."""
        tokens = digits + np.array([0, self._second])
        positions = len(self._weights["position_embedding"])
        answer = len(self._weights["token_embedding"]) - 1
        more = np.full((len(digits), positions - 2), answer)
        return np.concatenate([tokens, more], axis=1)

    def _block(self, block: int, inputs: Array, tokens: "_Tokens | None", *, last: bool) -> _Passed:
        """A block's activations; the first block projects each token once and looks it up."""

        def looked_up(table: Array) -> Array:
            return table if tokens is None else tokens.rows(table)

        key = self._per_head(looked_up(inputs @ self._flat(block, "key")))
        value = self._per_head(looked_up(inputs @ self._flat(block, "value")))
        queries = 1 if last else key.shape[1]
        query_inputs = _last(inputs, queries, tokens)
        query = self._per_head(looked_up(query_inputs @ self._flat(block, "query")))
        residual = looked_up(query_inputs)
        scores = np.einsum("bqhk,bthk->bhqt", query, key) / math.sqrt(self._head_width)
        positions = key.shape[1]
        visible = np.ones((queries, positions), bool)
        if self._rules.attention_mask == "causal":
            visible = np.arange(positions) <= np.arange(positions - queries, positions)[:, None]
        scores = np.where(visible, scores, -np.inf)
        softmax = np.exp(scores - scores.max(axis=-1, keepdims=True))
        softmax /= softmax.sum(axis=-1, keepdims=True)
        share = self._rules.attention_coefficient
        weights = np.where(visible, share * softmax + (1 - share), 0)
        mixed = np.einsum("bhqt,bthk->bqhk", weights, value).reshape(*residual.shape[:2], -1)
        middle = residual + mixed @ self._flat(block, "output")
        before = middle @ self._flat(block, "mlp_in") + self._bias(block, "mlp_in_bias")
        neurons = self._activation(before)
        out = middle + neurons @ self._flat(block, "mlp_out") + self._bias(block, "mlp_out_bias")
        return _Passed(
            inputs, query, key, value, softmax, weights, mixed, middle, before, neurons, out
        )

    def _backward(
        self,
        digits: NDArray[np.int32],
        passed: list[_Passed],
        grad_logits: Array,
        totals: dict[str, Array],
    ) -> None:
        """Add the gradient of these examples to the totals."""
        totals["unembedding"] += passed[-1].out[:, -1].T @ grad_logits
        stream = (grad_logits @ self._weights["unembedding"].T)[:, None]
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
        grad_out: Array,
        tokens: "_Tokens | None",
        totals: dict[str, Array],
    ) -> Array:
        """The gradient by the block's inputs, from that by its outputs."""

        def add(name: str, inputs: Array, grad_outputs: Array) -> None:
            total = totals[f"blocks.{block}.{name}"]
            found = _rows(inputs).T @ _rows(grad_outputs)
            if total.ndim == 3 and name != "output":
                found = found.reshape(len(found), *total.shape[::2]).swapaxes(0, 1)
            total += found.reshape(total.shape)
            if (bias := f"blocks.{block}.{name}_bias") in totals:
                totals[bias] += _rows(grad_outputs).sum(axis=0)

        add("mlp_out", passed.neurons, grad_out)
        grad_before = (grad_out @ self._flat(block, "mlp_out").T) * self._slope(passed.before)
        add("mlp_in", passed.middle, grad_before)
        grad_middle = grad_out + grad_before @ self._flat(block, "mlp_in").T
        add("output", passed.mixed, grad_middle)
        grad_mixed = self._per_head(grad_middle @ self._flat(block, "output").T)
        grad_value = np.einsum("bhqt,bqhk->bthk", passed.weights, grad_mixed)
        grad_weights = np.einsum("bqhk,bthk->bhqt", grad_mixed, passed.value)
        grad_weights *= self._rules.attention_coefficient
        # The softmax has the Jacobian diag(s) − s sᵀ.
        mean = (grad_weights * passed.softmax).sum(axis=-1, keepdims=True)
        grad_scores = passed.softmax * (grad_weights - mean) / math.sqrt(self._head_width)
        grad_query = np.einsum("bhqt,bthk->bqhk", grad_scores, passed.key)
        grad_key = np.einsum("bhqt,bqhk->bthk", grad_scores, passed.query)
        queries, inputs = grad_middle.shape[1], passed.inputs

        def collected(grad_rows: Array) -> Array:
            flat = grad_rows.reshape(*grad_rows.shape[:2], -1)
            return flat if tokens is None else tokens.sums(flat, inputs.shape[1])

        grad_key, grad_value = collected(grad_key), collected(grad_value)
        grad_query = collected(grad_query)
        query_inputs = _last(inputs, queries, tokens)
        add("query", query_inputs, grad_query)
        add("key", inputs, grad_key)
        add("value", inputs, grad_value)
        grad_inputs = grad_key @ self._flat(block, "key").T
        grad_inputs += grad_value @ self._flat(block, "value").T
        grad_query_inputs = _last(grad_inputs, queries, tokens)  # A view: += changes grad_inputs.
        grad_query_inputs += collected(grad_middle) + grad_query @ self._flat(block, "query").T
        return grad_inputs

    def _flat(self, block: int, name: str) -> Array:
        """A weight as one matrix, with the heads side by side."""
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
    """The tokens of examples, which index tables [P, tokens, C] of the last P positions.

    Args:
        tokens: [B, T].
    """

    def __init__(self, tokens: NDArray[np.int64]) -> None:
        self._tokens = tokens

    def rows(self, table: Array) -> Array:
        """[B, P, C]: the rows of each example's tokens."""
        return table[np.arange(len(table)), self._tokens[:, -len(table) :]]

    def sums(self, rows: Array, count: int) -> Array:
        """[P, tokens, C]: sums over examples of rows [B, P, C], by token (adjoint of `rows`)."""
        positions = rows.shape[1]
        found = np.zeros((positions, count, rows.shape[2]))
        np.add.at(found, (np.arange(positions), self._tokens[:, -positions:]), rows)
        return found


def _last(inputs: Array, queries: int, tokens: _Tokens | None) -> Array:
    """The last positions of [B, T, D], or of a table [T, tokens, D]."""
    return inputs[:, -queries:] if tokens is None else inputs[-queries:]


def _parts(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (rows[start : start + _EXAMPLES] for start in range(0, len(rows), _EXAMPLES))


def _rows(values: Array) -> Array:
    return values.reshape(-1, values.shape[-1])


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
"""The activation functions with their derivatives."""
