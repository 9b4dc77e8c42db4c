"""`python -m benchmarks [epoch|seeds|circuits …]`: measure here and print ratios."""

import argparse
from functools import partial

from benchmarks import (
    batches,
    blocks,
    circuits,
    dispatch,
    epoch,
    peers,
    seeds,
    shared_mask,
    starting,
    sweep,
)
from miiii.cli.machine import prepare_jax

PARTS = {
    "epoch": epoch.report,
    "seeds": seeds.report,
    "circuits": circuits.report,
    "batches": batches.report,
    "blocks": blocks.report,
    "dispatch": dispatch.report,
    "peers": peers.report,
    "shared-mask": shared_mask.report,
    "sweep": sweep.report,
    "starting": starting.report,
}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"what to measure; default: {' '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contestant")
    parser.add_argument(
        "--storage", nargs="*", default=[], help="URLs that the sweep is measured on, too"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"unknown part {', '.join(unknown)}: choose from {', '.join(PARTS)}")
    prepare_jax()
    for name in arguments.parts or PARTS:
        part = PARTS[name]
        if name == "sweep":
            part = partial(sweep.report, places=("", *arguments.storage))
        part(arguments.rounds)


if __name__ == "__main__":
    main()
