"""`python -m benchmarks.paper_on_gpu FOLDER`: the paper's own settings, eight seeds, on one GPU.

Made for one NVIDIA GPU and ten minutes. It measures epochs per second for 1, 8 and 64 seeds, then
trains two studies, each as one batch: `reference` in float32 and `paper`, with λ = ½, λ = 0 and
λ = 0 at the learning rate × 1.5, eight seeds of each. When the time is over, what is trained is
saved as far as it is. Then it judges the claims on the spot, where every weight is at hand, and
writes into the folder what can be taken home: `runs.json` (speeds, settings, each task's epochs),
per study `ledger.json`, `ledger.md`, `measurements.json` and `histories.npz`, and as many snapshots
of T_miiii as fit, in files of at most 15 MB.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from miiii.claims.judge import judge
from miiii.cli.machine import prepare_jax
from miiii.config.config import Config, replace_fields
from miiii.config.presets import get_preset
from miiii.experiment.estimating import estimate
from miiii.experiment.run import Run
from miiii.experiment.training import start
from miiii.report.kept import histories_npz
from miiii.results.store import measure
from miiii.studies.plan import plan
from miiii.studies.study import Study, join_study

STUDIES = (("paper", "reference32"), ("paper", "paper"))
"""Scale and preset, the more important first."""
EXPERIMENTS = ("miiii", "lambda-0", "matched-half")
SPEED_SEEDS = (1, 8, 64)
SPEED_SECONDS = 4.0
"""How long the epochs of each number of seeds are timed."""
MEASURING_SHARE = 0.2
"""Of the time, left for measuring and writing."""
DEEP_SECONDS = 150.0
"""That following one run's insides through its snapshots may take."""
HISTORY_BYTES = 10_000_000
"""Of a study's thinned histories, before compression."""
PART_BYTES, WHOLE_BYTES = 15_000_000, 60_000_000
"""Of one file of snapshots, and of everything that is written."""


