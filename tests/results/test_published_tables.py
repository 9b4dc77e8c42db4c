"""The tables of docs/published.md, printed for a planted clock and a planted pizza."""

import importlib.util
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from analysis.planted_addition import clock_model, pizza_model
from interchange.planted_models import small_config
from miiii.analysis.dynamics.trigonometric import frequencies_of_neurons
from miiii.analysis.parts.neurons import neuron_spectra
from miiii.model.parameters import parameter_shapes
from results.stored_runs import store

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "published.py"
BASE, FREQUENCIES = 13, (2, 5)


@pytest.fixture(scope="module")
def published():
    spec = importlib.util.spec_from_file_location("published_tables", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["published_tables"] = module
    spec.loader.exec_module(module)
    return module


def cells(text):
    """Per model, its cells of each table."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {row[0]: [found[1:] for found in rows if found[0] == row[0]] for row in rows}


def padded(parameters, config):
    """The same model in the sizes of a configuration: what it does not need is zero."""
    shapes = parameter_shapes(config.model, BASE, BASE)

    def larger(leaf, shape):
        room = [(0, size - used) for size, used in zip(shape, leaf.shape, strict=True)]
        return np.pad(leaf, room).astype(np.float32)

    return jax.tree.map(larger, parameters, shapes)


def test_a_planted_clock_and_pizza_are_told_apart_and_proved(
    published, tmp_path, capsys, monkeypatch
):
    config = small_config(task="nanda", base=BASE, width=16, heads=2, mlp_ratio=8)
    for name, model in (("clock", clock_model), ("pizza", pizza_model)):
        store(tmp_path, name, config, (24,), planted=padded(model(BASE, FREQUENCIES), config))
    monkeypatch.setattr(published, "LEAST", 0.1)
    monkeypatch.setattr(
        sys, "argv", ["published.py", "clock", "pizza", "--runs-dir", str(tmp_path)]
    )
    published.main()
    found = cells(capsys.readouterr().out)
    assert found["model"][0][0] == "right on all pairs"
    for name in ("clock", "pizza"):
        size, _, proof = found[name]
        assert size[0] == "169 of 169"
        listed = {int(part.split(" (")[0]) for part in size[1].split(", ")}
        assert listed == set(FREQUENCIES)
        assert size[4] == "1.0000"
        assert float(size[5]) > 0.8
        assert proof[-1] == "right on all pairs, in float32 too"
        assert float(proof[0]) > float(proof[1])
    clock, pizza = (found[name][1] for name in ("clock", "pizza"))
    assert float(clock[0]) > 0.5 > 0.05 > float(pizza[0])
    assert float(clock[2]) == pytest.approx(0, abs=1e-3)
    assert float(pizza[2]) == pytest.approx(1, abs=1e-3)


def test_shares_are_those_of_each_neuron_weighed_by_its_variance(published):
    digit = np.arange(7)
    wave = {k: np.cos(2 * np.pi * k * digit / 7) for k in (1, 3)}
    # Variances ½·4 and ½·1 on frequency 3 of x0 and 1 of x1, and one of two frequencies at once.
    hidden = np.stack(
        [
            2 * wave[3] + 0 * digit[:, None],
            wave[1][:, None] + 0 * digit,
            np.outer(wave[1], wave[3]) * 2,
        ]
    )
    found = published.variance_shares(frequencies_of_neurons(neuron_spectra(hidden)), hidden)
    assert list(found)[:2] == [3, 1]
    assert found[3] == pytest.approx(2 / 3.5)
    assert found[1] == pytest.approx(0.5 / 3.5)
    assert found[2] == pytest.approx(0, abs=1e-12)
