"""`miiii import`: models planted under TransformerLens' names, and every analysis on them."""

import json

import numpy as np
import pytest
import safetensors.numpy

from analysis.planted_addition import clock_model
from interchange.imports.torch_writing import Called, Global, Tensor, as_tensors, write_torch
from interchange.planted_models import hooked_forward, refusals
from miiii import load_run
from miiii.cli.main import run as miiii
from miiii.experiment.model_at import ModelAt
from miiii.interchange.imports.conversion import convert
from miiii.interchange.names import hooked_to_bridge, to_hooked
from wording import naming, says

BASE = 11

TAKEN_FOR_GRANTED = {
    1: "the file has no settings: ReLU and no layer norm were assumed",
    2: "the file has no settings: ReLU, causal attention and no layer norm were assumed",
}


def drawn_state(base=BASE, depth=1, width=8, heads=2, seed=0, dtype=np.float32):
    """A HookedTransformer's state dict: drawn weights, biases of zero, buffers."""
    generator, head_width = np.random.default_rng(seed), width // heads
    shapes = {"token_embedding": (base + 1, width), "position_embedding": (3, width)}
    for block in range(depth):
        for name in ("query", "key", "value"):
            shapes[f"blocks.{block}.{name}"] = (heads, width, head_width)
        shapes[f"blocks.{block}.output"] = (heads, head_width, width)
        shapes[f"blocks.{block}.mlp_in"] = (width, 2 * width)
        shapes[f"blocks.{block}.mlp_out"] = (2 * width, width)
    shapes["unembedding"] = (width, base)
    drawn = {name: generator.normal(0, 0.7, shape) for name, shape in shapes.items()}
    state = to_hooked({name: array.astype(dtype) for name, array in drawn.items()})
    for block in range(depth):
        state[f"blocks.{block}.attn.mask"] = np.tril(np.ones((3, 3), bool))
        state[f"blocks.{block}.attn.IGNORE"] = np.array(-np.inf, np.float32)
    return state


def without_buffers(state):
    return {name: array for name, array in state.items() if not name.endswith((".mask", "IGNORE"))}


def tokens_of(base):
    return np.array([[a, b, base] for b in range(base) for a in range(base)])


def ours(converted):
    """Logits [p², p] of a converted model by the plain forward pass."""
    return hooked_forward(to_hooked(converted.weights), tokens_of(converted.base))[:, -1]


def theirs(state, base=BASE):
    return hooked_forward(state, tokens_of(base))[:, -1]


