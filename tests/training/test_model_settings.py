"""Runs with every setting of the model: trained together, stopped and gone on with, read back."""

import jax
import numpy as np
import pytest

from miiii import from_toml, load_run, replace_fields, resume, start, to_toml
from miiii.model.config import ModelConfig
from miiii.training.state import to_arrays
from training.tiny import TINY
from wording import naming

SETTINGS = [
    {
        "mlp_bias": True,
        "activation": "gelu",
        "answer_token": False,
        "attention_mask": "full",
        "attention_coefficient": 0.5,
        "depth": 2,
    },
    {
        "mlp_bias": True,
        "activation": "tanh",
        "digit_tokens": "separate",
        "attention_coefficient": 0.0,
        "optimiser": "muon",
    },
]


@pytest.mark.parametrize("settings", SETTINGS, ids=["two-positions", "separate"])
def test_a_run_that_grows_equals_a_whole_one_and_a_batch_its_runs(settings, tmp_path):
    config = replace_fields(TINY, **settings)
    start([config], ["whole"], tmp_path)
    start([replace_fields(config, epochs=7)], ["grown"], tmp_path)
    resume("grown", tmp_path, epochs=config.training.epochs)
    pair = [replace_fields(config, seed=seed) for seed in (0, 1)]
    start(pair, ["one", "two"], tmp_path)
    whole, grown, one, two = (load_run(name, tmp_path) for name in ("whole", "grown", "one", "two"))
    arrays = to_arrays(whole.parameters)
    assert set(arrays) == set(to_arrays(grown.parameters))
    for name, array in to_arrays(grown.parameters).items():
        np.testing.assert_array_equal(array, arrays[name], name)
    np.testing.assert_array_equal(whole.history.gradient_norm, grown.history.gradient_norm)
    for name, array in to_arrays(one.parameters).items():
        np.testing.assert_allclose(array, arrays[name], rtol=2e-3, atol=2e-5, err_msg=name)
    assert not np.array_equal(two.parameters.unembedding, one.parameters.unembedding)
    # The biases were trained, and stand in the history under their names.
    assert np.abs(arrays["blocks.0.mlp_in_bias"]).max() > 0
    column = whole.history.weight_names.index("blocks.0.mlp_out_bias")
    assert whole.history.gradient_norm[:, column].min() > 0
    assert whole.parameters.architecture == config.model.architecture
    assert whole.parameters.base == config.task.base


def test_settings_round_trip_through_toml():
    for settings in SETTINGS:
        config = replace_fields(TINY, **settings)
        assert from_toml(to_toml(config)) == config
        assert from_toml(to_toml(TINY)).model != config.model


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"activation": "gelo"}, "activation 'gelo' 'gelu'"),
        ({"attention_mask": "none"}, "attention_mask 'none' causal full"),
        ({"digit_tokens": "own"}, "digit_tokens 'own' shared separate"),
        ({"attention_coefficient": 1.5}, "attention_coefficient 1.5 0 1"),
        ({"attention_coefficient": float("nan")}, "attention_coefficient nan"),
    ],
)
def test_bad_settings_are_named(settings, said):
    with pytest.raises(ValueError, match=naming(said)):
        ModelConfig(**settings)


def test_a_filter_on_the_digits_rows_needs_the_paper_s_tokens():
    for change in ({"answer_token": False}, {"digit_tokens": "separate"}):
        with pytest.raises(ValueError, match=naming("filter 'ema_on_tasks' works table")):
            replace_fields(TINY, filter="ema_on_tasks", filter_tasks=(2, 3), **change)


def test_biases_start_at_zero_and_change_no_other_initial_weight():
    from miiii.model.initialise import initialise

    drawn = []
    for bias in (False, True):
        model = ModelConfig(width=8, heads=2, depth=2, mlp_bias=bias)
        drawn.append(to_arrays(initialise(jax.random.key(0), model, 5, 7, 3)))
    without, with_biases = drawn
    added = set(with_biases) - set(without)
    assert added == {f"blocks.{b}.mlp_{side}_bias" for b in (0, 1) for side in ("in", "out")}
    for name, array in with_biases.items():
        np.testing.assert_array_equal(array, without.get(name, np.zeros_like(array)))