def main(words: Sequence[str] | None = None) -> None:
    """Do all of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper_on_gpu", description=__doc__)
    parser.add_argument("folder", type=Path, help="where what is taken home goes")
    parser.add_argument("--work", type=Path, default=Path("/tmp/paper-on-gpu"), help="for the runs")
    parser.add_argument("--seconds", type=float, default=570.0, help="for everything together")
    parser.add_argument("--seeds", type=int, default=8, help="of each experiment")
    parser.add_argument("--speeds", type=int, nargs="*", default=SPEED_SEEDS, help="seeds to time")
    parser.add_argument(
        "--studies",
        nargs="*",
        default=[":".join(each) for each in STUDIES],
        help="scale:preset of each study",
    )
    arguments = parser.parse_args(words)
    prepare_jax()
    began = time.monotonic()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    pairs = [tuple(each.split(":")) for each in arguments.studies]
    record: dict[str, Any] = {"device": device(), "speeds": []}
    for _, preset in pairs[-1:]:
        for seeds in arguments.speeds:
            record["speeds"].append(speed(get_preset(preset), preset, seeds))
    left = arguments.seconds * (1 - MEASURING_SHARE) - (time.monotonic() - began)
    studies = []
    for index, (scale, preset) in enumerate(pairs):
        until = time.monotonic() + left / (len(pairs) - index)
        studies.append(train(scale, preset, arguments.seeds, arguments.work, until))
        left = arguments.seconds * (1 - MEASURING_SHARE) - (time.monotonic() - began)
    room = WHOLE_BYTES
    record["runs"] = {study.name: [run_record(run) for run in runs(study)] for study in studies}
    room -= write(arguments.folder / "runs.json", json.dumps(record, indent=1).encode())
    for study in studies:
        histories = histories_npz(study.runs(), HISTORY_BYTES)
        room -= write(arguments.folder / f"{study.name}-histories.npz", histories)
    room -= take_snapshots(studies, arguments.folder, room - PART_BYTES // 3)
    for study in studies:
        judge_study(study, arguments.folder, began + arguments.seconds)
    print(f"done in {time.monotonic() - began:.0f} s: {arguments.folder}", flush=True)


def device() -> dict[str, str]:
    """What it runs on."""
    import jax

    first = jax.local_devices()[0]
    return {"platform": first.platform, "kind": first.device_kind, "jax": jax.__version__}


def speed(config: Config, preset: str, seeds: int) -> dict[str, Any]:
    """Time some epochs of so many seeds in one program, and print it."""
    found = estimate(
        [replace_fields(config, seed=seed) for seed in range(seeds)], seconds=SPEED_SECONDS
    )
    assert found is not None
    rate = 1 / found.seconds_per_epoch
    print(
        f"{preset}, {seeds} seeds: {rate:,.1f} epochs/s of each, {seeds * rate:,.1f} in all; "
        f"{found.seconds:,.0f} s for {config.training.epochs:,} epochs, "
        f"{found.memory_bytes / 2**20:,.0f} MiB",
        flush=True,
    )
    return {"preset": preset, "seeds": seeds, "epochs_per_second": rate, "seconds": found.seconds}


def train(scale: str, preset: str, seeds: int, work: Path, until: float) -> Study:
    """Train every run of a study as one batch, or as far as the time goes."""
    wanted = plan(scale, preset, seeds, list(EXPERIMENTS))
    study = join_study(wanted, f"gpu-{preset}", work)
    study.save()
    # Nothing is gone on with here, so that checkpoints would only cost time.
    configs = [replace_fields(run.config, checkpoint_seconds=1e9) for run in wanted.runs]
    names = [run.name for run in wanted.runs]
    began = time.monotonic()
    outcome = start(
        configs,
        names,
        study.runs_dir,
        force=True,
        command=["python", "-m", "benchmarks.paper_on_gpu"],
        stop=lambda: time.monotonic() > until,
    )
    seconds = time.monotonic() - began
    print(
        f"{study.name}: {outcome.state}, {len(names)} runs, {outcome.done:,} epochs in "
        f"{seconds:,.0f} s, compilation and saving included",
        flush=True,
    )
    for problem in outcome.problems:
        print(f"  {problem}", flush=True)
    return study


def runs(study: Study) -> Iterator[Run]:
    """Every run of a study that has an epoch."""
    for group in study.runs().values():
        yield from group


def run_record(run: Run) -> dict[str, Any]:
    """How far a run came, and when its tasks did."""
    history = run.history
    validated = len(history.validation_epoch) > 0
    return {
        "run": run.name,
        "epoch": int(history.epoch[-1]),
        "epochs": run.config.training.epochs,
        "identity": run.provenance["identity"],
        "first_0.9": history.first_reached(0.9),
        "holds_0.9": history.first_reached(0.9, held=True),
        "first_0.99": history.first_reached(0.99),
        "last": np.round(history.validation_accuracy[-1], 4).tolist() if validated else [],
    }


def judge_study(study: Study, folder: Path, until: float) -> None:
    """Measure the runs on the spot, as deep as the time allows, and judge the claims."""
    measured: dict[str, list[Any]] = {}
    for experiment, group in study.runs().items():
        for run in group:
            if not len(run.history.validation_epoch) or time.monotonic() > until:
                continue
            measured.setdefault(experiment, []).append(measure(run, depth="outside"))
    for index, run in enumerate(study.runs().get("miiii", [])[:2]):
        # Two seeds are what a rule asks for.
        if time.monotonic() + DEEP_SECONDS < until and index < len(measured.get("miiii", [])):
            measured["miiii"][index] = measure(run)
    ledger = judge(measured, study.name)
    records = {
        one.origin.run: json.loads(one.to_json()) for group in measured.values() for one in group
    }
    write(folder / f"{study.name}-measurements.json", json.dumps(records).encode())
    write(folder / f"{study.name}-ledger.json", ledger.to_json().encode())
    write(folder / f"{study.name}-ledger.md", ledger.to_markdown().encode())
    print(f"{study.name}: {ledger.summary}", flush=True)


def take_snapshots(studies: Sequence[Study], folder: Path, room: int) -> int:
    """Write the snapshots that are worth most, as long as they fit; returns their bytes.

    The last of T_miiii first, seed by seed, then that of the control, then T_miiii's earlier ones
    of seed 0, evenly spaced.
    """
    part: dict[str, np.ndarray] = {}
    used = size = number = 0
    for study, run, epoch in by_worth(studies):
        arrays, _ = run.directory.load_snapshot(epoch)
        bytes_ = sum(array.nbytes for array in arrays.values())
        if used + bytes_ > room:
            break
        if part and size + bytes_ > PART_BYTES:
            write_part(folder, number, part)
            part, size, number = {}, 0, number + 1
        part |= {f"{study.name}/{run.name}/{epoch}/{key}": a for key, a in arrays.items()}
        used, size = used + bytes_, size + bytes_
    if part:
        write_part(folder, number, part)
    return used


def by_worth(studies: Sequence[Study]) -> Iterator[tuple[Study, Run, int]]:
    """Snapshots, the one worth most first."""
    lasts, earlier = [], []
    for study in studies:
        found = study.runs()
        for experiment, seeds in (("miiii", 2), ("lambda-0", 1)):
            for run in found.get(experiment, [])[:seeds]:
                epochs = sorted(run.snapshots)
                lasts += [(experiment != "miiii", study, run, epoch) for epoch in epochs[-1:]]
        for run in found.get("miiii", [])[:1]:
            epochs = sorted(run.snapshots)[:-1]
            # Halving the gaps again and again: whatever fits is spread over the training.
            order = sorted(range(len(epochs)), key=lambda place: int(f"{place:016b}"[::-1], 2))
            earlier += [(study, run, epochs[place]) for place in order]
    for _, study, run, epoch in sorted(lasts, key=lambda item: item[0]):
        yield study, run, epoch
    yield from earlier


def write_part(folder: Path, number: int, arrays: dict[str, np.ndarray]) -> None:
    """One file of snapshots, keys `<study>/<run>/<epoch>/<weight>`."""
    np.savez(folder / f"snapshots-{number}.npz", **arrays)  # pyright: ignore[reportArgumentType]


def write(path: Path, content: bytes) -> int:
    """Write a file; returns its size."""
    path.write_bytes(content)
    return len(content)


if __name__ == "__main__":
    main()
