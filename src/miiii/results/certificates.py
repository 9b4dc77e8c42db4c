"""A run's certificate on disk: JSON, the exported weights, and a script that checks both.

The script is `analysis/certificate/check_certificate.py`. It needs NumPy and no other package.
"""

import dataclasses
import hashlib
import io
import math
import platform
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.certificate.arithmetic import ARITHMETICS, EXP_ULPS
from miiii.analysis.certificate.certify import Certificate, Progress, TaskCertificate, certify
from miiii.analysis.certificate.structure import StructuralForm
from miiii.experiment.members import identity
from miiii.experiment.model_at import ModelAt
from miiii.experiment.run import Run
from miiii.runs.atomic import make_directory, write_atomically
from miiii.runs.jsonfiles import encode_json
from miiii.runs.provenance import package_versions
from miiii.tasks.splits import PARTS

FORMAT = 1
"""Version of the JSON's fields."""
LISTED = 100
"""Most wrong numbers that are listed per task; all are counted."""
QUANTILES = (0.01, 0.1, 0.5, 0.9)
"""Quantiles of the margins over all numbers that are stored, besides the smallest margin."""

CERTIFICATE, WEIGHTS, CHECKER = "certificate.json", "certificate.npz", "check_certificate.py"


@dataclass(frozen=True)
class Written:
    """Paths of the three files."""

    certificate: Path
    weights: Path
    checker: Path


def refuse_regression(run: Run) -> None:
    """Refuse a run of T_waves.

    Raises:
        ValueError: the run is of T_waves, which has no classes.
    """
    if run.config.task.is_regression:
        raise ValueError(
            f"run {run.name} is of T_waves, whose output is a real number: "
            "expected a task with classes, whose answers are right or wrong"
        )


def no_structure(run: Run) -> str | None:
    """The reason why the structural form does not apply to a run; None where it applies."""
    task = run.config.task
    if task.task == "miiii":
        return None
    reasons = {
        "nanda": f"the target is of the two digits modulo {task.base}, no function of n mod q",
        "basis": "the labels are shuffled over the numbers, no function of n mod q",
        "custom": "the labels are the run's own, of which no function of n mod q is known",
    }
    return reasons[task.task]


def certify_run(
    run: Run, epoch: int | None = None, progress: Progress | None = None
) -> Certificate:
    """Certify a run's tasks.

    Args:
        run: of a task with classes.
        epoch: of a snapshot; default: the latest weights.
        progress: called with the count of numbers that are done.

    Raises:
        ValueError: the run is of T_waves, its activation is not ReLU, or its logits are not finite.
        KeyError: no snapshot of that epoch.
    """
    refuse_regression(run)
    dataset = run.dataset
    return certify(
        ModelAt(run, epoch).weights,
        dataset.targets,
        dataset.moduli,
        dataset.class_sizes,
        residues=no_structure(run) is None,
        architecture=run.config.model.architecture,
        progress=progress,
    )


def write_certificate(
    run: Run, certificate: Certificate, directory: Path, epoch: int | None = None
) -> Written:
    """Write the JSON, the weights with what the task needs, and the checking script.

    Args:
        run: the run.
        certificate: from `certify_run` with the same epoch.
        directory: created where missing; files of these names are replaced.
        epoch: of a snapshot; default: the latest weights.

    Raises:
        StorageError: a file cannot be written.
    """
    make_directory(directory)
    written = Written(directory / CERTIFICATE, directory / WEIGHTS, directory / CHECKER)
    exported = _exported(run, epoch)
    write_atomically(written.weights, exported)
    script = resources.files("miiii.analysis.certificate").joinpath(CHECKER).read_bytes()
    write_atomically(written.checker, script)
    record = certificate_record(run, certificate, epoch)
    record["weights"] = {
        "file": WEIGHTS,
        "sha256": hashlib.sha256(exported).hexdigest(),
        "precision": run.config.training.precision,
    }
    write_atomically(written.certificate, encode_json(record))
    return written


