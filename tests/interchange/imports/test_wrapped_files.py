"""What wraps weights: prefixes, other names, other numbers, masks, series of states."""

import json
import struct

import numpy as np
import pytest
import safetensors.numpy

from interchange.imports.published_models import Kind, drawn
from interchange.imports.test_import import BASE, drawn_state, ours, theirs, without_buffers
from interchange.imports.torch_writing import (
    Called,
    Global,
    Persistent,
    Tensor,
    as_tensors,
    write_torch,
)
from miiii import load_run
from miiii.cli.main import run as miiii
from miiii.experiment.model_at import ModelAt
from miiii.interchange.imports.checkpoint_file import read_checkpoint
from miiii.interchange.imports.conversion import convert
from miiii.interchange.imports.losses import read_losses
from miiii.interchange.imports.state_names import plain_names
from miiii.interchange.imports.torch_file import read_torch_file
from miiii.interchange.imports.training_pairs import read_training_pairs
from miiii.interchange.names import hooked_to_bridge
from wording import naming, says

CONFIG = {"n_heads": 2, "act_fn": "relu", "normalization_type": None}
NATIVE = {
    "embed.": "tok_embed.",
    "pos_embed.": "pos.",
    "unembed.": "head.",
    "blocks.": "layers.",
    ".mlp.in.": ".mlp.fc_in.",
    ".mlp.out.": ".mlp.fc_out.",
}
"""How TransformerLens 4's own model calls what its bridge calls otherwise."""


def native(state):
    """A HookedTransformer's state dict under the names of TransformerLens 4's own model."""
    found = {}
    for name, array in hooked_to_bridge(without_buffers(state)).items():
        for bridge, raw in NATIVE.items():
            at = name.startswith(bridge) if not bridge.startswith(".") else bridge in name
            name = name.replace(bridge, raw, 1) if at else name
        found[name] = array
    return found


def wrapped(state, kind):
    if kind == "bridge":
        return hooked_to_bridge(without_buffers(state))
    if kind == "native":
        return native(state)
    if kind == "components":
        return {
            "original_model." + name.replace(".attn.", "._original_component.attn."): array
            for name, array in native(state).items()
        }
    if kind == "both":
        return {**wrapped(state, "bridge"), **wrapped(state, "components")}
    prefix, _, inner = kind.rpartition("+")
    return {prefix + name: array for name, array in wrapped(state, inner).items()}


@pytest.mark.parametrize(
    "kind",
    [
        "native",
        "components",
        "both",
        "_orig_mod.+bridge",
        "original_model.+native",
        "module._orig_mod.+native",
        "model.+components",
    ],
)
def test_names_of_transformer_lens_4_are_read(kind):
    state = drawn_state(depth=2, dtype=np.float64)
    found = convert(wrapped(state, kind), CONFIG)
    np.testing.assert_allclose(ours(found), theirs(state), rtol=0, atol=1e-12)


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "model.", "module._orig_mod."])
def test_a_prefix_of_every_name_is_taken_off_with_a_note(prefix):
    state = drawn_state(dtype=np.float64)
    found = convert({prefix + name: array for name, array in state.items()}, CONFIG)
    np.testing.assert_allclose(ours(found), theirs(state), rtol=0, atol=1e-12)
    assert f"{prefix.split('.')[0]}." in " ".join(found.notes)
    old = drawn(Kind())
    one, other = convert(old, {}), convert({prefix + name: old[name] for name in old}, {})
    assert all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


@pytest.mark.parametrize("part", ["_orig_mod", "_fsdp_wrapped_module"])
def test_a_wrapper_around_single_blocks_is_taken_out_with_a_note(part):
    state = drawn_state(depth=2, dtype=np.float64)
    inside = {name.replace("blocks.1.", f"blocks.1.{part}."): each for name, each in state.items()}
    found = convert(inside, CONFIG)
    np.testing.assert_allclose(ours(found), theirs(state), rtol=0, atol=1e-12)
    assert "inside names" in " ".join(found.notes)


def test_names_of_which_only_some_have_a_prefix_are_refused():
    state = {"model." + name: array for name, array in drawn_state().items()}
    state["loss.scale"] = np.ones(1, np.float32)
    with pytest.raises(ValueError, match=naming("begin 'model.' loss.scale")):
        plain_names(state)


