"""`python -m benchmarks [epoch|seeds|circuits …] [--rounds N]`: measure here and print ratios."""

import argparse

from benchmarks import circuits, epoch, seeds
from miiii.cli.machine import prepare_jax

PARTS = {"epoch": epoch.report, "seeds": seeds.report, "circuits": circuits.report}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"what to measure; default: {' '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contestant")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"unknown part {', '.join(unknown)}: choose from {', '.join(PARTS)}")
    prepare_jax()
    for name in arguments.parts or PARTS:
        PARTS[name](arguments.rounds)


main()
