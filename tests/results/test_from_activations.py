"""Models of any kind, by what they computed: planted circuits, stored runs and brute force."""

import re
import subprocess
import sys

import jax
import numpy as np
import pytest

import miiii
from analysis.planted import random_parameters
from analysis.planted_addition import clock_model
from analysis.planted_circuits import circuit_model
from interchange.planted_models import small_config
from miiii import load_run
from miiii.analysis.circuits.ablation import ablate, fix_at_mean, remove_functions
from miiii.analysis.circuits.subspaces import sum_harmonics
from miiii.analysis.dynamics.clock_or_pizza import distance_irrelevance
from miiii.analysis.dynamics.trigonometric import key_frequencies, trigonometric
from miiii.analysis.harmonics.task_harmonics import task_harmonics
from miiii.analysis.parts.calibration import model_calibrated_spectrum
from miiii.analysis.parts.singular import singular_spectrum
from miiii.analysis.recording import record
from miiii.figures.causal import causal_matrix
from miiii.figures.margins import margin_grids
from miiii.figures.neurons import neuron_grids
from miiii.figures.number_line import number_line_spectrum
from miiii.figures.singular import singular_values
from miiii.results.circuits import Circuits
from miiii.results.paper import Results
from miiii.tasks.config import TaskConfig
from miiii.tasks.dataset import build_dataset
from results.stored_runs import forward, store
from torch_beside import site_packages
from wording import naming

BASE, MODULI = 23, (5, 7)
PLANTED, GROUPS = circuit_model(BASE, MODULI, [([(5, 1)], 40), ([(7, 2)], 40)])


def taken_in(parameters, **more):
    """A transformer as somebody else's code would hand it over."""
    seen = record(parameters, "mlp_pre", "mlp_hidden", "logits")
    layers = {"before": seen["mlp_pre"], "after": seen["mlp_hidden"]}
    weights = parameters.blocks[-1].mlp_out @ parameters.unembedding
    digits = parameters.token_embedding[:-1]
    return miiii.from_activations(
        seen["logits"], layers, readouts={"after": weights}, embeddings={"digits": digits}, **more
    )


def words(drawing):
    """What is written on it, lines joined."""
    return " ".join(re.sub(r"<[^>]+>", " ", drawing.svg).split())


def a_major(values, base):
    """Rows of nested loops over x0, then x1, one by one."""
    return np.stack([np.asarray(values)[a + base * b] for a in range(base) for b in range(base)])


def test_planted_circuits_are_recovered():
    model = taken_in(PLANTED, moduli=MODULI)
    assert (model.base, model.moduli, model.remainders) == (BASE, MODULI, True)
    np.testing.assert_array_equal(model.scores.accuracy, 1)
    matched = model.matched("before")
    for task, group in enumerate(GROUPS):
        np.testing.assert_array_equal(matched.groups()[task], group)
    assert set(matched.harmonic[GROUPS[0]]) == {1}
    assert set(matched.harmonic[GROUPS[1]]) == {2}
    share = model.attribution("after").task
    assert share[GROUPS[0], 0].min() > 5 * share[GROUPS[0], 1].max()
    assert share[GROUPS[1], 1].min() > 5 * share[GROUPS[1], 0].max()
    spectrum = model.number_spectrum("after", both_digits=True)
    assert spectrum.harmonic_table.argmax(axis=1).tolist() == [0, 1]
    removed = model.neuron_removal("after", GROUPS, draws=3)
    assert np.diag(removed.base.accuracy - removed.without.accuracy).min() > 0.5
    np.testing.assert_array_equal(removed.without.accuracy[[0, 1], [1, 0]], 1)
    harmonics = model.harmonic_removal("after", draws=3)
    assert np.diag(harmonics.without.accuracy).max() < 0.5
    np.testing.assert_array_equal(harmonics.without.accuracy[[0, 1], [1, 0]], 1)


def test_planted_addition_is_recovered():
    model = taken_in(clock_model(13, (2, 5)))
    assert (model.moduli, model.remainders) == ((13,), False)
    keys = model.key_frequencies("after", 0.7)
    assert keys.frequencies == (2, 5)
    found = model.trigonometric(keys.frequencies)
    assert found.accuracy == found.restricted_accuracy == 1
    assert found.excluded_loss > 0.8
    calibrated = model.calibrated_spectrum("after")
    assert (np.flatnonzero(calibrated.frequencies) + 1).tolist() == [2, 5]
    without = model.score(model.without_functions("after", sum_harmonics(13, (2, 5))))
    assert without.accuracy < 0.2
    kept = model.score(model.without_functions("after", sum_harmonics(13, (1, 3, 4, 6))))
    assert kept.accuracy == 1
    one = model.score(model.without_neurons("after", np.flatnonzero(keys.neuron == 2)))
    assert one.accuracy < 1
    assert distance_irrelevance(model.logits) > 0.5


