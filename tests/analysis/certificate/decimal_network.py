"""The transformer in 60-digit decimal arithmetic, number by number: an oracle for rounding."""

from decimal import Decimal, getcontext

import numpy as np

PRECISION = 60


def exact_logits(weights, base):
    """Logits [p², V] of a network given by its weights, as lists of Decimal."""
    getcontext().prec = PRECISION
    exact = {name: decimals(np.asarray(values, np.float64)) for name, values in weights.items()}
    depth = sum(name.endswith(".query") for name in weights)
    logits = []
    for number in range(base**2):
        tokens = (number % base, number // base, base)
        stream = [
            [a + b for a, b in zip(exact["token_embedding"][token], position, strict=True)]
            for token, position in zip(tokens, exact["position_embedding"], strict=True)
        ]
        for block in range(depth):
            named = {
                name: exact[f"blocks.{block}.{name}"]
                for name in ("query", "key", "value", "output", "mlp_in", "mlp_out")
            }
            stream = [block_at(stream[: place + 1], **named) for place in range(3)]
        logits.append(times(stream[2], exact["unembedding"]))
    return logits


def block_at(stream, query, key, value, output, mlp_in, mlp_out):
    """One block at the last of some positions."""
    middle = list(stream[-1])
    for heads in zip(query, key, value, output, strict=True):
        added = attend(stream, *heads)
        middle = [a + b for a, b in zip(middle, added, strict=True)]
    hidden = [max(entry, Decimal(0)) for entry in times(middle, mlp_in)]
    return [a + b for a, b in zip(middle, times(hidden, mlp_out), strict=True)]


def attend(stream, query, key, value, output):
    asked = times(stream[-1], query)
    root = Decimal(len(asked)).sqrt()
    scores = [
        sum(a * b for a, b in zip(asked, times(row, key), strict=True)) / root for row in stream
    ]
    exponentials = [(score - max(scores)).exp() for score in scores]
    mixed = [Decimal(0)] * len(asked)
    for exponential, row in zip(exponentials, stream, strict=True):
        share = exponential / sum(exponentials)
        mixed = [m + share * v for m, v in zip(mixed, times(row, value), strict=True)]
    return times(mixed, output)


def times(row, matrix):
    columns = zip(*matrix, strict=True)
    return [sum(a * b for a, b in zip(row, column, strict=True)) for column in columns]


def decimals(array):
    """Nested lists of Decimal, each the exact value of a float."""
    return [decimals(each) for each in array] if array.ndim else Decimal(float(array))
