"""The transformer in 60-digit decimal arithmetic, number by number: an oracle for rounding."""

from decimal import Decimal, getcontext

import numpy as np

PRECISION = 60
PAPER = {
    "attention_mask": "causal",
    "attention_coefficient": 1.0,
    "digit_tokens": "shared",
}


def exact_logits(weights, base, model=PAPER):
    """Logits [p², V] of a network given by its weights, as lists of Decimal.

    Args:
        weights: by name; two position embeddings mean that there is no answer token.
        base: p.
        model: the settings that `PAPER` has.
    """
    getcontext().prec = PRECISION
    share = Decimal(model["attention_coefficient"])
    exact = {name: decimals(np.asarray(values, np.float64)) for name, values in weights.items()}
    depth = sum(name.endswith(".query") for name in weights)
    logits = []
    for number in range(base**2):
        second = number // base + (base if model["digit_tokens"] == "separate" else 0)
        tokens = (number % base, second, len(exact["token_embedding"]) - 1)
        stream = [
            [a + b for a, b in zip(exact["token_embedding"][token], position, strict=True)]
            for token, position in zip(tokens, exact["position_embedding"], strict=False)
        ]
        for block in range(depth):
            named = {
                name.rpartition(".")[2]: values
                for name, values in exact.items()
                if name.startswith(f"blocks.{block}.")
            }
            full = model["attention_mask"] == "full"
            stream = [
                block_at(stream if full else stream[: place + 1], place, share, **named)
                for place in range(len(stream))
            ]
        logits.append(times(stream[-1], exact["unembedding"]))
    return logits


def block_at(
    stream,
    place,
    share,
    query,
    key,
    value,
    output,
    mlp_in,
    mlp_out,
    mlp_in_bias=None,
    mlp_out_bias=None,
):
    """One block at one of some positions."""
    middle = list(stream[place])
    for heads in zip(query, key, value, output, strict=True):
        middle = plus(middle, attend(stream, place, share, *heads))
    before = plus(times(middle, mlp_in), mlp_in_bias)
    hidden = [max(entry, Decimal(0)) for entry in before]
    return plus(middle, plus(times(hidden, mlp_out), mlp_out_bias))


def plus(row, other):
    """Nothing is added where there is no bias."""
    return row if other is None else [a + b for a, b in zip(row, other, strict=True)]


def attend(stream, place, coefficient, query, key, value, output):
    asked = times(stream[place], query)
    root = Decimal(len(asked)).sqrt()
    scores = [
        sum(a * b for a, b in zip(asked, times(row, key), strict=True)) / root for row in stream
    ]
    exponentials = [(score - max(scores)).exp() for score in scores]
    mixed = [Decimal(0)] * len(asked)
    for exponential, row in zip(exponentials, stream, strict=True):
        share = coefficient * exponential / sum(exponentials) + (1 - coefficient)
        mixed = [m + share * v for m, v in zip(mixed, times(row, value), strict=True)]
    return times(mixed, output)


def times(row, matrix):
    columns = zip(*matrix, strict=True)
    return [sum(a * b for a, b in zip(row, column, strict=True)) for column in columns]


def decimals(array):
    """Nested lists of Decimal, each the exact value of a float."""
    return [decimals(each) for each in array] if array.ndim else Decimal(float(array))
