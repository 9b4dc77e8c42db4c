"""The results of `miiii circuits` as plain data: a JSON record, and a CSV row per neuron."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from typing import Any

import numpy as np

from miiii.analysis.circuits.causal import CausalMatrix
from miiii.analysis.circuits.sharing import sharing_index
from miiii.markup import csv_text
from miiii.results.circuits import Circuits
from miiii.results.paper import MissingInputError
from miiii.runs.conditions import RESUMED_KEY
from miiii.runs.jsonfiles import encode_json

FORMAT = 1
COLUMNS = (
    "neuron",
    "task",
    "harmonic",
    "frequency_x0",
    "frequency_x1",
    "additive_share",
    "matched_share",
    "margin",
    "belief",
    "tasks_served",
    "explained_on_number_line",
    "explained_with_digits",
)
"""Columns of the table of neurons: measures before the ReLU, then those after it."""


def circuit_record(circuits: Circuits, parts: frozenset[str]) -> dict[str, Any]:
    """The numbers behind the pictures.

    Args:
        circuits: of a run.
        parts: numbers of the chosen pictures (N1, …); other records are not computed.

    Returns:
        Data of JSON's types; NaN is None.
    """
    run = circuits.results.run
    record: dict[str, Any] = {
        "format": FORMAT,
        "run": run.name,
        "epoch": circuits.results.model.epoch,
        "seed": run.config.seed,
        "precision": run.config.training.precision,
        "versions": run.provenance.get("versions"),
        **({"branch": branch} if (branch := run.provenance.get("branch")) else {}),
        "resumed": run.provenance.get(RESUMED_KEY, []),
        "base": circuits.parameters.base,
        "moduli": list(run.dataset.moduli),
        "draws": circuits.draws,
    }
    makers: dict[str, dict[str, Callable[[Circuits], Any]]] = {
        "N1": {"dictionary": _dictionary, "embedding": _embedding, "mlp": _shares},
        "N2": {"neurons": _neurons, "mlp": _shares},
        "N3": {"without_neurons": lambda it: _matrix(it.without_neurons)},
        "N4": {"without_harmonics": lambda it: _matrix(it.without_harmonics)},
        "N5": {
            "without_frequencies": lambda it: _matrix(it.without_frequencies),
            "without_heads": _heads,
        },
        "N6": {"sharing": _sharing},
        "N7": {"power": _power},
        "N8": {"progress": _progress},
        "N9": {"certificate": _certificate},
        "N10": {"addition": lambda it: _fields(it.addition)},
    }
    for part, makes in makers.items():
        for name, make in makes.items() if part in parts else ():
            # A missing input is already reported, for the picture.
            with suppress(MissingInputError):
                record.setdefault(name, make(circuits))
    return json.loads(encode_json(record))


def neuron_rows(circuits: Circuits) -> str:
    """A row per neuron as CSV: task, frequencies, shares, belief, tasks served."""
    matched, served, attribution = circuits.matched, circuits.served, circuits.attribution
    moduli = circuits.dataset.moduli
    rows = []
    for index in range(len(matched.task)):
        silent = bool(matched.silent[index])
        rows.append(
            [
                index,
                "" if silent else moduli[matched.task[index]],
                "" if silent else int(matched.harmonic[index]),
                *(_short(value) for value in matched.frequency[index]),
                _short(matched.additive_share[index]),
                _short(matched.share[index]),
                _short(matched.margin[index]),
                _short(matched.belief[index]),
                " ".join(str(moduli[task]) for task in np.flatnonzero(served.served[index])),
                _short(attribution.explained[index]),
                _short(attribution.explained_with_digits[index]),
            ]
        )
    return csv_text(COLUMNS, rows)


def _heads(circuits: Circuits) -> dict[str, Any]:
    effects = circuits.without_heads
    return {
        "accuracy": effects.base.accuracy,
        "accuracy_without": effects.without.accuracy,
        "control_accuracy_mean": effects.control.accuracy.mean(axis=0),
    }


def _sharing(circuits: Circuits) -> dict[str, Any]:
    sharing = circuits.sharing
    return {
        "epochs": sharing.epochs,
        "solved": sharing.solved.sum(axis=1),
        **{name: sharing.series(name) for name in ("index", "own", "others", "control")},
    }


def _power(circuits: Circuits) -> dict[str, Any]:
    power, appearance = circuits.power, circuits.appearance
    return {
        "epochs": power.epochs,
        "carried": power.carried,
        "solved_from": appearance.solved,
        "half_by": appearance.half.by,
        "half_after": appearance.half.after,
        "half_order": appearance.half_order,
        "trace_by": appearance.trace.by,
        "trace_order": appearance.trace_order,
    }


def _progress(circuits: Circuits) -> dict[str, Any]:
    found = _fields(circuits.progress)
    del found["moduli"]
    return found


def _certificate(circuits: Circuits) -> list[dict[str, Any]]:
    return [
        {
            "modulus": task.modulus,
            "wrong": len(task.wrong),
            "smallest_margin": task.smallest_margin,
            "largest_bound": task.largest_bound(),
            "certified": task.certified(),
        }
        for task in circuits.certificate.tasks
    ]


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _dictionary(circuits: Circuits) -> dict[str, Any]:
    dictionary = circuits.dictionary
    return {
        "functions": dictionary.size,
        "rank": dictionary.rank,
        "condition": dictionary.condition,
        "sum_bounds": dictionary.sum_bounds,
    }


def _embedding(circuits: Circuits) -> dict[str, Any]:
    found = circuits.embedding
    return {
        "share_of_tasks": found.share,
        "share_of_tasks_renamed_mean": found.share_null.mean(axis=0),
        "share_of_tasks_renamed_most": found.share_null.max(axis=0),
        "active_harmonics": [(np.flatnonzero(each) + 1).tolist() for each in found.active],
        "threshold": found.threshold,
    }


def _shares(circuits: Circuits) -> dict[str, Any]:
    """Shares of the variance of all hidden neurons together."""
    found = circuits.attribution
    return {
        "share_of_x0_and_x1": found.total_share(found.digit),
        "share_of_tasks": found.total_share(found.task),
        "share_of_tasks_by_chance": found.task_chance,
        "share_of_tasks_beyond_digits": found.total_share(found.beyond),
        "explained": found.total_share(found.explained),
        "explained_with_digits": found.total_share(found.explained_with_digits),
    }


def _neurons(circuits: Circuits) -> dict[str, Any]:
    matched, served = circuits.matched, circuits.served
    return {
        "silent": matched.silent.sum(),
        "additive_share_median": _median(matched.additive_share),
        "matched_share_median": _median(matched.share),
        "matched_share_paired_at_random_median": _median(matched.paired_null),
        "matched_share_of_noise_median": _median(matched.noise_null),
        "neurons_per_task": matched.neurons_per_task,
        "neurons_serving_each_task": served.neurons_per_task,
        "neurons_by_tasks_served": served.neurons_by_count,
        "renamed_neurons_serving_any": served.null_serving,
    }


def _matrix(matrix: CausalMatrix) -> dict[str, Any]:
    index = sharing_index(matrix)
    return {
        "sizes": matrix.sizes,
        "numbers": matrix.numbers,
        "accuracy": matrix.base.accuracy,
        "accuracy_without": matrix.without.accuracy,
        "loss_without": matrix.without.loss,
        "control_accuracy_mean": matrix.control.accuracy.mean(axis=0),
        "control_accuracy_least": matrix.control.accuracy.min(axis=0),
        "control_accuracy_most": matrix.control.accuracy.max(axis=0),
        "kept_accuracy": None if matrix.kept is None else matrix.kept.accuracy,
        **{
            name: {key: getattr(getattr(index, name), key) for key in ("value", "low", "high")}
            for name in ("own", "others", "control", "index", "ratio")
        },
    }


def _median(values: Any) -> float:
    finite = np.asarray(values)[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def _short(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"