@pytest.mark.parametrize("key", ["train_mask", "is_train", "train_idx", "train_inputs"])
def test_inputs_under_a_name_that_is_not_read_are_named(key):
    found, notes = read_training_pairs({key: [0, 1, 5], "train_losses": [0.5, 0.1, 0.0]})
    assert found is None
    assert [note.split()[0] for note in notes] == [key]
    assert "train_indices" in notes[0]


def test_a_weight_that_stands_there_twice_must_be_the_same():
    state = wrapped(drawn_state(), "both")
    state["embed.weight"] = state["embed.weight"] + 1
    with pytest.raises(ValueError, match=naming("embed.weight twice")):
        convert(state, CONFIG)


def save_safetensors(path, state, kind):
    """A file of safetensors written by hand, in types that NumPy has not."""
    header, data = {}, b""
    for name, array in state.items():
        if kind == "BF16":
            one = (np.asarray(array, np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes()
        elif kind.startswith("F8"):
            one = np.asarray(array).astype(np.int8).tobytes()
        else:
            one = np.asarray(array, np.float16).tobytes()
        place = [len(data), len(data) + len(one)]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": place}
        data += one
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def halved(array):
    """The nearest number below that bfloat16 has: the upper half of a float32's bits."""
    return (array.view(np.uint32) & 0xFFFF0000).view(np.float32)


@pytest.mark.parametrize("kind", ["BF16", "F16"])
def test_half_precision_is_read_as_single(tmp_path, kind):
    state = without_buffers(drawn_state())
    save_safetensors(tmp_path / "half.safetensors", state, kind)
    found = read_checkpoint(tmp_path / "half.safetensors")
    round_off = halved if kind == "BF16" else lambda array: array.astype(np.float16)
    for name, array in found.states[1].items():
        assert np.array_equal(array.astype(np.float32), round_off(state[name]).astype(np.float32))
    rounded = {name: round_off(array).astype(np.float32) for name, array in state.items()}
    converted = convert(found.states[1], CONFIG)
    assert converted.weights["unembedding"].dtype == np.float32
    np.testing.assert_allclose(ours(converted), theirs(rounded), rtol=0, atol=1e-12)


def test_other_types_are_named_and_damage_is_damage(tmp_path, capsys):
    state = without_buffers(drawn_state())
    save_safetensors(tmp_path / "eight.safetensors", state, "F8_E4M3")
    whole = (tmp_path / "eight.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-5])
    for name, said in (
        ("eight.safetensors", "has tensors of type F8_E4M3: save them as float32"),
        ("cut.safetensors", "is damaged"),
    ):
        assert miiii(["import", str(tmp_path / name), "--name", "x"]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float8_e4m3fn"])
def test_tensors_of_untyped_storages(tmp_path, capsys, kind):
    """As PyTorch saves types that have no storage of their own."""
    numbers = np.arange(4, dtype=np.float32)
    words = numbers if kind == "float32" else (numbers.view(np.uint32) >> 16).astype(np.uint16)
    data = Tensor(np.frombuffer(words.tobytes(), np.uint8), "0")
    storage = Persistent(("storage", Global("torch.storage", "UntypedStorage"), "0", "cpu", 8))
    arguments = (storage, 1, (2,), (1,), False, None, Global("torch", kind))
    tensor = Called(Global("torch._utils", "_rebuild_tensor_v3"), arguments)
    write_torch(tmp_path / "typed.pth", {"w": tensor}, [data])
    if kind != "float8_e4m3fn":
        assert list(read_torch_file(tmp_path / "typed.pth")["w"]) == [1, 2]
        return
    assert miiii(["import", str(tmp_path / "typed.pth"), "--name", "x"]) == 2
    assert says(capsys.readouterr().err, "float8_e4m3fn float32")


BEST = [i for i in range(BASE**2) if i % 3]


@pytest.mark.parametrize(
    "given",
    [
        np.array(BEST),
        np.array(BEST, np.int32),
        np.isin(np.arange(BASE**2), BEST),
        np.isin(np.arange(BASE**2), BEST).reshape(BASE, BASE),
        np.isin(np.arange(BASE**2), BEST).astype(np.uint8),
        np.isin(np.arange(BASE**2), BEST).astype(np.uint8).reshape(BASE, BASE),
        np.array(BEST)[:, None],
        BEST,
        np.isin(np.arange(BASE**2), BEST).tolist(),
        [(i // BASE, i % BASE, BASE) for i in BEST],
    ],
    ids=[
        *("int64", "int32", "mask", "square", "bytes", "square of bytes", "column", "list"),
        *("list of bools", "pairs"),
    ],
)
def test_what_trained_is_read_however_it_is_said(given):
    found, notes = read_training_pairs({"train_indices": given})
    assert not notes
    assert sorted(found.places(BASE)) == BEST


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.ones((3, 4)), "train_indices float64 2 axes"),
        (np.ones(9), "train_indices float64 1 axis"),
        ({"a": 1}, "train_indices kind"),
    ],
)
def test_what_is_there_and_not_understood_is_named(given, said):
    found, notes = read_training_pairs({"train_indices": given})
    assert found is None
    assert says(notes[0], said)


def test_a_mask_and_a_text_config_through_the_command(tmp_path, capsys):
    state, tensors = as_tensors(drawn_state())
    mask = Tensor(np.isin(np.arange(BASE**2), BEST), "mask")
    content = {"model": state, "train_indices": mask, "config": "a text"}
    write_torch(tmp_path / "masked.pth", content, [*tensors, mask])
    words = ["import", str(tmp_path / "masked.pth"), "--name", "m", "--runs-dir", str(tmp_path)]
    assert miiii(words) == 0
    said = capsys.readouterr()
    assert says(said.err, "config text")
    assert not says(said.err, "not say numbers trained")
    expected = sorted(i // BASE + BASE * (i % BASE) for i in BEST)
    assert list(load_run("m", tmp_path).dataset.split.train) == expected
    assert f"of all {BASE**2} pairs" in said.out


def states_file(path, states, wrap):
    """Several states in one file, each with storages of its own."""
    tensors, found = [], []
    for index, state in enumerate(states):
        one, written = as_tensors(state)
        for tensor in written:
            tensor.key = f"{index}-{tensor.key}"
        tensors, found = [*tensors, *written], [*found, one]
    write_torch(path, wrap(found), tensors)


@pytest.mark.parametrize(
    ("wrap", "epochs"),
    [
        (lambda states: {0: states[0], 100: states[1], 200: states[2]}, [0, 100, 200]),
        (lambda states: {str(9 * i): {"model": one} for i, one in enumerate(states)}, [0, 9, 18]),
        (lambda states: states, [1, 2, 3]),
        (
            lambda states: [{"model": one, "epoch": 5 * i} for i, one in enumerate(states)],
            [0, 5, 10],
        ),
        (
            lambda states: {
                "state_dicts": states,
                "epochs": [0, 10, 20],
                "train_losses": [1.0] * 21,
                "config": {"p": 7, "fn_name": "add"},
            },
            [0, 10, 20],
        ),
    ],
    ids=["by epoch", "wrapped by epoch", "list", "list with epochs", "full run data"],
)
def test_states_of_several_epochs(tmp_path, wrap, epochs):
    states = [drawn(Kind(), seed) for seed in range(3)]
    states_file(tmp_path / "many.pth", states, wrap)
    found = read_checkpoint(tmp_path / "many.pth")
    assert sorted(found.states) == epochs
    for epoch, state in zip(epochs, states, strict=True):
        assert all(np.array_equal(found.states[epoch][name], state[name]) for name in state)
    # Only a bare list does not say which epochs its states are of.
    assert any(says(note, "not say epochs") for note in found.notes) == (epochs == [1, 2, 3])


def test_weights_beside_losses_and_epochs_as_a_range(tmp_path):
    state, tensors = as_tensors(drawn(Kind()))
    content = {**state, "train_losses": [2.0, 1.0], "epoch": 1}
    write_torch(tmp_path / "beside.pth", content, tensors)
    found = read_checkpoint(tmp_path / "beside.pth")
    assert list(found.states) == [2]
    assert found.losses.last_train == 1
    assert set(found.states[2]) == set(state)

    def wrap(states):
        return {"state_dicts": states, "epochs": Called(Global("builtins", "range"), (0, 300, 100))}

    states_file(tmp_path / "range.pth", [drawn(Kind(), seed) for seed in range(3)], wrap)
    assert sorted(read_checkpoint(tmp_path / "range.pth").states) == [0, 100, 200]


def test_weights_under_another_key_and_in_a_whole_module(tmp_path):
    state, tensors = as_tensors(drawn(Kind()))
    write_torch(tmp_path / "best.pth", {"best": state, "epoch": 400}, tensors)
    found = read_checkpoint(tmp_path / "best.pth")
    assert list(found.states) == [400]
    assert "'best'" in found.notes[0]

    def module(name, parameters=(), modules=(), buffers=()):
        fields = {"_parameters": dict(parameters), "_buffers": dict(buffers)}
        return Called(Global("transformers", name), (), {**fields, "_modules": dict(modules)})

    def below(prefix):
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in state.items()
            if name.startswith(prefix)
        }

    attention, mlp = below("blocks.0.attn."), below("blocks.0.mlp.")
    mask = {"mask": attention.pop("mask")}
    block = module(
        "Block", (), {"attn": module("Attention", attention, (), mask), "mlp": module("MLP", mlp)}
    )
    whole = module(
        "Transformer",
        (),
        {
            "embed": module("Embed", below("embed.")),
            "pos_embed": module("PosEmbed", below("pos_embed.")),
            "blocks": module("ModuleList", (), {"0": block}),
            "unembed": module("Unembed", below("unembed.")),
        },
    )
    write_torch(tmp_path / "whole.pth", whole, tensors)
    read = read_checkpoint(tmp_path / "whole.pth")
    expected = drawn(Kind())
    assert set(read.states[1]) == set(expected)
    assert all(np.array_equal(read.states[1][name], expected[name]) for name in expected)
    assert "whole module, Transformer" in read.notes[0]


@pytest.mark.parametrize(
    ("epochs", "tests", "step"),
    [(50000, 5000, 10), (107791, 10780, 10), (40, 40, 1), (40, 4, 10), (100, 3, 0), (0, 5, 0)],
)
def test_test_losses_may_be_of_every_tenth_epoch(epochs, tests, step):
    found, notes = read_losses({"train_losses": [1.0] * epochs, "test_losses": [2.0] * tests})
    assert (found.epochs, found.step, found.last_test) == (epochs, step, 2.0)
    assert bool(notes) == (not step)


def test_losses_that_are_none_are_named():
    found, notes = read_losses({"train_losses": [1.0, float("nan")], "test_losses": "none"})
    assert (found.epochs, len(found.test)) == (0, 0)
    assert len(notes) == 2


def test_two_positions_of_transformer_lens_have_no_answer_token(tmp_path):
    """Version 2's names, bidirectional, without "=": GELU and biases are taken over."""
    state = drawn_state(dtype=np.float64)
    state = {**without_buffers(state), "embed.W_E": state["embed.W_E"][:BASE]}
    state["pos_embed.W_pos"] = state["pos_embed.W_pos"][:2]
    state["blocks.0.mlp.b_in"] = np.linspace(-1, 1, 16)
    safetensors.numpy.save_file(state, tmp_path / "two.safetensors")
    config = {**CONFIG, "act_fn": "gelu", "attention_dir": "bidirectional"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    words = ["import", str(tmp_path / "two.safetensors"), "--name", "two"]
    assert miiii([*words, "--runs-dir", str(tmp_path)]) == 0
    run = load_run("two", tmp_path)
    model = run.config.model
    assert (model.answer_token, model.activation, model.mlp_bias) == (False, "gelu", True)

    def turned(name):
        return np.swapaxes(state[name], -1, -2)

    from interchange.imports.published_models import in_order_of_n, textbook

    old = {name: state[name] for name in ("pos_embed.W_pos", "unembed.W_U")}
    old |= {"embed.W_E": state["embed.W_E"].T}
    old |= {f"blocks.0.attn.W_{one}": turned(f"blocks.0.attn.W_{one}") for one in "QKV"}
    old |= {"blocks.0.attn.W_O": state["blocks.0.attn.W_O"].reshape(-1, 8).T}
    old |= {f"blocks.0.mlp.W_{one}": turned(f"blocks.0.mlp.W_{one}") for one in ("in", "out")}
    old |= {f"blocks.0.mlp.b_{one}": state[f"blocks.0.mlp.b_{one}"] for one in ("in", "out")}
    kind = Kind(base=BASE, answer=False, masked=False, activation="gelu")
    expected = in_order_of_n(BASE, textbook(old, kind))
    np.testing.assert_allclose(ModelAt(run).logits(), expected, rtol=0, atol=1e-10)
