"""Measurements made by hand: a study in which every claim holds, and ways to spoil it."""

import dataclasses

from miiii.claims.measurements import (
    Embeddings,
    Frequencies,
    Gradients,
    Heads,
    Measurements,
    Neurons,
    Origin,
    Passing,
    Performance,
    Primality,
    Sharing,
)

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73)
PRIMES = (*PRIMES, 79, 83, 89, 97, 101, 103, 107, 109)
FIRST = {2: 300, 3: 500, 5: 5_000, 7: 11_000}
LATER = PRIMES[4:]
WEIGHTS = (
    *("token_embedding", "position_embedding", "blocks.0.query", "blocks.0.key"),
    *("blocks.0.value", "blocks.0.output", "blocks.0.mlp_in", "blocks.0.mlp_out", "unembedding"),
)


def held(first=FIRST, later=None):
    """Epochs per modulus: 2, 3, 5, 7 in order, the others together in an order unlike q's."""
    together = {q: 20_000 + 40 * (11 * i % 25) for i, q in enumerate(LATER)}
    return {**first, **(together if later is None else later)}


def miiii(seed=0, name="miiii", epochs=held(), **origin):  # noqa: B008 (never changed)
    """A run of T_miiii of which all claims hold."""
    tasks = len(epochs)
    passing = Passing(29, 0, 1494, 1494, 11244, 0)
    return Measurements(
        origin=Origin(
            **{
                **{"run": f"{name}-seed{seed}", "seed": seed, "epoch": 60_000, "epochs": 60_000},
                **{"task": "miiii", "base": 113, "moduli": tuple(epochs), "masked": ()},
                **{"width": 256, "train_fraction": 0.3, "optimiser": "adamw"},
                **{"learning_rate": 3e-4, "weight_decay": 1 / 3, "filter_strength": 0.5},
                **{"dropout": 0.1, "precision": "float32", "device": "cpu"},
                "versions": {"jax": "0.10.2"},
                **origin,
            }
        ),
        performance=Performance(
            held_from=tuple(epochs.values()),
            train_accuracy=(1.0,) * tasks,
            validation_accuracy=(0.999,) * tasks,
            domain_accuracy=(0.9995,) * tasks,
            train_loss=(1e-3,) * tasks,
            validation_loss=(2e-3,) * tasks,
            first_train_loss=1.1,
            late_train_loss=1e-3,
            lowest_validation_loss=2e-3,
            lowest_validation_epoch=59_000,
            late_validation_loss=2.1e-3,
            late_gain=0.0,
        ),
        gradients=Gradients(
            names=WEIGHTS,
            settled=(50_000, 50_000, 3_000, 3_000, 4_000, 5_000, 40_000, 42_000, None),
            last_share=(0.05,) * len(WEIGHTS),
            window=25,
        ),
        neurons=Neurons(
            hidden_share=0.8,
            hidden_null=(0.2, 0.21),
            output_share=0.4,
            output_null=(0.1, 0.11, 0.09),
            needed=4.0,
            needed_quartiles=(3.0, 5.0),
            needed_null=40.0,
            needed_pairs=8.0,
            silent=0,
        ),
        frequencies=Frequencies(
            available=56,
            epochs=(0, 1_000, 11_500, 20_500, 30_000, 60_000),
            counts=(1, 2, 4, 4, 7, 9),
            calibrated=(0, 2, 4, 5, 9, 12),
            null_counts=(1.0,) * 6,
            pair_counts=(50, 50, 60, 60, 80, 90),
        ),
        embeddings=Embeddings(
            pearson=-0.64,
            components_half=30,
            components_nine_tenths=70,
            vector_share=(0.6,) * 10,
            random_share=0.1,
            count=2,
            random_count=1.0,
            calibrated=20,
            needed=40,
            random_needed=(49, 50, 50),
            available=56,
        ),
        heads=Heads(
            to_x0=(0.98, 0.01, 0.97, 0.0),
            to_x1=(0.01, 0.95, 0.0, 0.9),
            to_answer=(0.01, 0.04, 0.03, 0.1),
            entropy=(0.1, 0.2, 0.1, 0.3),
        ),
        primality=Primality(passing, Passing(20, 0, 1000, 999, 8000, 1)),
        sharing=Sharing(
            epochs=(22_000, 40_000, 60_000),
            neurons=(0.02, 0.1, 0.2),
            neurons_low=(0.0, 0.05, 0.15),
            neurons_high=(0.04, 0.15, 0.25),
            harmonics=(0.0, 0.0, 0.0),
            harmonics_low=(-0.01,) * 3,
            harmonics_high=(0.01,) * 3,
        ),
    )


def with_(run, theme, **changes):
    """The run with fields of one of its records changed."""
    record = dataclasses.replace(getattr(run, theme), **changes)
    return dataclasses.replace(run, **{theme: record})


def nanda(seed=0):
    """T_nanda as the paper has it."""
    run = miiii(seed, "nanda", {113: 9_000}, task="nanda")
    run = with_(
        run,
        "embeddings",
        pearson=0.95,
        components_half=5,
        components_nine_tenths=12,
        needed=6,
    )
    run = with_(run, "frequencies", counts=(0, 0, 2, 4, 4, 4), calibrated=(0, 0, 3, 4, 4, 4))
    return dataclasses.replace(run, primality=None, sharing=None)


def basis(seed=0):
    """T_basis: the labels are learnt, nothing is periodic, nothing generalises."""
    run = miiii(seed, "basis", dict.fromkeys(PRIMES), task="basis")
    run = with_(run, "performance", train_accuracy=(0.9,) * len(PRIMES))
    run = with_(run, "neurons", output_share=0.1, hidden_share=0.2)
    return dataclasses.replace(run, primality=None)


def no_dropout(seed=0):
    """Fits the training numbers and diverges on the others."""
    run = miiii(seed, "no-dropout", {**FIRST, **dict.fromkeys(LATER)}, dropout=0.0)
    return with_(
        run,
        "performance",
        validation_accuracy=(0.2,) * len(PRIMES),
        late_validation_loss=5.0,
        lowest_validation_loss=1.0,
    )


def stuck(seed=0, name="lambda-0", **origin):
    """Two tasks generalise and no more."""
    return miiii(seed, name, {**dict.fromkeys(PRIMES), 2: 900, 3: 2_000}, **origin)


def masked(seed=0, epochs=None):
    """2, 3, 5 and 7 masked: none of the others generalises."""
    epochs = dict.fromkeys(PRIMES) if epochs is None else epochs
    return miiii(seed, "masked", epochs, masked=(2, 3, 5, 7))


def study(**experiments):
    """Two seeds of everything, every claim holding; a keyword replaces an experiment's maker."""
    makers = {
        "miiii": miiii,
        "nanda": nanda,
        "basis": basis,
        "no_dropout": no_dropout,
        "lambda_0": stuck,
        "lambda_2": lambda seed: miiii(seed, "lambda-2", filter_strength=2.0),
        "matched_half": lambda seed: stuck(seed, "matched-half", learning_rate=4.5e-4),
        "matched_2": lambda seed: stuck(seed, "matched-2", learning_rate=9e-4),
        "masked": masked,
        **experiments,
    }
    return {key.replace("_", "-"): [make(0), make(1)] for key, make in makers.items()}