def test_removals_are_those_of_running_the_model_again():
    parameters = random_parameters(5, neurons=6, outputs=5)
    model = taken_in(parameters, moduli=(2, 3))
    assert model.readout_share("after") < 0.999  # the skip connection passes it by
    np.testing.assert_allclose(
        model.without_neurons("after", [1, 4]), ablate(parameters, fix_at_mean([1, 4])), atol=1e-12
    )
    np.testing.assert_allclose(
        model.without_functions("after", task_harmonics(5, 3)),
        ablate(parameters, remove_functions(task_harmonics(5, 3))),
        atol=1e-12,
    )
    np.testing.assert_array_equal(model.without_neurons("after", []), model.logits)


def test_sums_have_the_functions_of_their_frequency():
    base = 7
    x1, x0 = np.divmod(np.arange(base**2), base)
    subspace = sum_harmonics(base, (3, 1))
    np.testing.assert_allclose(subspace.functions.T @ subspace.functions, np.eye(4), atol=1e-12)
    inside = np.cos(2 * np.pi * 3 * (x0 + x1) / base + 0.3)
    np.testing.assert_allclose(subspace.project(inside), inside, atol=1e-12)
    for outside in (np.cos(2 * np.pi * 2 * (x0 + x1) / base), np.sin(2 * np.pi * 3 * x0 / base)):
        np.testing.assert_allclose(subspace.project(outside), 0, atol=1e-12)


@pytest.fixture(scope="module")
def circuits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    store(folder, "stored", small_config(base=11, width=16, heads=2), (24,))
    return Circuits(Results(load_run("stored", folder)), draws=4)


def test_a_stored_run_says_the_same(circuits):
    run, base = circuits.results.run, 11
    moduli = run.dataset.moduli
    model = taken_in(run.parameters, moduli=moduli, train=run.dataset.split.train)
    np.testing.assert_array_equal(model.dataset.targets, run.dataset.targets)
    np.testing.assert_array_equal(model.dataset.split.train, run.dataset.split.train)
    # The logits are those of plain NumPy, and the scores and margins follow from them.
    exact = forward(run.parameters, base)[0]
    np.testing.assert_allclose(model.logits, exact, atol=1e-4)
    start = 0
    for task, modulus in enumerate(moduli):
        own = model.logits[:, start : start + modulus].astype(float)
        start += modulus
        for n in (0, 17, base**2 - 1):
            others = np.delete(own[n], n % modulus)
            assert model.margins[n, task] == own[n, n % modulus] - others.max()
    assert (model.margins > 0).mean(axis=0).tolist() == pytest.approx(model.scores.accuracy)
    matched = model.matched("before", draws=4)
    np.testing.assert_array_equal(matched.task, circuits.matched.task)
    np.testing.assert_array_equal(matched.share, circuits.matched.share)
    np.testing.assert_array_equal(model.attribution("after").task, circuits.attribution.task)
    spectrum = model.number_spectrum("after", both_digits=True)
    np.testing.assert_array_equal(spectrum.power, circuits.spectrum.power)
    expected = model_calibrated_spectrum(run.parameters)
    found = model.calibrated_spectrum("after")
    np.testing.assert_array_equal(found.frequencies, expected.frequencies)
    np.testing.assert_array_equal(found.null_counts, expected.null_counts)
    np.testing.assert_array_equal(
        model.singular_spectrum("digits").values, circuits.results.singular_spectrum.values
    )
    for found, expected in (
        (model.neuron_removal("after", circuits.matched.groups(), draws=4), "without_neurons"),
        (model.harmonic_removal("after", draws=4), "without_harmonics"),
    ):
        stored = getattr(circuits, expected)
        # The run is computed in float64; what was handed over in float32.
        np.testing.assert_allclose(found.without.loss, stored.without.loss, rtol=1e-4)
        np.testing.assert_allclose(found.without.accuracy, stored.without.accuracy, atol=0.02)
        np.testing.assert_allclose(found.control.loss, stored.control.loss, rtol=1e-4)


def test_addition_of_weights_in_float64_says_the_same_to_the_last_bit():
    parameters = clock_model(13, (2, 5))
    dataset = build_dataset(TaskConfig(task="nanda", base=13, train_fraction=0.5), 0)
    model = taken_in(parameters, train=dataset.split.train)
    expected = trigonometric(parameters, dataset, (2, 5))
    found = model.trigonometric((2, 5))
    assert (found.excluded_loss, found.restricted_loss) == (
        expected.excluded_loss,
        expected.restricted_loss,
    )
    np.testing.assert_array_equal(
        model.key_frequencies("after").share, key_frequencies(parameters).share
    )


