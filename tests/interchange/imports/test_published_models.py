"""Models of the layout of 2022: converted, they compute what a textbook forward pass does."""

import json
import random

import jax
import numpy as np
import pytest

from interchange.imports.published_models import (
    Kind,
    drawn,
    in_order_of_n,
    losses_of,
    textbook,
)
from interchange.imports.torch_writing import as_tensors, write_torch
from miiii import load_run
from miiii.cli.main import run as miiii
from miiii.experiment.model_at import ModelAt
from miiii.interchange.imports.conversion import Given, convert
from miiii.model.config import Architecture
from miiii.model.parameters import Block, Parameters
from miiii.model.transformer import forward
from miiii.results.paper import Results
from wording import naming, says

ZHONG = {"answer": False, "masked": False}

KINDS = {
    "nanda": Kind(),
    "nanda-two-blocks": Kind(blocks=2),
    "nanda-gelu": Kind(activation="gelu"),
    "pizza": Kind(**ZHONG, coefficient=0.0),
    "clock": Kind(**ZHONG),
    "between-two-blocks": Kind(**ZHONG, coefficient=0.3, blocks=2, activation="gelu"),
    "four-blocks": Kind(**ZHONG, coefficient=0.01, blocks=4, activation="tanh"),
    "separate": Kind(**ZHONG, coefficient=0.8, separate=True),
    "equals-sign": Kind(masked=False, coefficient=0.5, blocks=2),
    "separate-and-equals-sign": Kind(masked=False, coefficient=0.5, separate=True),
    "tokens-as-width": Kind(base=8, **ZHONG),
    "one-square-head": Kind(base=8, heads=1, head_width=8, **ZHONG),
    "odd-width": Kind(width=9, head_width=4, neurons=36, **ZHONG, coefficient=0.9, blocks=2),
    "wide-heads": Kind(width=6, head_width=5, neurons=7),
}


def settings(name):
    """What stands beside such a model or in its file."""
    kind = KINDS[name]
    if name == "nanda":
        return {}
    if name.startswith("nanda"):
        act = {"relu": "ReLU", "gelu": "GeLU"}[kind.activation]
        return {"p": kind.base, "fn_name": "add", "act_type": act, "frac_train": 0.3}
    return {
        "funcs": f"lambda x: (x[0]+x[1])%{kind.base}",
        "C": kind.base,
        "n_heads": kind.heads,
        "d_model": kind.width,
        "n_layers": kind.blocks,
        "attention_dir": "casual",
        "act_fn": {"relu": "ReLU", "gelu": "GeLU", "tanh": "Tanh"}[kind.activation],
        "attn_coeff": kind.coefficient,
        "diff_vocab": int(kind.separate),
        "eqn_sign": kind.answer,
        "epoch": 20000,
        "frac": 0.8,
        "func": None,
    }


def ours(found, dtype):
    """Logits [p², p] of a converted model, in the order of n."""
    depth = sum(name.endswith(".query") for name in found.weights)
    fields = {name: found.model[name] for name in Architecture.__dataclass_fields__}
    parameters = Parameters(
        token_embedding=found.weights["token_embedding"],
        position_embedding=found.weights["position_embedding"],
        blocks=tuple(
            Block(
                **{
                    name: found.weights.get(f"blocks.{block}.{name}")
                    for name in Block.__dataclass_fields__
                }
            )
            for block in range(depth)
        ),
        unembedding=found.weights["unembedding"],
        architecture=Architecture(**fields),
    )
    digits = np.array([(a, b) for b in range(found.base) for a in range(found.base)], np.int32)
    with jax.enable_x64(dtype == np.float64), jax.default_matmul_precision("highest"):
        return np.asarray(jax.jit(forward)(parameters, digits)[0])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", KINDS)
