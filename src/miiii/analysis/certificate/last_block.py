"""How errors made inside the last block reach the logits.

Multiplying bounds by |W_o|, |W_in|, |W_out| and |W_U| one after the other forgets that weights
cancel: in a trained model it overstates the error a thousandfold. After the attention weights the
network is affine but for the ReLU (biases carry no error on), and the ReLU multiplies each neuron's
error by a number from 0 to 1, which is 1 for neurons that are surely on. So an error is followed
through products of matrices, and absolute values are taken of the products:

    an attention weight's    of  g·W_U + (on · g·W_in)·W_out·W_U,  g the token's value through W_o
    a hidden neuron's        of  W_out·W_U
    the residual stream's    of  W_U

What is left, errors of the residual stream before the MLP other than those of attention weights,
enters the neurons by |W_in|.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.certificate.arithmetic import (
    ARITHMETICS,
    FLOAT64,
    Enclosed,
    FloatArray,
    add,
    outward,
    product,
    rounding,
    times,
    unless,
    with_bias,
    with_one,
    without_error,
)


@dataclass(frozen=True)
class LastWeights:
    """The stored weights from the heads' values on."""

    output: Enclosed
    """[H, K, D]"""
    mlp_in: Enclosed
    """[D, F]"""
    mlp_out: Enclosed
    """[F, D]"""
    unembedding: Enclosed
    """[D, V]"""
    mlp_in_bias: Enclosed | None = None
    """[F]"""
    mlp_out_bias: Enclosed | None = None
    """[D]"""


class _Layer:
    """A product with stored weights, to which a bias adds one more term.

    Args:
        weight: [k, m].
        bias: [m] or none.
    """

    def __init__(self, weight: Enclosed, bias: Enclosed | None) -> None:
        self._biased = bias is not None
        self._weight = weight if bias is None else with_bias(weight, bias)

    def __call__(self, inputs: Enclosed) -> Enclosed:
        """[…, k] to […, m]."""
        return product(self._inputs(inputs), self._weight)

    def value(self, inputs: Enclosed) -> FloatArray:
        """[…, k] to […, m], without bounds."""
        return self._inputs(inputs).value @ self._weight.value

    def rounding(
        self, inputs: Enclosed, which: int, carried: FloatArray | None = None
    ) -> FloatArray:
        """As `arithmetic.rounding`."""
        if carried is None:
            return rounding(self._inputs(inputs), self._weight, which)
        errors = without_error(carried) if self._biased else carried
        return rounding(self._inputs(inputs), self._weight, which, carried=errors)

    def _inputs(self, inputs: Enclosed) -> Enclosed:
        return with_one(inputs) if self._biased else inputs