def test_rows_may_be_a_major():
    model = taken_in(PLANTED, moduli=MODULI)
    labels = np.arange(BASE**2)[:, None] % np.array(MODULI)
    trained = np.arange(0, BASE**2, 3)
    turned = miiii.from_activations(
        a_major(model.logits, BASE),
        {"after": a_major(model.layers["after"], BASE)},
        labels=a_major(labels, BASE),
        moduli=MODULI,
        train=a_major(np.isin(np.arange(BASE**2), trained), BASE),
        order="a-major",
    )
    np.testing.assert_array_equal(turned.logits, model.logits)
    np.testing.assert_array_equal(turned.layers["after"], model.layers["after"])
    np.testing.assert_array_equal(turned.dataset.targets, labels)
    np.testing.assert_array_equal(turned.dataset.split.train, trained)
    with pytest.warns(UserWarning, match=naming("1.000 order='a-major'")):
        miiii.from_activations(a_major(model.logits, BASE), moduli=MODULI)


def test_own_labels_and_what_is_not_for_them():
    x0, x1 = miiii.digits(5).T
    labels = np.stack([(x0 * x1) % 5, x0 > x1], axis=1)
    logits = np.concatenate([np.eye(5)[labels[:, 0]], 3 * np.eye(2)[labels[:, 1]]], axis=1)
    model = miiii.from_activations(logits, {"logits": logits}, labels=labels.astype(float))
    assert (model.moduli, model.dataset.class_sizes) == ((5, 2), (5, 2))
    np.testing.assert_array_equal(model.scores.accuracy, 1)
    np.testing.assert_array_equal(model.margins, [[1, 3]] * 25)
    with pytest.raises(ValueError, match=naming("n mod q")):
        model.attribution("logits")
    assert model.attribution("logits", moduli=(2, 3)).moduli == (2, 3)
    with pytest.raises(ValueError, match=naming("read-out")):
        model.without_neurons("logits", [0])


def test_what_is_handed_over_is_copied_and_kept():
    logits = np.eye(5)[miiii.digits(5).sum(axis=1) % 5]
    model = miiii.from_activations(logits, {"one": logits})
    logits[:] = 0
    assert model.scores.accuracy == 1
    with pytest.raises(ValueError, match="read-only"):
        model.logits[0] = 1
    with pytest.raises(TypeError):
        model.layers["two"] = logits
    with pytest.raises(AttributeError):
        model.logits = logits


def test_arrays_of_jax_and_of_lower_precision_are_read():
    exact = np.eye(5, dtype=np.float32)[miiii.digits(5).sum(axis=1) % 5]
    for values in (
        jax.numpy.asarray(exact),
        jax.numpy.asarray(exact, jax.numpy.bfloat16),
        exact.astype(np.float16),
        exact.tolist(),
        exact.astype(int),
        exact.astype(bool),
    ):
        model = miiii.from_activations(values, {"layer": values})
        assert model.logits.dtype in (np.float32, np.float64)
        np.testing.assert_array_equal(model.layers["layer"], exact)


def test_singular_values_of_a_layer_are_those_of_its_profile():
    parameters = random_parameters(7, neurons=6, outputs=7)
    model = taken_in(parameters)
    grid = model.layers["after"].reshape(7, 7, 6)
    for digit in (0, 1):
        found = model.singular_spectrum("after", digit)
        expected = np.linalg.svd(grid.mean(axis=digit), compute_uv=False)
        np.testing.assert_allclose(found.values, expected)
    direct = singular_spectrum(parameters.token_embedding[:-1])
    np.testing.assert_array_equal(model.singular_spectrum("digits").values, direct.values)


def test_pictures_are_drawn_from_its_records():
    model = taken_in(PLANTED, moduli=MODULI)
    drawing = margin_grids(model.margins, model.moduli, title="margins")
    assert "5: 0 wrong" in words(drawing)
    assert "layer after" in neuron_grids(model.examples("after")).svg
    assert number_line_spectrum(model.number_spectrum("after")).axes
    assert singular_values({"digits": model.singular_spectrum("digits")}).axes
    assert "accuracy lost" in causal_matrix(model.neuron_removal("after", GROUPS, draws=2)).svg
    shown = model._repr_html_()
    assert "529 inputs" in shown
    assert "<td" in shown
    assert "after" in shown


def test_margins_that_are_wrong_are_counted_in_the_picture():
    table = np.ones((9, 1))
    table[4] = -2
    assert "sum: 1 wrong" in words(margin_grids(table, ["sum"]))
    with pytest.raises(ValueError, match=naming("margins shape (8,1)")):
        margin_grids(table[:8], ["sum"])


