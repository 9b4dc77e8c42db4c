"""The certificate against 60-digit arithmetic, brute force in plain Python, and planted heads."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.certificate.decimal_network import PAPER, exact_logits
from miiii.analysis.certificate.arithmetic import EXP_ULPS, FLOAT32, product, stored
from miiii.analysis.certificate.certify import certify
from miiii.analysis.certificate.forward import Network
from miiii.analysis.certificate.structure import structural_form
from miiii.model.config import Architecture
from wording import naming


def draw(
    seed,
    *,
    base=3,
    width=4,
    heads=2,
    depth=1,
    outputs=5,
    scale=1.0,
    dtype=np.float32,
    bias=False,
    positions=3,
    tables=1,
):
    """Random weights, by name."""
    generator = np.random.default_rng(seed)
    neurons, head = 2 * width, width // heads
    tokens = tables * base + positions - 2
    shapes = {"token_embedding": (tokens, width), "position_embedding": (positions, width)}
    for block in range(depth):
        shapes |= {
            f"blocks.{block}.{name}": shape
            for name, shape in {
                "query": (heads, width, head),
                "key": (heads, width, head),
                "value": (heads, width, head),
                "output": (heads, head, width),
                "mlp_in": (width, neurons),
                "mlp_out": (neurons, width),
            }.items()
        }
        if bias:
            shapes[f"blocks.{block}.mlp_in_bias"] = (neurons,)
            shapes[f"blocks.{block}.mlp_out_bias"] = (width,)
    shapes["unembedding"] = (width, outputs)
    return {name: (scale * generator.normal(size=s)).astype(dtype) for name, s in shapes.items()}


def enclosed(weights, model=PAPER):
    parts = list(Network(weights, Architecture(**model)).logits())
    value = np.concatenate([part.value for part in parts])
    return value, [np.concatenate([part.errors[which] for part in parts]) for which in (0, 1)]


def off(values, exact):
    """|values − exact|, without rounding the difference."""
    pairs = zip(np.asarray(values, np.float64), exact, strict=True)
    return np.array(
        [[float(abs(Decimal(float(a)) - b)) for a, b in zip(*rows, strict=True)] for rows in pairs]
    )


def shuffled_float32(weights, generator, base=3, model=PAPER):
    """The same network evaluated in float32, every sum in a random order."""
    single = {name: np.asarray(values).astype(np.float32) for name, values in weights.items()}
    coefficient = np.float32(model["attention_coefficient"])

    def times(rows, matrix):
        order = generator.permutation(len(matrix))
        total = np.zeros((*rows.shape[:-1], matrix.shape[1]), np.float32)
        for term in order:
            total += rows[..., term, None] * matrix[term]
        return total

    def layer(rows, name):
        bias = single.get(f"{name}_bias")
        if bias is None:
            return times(rows, single[name])
        ones = np.ones((len(rows), 1), np.float32)
        return times(
            np.concatenate([rows, ones], axis=1), np.concatenate([single[name], bias[None]])
        )

    numbers = np.arange(base**2)
    second = numbers // base + (base if model["digit_tokens"] == "separate" else 0)
    positions = len(single["position_embedding"])
    answer = np.full(base**2, len(single["token_embedding"]) - 1)
    tokens = np.stack([numbers % base, second, answer], axis=1)[:, :positions]
    stream = single["token_embedding"][tokens] + single["position_embedding"]
    for block in range(sum(name.endswith(".query") for name in weights)):
        names = ("query", "key", "value", "output")
        query, key, value, output = (single[f"blocks.{block}.{n}"] for n in names)
        streams = []
        for place in range(positions):
            heads = []
            seen = stream if model["attention_mask"] == "full" else stream[:, : place + 1]
            for h in range(len(query)):
                asked = times(stream[:, place], query[h])
                keys = times(seen, key[h])
                scores = (asked[:, None] * keys).sum(axis=-1) / np.sqrt(
                    np.float32(len(query[h][0]))
                )
                share = np.exp(scores - scores.max(axis=1, keepdims=True))
                share /= share.sum(axis=1, keepdims=True)
                if coefficient != 1:
                    share = coefficient * share + (np.float32(1) - coefficient)
                values = times(seen, value[h])
                heads.append((share[..., None] * values).sum(axis=1))
            flat = output.reshape(-1, output.shape[-1])
            middle = stream[:, place] + times(np.concatenate(heads, axis=1), flat)
            hidden = np.maximum(layer(middle, f"blocks.{block}.mlp_in"), 0)
            streams.append(middle + layer(hidden, f"blocks.{block}.mlp_out"))
        stream = np.stack(streams, axis=1)
    return times(stream[:, -1], single["unembedding"])


@example(seed=0, scale=1e3, shape=(4, 1, 2), dtype=np.float32)
@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**32),
    scale=st.sampled_from([1e-3, 0.3, 1.0, 3.0, 30.0, 1e3]),
    shape=st.sampled_from([(1, 2, 1), (4, 2, 1), (6, 3, 1), (4, 1, 2)]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_no_error_exceeds_its_bound(seed, scale, shape, dtype):
    width, heads, depth = shape
    heads = min(heads, width)
    weights = draw(seed, width=width, heads=heads, depth=depth, scale=scale, dtype=dtype)
    exact = exact_logits(weights, 3)
    value, (double, single) = enclosed(weights)
    assert (off(value, exact) <= double).all()
    if dtype == np.float32:
        # Weights of float64 would first be rounded; that is bounded too, and tried here as well.
        assert (double <= single).all()
    for order in range(2):
        # Weights of a thousand overflow in float32, which the bound must have foreseen.
        with np.errstate(over="ignore", invalid="ignore"):
            rough = shuffled_float32(weights, np.random.default_rng([seed, order]))
        usable = np.isfinite(rough)
        assert np.isinf(single[~usable]).all()
        assert (off(np.where(usable, rough, 0), exact) <= single)[usable].all()


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32),
    scale=st.sampled_from([1e-3, 0.3, 1.0, 3.0, 1e3]),
    depth=st.sampled_from([1, 1, 2]),
    bias=st.booleans(),
    positions=st.sampled_from([2, 3]),
    model=st.fixed_dictionaries(
        {
            "attention_mask": st.sampled_from(["causal", "full"]),
            "attention_coefficient": st.sampled_from([1.0, 0.804, 0.1, 1e-9, 0.0]),
            "digit_tokens": st.sampled_from(["shared", "separate"]),
        }
    ),
)
def test_no_error_exceeds_its_bound_in_any_setting(seed, scale, depth, bias, positions, model):
    tables = 2 if model["digit_tokens"] == "separate" else 1
    weights = draw(
        seed, base=2, depth=depth, scale=scale, bias=bias, positions=positions, tables=tables
    )
    exact = exact_logits(weights, 2, model)
    value, (double, single) = enclosed(weights, model)
    assert (off(value, exact) <= double).all()
    with np.errstate(over="ignore", invalid="ignore"):
        rough = shuffled_float32(weights, np.random.default_rng(seed), 2, model)
    usable = np.isfinite(rough)
    assert np.isinf(single[~usable]).all()
    assert (off(np.where(usable, rough, 0), exact) <= single)[usable].all()


@pytest.mark.parametrize(("depth", "scale"), [(1, 0.1), (1, 0.3), (2, 0.1)])
def test_bounds_of_biased_networks_are_not_absurdly_loose(depth, scale):
    model = PAPER | {"attention_mask": "full", "attention_coefficient": 0.5}
    weights = draw(7, width=8, depth=depth, scale=scale, bias=True, positions=2)
    exact = exact_logits(weights, 3, model)
    value, (double, single) = enclosed(weights, model)
    rough = shuffled_float32(weights, np.random.default_rng(0), 3, model)
    assert double.max() <= 1e3 * off(value, exact).max()
    assert single.max() <= 1e3 * off(rough, exact).max()


@pytest.mark.parametrize(("depth", "scale"), [(1, 0.1), (1, 0.3), (1, 0.5), (2, 0.1), (2, 0.2)])
def test_bounds_are_not_absurdly_loose(depth, scale):
    weights = draw(7, width=8, heads=2, depth=depth, scale=scale)
    exact = exact_logits(weights, 3)
    value, (double, single) = enclosed(weights)
    rough = shuffled_float32(weights, np.random.default_rng(0))
    assert double.max() <= 1e3 * off(value, exact).max()
    assert single.max() <= 1e3 * off(rough, exact).max()


def test_the_laboratorys_own_float32_logits_are_within_the_bound():
    from miiii.analysis.recording import record
    from miiii.model.parameters import Block, Parameters, weight_names

    other = {"attention_mask": "full", "attention_coefficient": 0.4, "digit_tokens": "separate"}
    for depth, bias, positions, model in (
        (1, False, 3, PAPER),
        (2, False, 3, PAPER),
        (2, True, 2, other),
    ):
        sizes = {"base": 7, "width": 16, "heads": 4, "depth": depth, "scale": 0.4}
        tables = 2 if model["digit_tokens"] == "separate" else 1
        weights = draw(3, **sizes, bias=bias, positions=positions, tables=tables)
        blocks = tuple(
            Block(
                **{name.split(".")[2]: w for name, w in weights.items() if f"blocks.{b}." in name}
            )
            for b in range(depth)
        )
        rest = {name: w for name, w in weights.items() if "." not in name}
        parameters = Parameters(blocks=blocks, **rest, architecture=Architecture(**model))
        assert parameters.base == 7
        assert set(weight_names(parameters)) == set(weights)
        logits = record(parameters, "logits")["logits"].astype(np.float64)
        value, (double, single) = enclosed(weights, model)
        difference = np.abs(logits - value)
        assert difference.max() > 0
        assert (difference <= single + double).all()


def test_numpys_exp_is_as_accurate_as_assumed():
    generator = np.random.default_rng(0)
    for dtype, low in ((np.float64, -700), (np.float32, -87)):
        points = generator.uniform(low, 0, 500).astype(dtype)
        for point, value in zip(points, np.exp(points), strict=True):
            error = abs(Decimal(float(value)) - Decimal(float(point)).exp())
            assert error <= EXP_ULPS * Decimal(float(np.spacing(value)))


def test_weights_that_float32_lacks_are_rounded_in_its_bound():
    weights = {"a": np.array([[1 + 2.0**-30, 2.0**-140, 0.5]])}
    errors = stored(weights["a"]).errors
    assert errors[0].tolist() == [[0, 0, 0]]
    assert errors[1].tolist() == [[2.0**-30, 2.0**-140, 0]]


def test_an_overflow_in_float32_leaves_no_bound():
    left, right = stored(np.full((1, 4), 1e30)), stored(np.full((4, 1), 1e9))
    result = product(left, right)
    assert np.isfinite(result.errors[0]).all()
    assert np.isinf(result.errors[1]).all()
    weights = draw(0, scale=3e7, dtype=np.float64)
    value, (double, single) = enclosed(weights)
    assert np.isfinite(double).all()
    assert np.abs(value).max() > FLOAT32.largest
    assert np.isinf(single).all()


def test_margins_by_brute_force():
    weights = draw(1, base=5, width=4, outputs=2 + 4 + 6)
    moduli, sizes = (2, 4, 6), (2, 4, 6)  # they share factors
    targets = np.array([[n % q for q in moduli] for n in range(25)])
    value, (double, single) = enclosed(weights)
    certificate = certify(weights, targets, moduli, sizes)
    assert not certificate.certified
    first = 0
    for column, (task, size) in enumerate(zip(certificate.tasks, sizes, strict=True)):
        wrong = []
        for n in range(25):
            head = value[n, first : first + size].tolist()
            right = n % moduli[column]
            others = {c: logit for c, logit in enumerate(head) if c != right}
            best = max(others, key=lambda c: others[c])
            margin = head[right] - others[best]
            assert task.margin[n] == margin
            errors = double[n, first : first + size].tolist()
            least = errors[right] + max(e for c, e in enumerate(errors) if c != right)
            assert least <= task.bounds[0][n] <= 1.01 * least + 1e-14
            both = single[n, first : first + size] + errors
            least = both[right] + max(np.delete(both, right))
            assert least <= task.bounds[1][n] <= 1.01 * least
            if margin <= 0:
                wrong.append(n)
                assert task.predicted[n] == best
            else:
                assert task.predicted[n] == right
        assert task.wrong.tolist() == wrong
        assert wrong
        assert task.smallest_margin == task.margin[task.hardest] == min(task.margin)
        assert not task.certified()
        assert task.proved_wrong.all()
        first += size


def adds_tables(base, modulus, size):
    """A network that adds a table of x0 to the same of x1: attention is uniform, the MLP idle."""
    width = base + 1
    table = np.zeros((width, modulus))
    table[:base] = [[size * (c == x % modulus) for c in range(modulus)] for x in range(base)]
    token = np.eye(width)
    return {
        "token_embedding": token,
        "position_embedding": np.zeros((3, width)),
        "blocks.0.query": np.zeros((1, width, width)),
        "blocks.0.key": np.zeros((1, width, width)),
        "blocks.0.value": np.eye(width)[None],
        "blocks.0.output": np.eye(width)[None],
        "blocks.0.mlp_in": np.zeros((width, 4)),
        "blocks.0.mlp_out": np.zeros((4, width)),
        "unembedding": table,
    }


def test_a_head_that_adds_both_digits_tables_is_certified_where_it_is_right():
    base, modulus = 6, 5  # 6 ≡ 1 (mod 5): n ≡ x0 + x1
    weights = adds_tables(base, modulus, 30.0)
    targets = np.array([[n % modulus] for n in range(base**2)])
    task = certify(weights, targets, (modulus,), (modulus,)).tasks[0]
    # One third of each digit's table: the right class is the largest only where both digits agree.
    for n in range(base**2):
        x0, x1 = n % base, n // base
        scores = [10.0 * (c == x0 % modulus) + 10.0 * (c == x1 % modulus) for c in range(modulus)]
        best = max(s for c, s in enumerate(scores) if c != n % modulus)
        assert task.margin[n] == pytest.approx(scores[n % modulus] - best, abs=1e-12)
    ties = np.flatnonzero(np.abs(task.margin) < 1e-9)
    assert len(ties)
    assert not (task.margin > task.bounds[0])[ties].any()


def test_the_structural_form_by_brute_force():
    generator = np.random.default_rng(4)
    base, modulus = 5, 3
    residue = np.arange(base**2) % modulus
    logits = 4.0 * np.eye(modulus)[residue] + generator.normal(size=(base**2, modulus))
    form = structural_form(logits, 0.0, residue, modulus)
    decided = []
    for n in range(base**2):
        members = [m for m in range(base**2) if m % modulus == n % modulus]
        mean = [sum(logits[m, c] for m in members) / len(members) for c in range(modulus)]
        margin = mean[n % modulus] - max(v for c, v in enumerate(mean) if c != n % modulus)
        residual = [logits[n, c] - mean[c] for c in range(modulus)]
        assert form.margin[n % modulus] == pytest.approx(margin)
        assert form.spread[n] == pytest.approx(max(residual) - min(residual))
        decided.append(margin > max(residual) - min(residual))
    assert form.decided.tolist() == decided
    assert 0 < sum(decided) < base**2
    assert not form.certified
    # Whatever is decided is right, and a purely structural head is decided everywhere.
    assert (logits.argmax(axis=1) == residue)[form.decided].all()
    pure = structural_form(4.0 * np.eye(modulus)[residue], 0.0, residue, modulus)
    assert pure.certified
    assert pure.right_residues == modulus
    assert structural_form(4.0 * np.eye(modulus)[residue], 1.0, residue, modulus).decided.sum() == 0


def test_refusals():
    weights = draw(0, outputs=2)
    targets = np.zeros((9, 1), int)
    with pytest.raises(ValueError, match=r"classes \(3,\): expected \[9, 1\] and 2 classes"):
        certify(weights, targets, (3,), (3,))
    broken = weights | {"unembedding": np.full((4, 2), np.nan, np.float32)}
    with pytest.raises(ValueError, match=naming("weight unembedding finite")):
        certify(broken, targets, (2,), (2,))
    huge = draw(0, outputs=2, scale=1e60, dtype=np.float64)
    with pytest.raises(ValueError, match=naming("logits finite")):
        certify(huge, targets, (2,), (2,))
    for activation in ("gelu", "tanh"):
        with pytest.raises(ValueError, match=naming(f"activation '{activation}'")):
            certify(weights, targets, (2,), (2,), architecture=Architecture(activation=activation))
    with pytest.raises(ValueError, match=naming("function n mod 2")):
        structural_form(np.zeros((9, 2)), 0.0, np.arange(9) // 5, 2)
