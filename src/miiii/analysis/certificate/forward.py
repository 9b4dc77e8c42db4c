"""The transformer in float64, with a bound on every number's rounding error.

The network is that of `model.transformer`, written in the textbook form: no dropout, any depth,
with ReLU and every other setting of the model. An attention score is a product of a token's
embedding, W_k and a query. Its bound holds whichever two are multiplied first, and so covers
`model.transformer`, which computes W_k q once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.certificate.arithmetic import (
    ARITHMETICS,
    EXP_ULPS,
    Enclosed,
    FloatArray,
    Layer,
    add,
    joined,
    outward,
    product,
    stored,
    times,
    unless,
)
from miiii.analysis.certificate.last_block import LastBlock
from miiii.model.config import PAPER, Architecture

_NUMBERS = 256  # evaluated at a time


@dataclass(frozen=True)
class _Projections:
    """Queries, keys and values of R residual streams in one block, heads side by side."""

    query: Enclosed  # [R, H·K]
    key: FloatArray  # [R, H·K]
    key_size: list[FloatArray]  # per arithmetic [R, H·K]: |x|·|W_k|
    key_error: list[FloatArray]  # per arithmetic [R, H·K]: of x·W_k, for either order of products
    key_reach: list[float]  # per arithmetic: no entry of |W_k|·|q| is above this times max |q|
    value: Enclosed  # [R, H·K]


class Network:
    """A model's stored weights, evaluated with bounds.

    Args:
        weights: every weight by name (`model.parameters.weight_names`), float32 or float64.
        architecture: the settings that the weights' shapes do not show.

    Raises:
        ValueError: the activation is not ReLU: others have no bound on their rounding here.
    """

    def __init__(
        self, weights: Mapping[str, ArrayLike], architecture: Architecture = PAPER
    ) -> None:
        if architecture.activation != "relu":
            raise ValueError(
                f"activation is {architecture.activation!r}: certificates need relu, which is "
                "computed exactly (the errors of a library's gelu and tanh are not bounded here)"
            )
        self._architecture = architecture
        self._weights = {name: stored(values) for name, values in weights.items()}
        self._depth = sum(name.endswith(".query") for name in weights)
        self.heads, self.width, self._head_width = self._weights["blocks.0.query"].value.shape
        self._positions = len(self._weights["position_embedding"].value)
        digits = len(self._weights["token_embedding"].value) - (self._positions == 3)
        self.base = digits // 2 if architecture.digit_tokens == "separate" else digits
        self.unembedding = self._weights["unembedding"]
        """[D, V]"""

    def logits(self) -> Iterator[Enclosed]:
        """Every task's logits side by side, some numbers at a time, in order.

        Returns:
            An iterator of [B, V], together p² rows.
        """
        tokens = self._tokens()
        projected = self._project(0, tokens)
        last = self._last(projected) if self._depth == 1 else None
        for start in range(0, self.base**2, _NUMBERS):
            numbers = np.arange(start, min(start + _NUMBERS, self.base**2))
            # Rows of the table: digits at x0, digits at x1, the answer token.
            columns = [numbers % self.base, self.base + numbers // self.base]
            columns += [np.full(len(numbers), 2 * self.base)] * (self._positions - 2)
            rows = np.stack(columns, axis=1)
            stream, heads = tokens, projected
            for block in range(self._depth - 1):
                places = range(self._positions)
                stream = joined([self._block(block, stream, heads, rows, at) for at in places])
                rows = np.arange(len(stream.value)).reshape(self._positions, -1).T
                heads = self._project(block + 1, stream)
            weights, mixed = self._attend(stream, heads, rows, self._positions - 1)
            ending = last or self._last(heads)
            yield ending.logits(weights, rows, stream[rows[:, -1]], mixed)

    def _last(self, heads: _Projections) -> LastBlock:
        block = f"blocks.{self._depth - 1}"
        layers = self._layer(f"{block}.mlp_in"), self._layer(f"{block}.mlp_out")
        return LastBlock(self._weights[f"{block}.output"], *layers, self.unembedding, heads.value)

    def _tokens(self) -> Enclosed:
        """Token plus position: p digits at x0, p at x1, the answer. [2p + 1, D] or [2p, D]."""
        token, position = self._weights["token_embedding"], self._weights["position_embedding"]
        start = self.base if self._architecture.digit_tokens == "separate" else 0
        last = len(token.value) - 1
        parts = [slice(0, self.base), slice(start, start + self.base), slice(last, last + 1)]
        parts = parts[: self._positions]
        return joined([add(token[part], position[place]) for place, part in enumerate(parts)])

    @np.errstate(over="ignore", invalid="ignore")
    def _project(self, block: int, streams: Enclosed) -> _Projections:
        query, key, value = (  # [H, D, K] to [D, H·K]
            self._weights[f"blocks.{block}.{name}"].map(
                lambda array: array.transpose(1, 0, 2).reshape(array.shape[1], -1)
            )
            for name in ("query", "key", "value")
        )
        terms = self.width + self._head_width
        sizes, errors, reaches = [], [], []
        for which, arithmetic in enumerate(ARITHMETICS):
            magnitude, weight = streams.magnitude(which), key.magnitude(which)
            relative = arithmetic.gamma(terms) * magnitude + streams.errors[which]
            error = times(relative, weight) + times(magnitude, key.errors[which])
            sizes.append(outward(times(magnitude, weight), 2 * self.width + 4))
            errors.append(outward(error, 2 * self.width + 8))
            reaches.append(self._head_width * float(weight.max()))
        return _Projections(
            query=product(streams, query),
            key=streams.value @ key.value,
            key_size=sizes,
            key_error=errors,
            key_reach=reaches,
            value=product(streams, value),
        )

    def _block(
        self, block: int, stream: Enclosed, heads: _Projections, rows: NDArray[np.int64], place: int
    ) -> Enclosed:
        """One block at one position of each number: residual stream in, residual stream out.

        Args:
            block: which.
            stream: [R, D], the residual streams that enter.
            heads: their projections.
            rows: [B, T], the stream, 0 … R − 1, of each position.
            place: the position.
        """
        mixed = self._attend(stream, heads, rows, place)[1]
        output = self._weights[f"blocks.{block}.output"].reshape(-1, self.width)
        middle = add(stream[rows[:, place]], product(mixed, output))
        before = self._layer(f"blocks.{block}.mlp_in")(middle)
        # max(x, 0) moves no two numbers further apart, so errors do not grow.
        neurons = Enclosed(np.maximum(before.value, 0.0), before.errors)
        return add(middle, self._layer(f"blocks.{block}.mlp_out")(neurons))

    def _layer(self, name: str) -> Layer:
        return Layer(self._weights[name], self._weights.get(f"{name}_bias"))

    def _attend(
        self, stream: Enclosed, heads: _Projections, rows: NDArray[np.int64], place: int
    ) -> tuple[Enclosed, Enclosed]:
        """Attention weights [B, T, H] from one position, and the weighted values [B, H·K]."""
        seen = rows if self._architecture.attention_mask == "full" else rows[:, : place + 1]
        weights = softmax(self._scores(heads, stream, rows[:, place], seen))
        weights = with_constant(weights, self._architecture.attention_coefficient)
        shape = (*seen.shape, self.heads, self._head_width)
        return weights, _mix(weights, heads.value[seen].reshape(*shape)).reshape(len(rows), -1)

    def _scores(
        self,
        heads: _Projections,
        stream: Enclosed,
        queries: NDArray[np.int64],
        seen: NDArray[np.int64],
    ) -> Enclosed:
        """Scaled attention scores [B, T, H] of the streams `queries` [B] and `seen` [B, T]."""
        split = (self.heads, self._head_width)
        query = heads.query[queries].reshape(-1, *split)
        key = heads.key[seen].reshape(*seen.shape, *split)
        root = np.sqrt(self._head_width)
        with np.errstate(over="ignore", invalid="ignore"):
            value = _dot(key, query.value) / root
        terms = self.width + self._head_width
        errors = []
        for which, arithmetic in enumerate(ARITHMETICS):
            size = query.magnitude(which)
            key_size, key_error = (
                array[seen].reshape(*seen.shape, *split)
                for array in (heads.key_size[which], heads.key_error[which])
            )
            # The error of underflow in the keys or in W_k q, as it reaches the score.
            carried = size.sum(axis=2) + stream.magnitude(which).sum(axis=1).max()
            lost = 3 * terms * arithmetic.smallest * (1 + carried)
            with np.errstate(over="ignore", invalid="ignore"):
                bound = _dot(key_error, size) + _dot(key_size, query.errors[which]) + lost[:, None]
                reach = _dot(key_size, size)
                # Three more roundings: √K, the division, and a reciprocal where a library uses one.
                bound = (bound + arithmetic.gamma(3) * (reach + bound)) / root
            bound = outward(bound + 3 * arithmetic.smallest, 4 * terms + 16)
            largest = max(key_size.max(), heads.key_reach[which] * size.max(), reach.max())
            errors.append(unless(~(largest < arithmetic.largest / 4), bound))
        return Enclosed(value, tuple(errors))


def softmax(scores: Enclosed) -> Enclosed:
    """Softmax over T ≤ 3 scores, with the largest subtracted first.

    Args:
        scores: [B, T, H].
    """
    seen = scores.value.shape[1]
    with np.errstate(invalid="ignore"):
        below = scores.value.max(axis=1, keepdims=True) - scores.value
        exponential = np.exp(-below)
        weight = exponential / exponential.sum(axis=1, keepdims=True)
    errors: list[FloatArray] = []
    for which, arithmetic in enumerate(ARITHMETICS):
        carried = scores.errors[0] + scores.errors[which]
        # Rounding the subtraction costs u times the distance, in this arithmetic, from the largest.
        distance = below + 2 * carried.max(axis=1, keepdims=True)
        off = scores.errors[which] + arithmetic.unit_roundoff * distance
        roundings = (4 * EXP_ULPS + seen + 1) * 1.01 * arithmetic.unit_roundoff
        logarithm = outward(off + off.max(axis=1, keepdims=True) + roundings, 12)
        largest = weight + (errors[0] if errors else 0.0) + 3 * arithmetic.smallest
        with np.errstate(over="ignore", invalid="ignore"):
            bound = largest * np.expm1(logarithm) + 3 * arithmetic.smallest
        # Weights are from 0 to 1 in every arithmetic, but for a few roundings, whatever the scores.
        bound = np.where(logarithm < 1, np.minimum(outward(bound, 16), 1.01), 1.01)
        errors.append(unless(~np.isfinite(off), bound))
    return Enclosed(weight, tuple(errors))


def with_constant(weights: Enclosed, coefficient: float) -> Enclosed:
    """Attention weights with the coefficient, c · softmax + (1 − c), c being exact.

    An arithmetic rounds c, 1 − c, the product and the sum.

    Args:
        weights: [B, T, H], from 0 to 1.
        coefficient: c, from 0 to 1; at 1 the weights are returned unchanged.
    """
    if coefficient == 1:
        return weights
    value = coefficient * weights.value + (1 - coefficient)
    errors = []
    for which, arithmetic in enumerate(ARITHMETICS):
        with np.errstate(invalid="ignore"):
            carried = coefficient * weights.errors[which]
            # Rounding c and the product costs 2u·c·w; 1 − c costs 2u; the sum costs u·(c·w + 1).
            size = 3 * coefficient * weights.magnitude(which) + 3
            bound = carried + 1.01 * arithmetic.unit_roundoff * size
        errors.append(unless(False, outward(bound + 3 * arithmetic.smallest, 12)))
    return Enclosed(value, tuple(errors))


def _mix(weight: Enclosed, value: Enclosed) -> Enclosed:
    """Values weighted by attention: [B, T, H] and [B, T, H, K] to [B, H, K]."""
    seen = weight.value.shape[1]
    errors = []
    for which, arithmetic in enumerate(ARITHMETICS):
        size, reach = weight.magnitude(which)[..., None], value.magnitude(which)
        relative = arithmetic.gamma(seen) * size + weight.errors[which][..., None]
        with np.errstate(invalid="ignore"):
            bound = (relative * reach + size * value.errors[which]).sum(axis=1)
            lost = ~((size * reach).sum(axis=1) < arithmetic.largest / 4)
        bound = outward(bound + 3 * seen * arithmetic.smallest, 2 * seen + 10)
        errors.append(unless(lost, bound))
    return Enclosed((weight.value[..., None] * value.value).sum(axis=1), tuple(errors))


def _dot(keys: FloatArray, queries: FloatArray) -> FloatArray:
    """[B, T, H, K] and [B, H, K] to [B, T, H]."""
    return (keys * queries[:, None]).sum(axis=-1)
