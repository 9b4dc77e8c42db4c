import dataclasses
import json
import math
import types
from typing import Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claims.planted_runs import miiii
from miiii.claims.measurements import VERSION, Measurements
from wording import naming

ALPHABET = st.text(max_size=8)


def values(kind):
    """Any value that a field of this type can hold."""
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{f.name: values(hints[f.name]) for f in dataclasses.fields(kind)})
    if get_origin(kind) in (Union, types.UnionType):
        inner = next(part for part in get_args(kind) if part is not type(None))
        return st.none() | values(inner)
    if get_origin(kind) is tuple:
        return st.lists(values(get_args(kind)[0]), max_size=3).map(tuple)
    if get_origin(kind) is dict:
        return st.dictionaries(ALPHABET, ALPHABET, max_size=3)
    return {int: st.integers(), float: st.floats(), str: ALPHABET, bool: st.booleans()}[kind]


def equal(one, other):
    """Equal, NaN to NaN; and of one type all the way down."""
    if type(one) is not type(other):
        return False
    if dataclasses.is_dataclass(one):
        return all(
            equal(getattr(one, item.name), getattr(other, item.name))
            for item in dataclasses.fields(one)
        )
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    return one == other


@given(values(Measurements))
def test_json_gives_back_what_it_got(measured):
    text = measured.to_json()
    assert equal(Measurements.from_json(text), measured)
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_planted_runs_survive_json():
    assert Measurements.from_json(miiii().to_json()) == miiii()


def changed(path, value):
    record = json.loads(miiii().to_json())
    inner = record
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return json.dumps(record)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("version",), VERSION + 1, f"not of version {VERSION}"),
        (("origin", "seed"), "0", "measurements.origin.seed '0' int"),
        (("origin", "seed"), True, "measurements.origin.seed True int"),
        (("origin", "versions"), {"jax": 1}, "origin.versions dict"),
        (("heads", "to_x0"), [0.5, "x"], "heads.to_x0[1] 'x' float"),
        (("heads", "to_x0"), 0.5, "heads.to_x0 0.5 tuple"),
        (("heads", "more"), 0.5, "measurements.heads unknown 'more'"),
        (("neurons",), [], "measurements.neurons [] JSON object"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(path, value, message):
    with pytest.raises(ValueError, match=naming(message)):
        Measurements.from_json(changed(path, value))


def test_a_missing_field_is_refused_by_name():
    record = json.loads(miiii().to_json())
    del record["performance"]["late_gain"]
    with pytest.raises(ValueError, match=naming("measurements.performance lacks 'late_gain'")):
        Measurements.from_json(json.dumps(record))


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "[" * 100_000])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match=naming("measurements")):
        Measurements.from_json(text)
