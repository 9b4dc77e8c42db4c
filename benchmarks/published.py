"""`python benchmarks/published.py RUN …`: the tables of docs/published.md, from imported runs.

Each RUN is a run of T_nanda with operation add, such as `miiii import` makes of a published file.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from miiii.analysis.certificate.certify import TaskCertificate
from miiii.analysis.circuits.subspaces import sum_harmonics
from miiii.analysis.dynamics.clock_or_pizza import ClockOrPizza, clock_or_pizza
from miiii.analysis.dynamics.trigonometric import KeyFrequencies, Trigonometric, trigonometric
from miiii.analysis.dynamics.trigonometric import key_frequencies as find_frequencies
from miiii.analysis.scoring import score_tasks
from miiii.cli.machine import prepare_jax
from miiii.experiment.run import Run, load_run
from miiii.results.certificates import certify_run
from miiii.results.paper import Results

LEAST = 0.02
"""Share of the neurons' variance from which a frequency is listed."""
TRIPLES = 2000
"""Random triples for the interval of gradient symmetricity."""


@dataclass(frozen=True)
class Measured:
    """What the tables say of one model."""

    name: str
    base: int
    right: int
    shares: dict[int, float]
    keys: KeyFrequencies
    parts: Trigonometric
    without: float
    same: ClockOrPizza
    random: ClockOrPizza
    task: TaskCertificate | None
    refused: str


def measure(run: Run) -> Measured:
    """Everything that the tables hold; a minute at p = 113."""
    parameters, dataset, base = run.parameters, run.dataset, run.config.task.base
    results = Results(run)
    keys = find_frequencies(parameters)
    shares = variance_shares(keys, results.neurons.hidden)
    listed = [k for k, share in shares.items() if share >= LEAST]
    try:
        (task,), refused = certify_run(run).tasks, ""
    except ValueError as error:
        task, refused = None, str(error)
    logits = np.asarray(run.activations().logits)
    right = int((logits.argmax(axis=1) == dataset.targets[:, 0]).sum())
    rest = logits - sum_harmonics(base, listed).project(logits)
    return Measured(
        name=run.name,
        base=base,
        right=right,
        shares=shares,
        keys=keys,
        parts=trigonometric(parameters, dataset, listed),
        without=float(score_tasks(rest, dataset.targets, (base,)).loss[0]),
        same=clock_or_pizza(parameters, dataset, published=True),
        random=clock_or_pizza(parameters, dataset, triples=TRIPLES),
        task=task,
        refused=refused,
    )


def variance_shares(keys: KeyFrequencies, hidden: np.ndarray) -> dict[int, float]:
    """Share of all hidden neurons' variance on each frequency, largest first.

    A frequency has what a neuron does at it on one digit, on the other, and in their product.
    """
    variance = np.var(np.asarray(hidden, np.float64), axis=(1, 2))
    table = np.nan_to_num(keys.share) * variance[:, None]
    share = table.sum(axis=0) / variance.sum()
    return {int(k) + 1: float(share[k]) for k in np.argsort(-share)}


def sizes(found: list[Measured]) -> str:
    """Accuracy, key frequencies and what they explain."""
    rows = []
    for one in found:
        listed = [(k, share) for k, share in one.shares.items() if share >= LEAST]
        rest = sum(one.shares.values()) - sum(share for _, share in listed)
        text = ", ".join(f"{k} ({100 * share:.1f} %)" for k, share in listed)
        rows.append(
            (
                one.name,
                f"{one.right:,} of {one.base**2:,}",
                text,
                f"{100 * rest:.1f} %",
                f"{(one.keys.neuron > 0).sum()} of {len(one.keys.neuron)}",
                f"{one.parts.restricted_accuracy:.4f}",
                f"{one.without:.2f}",
                f"{one.parts.explained:.3f}",
            )
        )
    head = (
        "model",
        "right on all pairs",
        "key frequencies (share of the neurons' variance)",
        "other frequencies",
        "neurons with one frequency (0.85)",
        "accuracy with their part of the logits alone",
        "loss without it; guessing is 1",
        "share of the logits that is Σ cos",
    )
    return table(head, rows)


def shapes(found: list[Measured]) -> str:
    """Clock or pizza."""
    rows = []
    for one in found:
        low, high = one.random.symmetricity_interval
        rows.append(
            (
                one.name,
                f"{one.same.distance_irrelevance:.4f}",
                f"{one.same.wrong_distance_irrelevance:.4f}",
                f"{one.same.gradient_symmetricity:.4f}",
                f"{one.random.gradient_symmetricity:.4f} ({low:.4f} to {high:.4f})",
                f"{one.same.circularity:.4f}",
            )
        )
    head = (
        "model",
        "distance irrelevance, correct logit",
        "largest wrong logit",
        "gradient symmetricity, the published 100 triples",
        f"{TRIPLES:,} random ones (95 % of means over 100)",
        "circularity",
    )
    return table(head, rows)


def proofs(found: list[Measured]) -> str:
    """What the certificate says."""
    rows = []
    for one in found:
        task = one.task
        if task is None:
            rows.append((one.name, "–", "–", "–", f"not asked: {one.refused}"))
            continue
        if task.certified():
            verdict = "right on all pairs" + (", in float32 too" if task.certified(1) else "")
        elif len(task.wrong):
            verdict = f"wrong on {len(task.wrong)}, proved of {int(task.proved_wrong.sum())}"
        else:
            verdict = "undecided: margin within rounding"
        rows.append(
            (
                one.name,
                f"{task.smallest_margin:.4g}".replace("-", "−"),
                f"{task.largest_bound():.2g}",
                f"{task.largest_bound(1):.2g}",
                verdict,
            )
        )
    head = ("model", "smallest margin", "bound, float64", "bound, float32", "proved")
    return table(head, rows)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(prog="python benchmarks/published.py", description=__doc__)
    parser.add_argument("runs", nargs="+", help="names of runs, or paths")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    arguments = parser.parse_args()
    prepare_jax()
    found = [measure(load_run(name, arguments.runs_dir)) for name in arguments.runs]
    for made in (sizes, shapes, proofs):
        print(made(found), end="\n\n")


if __name__ == "__main__":
    main()
