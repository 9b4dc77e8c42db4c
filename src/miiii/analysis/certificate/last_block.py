"""The effect of errors inside the last block on the logits.

Multiplying bounds by |W_o|, |W_in|, |W_out| and |W_U| one after the other ignores that weights
cancel: in a trained model it overstates the error a thousandfold. After the attention weights the
network is affine but for the ReLU, which multiplies each neuron's error by a number from 0 to 1: by
1 for neurons that are surely on. So an error is multiplied by the absolute value of a product of
matrices:

    of an attention weight      |g·W_U + (on · g·W_in)·W_out·W_U|,  g the token's value through W_o
    of a hidden neuron          |W_out·W_U|
    of the residual stream      |W_U|

All other errors of the residual stream before the MLP reach the neurons through |W_in|.
"""

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.certificate.arithmetic import (
    ARITHMETICS,
    FLOAT64,
    Enclosed,
    FloatArray,
    Layer,
    add,
    outward,
    product,
    rounding,
    times,
    unless,
)


class LastBlock:
    """Logits from attention weights, with the paths of their errors.

    Args:
        output: W_o, [H, K, D].
        mlp_in: W_in, [D, F], and its bias.
        mlp_out: W_out, [F, D], and its bias.
        unembedding: W_U, [D, V].
        values: [R, H·K], the heads' values of R residual streams.
    """

    @np.errstate(over="ignore", invalid="ignore")
    def __init__(
        self,
        output: Enclosed,
        mlp_in: Layer,
        mlp_out: Layer,
        unembedding: Enclosed,
        values: Enclosed,
    ) -> None:
        heads, head_width, width = output.value.shape
        self._in, self._out, self._unembedding = mlp_in, mlp_out, unembedding
        self._values, self._output = (
            values.reshape(-1, heads, head_width),
            output.reshape(-1, width),
        )
        # A token's value, through W_o, in the residual stream, the neurons and the logits.
        stream = np.einsum("rhk,hkd->rhd", self._values.value, output.value)
        self._in_neurons = stream @ mlp_in.weight.value
        self._in_logits = stream @ unembedding.value
        # The rounding errors of these tables are at most γ times products of absolute values.
        in_size, out_size, logit_size = (
            np.abs(each.value) for each in (mlp_in.weight, mlp_out.weight, unembedding)
        )
        sizes = np.einsum("rhk,hkd->rhd", np.abs(self._values.value), np.abs(output.value))
        largest = sizes.max(axis=(0, 1))
        neurons = largest @ in_size
        logits = (largest + neurons @ out_size) @ logit_size
        factor = 2 * FLOAT64.gamma(head_width + 2 * width + len(out_size) + 2)
        self._neurons_off, self._logits_off = factor * neurons, factor * logits
        path = np.abs(mlp_out.weight.value @ unembedding.value)
        path = path + 2 * FLOAT64.gamma(width) * (out_size @ logit_size)
        self._neuron_to_logit = outward(path, 4)

    @np.errstate(over="ignore", invalid="ignore")
    def logits(
        self, attention: Enclosed, seen: NDArray[np.int64], stream: Enclosed, mixed: Enclosed
    ) -> Enclosed:
        """The logits of some numbers.

        Args:
            attention: [B, T, H], the last position's attention weights.
            seen: [B, T], the stream, 0 … R − 1, of each position.
            stream: [B, D], the residual stream that enters at the last position.
            mixed: [B, H·K], the values weighted by attention.
        """
        middle = add(stream, product(mixed, self._output))
        before = self._in.value(middle)
        elsewhere = [
            self._elsewhere(attention, seen, stream, mixed, middle, which)
            for which in range(len(ARITHMETICS))
        ]
        # The error of every neuron before the ReLU: that of other sources than attention weights,
        # and the whole.
        rest, whole = [], []
        for which, off in enumerate(elsewhere):
            rest.append(self._in.rounding(middle, which, off))
            paths = self._from_attention(attention.errors[which], seen)
            count = attention.value.shape[1] * attention.value.shape[2]
            whole.append(unless(False, outward(rest[-1] + paths, 4 * count)))
        # Surely on, or off, in every arithmetic; twice the bounds cover the comparison's rounding.
        reach = 2 * (whole[0] + np.maximum.reduce(whole))
        on, off = before > reach, before < -reach
        neurons = Enclosed(
            np.maximum(before, 0.0), tuple(np.where(off, 0.0, each) for each in whole)
        )
        leaving = add(middle, self._out(neurons))
        paths = self._paths(attention, seen, on)
        errors = []
        for which, arithmetic in enumerate(ARITHMETICS):
            # The error of a neuron that is not surely on is counted in full.
            of_neurons = np.where(on, rest[which], neurons.errors[which])
            later = self._out.rounding(neurons, which)
            later += arithmetic.unit_roundoff * leaving.magnitude(which) + arithmetic.smallest
            later += elsewhere[which]
            bound = paths[which] + times(of_neurons, self._neuron_to_logit)
            bound += rounding(leaving, self._unembedding, which, later)
            errors.append(unless(False, outward(bound, 2 * neurons.value.shape[1] + 32)))
        return Enclosed(leaving.value @ self._unembedding.value, tuple(errors))

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
        bound = rounding(mixed, self._output, which, outward(local, 16))
        bound += stream.errors[which]
        bound += arithmetic.unit_roundoff * middle.magnitude(which) + arithmetic.smallest
        return unless(False, outward(bound, 2 * len(self._output.value) + 8))

    def _from_attention(self, errors: FloatArray, seen: NDArray[np.int64]) -> FloatArray:
        """The effect of attention weights' errors [B, T, H] on neurons before the ReLU: [B, F]."""
        total = errors.sum(axis=(1, 2))[:, None] * self._neurons_off
        for position in range(seen.shape[1]):
            for head in range(errors.shape[2]):
                table = np.abs(self._in_neurons[:, head])
                total += errors[:, position, head, None] * table[seen[:, position]]
        return total

    def _paths(
        self, attention: Enclosed, seen: NDArray[np.int64], on: NDArray[np.bool_]
    ) -> list[FloatArray]:
        """The effect of attention weights' errors on logits, by neurons surely on: [B, V] each."""
        totals = [
            errors.sum(axis=(1, 2))[:, None] * self._logits_off for errors in attention.errors
        ]
        mlp_out, unembedding = self._out.weight.value, self._unembedding.value
        for position in range(seen.shape[1]):
            for head in range(attention.value.shape[2]):
                rows = seen[:, position]
                path = (on * self._in_neurons[rows, head]) @ mlp_out @ unembedding
                path += self._in_logits[rows, head]
                np.abs(path, out=path)
                for total, errors in zip(totals, attention.errors, strict=True):
                    total += errors[:, position, head, None] * path
        return totals