def probabilities(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("depth", [1, 2])
def test_weights_are_taken_over_exactly(depth):
    state = drawn_state(depth=depth)
    found = convert(state, {})
    assert found.base == BASE
    assert found.notes == (TAKEN_FOR_GRANTED[depth],)
    assert all(array.dtype == np.float32 for array in found.weights.values())
    assert np.array_equal(ours(found), theirs(state))


def test_biases_that_change_nothing_are_left_out():
    state = drawn_state(depth=2)
    state["blocks.1.attn.b_K"] = np.random.default_rng(1).normal(size=(2, 4))
    state["unembed.b_U"] = np.full(BASE, 2.5)
    found = convert(state, {})
    np.testing.assert_allclose(probabilities(ours(found)), probabilities(theirs(state)), atol=1e-12)
    assert len(found.notes) == 3


def test_a_query_bias_is_folded_where_there_is_one_query():
    state = drawn_state(dtype=np.float64)
    state["blocks.0.attn.b_Q"] = np.random.default_rng(1).normal(size=(2, 4))
    found = convert(state, {})
    np.testing.assert_allclose(ours(found), theirs(state), atol=1e-10)
    assert abs(ours(found) - theirs({**state, "blocks.0.attn.b_Q": np.zeros((2, 4))})).max() > 0.01
    deep = drawn_state(depth=2)
    deep["blocks.0.attn.b_Q"] = state["blocks.0.attn.b_Q"]
    with pytest.raises(ValueError, match=naming("blocks.0.attn.b_Q zero")):
        convert(deep, {})


def test_an_attention_scale_of_their_own_is_folded():
    state = drawn_state(dtype=np.float64)
    state["blocks.0.attn.b_Q"] = np.random.default_rng(1).normal(size=(2, 4))
    # Scores over 1 instead of √4: the same as twice the query, bias and all.
    doubled = {
        name: 2 * array if name.endswith(("W_Q", "b_Q")) else array for name, array in state.items()
    }
    for config in ({"use_attn_scale": False}, {"attn_scale": 1.0}):
        found = convert(state, config)
        np.testing.assert_allclose(ours(found), theirs(doubled), atol=1e-10)
    assert "folded into W_Q (ours" not in " ".join(convert(state, {"attn_scale": 2.0}).notes)


def test_version_4_divides_by_the_root_whatever_use_attn_scale_says():
    state = without_buffers(drawn_state(dtype=np.float64))
    config = {"n_heads": 2, "use_attn_scale": False, "attn_scale": 3.0}
    found = convert(hooked_to_bridge(state), config)
    np.testing.assert_allclose(ours(found), theirs(state), atol=1e-12)
    assert says(" ".join(found.notes), "TransformerLens 4 divides scores √4")
    # With it, both versions divide by what attn_scale says.
    scaled = convert(hooked_to_bridge(state), {"n_heads": 2, "attn_scale": 4.0})
    halved = {name: array / 2 if name.endswith("W_Q") else array for name, array in state.items()}
    np.testing.assert_allclose(ours(scaled), theirs(halved), atol=1e-12)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("name", ["attn.b_V", "attn.b_O", "mlp.b_in", "mlp.b_out"])
def test_biases_of_mlp_values_and_outputs_are_taken_over(name, depth):
    state, generator = drawn_state(dtype=np.float64, depth=depth), np.random.default_rng(1)
    for block in range(depth):
        key = f"blocks.{block}.{name}"
        state[key] = generator.normal(size=state[key].shape)
    found = convert(state, {})
    assert found.model["mlp_bias"]
    np.testing.assert_allclose(ours(found), theirs(state), atol=1e-12)
    assert abs(theirs(state) - theirs(drawn_state(dtype=np.float64, depth=depth))).max() > 0.1


def test_a_bias_of_classes_without_a_place_is_refused():
    state = drawn_state()
    state["unembed.b_U"] = np.arange(BASE) / 4
    with pytest.raises(ValueError, match=naming("unembed.b_U classes")):
        convert(state, {})


def without(state, *names):
    return {name: array for name, array in state.items() if name not in names}


@pytest.mark.parametrize(
    ("state", "config", "said"),
    [
        (without(drawn_state(), "pos_embed.W_pos"), {}, "pos_embed.W_pos missing"),
        (without(drawn_state(), "blocks.0.mlp.W_in"), {}, "blocks.0.mlp.W_in missing"),
        ({**drawn_state(), "blocks.0.ln1.w": np.ones(8)}, {}, "layer norm"),
        ({**drawn_state(), "blocks.0.mlp.W_gate": np.ones(8)}, {}, "blocks.0.mlp.W_gate known"),
        ({**drawn_state(), "embed.W_E": np.ones((8, 12))}, {}, "contradict"),
        ({**drawn_state(), "embed.W_E": np.ones((7, 12))}, {}, "TransformerLens embed.W_E"),
        ({**drawn_state(), "unembed.W_U": np.ones((8, 9))}, {}, "p + 1 tokens"),
        ({**drawn_state(), "pos_embed.W_pos": np.ones((1, 8))}, {}, "two-digit task"),
        ({**drawn_state(), "embed.W_E": np.full((12, 8), np.nan)}, {}, "finite"),
        ({**drawn_state(), "blocks.0.mlp.W_in": np.ones((8, 12))}, {}, "[12,8]"),
        ({**drawn_state(), "blocks.0.attn.W_V": np.ones((2, 8, 3))}, {}, "[2,8,4]"),
        (drawn_state(), {"act_fn": "gelu_new"}, "act_fn 'gelu_new'"),
        (drawn_state(), {"normalization_type": "LNPre"}, "normalization_type 'LNPre'"),
        (drawn_state(depth=2), {"attention_dir": "sideways"}, "attention_dir 'sideways'"),
        (hooked_to_bridge(drawn_state()), {}, "n_heads"),
    ],
)
def test_other_models_are_refused(state, config, said):
    with pytest.raises(ValueError, match=naming(said)):
        convert(without_buffers(state), config)


@pytest.mark.parametrize(
    "config",
    [
        {"act_fn": "gelu_new", "normalization_type": "LN", "attention_dir": "up", "n_heads": 1.5},
        {"act_type": "silu", "p": -3, "fn_name": "add", "frac_train": 2, "seed": "one"},
        {"act_fn": "silu", "attn_coeff": 3, "C": "many", "frac": 1.0, "n_heads": -1},
    ],
)
def test_every_reason_is_named_at_once(config):
    with pytest.raises(ValueError) as caught:
        convert(without_buffers(drawn_state()), config)
    for name, value in config.items():
        assert (f"{name} is {value!r}" in str(caught.value)) == (name != "fn_name")


def test_every_weight_without_a_place_is_named_at_once():
    more = {"blocks.0.ln1.w": np.ones(8), "blocks.0.ln2.w": np.ones(8), "gate.W": np.ones(8)}
    bad = np.full((12, 8), np.nan)
    state = {**without_buffers(drawn_state()), **more, "embed.W_E": bad}
    with pytest.raises(ValueError) as caught:
        convert(state, {})
    said = str(caught.value)
    assert says(said, "blocks.0.ln1.w 1 more layer norm")
    assert says(said, "gate.W not known")
    assert says(said, "embed.W_E finite real")


def test_one_block_may_look_both_ways_and_positions_may_be_more():
    state = drawn_state()
    longer = np.concatenate([state["pos_embed.W_pos"], np.ones((5, 8), np.float32)])
    found = convert({**state, "pos_embed.W_pos": longer}, {"attention_dir": "bidirectional"})
    assert np.array_equal(ours(found), theirs(state))


@pytest.fixture(scope="module")
def clock():
    """A model of x0 + x1 mod 11 built by hand, as a HookedTransformer's state dict."""
    model = clock_model(BASE, (1, 3))
    block = model.blocks[0]
    weights = {
        "token_embedding": model.token_embedding,
        "position_embedding": model.position_embedding,
        **{f"blocks.0.{name}": each for name, each in vars(block).items() if each is not None},
        "unembedding": model.unembedding,
    }
    return to_hooked(_fitting({name: np.asarray(array) for name, array in weights.items()}))


def _fitting(weights):
    """Heads that share the width, and idle neurons up to a multiple of it; the same function."""
    width, neurons = weights["blocks.0.mlp_in"].shape
    heads, _, head_width = weights["blocks.0.query"].shape
    idle, more = -neurons % width, width // heads - head_width
    wider = {
        f"blocks.0.{name}": np.pad(weights[f"blocks.0.{name}"], ((0, 0), (0, 0), (0, more)))
        for name in ("query", "key", "value")
    }
    wider["blocks.0.query"] *= np.sqrt((head_width + more) / head_width)
    wider["blocks.0.output"] = np.pad(weights["blocks.0.output"], ((0, 0), (0, more), (0, 0)))
    return {
        **weights,
        **wider,
        "blocks.0.mlp_in": np.pad(weights["blocks.0.mlp_in"], ((0, 0), (0, idle))),
        "blocks.0.mlp_out": np.pad(weights["blocks.0.mlp_out"], ((0, idle), (0, 0))),
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory, clock):
    """The clock with what the grokking demonstration saves beside it, imported."""
    folder = tmp_path_factory.mktemp("imported")
    first, early = as_tensors({name: array / 2 for name, array in clock.items()})
    last, late = as_tensors(clock)
    for tensor in early:
        tensor.key = "early-" + tensor.key
    # Inputs (a, b) stand at a·p + b; a is the first token.
    pairs = [(a, b) for a in range(BASE) for b in range(BASE) if (3 * a + b) % 4 == 0]
    indices = Tensor(np.array([a * BASE + b for a, b in pairs]), "indices")
    config = Called(Global("lens", "HookedTransformerConfig"), (), {"act_fn": "relu"})
    content = {
        "model": last,
        "config": config,
        "checkpoints": [first, last],
        "checkpoint_epochs": [9, 99],
        "train_losses": [1.0] * 100,
        "train_indices": indices,
    }
    write_torch(folder / "clock.pth", content, [*early, *late, indices])
    words = ["import", str(folder / "clock.pth"), "--name", "clock"]
    assert miiii([*words, "--runs-dir", str(folder)]) == 0
    return folder


def test_an_imported_run_is_the_model_on_its_own_split(runs, clock):
    run = load_run("clock", runs)
    np.testing.assert_allclose(ModelAt(run).logits(), theirs(clock), atol=1e-9)
    assert list(run.snapshots) == [9, 99]
    train = {(int(a), int(b)) for a, b in run.dataset.digits[run.dataset.split.train]}
    assert train == {(a, b) for a in range(BASE) for b in range(BASE) if (3 * a + b) % 4 == 0}
    parts = [run.dataset.split.train, run.dataset.split.validation, run.dataset.split.test]
    assert sorted(np.concatenate(parts)) == list(range(BASE**2))
    assert run.provenance["imported"]["file"] == "clock.pth"
    assert run.provenance["imported"]["split"] == "given"
    assert len(run.dataset.split.train) == run.config.task.split_sizes[0]


def test_its_history_has_the_file_s_losses_and_what_was_measured(runs, clock):
    run = load_run("clock", runs)
    history = run.history
    assert list(history.epoch) == list(range(1, 100))
    assert list(history.validation_epoch) == [9, 99]
    assert (history.train_loss == 1).all()
    for epoch, row, factor in ((9, 0, 0.5), (99, 1, 1)):
        logits = theirs({name: factor * array for name, array in clock.items()})
        right = tokens_of(BASE)[:, :2].sum(axis=1) % BASE
        gaps = logits - logits[np.arange(BASE**2), right][:, None]
        # The right class has gap 0: log1p of the others keeps losses far below 1e-16.
        losses = np.log1p(np.where(gaps == 0, 0, np.exp(gaps)).sum(axis=1))
        correct = logits.argmax(axis=1) == right
        train, validation = run.dataset.split.train, run.dataset.split.validation
        found = history.train_accuracy[epoch - 1, 0]
        np.testing.assert_allclose(found, correct[train].mean(), rtol=1e-6)
        found = history.validation_loss[row, 0], history.validation_accuracy[row, 0]
        expected = losses[validation].mean(), correct[validation].mean()
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    measured = np.isfinite(history.train_accuracy[:, 0])
    assert list(history.epoch[measured]) == [9, 99]


def test_without_losses_its_history_is_measured_in_nats(tmp_path):
    state = drawn_state(dtype=np.float64)
    safetensors.numpy.save_file(state, tmp_path / "drawn.safetensors")
    words = ["import", str(tmp_path / "drawn.safetensors"), "--name", "drawn"]
    assert miiii([*words, "--runs-dir", str(tmp_path)]) == 0
    run = load_run("drawn", tmp_path)
    logits = theirs(state)
    right = tokens_of(BASE)[:, :2].sum(axis=1) % BASE
    losses = -np.log(probabilities(logits)[np.arange(BASE**2), right])
    for name in ("train", "validation"):
        part = getattr(run.dataset.split, name)
        found = getattr(run.history, f"{name}_loss")[0, 0]
        np.testing.assert_allclose(found, losses[part].mean(), rtol=1e-12)


def test_gradients_are_those_of_the_training_loss(tmp_path):
    state = drawn_state(dtype=np.float64)
    safetensors.numpy.save_file(state, tmp_path / "drawn.safetensors")
    words = ["import", str(tmp_path / "drawn.safetensors"), "--name", "drawn"]
    assert miiii([*words, "--runs-dir", str(tmp_path)]) == 0
    run = load_run("drawn", tmp_path)
    train = run.dataset.split.train
    right = tokens_of(BASE)[train, :2].sum(axis=1) % BASE

    def loss(unembedding):
        logits = theirs({**state, "unembed.W_U": unembedding})[train]
        return -np.log(probabilities(logits)[np.arange(len(train)), right]).mean()

    step, total = 1e-5, 0.0
    for place in np.ndindex(state["unembed.W_U"].shape):
        moved = np.zeros_like(state["unembed.W_U"])
        moved[place] = step
        sides = loss(state["unembed.W_U"] + moved) - loss(state["unembed.W_U"] - moved)
        total += (sides / (2 * step)) ** 2
    column = run.history.weight_names.index("unembedding")
    np.testing.assert_allclose(run.history.gradient_norm[0, column], np.sqrt(total), rtol=1e-5)


@pytest.mark.slow
def test_every_analysis_works_on_it(runs, capsys):
    place = ["--runs-dir", str(runs)]
    assert miiii(["certify", "clock", *place, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["certified"] is True
    assert miiii(["show", "clock", *place, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["tasks"][0]["validation_accuracy"] == 1
    assert shown["state"] == "finished"
    assert miiii(["circuits", "clock", *place, "--format", "png"]) == 0
    assert miiii(["resume", "clock", *place, "--epochs", "200"]) == 1
    assert "no optimiser's state" in capsys.readouterr().err


def test_an_exported_run_comes_back(runs, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["export", "clock", "--runs-dir", str(runs), "--to", "transformer-lens"]
    assert miiii([*words, "--output", str(out)]) == 0
    for file in ("hooked_transformer", "transformer_bridge"):
        words = ["import", str(out / f"{file}.safetensors"), "--name", file]
        assert miiii([*words, "--runs-dir", str(tmp_path)]) == 0
        one, other = load_run("clock", runs), load_run(file, tmp_path)
        for name in ("token_embedding", "unembedding"):
            assert np.array_equal(getattr(one.parameters, name), getattr(other.parameters, name))
        assert np.array_equal(one.parameters.blocks[0].query, other.parameters.blocks[0].query)
        assert np.array_equal(one.dataset.split.train, other.dataset.split.train)
        assert other.status["epoch"] == 99


def test_a_bare_state_dict_has_a_split_that_was_drawn(tmp_path, capsys):
    safetensors.numpy.save_file(drawn_state(), tmp_path / "bare.safetensors")
    words = ["import", str(tmp_path / "bare.safetensors"), "--name", "bare", "--json"]
    assert miiii([*words, "--runs-dir", str(tmp_path), "--train-fraction", "0.4"]) == 0
    printed = capsys.readouterr()
    record = json.loads(printed.out)
    assert record["split_known"] is False
    assert "assumed" in printed.err
    assert says(printed.err, "split drawn here")
    assert "has not generalised" in printed.err.replace("\n", " ")
    run = load_run("bare", tmp_path)
    assert len(run.dataset.split.train) == int(0.4 * BASE**2)
    assert (run.path / "split.npz").exists() is False
    logits = theirs(drawn_state())
    share = (logits.argmax(axis=1) == tokens_of(BASE)[:, :2].sum(axis=1) % BASE).mean()
    np.testing.assert_allclose(record["accuracies"]["all"], share)


def test_a_damaged_split_is_said_to_be_one(runs, tmp_path):
    import shutil

    from miiii.runs.errors import DamagedFileError

    shutil.copytree(runs / "clock", tmp_path / "copy")
    for data in (b"", (runs / "clock" / "split.npz").read_bytes()[:-30]):
        (tmp_path / "copy" / "split.npz").write_bytes(data)
        with pytest.raises(DamagedFileError, match=r"split\.npz"):
            load_run(tmp_path / "copy").dataset  # noqa: B018


def test_at_most_so_many_checkpoints_are_kept(tmp_path):
    tensors, states = [], []
    for epoch in range(20):
        state, written = as_tensors(drawn_state(seed=epoch))
        for tensor in written:
            tensor.key = f"{epoch}-{tensor.key}"
        tensors, states = [*tensors, *written], [*states, state]
    content = {"state_dicts": states, "epochs": list(range(0, 2000, 100))}
    write_torch(tmp_path / "many.pth", content, tensors)
    words = ["import", str(tmp_path / "many.pth"), "--name", "many", "--snapshots", "5"]
    assert miiii([*words, "--runs-dir", str(tmp_path)]) == 0
    run = load_run("many", tmp_path)
    assert len(run.snapshots) <= 5
    assert {0, 1900} <= set(run.snapshots)
    assert 0 not in run.history.epoch
    for epoch in run.snapshots:
        expected = drawn_state(seed=epoch // 100)["unembed.W_U"]
        assert np.array_equal(run.snapshots[epoch].unembedding, expected)


REFUSED = [
    (["none.pth", "--name", "x"], 2, "is not there"),
    (["bad.pth", "--name", "x"], 2, "is damaged"),
    (["empty.pth", "--name", "x"], 2, "a dictionary with optimizer"),
    (["biased.safetensors", "--name", "x"], 2, "differs among classes"),
    (["biased.safetensors", "--name", "../x"], 2, "is not allowed"),
    (["biased.safetensors", "--name", "taken"], 2, "exists"),
    (["biased.safetensors", "--name", "x", "--operation", "ad"], 2, "did you mean 'add'?"),
    (["biased.safetensors", "--name", "x", "--snapshots", "0"], 2, "at least 1"),
    (["biased.safetensors"], 2, "--name"),
    ([".", "--name", "x"], 2, "is a folder"),
]


def test_refusals_are_one_line_leave_nothing_and_come_before_jax(tmp_path):
    (tmp_path / "bad.pth").write_bytes(b"PK\x03\x04 not really")
    write_torch(tmp_path / "empty.pth", {"optimizer": {"lr": 1e-3}})
    biased = drawn_state()
    biased["unembed.b_U"] = np.arange(BASE, dtype=np.float32)
    safetensors.numpy.save_file(biased, tmp_path / "biased.safetensors")
    (tmp_path / "runs" / "taken").mkdir(parents=True)
    found = refusals("import", [words for words, _, _ in REFUSED], tmp_path)
    for (words, code, said), line in zip(REFUSED, found, strict=True):
        assert line[0] == code, words
        assert said in line[1], words
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["taken"]
