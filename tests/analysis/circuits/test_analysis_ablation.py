"""What is removed, kept, fixed or replaced, against the same written out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.planted import harmonics, noise, random_parameters, wave
from miiii.analysis.circuits.ablation import (
    ablate,
    fix_at_mean,
    keep_functions,
    remove_digit_waves,
    remove_functions,
    remove_heads,
    replace_activation,
)
from miiii.analysis.circuits.subspaces import random_subspace
from miiii.analysis.harmonics.cross_harmonics import pair_harmonics
from miiii.analysis.harmonics.dictionary import harmonic_dictionary
from miiii.analysis.harmonics.task_harmonics import task_harmonics
from miiii.analysis.recording import record
from wording import naming

BASE = 5
MODEL = random_parameters(BASE, neurons=6, outputs=5)


def recorded(parameters, *names):
    found = record(parameters, *names)
    return [found[name].copy() for name in names]


def by_hand(parameters, hidden):
    """Logits of a one-block model whose neurons answer this."""
    (residual,) = recorded(parameters, "residual_mid")
    return (residual + hidden @ parameters.blocks[-1].mlp_out) @ parameters.unembedding


def test_removing_nothing_changes_nothing():
    parameters = MODEL
    plain = ablate(parameters)
    np.testing.assert_allclose(plain, recorded(parameters, "logits")[0], atol=1e-12)
    nothing = random_subspace(BASE, 0, 0)
    assert nothing.dimension == 0
    for intervention in (
        fix_at_mean([]),
        remove_heads([]),
        remove_functions(nothing),
        remove_digit_waves([], []),
    ):
        np.testing.assert_array_equal(ablate(parameters, intervention), plain)


def test_removing_everything_leaves_one_answer():
    parameters = MODEL
    everything = random_subspace(BASE, BASE**2 - 1, 0)
    assert everything.dimension == BASE**2 - 1
    mean = recorded(parameters, "logits")[0].mean(axis=0)
    for intervention in (
        remove_functions(everything, "residual_out"),
        fix_at_mean(np.arange(6), "residual_out"),
    ):
        logits = ablate(parameters, intervention)
        np.testing.assert_allclose(logits, np.broadcast_to(mean, logits.shape), atol=1e-12)


ONE, TWO = harmonics(BASE, 2), harmonics(BASE, 3)
RANDOM = random_subspace(BASE, 4, 1)


def fitted(columns, values):
    return columns @ np.linalg.lstsq(columns, values, rcond=1e-10)[0]


@pytest.mark.parametrize(
    ("subspace", "columns", "without"),
    [
        (task_harmonics(BASE, 3), TWO, None),
        (pair_harmonics(BASE, 2, 3), harmonics(BASE, 6), np.hstack([ONE, TWO])),
        (harmonic_dictionary(BASE, (2, 3)), np.hstack([ONE, TWO]), None),
        (RANDOM, RANDOM.functions, None),
    ],
)
def test_functions_are_removed_from_every_neuron_and_kept(subspace, columns, without):
    (hidden,) = recorded(MODEL, "mlp_hidden")
    constant = np.ones((BASE**2, 1))
    inside = fitted(np.hstack([constant, columns]), hidden)
    if without is not None:
        inside -= fitted(np.hstack([constant, without]), hidden)
    inside -= inside.mean(axis=0)
    removed = ablate(MODEL, remove_functions(subspace))
    np.testing.assert_allclose(removed, by_hand(MODEL, hidden - inside), atol=1e-12)
    kept = ablate(MODEL, keep_functions(subspace))
    np.testing.assert_allclose(kept, by_hand(MODEL, hidden.mean(axis=0) + inside), atol=1e-12)


def test_removing_and_keeping_compose_to_the_mean():
    space = task_harmonics(BASE, 3)
    logits = ablate(MODEL, remove_functions(space), keep_functions(space))
    (hidden,) = recorded(MODEL, "mlp_hidden")
    fixed = np.broadcast_to(hidden.mean(axis=0), hidden.shape)
    np.testing.assert_allclose(logits, by_hand(MODEL, fixed), atol=1e-12)
    all_neurons = ablate(MODEL, fix_at_mean(np.arange(hidden.shape[1])))
    np.testing.assert_allclose(logits, all_neurons, atol=1e-12)


def test_fixed_neurons_answer_their_mean():
    (hidden,) = recorded(MODEL, "mlp_hidden")
    hidden[:, [1, 4]] = hidden[:, [1, 4]].mean(axis=0)
    np.testing.assert_allclose(
        ablate(MODEL, fix_at_mean([4, 1])), by_hand(MODEL, hidden), atol=1e-12
    )
    together = ablate(MODEL, fix_at_mean(1), fix_at_mean(4))
    np.testing.assert_allclose(together, by_hand(MODEL, hidden), atol=1e-12)


def test_a_head_set_to_zero_is_one_without_output():
    output = MODEL.blocks[0].output.copy()
    output[1] = 0
    without = replace(MODEL, blocks=(replace(MODEL.blocks[0], output=output),))
    found = ablate(MODEL, remove_heads([1], fill="zero"))
    np.testing.assert_allclose(found, ablate(without), atol=1e-12)


def test_a_head_at_its_mean_keeps_only_that():
    found = ablate(MODEL, remove_heads([1]))
    weights, block = recorded(MODEL, "attention_weights")[0][:, 1], MODEL.blocks[0]
    number = np.arange(BASE**2)
    tokens = np.stack([number % BASE, number // BASE, np.full(BASE**2, BASE)], axis=1)
    seen = MODEL.token_embedding[tokens] + MODEL.position_embedding
    output = np.einsum("bt,btd->bd", weights, seen) @ block.value[1] @ block.output[1]
    residual = recorded(MODEL, "residual_mid")[0] - output + output.mean(axis=0)
    hidden = np.maximum(residual @ block.mlp_in, 0)
    expected = (residual + hidden @ block.mlp_out) @ MODEL.unembedding
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_digit_waves_are_removed_by_least_squares():
    digit = np.arange(BASE)
    # At ½ a cycle per digit sin cannot be seen: three functions beside the constant.
    columns = [np.ones(BASE), np.cos(np.pi * digit)]
    columns += [np.cos(2 * np.pi * digit / 3), np.sin(2 * np.pi * digit / 3)]
    design = np.stack(columns, axis=1)
    tokens = MODEL.token_embedding.copy()
    fit = design @ np.linalg.lstsq(design, tokens[:-1], rcond=1e-9)[0]
    tokens[:-1] -= fit - fit.mean(axis=0)
    # The same frequencies at both digits: as if the token embedding did not have them.
    frequencies = [1 / 3, 1 / 2]
    found = ablate(MODEL, remove_digit_waves(frequencies, frequencies))
    expected = ablate(replace(MODEL, token_embedding=tokens))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    only_x0 = ablate(MODEL, remove_digit_waves(frequencies, []))
    assert np.abs(only_x0 - found).max() > 1e-3


@pytest.mark.parametrize("activation", ["mlp_hidden", "residual_mid", "attention_weights"])
def test_another_runs_activations_are_patched_in(activation):
    other = random_parameters(BASE, neurons=6, outputs=5)
    other = replace(other, position_embedding=other.position_embedding + noise((3, 6), 5))
    (theirs,) = recorded(other, activation)
    found = ablate(MODEL, replace_activation(activation, theirs))
    # All weights but the positions are the same, so what follows the patch is the other model's.
    if activation == "residual_mid":
        expected = ablate(other)
    elif activation == "mlp_hidden":
        expected = by_hand(MODEL, theirs)
    else:
        expected = ablate(MODEL, replace_activation(activation, theirs[:, :, None]))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.abs(found - ablate(MODEL)).max() > 1e-3
    (own,) = recorded(MODEL, activation)
    np.testing.assert_allclose(
        ablate(MODEL, replace_activation(activation, own)), ablate(MODEL), atol=1e-12
    )


def test_random_subspaces_are_orthonormal_nested_and_seeded():
    large, small = random_subspace(7, 20, 3), random_subspace(7, 20, 3)
    np.testing.assert_array_equal(large.functions, small.functions)
    np.testing.assert_allclose(large.functions.T @ large.functions, np.eye(20), atol=1e-12)
    np.testing.assert_allclose(large.functions.sum(axis=0), 0, atol=1e-12)
    share = [
        (random_subspace(7, 12, seed).project(wave(49, 3)) ** 2).sum() / 24.5 for seed in range(200)
    ]
    assert np.mean(share) == pytest.approx(12 / 48, rel=0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ablate(MODEL, fix_at_mean([6])), "components mlp_hidden 6 0 5"),
        (lambda: ablate(MODEL, remove_heads([-1])), "heads -1 0 1"),
        (lambda: remove_heads([0], fill="noise"), "fill 'noise' zero"),
        (lambda: fix_at_mean([0.5]), "indices list"),
        (lambda: ablate(MODEL, remove_functions(task_harmonics(7, 2))), "p² 49 rows base p 7"),
        (
            lambda: ablate(MODEL, replace_activation("mlp_hidden", np.ones((25, 5)))),
            "change mlp_hidden (25,1,5) (25,1,6)",
        ),
        (lambda: random_subspace(5, 25, 0), "dimension 25 0 p² 24"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