def test_logits_are_those_of_the_textbook(name, dtype):
    kind = KINDS[name]
    state = drawn(kind, seed=3, dtype=dtype)
    found = convert(state, settings(name))
    expected = in_order_of_n(kind.base, textbook(state, kind))[:, : kind.base]
    assert found.base == kind.base
    assert found.layout == "2022"
    assert found.weights["unembedding"].dtype == dtype
    error = abs(ours(found, dtype) - expected).max() / abs(expected).max()
    assert error < (1e-12 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize("name", ["between-two-blocks", "nanda-two-blocks", "pizza"])
def test_a_wrong_reading_of_the_files_would_be_seen(name):
    """The oracle tells: mask, coefficient and activation each change the logits."""
    kind = KINDS[name]
    state = drawn(kind, seed=3, dtype=np.float64)
    expected = textbook(state, kind)
    fields = {**kind.__dict__}
    for field, other in {
        "masked": not kind.masked,
        "coefficient": 1 - kind.coefficient,
        "activation": "tanh",
    }.items():
        if field == "masked" and kind.blocks == 1:
            continue
        changed = textbook(state, Kind(**{**fields, field: other}))
        assert abs(changed - expected).max() > 1e-3 * abs(expected).max()


def test_square_matrices_need_the_layout():
    kind = Kind(base=8, heads=1, head_width=8, neurons=8, **ZHONG)
    state = drawn(kind, dtype=np.float64)
    with pytest.raises(ValueError, match=naming("--layout 2022 transformer-lens")):
        convert(state, {})
    found = convert(state, {}, Given(layout="2022"))
    expected = in_order_of_n(8, textbook(state, kind))
    np.testing.assert_allclose(ours(found, np.float64), expected, rtol=0, atol=1e-10)
    turned = convert(state, {}, Given(layout="transformer-lens"))
    assert abs(ours(turned, np.float64) - expected).max() > 0.1


def test_a_layout_against_the_shapes_is_refused():
    with pytest.raises(ValueError, match=naming("--layout transformer-lens fit")):
        convert(drawn(Kind()), {}, Given(layout="transformer-lens"))


def test_as_many_tokens_for_each_digit_are_told_by_the_base():
    kind = KINDS["separate"]
    state = drawn(kind, dtype=np.float64)
    bare = {"act_fn": "relu", "attention_dir": "bidirectional"}
    assert convert(state, bare).base == 2 * kind.base
    found = convert(state, bare, Given(base=kind.base))
    assert (found.base, found.model["digit_tokens"]) == (kind.base, "separate")


def planted(kind, places, seed=1):
    """Weights that know the sums of some pairs by heart and of no others."""
    state = drawn(kind, seed, np.float64)
    state["unembed.W_U"] = np.eye(kind.width)
    features = textbook(state, kind)
    labels = np.array([(a + b) % kind.base for a in range(kind.base) for b in range(kind.base)])
    wanted = 9.0 * (labels[places][:, None] == np.arange(kind.tokens))
    state["unembed.W_U"] = np.linalg.lstsq(features[places], wanted, rcond=None)[0]
    return state


def authors_split(base, seed, share):
    """Places of the pairs that train, as Nanda et al. draw them."""
    pairs = [(a, b, base) for a in range(base) for b in range(base)]
    random.seed(seed)
    random.shuffle(pairs)
    return np.array([a * base + b for a, b, _ in pairs[: int(share * len(pairs))]])


def write(path, state, **more):
    content, tensors = as_tensors(state)
    write_torch(path, {"model": content, **more} if more else content, tensors)


def imported(path, name, *words):
    place = ["--runs-dir", str(path.parent / "runs"), "--json"]
    assert miiii(["import", str(path), "--name", name, *place, *words]) == 0
    return load_run(name, path.parent / "runs")


@pytest.fixture(scope="module")
def training_file(tmp_path_factory):
    """A training file whose split (seed 7, share 0.4) only its losses tell."""
    folder = tmp_path_factory.mktemp("published")
    kind = Kind(width=64, head_width=32, neurons=128)
    places = authors_split(7, 7, 0.4)
    state = planted(kind, places)
    losses = losses_of(textbook(state, kind), 7)
    rest = np.setdiff1d(np.arange(49), places)
    train, test = losses[places].mean(), losses[rest].mean()
    content = {
        "train_losses": [*np.linspace(2, 1, 39), train * 1.01],
        "test_losses": [2.5, 2.6, 2.7, test * 0.97],
        "optimizer": {"param_groups": [{"lr": 1e-3, "weight_decay": 0.1}], "state": {}},
        "epoch": 39,
    }
    write(folder / "model.pth", state, **content)
    return folder / "model.pth", kind, state, places, content


def test_a_training_file_gives_losses_and_its_split(training_file, capsys):
    path, kind, state, places, content = training_file
    run = imported(path, "found")
    record = json.loads(capsys.readouterr().out)
    drawn_split = run.provenance["imported"]["drawn_split"]
    assert (drawn_split["seed"], drawn_split["share"]) == (7, 0.4)
    assert drawn_split["how"] == "found by its losses"
    assert drawn_split["candidates"]["seeds"] == list(range(12))
    assert drawn_split["best_of_other_seeds"]["factor_off"] > 1.5
    assert record["split"] == "drawn again"
    assert record["accuracies"]["training"] == 1
    expected = sorted(a + 7 * b for a, b in ((i // 7, i % 7) for i in places))
    assert list(run.dataset.split.train) == expected
    assert len(run.dataset.split.validation) == 49 - len(places)
    history = run.history
    assert list(history.epoch) == list(range(1, 41))
    np.testing.assert_allclose(history.train_loss[:, 0], content["train_losses"], rtol=1e-12)
    # Tested before every tenth update: after 0, 10, 20 and 30 of them.
    assert list(history.validation_epoch) == [10, 20, 30, 40]
    np.testing.assert_allclose(history.validation_loss[:3, 0], content["test_losses"][1:])
    logits = in_order_of_n(7, textbook(state, kind))[:, :7]
    labels = np.array([(a + b) % 7 for b in range(7) for a in range(7)])
    right = logits.argmax(axis=1) == labels
    validation = run.dataset.split.validation
    assert history.validation_accuracy[-1, 0] == right[validation].mean()
    assert record["accuracies"]["all"] == right.mean()
    # Gradients were measured at the last weights only, and pictures of them show that.
    assert list(Results(run).gradient_norms.epoch) == [40]
    assert run.provenance["imported"]["optimiser"]["weight_decay"] == 0.1
    error = abs(ModelAt(run).logits() - logits).max()
    assert error < 1e-12 * abs(logits).max()


def test_a_split_that_settings_tell_is_checked(training_file, tmp_path, capsys):
    _, _, state, places, content = training_file
    told = {"p": 7, "fn_name": "add", "seed": 7, "frac_train": 0.4, "weight_decay": 1}
    path = tmp_path / "told.pth"
    shared = {name: content[name] for name in ("train_losses", "optimizer")}
    write(path, state, config=told, **shared)
    run = imported(path, "told")
    said = capsys.readouterr().err
    assert "settings say weight_decay 1, its optimiser's state 0.1" in said
    found = run.provenance["imported"]["drawn_split"]
    assert found["how"] == "told by its settings and checked by its losses"
    expected = sorted(i // 7 + 7 * (i % 7) for i in places)
    assert list(run.dataset.split.train) == expected
    # A wrong seed in the settings is found out.
    write(path, state, config={**told, "seed": 3}, train_losses=content["train_losses"])
    other = imported(path, "wrong").provenance["imported"]["drawn_split"]
    assert (other["seed"], other["how"]) == (7, "found by its losses")
    assert "layout is right" in capsys.readouterr().err


def test_settings_beside_a_model_are_read(tmp_path, capsys):
    kind = KINDS["between-two-blocks"]
    state = drawn(kind, seed=5)
    write(tmp_path / "model_abc.pt", state)
    (tmp_path / "config_abc.json").write_text(json.dumps(settings("between-two-blocks")))
    run = imported(tmp_path / "model_abc.pt", "abc")
    model = run.config.model
    assert (model.depth, model.activation, model.attention_mask) == (2, "gelu", "full")
    assert (model.attention_coefficient, model.answer_token, model.mlp_bias) == (0.3, False, True)
    assert run.status["epoch"] == 20000
    said = capsys.readouterr()
    assert "config_abc.json" in said.err
    assert says(said.err, "wrong layout")
    expected = in_order_of_n(kind.base, textbook(state, kind))
    share = np.mean([logits.argmax() == (n % 7 + n // 7) % 7 for n, logits in enumerate(expected)])
    assert json.loads(said.out)["accuracies"]["all"] == share
    np.testing.assert_allclose(ModelAt(run).logits(), expected, rtol=0, atol=1e-10)


def test_logits_beside_a_model_are_compared(tmp_path, capsys):
    import safetensors.numpy

    kind = KINDS["clock"]
    state = drawn(kind, seed=5)
    write(tmp_path / "model.pt", state)
    (tmp_path / "config_model.json").write_text(json.dumps(settings("clock")))
    (tmp_path / "model.json").write_text(json.dumps(settings("clock")))
    arrays = {"tokens": kind.inputs()[::5], "logits": textbook(state, kind)[::5]}
    for name, change, word in (("same", 0, "agree"), ("other", 0.5, "do NOT agree")):
        logits = {**arrays, "logits": arrays["logits"] + change * np.eye(7)[[1] * 10]}
        logits = {name: np.ascontiguousarray(array) for name, array in logits.items()}
        safetensors.numpy.save_file(logits, tmp_path / "expected_logits.safetensors")
        imported(tmp_path / "model.pt", name)
        said = capsys.readouterr()
        assert f"expected_logits.safetensors {word}" in said.err, said.err
        found = json.loads(said.out)["expected_logits"]["difference"]
        largest = abs(logits["logits"]).max()
        assert abs(found - change / largest) < 1e-5
