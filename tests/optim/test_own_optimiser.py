"""An optimiser of one's own: by name in the configuration, as a function in the process."""

import numpy as np
import optax
import pytest

import miiii
from command import call_each
from miiii import from_toml, to_toml
from wording import naming

pytestmark = pytest.mark.slow

SMALL = miiii.replace_fields(
    miiii.get_preset("tiny"), base=7, width=8, heads=2, snapshots=2, epochs=12, filter="none"
)


def test_a_registered_optimiser_is_the_one_that_trains(tmp_path):
    """Written as AdamW, it does what the built-in AdamW does, bit for bit."""
    optim = SMALL.optim

    def adamw(learning_rate, weight_decay):
        return optax.adamw(
            learning_rate,
            b1=optim.beta1,
            b2=optim.beta2,
            eps=optim.epsilon,
            weight_decay=weight_decay,
        )

    name = miiii.register_optimiser("plain-adamw", adamw)
    assert name == "own-plain-adamw"
    miiii.start([miiii.replace_fields(SMALL, optimiser=name)], ["own"], tmp_path)
    miiii.start([SMALL], ["built-in"], tmp_path)
    own, built_in = (miiii.load_run(each, tmp_path) for each in ("own", "built-in"))
    assert own.history.train_loss.tobytes() == built_in.history.train_loss.tobytes()
    assert np.array_equal(own.parameters.unembedding, built_in.parameters.unembedding)


def test_another_optimiser_gives_other_weights_and_resumes_bit_for_bit(tmp_path):
    name = miiii.register_optimiser(
        "sign", lambda rate, decay: optax.lion(rate, weight_decay=decay)
    )
    config = miiii.replace_fields(SMALL, optimiser=name, epochs=9)
    miiii.start([config], ["run"], tmp_path)
    miiii.resume("run", tmp_path, epochs=12)
    miiii.start([miiii.replace_fields(config, epochs=12)], ["whole"], tmp_path)
    miiii.start([SMALL], ["adamw"], tmp_path)
    run, whole, adamw = (miiii.load_run(each, tmp_path) for each in ("run", "whole", "adamw"))
    assert run.history.train_loss.tobytes() == whole.history.train_loss.tobytes()
    assert not np.allclose(run.parameters.unembedding, adamw.parameters.unembedding)


def test_a_run_is_read_where_its_optimiser_is_unknown_but_not_resumed(tmp_path, cache):
    name = miiii.register_optimiser("elsewhere", lambda rate, decay: optax.sgd(rate))
    miiii.start([miiii.replace_fields(SMALL, optimiser=name)], ["run"], tmp_path / "runs")
    commands = [
        ["show", "run"],
        ["figures", "run", "--only", "11", "--format", "svg"],
        ["resume", "run", "--epochs", "20"],
    ]
    shown, drawn, refused = call_each(commands, tmp_path, cache)
    assert shown.returncode == 0, shown.stderr
    assert 'optimiser = "own-elsewhere"' in shown.stdout
    assert drawn.returncode == 0, drawn.stderr
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "miiii.register_optimiser('elsewhere', …)" in refused.stderr
    # Opening a stored run must never run code that its files name.
    assert miiii.load_run("run", tmp_path / "runs").config.optim.optimiser == name


@pytest.mark.parametrize("name", ["", "Lion", "a b", "-x", "x" * 3 + "/"])
def test_names_that_cannot_be_one_are_refused(name):
    with pytest.raises(ValueError, match=naming("optimiser name")):
        miiii.register_optimiser(name, lambda rate, decay: optax.sgd(rate))


def test_the_configuration_takes_own_names_and_no_others():
    own = miiii.replace_fields(SMALL, optimiser="own-anything")
    assert from_toml(to_toml(own)) == own
    for name in ("own-", "lion", "own-A"):
        with pytest.raises(ValueError, match=naming("adamw,muon")):
            miiii.replace_fields(SMALL, optimiser=name)