def certificate_record(
    run: Run, certificate: Certificate, epoch: int | None = None
) -> dict[str, Any]:
    """The content of the JSON except for the entry on the weights' file."""
    task = run.config.task
    labels = ModelAt(run).split
    reason = no_structure(run)
    return {
        "format": FORMAT,
        "versions": {"python": platform.python_version(), **package_versions()},
        "run": {
            "name": run.name,
            "identity": identity(run.config),
            "task": task.task,
            "target": task.target,
            "operation": task.operation,
            "base": task.base,
            "seed": run.config.seed,
            "model": dataclasses.asdict(run.config.model.architecture),
        },
        "epoch": ModelAt(run, epoch).epoch,
        "numbers": certificate.numbers,
        "method": {
            "what": "forward error analysis, entry by entry; docs/certificate.md has the theorem",
            "exp_ulps": EXP_ULPS,
            "unit_roundoff": {each.name: each.unit_roundoff for each in ARITHMETICS},
            "largest_error_of_a_logit": _per_arithmetic(certificate.largest_error),
        },
        "certified": certificate.certified,
        "listed_at_most": LISTED,
        "no_structure": reason,
        "tasks": [
            _task_record(each, classes, task.base, labels)
            for each, classes in zip(certificate.tasks, task.class_sizes, strict=True)
        ],
    }


def _task_record(
    task: TaskCertificate, classes: int, base: int, labels: NDArray[np.int8]
) -> dict[str, Any]:
    hardest = task.hardest
    proved = task.proved_wrong
    names = [each.name for each in ARITHMETICS]
    margin = task.margin[task.answered]
    return {
        "modulus": task.modulus,
        "classes": classes,
        "certified": {name: task.certified(which) for which, name in enumerate(names)},
        "smallest_margin": task.smallest_margin,
        "smallest_margin_at": {"n": hardest, "digits": [hardest % base, hardest // base]},
        "bound_there": _per_arithmetic([float(bound[hardest]) for bound in task.bounds]),
        "largest_bound": _per_arithmetic([task.largest_bound(i) for i in range(len(names))]),
        "quantiles": {
            str(share): float(value)
            for share, value in zip(QUANTILES, np.quantile(margin, QUANTILES), strict=True)
        },
        "splits": {
            name: {
                "numbers": int((labels == index).sum()),
                "wrong": int((labels[task.wrong] == index).sum()),
                "smallest_margin": (
                    float(task.margin[labels == index].min()) if (labels == index).any() else None
                ),
            }
            for index, name in enumerate(PARTS)
        },
        "wrong": len(task.wrong),
        "proved_wrong": int(proved.sum()),
        "counterexamples": [
            {
                "n": int(n),
                "digits": [int(n % base), int(n // base)],
                "predicted": int(task.predicted[n]),
                "right": int(task.right[n]),
                "margin": float(task.margin[n]),
                "split": PARTS[labels[n]],
                "proved": bool(is_proved),
            }
            for n, is_proved in zip(task.wrong[:LISTED], proved[:LISTED], strict=True)
        ],
        "structure": None if task.structure is None else _structure_record(task.structure),
    }


def _structure_record(form: StructuralForm) -> dict[str, Any]:
    return {
        "certified": form.certified,
        "right_residues": form.right_residues,
        "decided_numbers": int(form.decided.sum()),
        "rounding": form.rounding,
        "restricted_margin": form.margin,
        "largest_spread_of_residual": form.largest_spread,
    }


def _exported(run: Run, epoch: int | None) -> bytes:
    """Weights, moduli, classes and split as .npz; also targets that no rule gives."""
    model = ModelAt(run, epoch)
    arrays: dict[str, NDArray[Any]] = model.weights
    dataset = run.dataset
    arrays["moduli"] = np.array(dataset.moduli, np.int64)
    arrays["class_sizes"] = np.array(dataset.class_sizes, np.int64)
    arrays["split"] = model.split
    if run.config.task.task in ("basis", "custom"):
        arrays["targets"] = dataset.targets
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


def _per_arithmetic(values: Any) -> dict[str, float | None]:
    """Bounds by arithmetic; None for an infinite one."""
    return {
        each.name: float(value) if math.isfinite(value) else None
        for each, value in zip(ARITHMETICS, values, strict=True)
    }