class Attached:
    """As a tensor that still has a gradient."""

    def __array__(self, *_, **__):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.\nmore")


GOOD = np.eye(5)[miiii.digits(5).sum(axis=1) % 5]
CYCLE = np.eye(5)[[1, 2, 3, 4, 0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"logits": GOOD[:24]}, "logits (24,5) [p²,classes]"),
        ({"logits": GOOD.reshape(5, 5, 5)}, "logits shape (5,5,5)"),
        ({"logits": GOOD * 1j}, "logits type complex128 real"),
        ({"logits": GOOD * np.nan}, "logits finite 125"),
        ({"logits": Attached()}, "logits Attached detach"),
        ({"logits": np.zeros((25, 6))}, "6 columns p = 5"),
        ({"moduli": (2, 4)}, "5 columns 6 moduli (2,4)"),
        ({"moduli": (2, 2)}, "moduli (2,2)"),
        ({"moduli": (2, 30)}, "moduli 30 p² 25"),
        ({"layers": {"h": GOOD[:5]}}, "layers['h'] (5,5) [p²"),
        ({"layers": {"h": GOOD[:, None]}}, "(25,1,5) position"),
        ({"layers": [GOOD]}, "layers list"),
        (
            {"layers": {"hidden": GOOD}, "readouts": {"hiden": np.eye(5)}},
            "readouts' layer 'hiden' 'hidden'",
        ),
        (
            {"layers": {"h": GOOD[:, :3]}, "readouts": {"h": np.ones((5, 3))}},
            "(5,3) [features,classes] (3,5) transpose",
        ),
        (
            {
                "layers": {"h": GOOD @ CYCLE},
                "readouts": {"h": CYCLE},
            },
            "logits transposed",
        ),
        ({"embeddings": {"e": GOOD}}, "embeddings['e'] (25,5) [p"),
        ({"labels": np.zeros(24, int)}, "labels (24,) [p²]"),
        ({"labels": np.full(25, 5)}, "task 0 5 classes"),
        ({"labels": np.full(25, -1)}, "labels -1"),
        ({"labels": np.full(25, 0.5)}, "labels type float64 numbers"),
        ({"labels": np.zeros((25, 2), int), "classes": (3, 3)}, "logits' 5 columns"),
        ({"classes": (5,)}, "classes (5,) labels"),
        ({"train": [25]}, "train 25 each"),
        ({"train": np.zeros(25, bool)}, "train row"),
        ({"train": np.zeros(24, bool)}, "train shape (24,)"),
        ({"order": "a_major"}, "order 'a_major' 'a-major'"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        miiii.from_activations(**{"logits": GOOD, **arguments})
    assert "\n" not in str(caught.value)


def test_refusals_of_the_record():
    model = miiii.from_activations(GOOD, {"h": GOOD}, readouts={"h": np.eye(5)})
    for call, message in (
        (lambda: model.spectra("k"), "layer is 'k': it must be one of h"),
        (lambda: model.without_neurons("h", [5]), "expected 0 to 4"),
        (lambda: model.singular_spectrum("h", 2), "digit is 2"),
        (lambda: sum_harmonics(5, (3,)), r"from 1 to p // 2 = 2"),
        (lambda: sum_harmonics(5, (1, 1)), r"none twice"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


TORCH = """
import sys
sys.path.append(sys.argv[1])
import numpy as np
import torch
import miiii

x0, x1 = torch.as_tensor(miiii.digits(5).T)
logits = torch.nn.functional.one_hot(((x0 + x1) % 5).long(), 5).float()
exact = logits.numpy().copy()
attached = logits.clone().requires_grad_()
readouts = {"one": torch.nn.Parameter(torch.eye(5)).detach().T}
model = miiii.from_activations(attached.detach(), {"one": logits.double()}, readouts=readouts)
assert (model.logits == exact).all() and model.scores.accuracy == 1
logits.zero_()
assert (model.layers["one"] == exact).all()
assert model.readout_share("one") == 1
for tensor in (attached, attached.detach().bfloat16(), attached.detach().to("meta")):
    try:
        miiii.from_activations(tensor)
    except ValueError as error:
        print(error)
"""


@pytest.mark.slow
def test_tensors_of_pytorch_are_read_or_refused_with_advice():
    done = subprocess.run(
        [sys.executable, "-c", TORCH, site_packages()], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    refused = done.stdout.splitlines()
    assert len(refused) == 3
    assert all(line.startswith("logits is a torch.Tensor") for line in refused)
    assert all("give tensor.detach().cpu().float().numpy()" in line for line in refused)