class LastBlock:
    """Logits from attention weights, with the paths that errors take.

    Args:
        weights: the stored ones.
        values: [R, H·K], what the heads make of R residual streams.
    """

    @np.errstate(over="ignore", invalid="ignore")
    def __init__(self, weights: LastWeights, values: Enclosed) -> None:
        heads, head_width, width = weights.output.value.shape
        self._weights, self._values = weights, values.reshape(-1, heads, head_width)
        self._output = weights.output.reshape(-1, width)
        self._in = _Layer(weights.mlp_in, weights.mlp_in_bias)
        self._out = _Layer(weights.mlp_out, weights.mlp_out_bias)
        matrices = (weights.output, weights.mlp_in, weights.mlp_out, weights.unembedding)
        output, mlp_in, mlp_out, unembedding = (each.value for each in matrices)
        # A token's value, through W_o, in the residual stream, the neurons and the logits.
        stream = np.einsum("rhk,hkd->rhd", self._values.value, output)
        self._in_neurons = stream @ mlp_in
        self._in_logits = stream @ unembedding
        # These tables are off by rounding: by γ times the product of absolute values.
        sizes = np.einsum("rhk,hkd->rhd", np.abs(self._values.value), np.abs(output))
        largest = sizes.max(axis=(0, 1))
        neurons = largest @ np.abs(mlp_in)
        logits = (largest + neurons @ np.abs(mlp_out)) @ np.abs(unembedding)
        factor = 2 * FLOAT64.gamma(head_width + 2 * width + len(mlp_out) + 2)
        self._neurons_off, self._logits_off = factor * neurons, factor * logits
        path = np.abs(mlp_out @ unembedding)
        path = path + 2 * FLOAT64.gamma(width) * (np.abs(mlp_out) @ np.abs(unembedding))
        self._neuron_to_logit = outward(path, 4)

    @np.errstate(over="ignore", invalid="ignore")
    def logits(
        self, attention: Enclosed, seen: NDArray[np.int64], stream: Enclosed, mixed: Enclosed
    ) -> Enclosed:
        """The logits of some numbers.

        Args:
            attention: [B, T, H], the last position's attention weights.
            seen: [B, T], which of the R streams each position is.
            stream: [B, D], the residual stream that enters at the last position.
            mixed: [B, H·K], the values added up by attention weights.
        """
        weights = self._weights
        middle = add(stream, product(mixed, self._output))
        before = self._in.value(middle)
        elsewhere = [
            self._elsewhere(attention, seen, stream, mixed, middle, which)
            for which in range(len(ARITHMETICS))
        ]
        # The error of every neuron before the ReLU, and the part that is not of attention weights.
        rest, whole = [], []
        for which, off in enumerate(elsewhere):
            rest.append(self._in.rounding(middle, which, carried=off))
            paths = self._from_attention(attention.errors[which], seen)
            count = attention.value.shape[1] * attention.value.shape[2]
            whole.append(unless(False, outward(rest[-1] + paths, 4 * count)))
        # Sure in every arithmetic; twice the bounds, so that rounding cannot turn a comparison.
        reach = 2 * (whole[0] + np.maximum.reduce(whole))
        on, off = before > reach, before < -reach
        neurons = Enclosed(
            np.maximum(before, 0.0), tuple(np.where(off, 0.0, each) for each in whole)
        )
        leaving = add(middle, self._out(neurons))
        paths = self._paths(attention, seen, on)
        errors = []
        for which, arithmetic in enumerate(ARITHMETICS):
            # A neuron that may be on or off passes all of its error, or none.
            of_neurons = np.where(on, rest[which], neurons.errors[which])
            later = self._out.rounding(neurons, which)
            later += arithmetic.unit_roundoff * leaving.magnitude(which) + arithmetic.smallest
            later += elsewhere[which]
            bound = paths[which] + times(of_neurons, self._neuron_to_logit)
            bound += rounding(leaving, weights.unembedding, which, carried=later)
            errors.append(unless(False, outward(bound, 2 * len(weights.mlp_out.value) + 32)))
        return Enclosed(leaving.value @ weights.unembedding.value, tuple(errors))

    def _elsewhere(
        self,
        attention: Enclosed,
        seen: NDArray[np.int64],
        stream: Enclosed,
        mixed: Enclosed,
        middle: Enclosed,
        which: int,
    ) -> FloatArray:
        """Errors of the residual stream before the MLP but for attention weights': [B, D]."""
        arithmetic, values = ARITHMETICS[which], self._values[seen]
        size = attention.magnitude(which)[..., None]
        either = size + attention.errors[which][..., None]
        of_values = values.errors[0] + values.errors[which]
        relative = arithmetic.gamma(seen.shape[1])
        local = either * of_values + relative * size * values.magnitude(which)
        local = local.sum(axis=1).reshape(len(seen), -1) + 3 * 3 * arithmetic.smallest
        bound = rounding(mixed, self._output, which, carried=outward(local, 16))
        bound += stream.errors[which]
        bound += arithmetic.unit_roundoff * middle.magnitude(which) + arithmetic.smallest
        return unless(False, outward(bound, 2 * len(self._output.value) + 8))

    def _from_attention(self, errors: FloatArray, seen: NDArray[np.int64]) -> FloatArray:
        """What errors [B, T, H] of attention weights do to neurons before the ReLU: [B, F]."""
        total = errors.sum(axis=(1, 2))[:, None] * self._neurons_off
        for position in range(seen.shape[1]):
            for head in range(errors.shape[2]):
                table = np.abs(self._in_neurons[:, head])
                total += errors[:, position, head, None] * table[seen[:, position]]
        return total

    def _paths(
        self, attention: Enclosed, seen: NDArray[np.int64], on: NDArray[np.bool_]
    ) -> list[FloatArray]:
        """What errors of attention weights do to logits through neurons surely on: [B, V] each."""
        totals = [
            errors.sum(axis=(1, 2))[:, None] * self._logits_off for errors in attention.errors
        ]
        mlp_out, unembedding = self._weights.mlp_out.value, self._weights.unembedding.value
        for position in range(seen.shape[1]):
            for head in range(attention.value.shape[2]):
                rows = seen[:, position]
                path = (on * self._in_neurons[rows, head]) @ mlp_out @ unembedding
                path += self._in_logits[rows, head]
                np.abs(path, out=path)
                for total, errors in zip(totals, attention.errors, strict=True):
                    total += errors[:, position, head, None] * path
        return totals
