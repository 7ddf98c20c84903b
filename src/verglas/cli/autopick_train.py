"""`verglas autopick train`: a small picking network from a person's picks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from verglas.compute.progress import MouseProgress
from verglas.jobs.contract.base import JobFailed, NothingToDo


def main(words: Sequence[str]) -> int:
    """Train and write the network; 0 if it was written."""
    parser = argparse.ArgumentParser(
        prog="verglas autopick train",
        description="Train a small network on picks; use it with `verglas autopick --network`.",
    )
    parser.add_argument("--i", required=True, help="list of micrographs (STAR)")
    parser.add_argument("--coords", required=True, help="coords_suffix_*.star, or a list of files")
    parser.add_argument("--diameter", required=True, type=float, help="particle diameter in Å")
    parser.add_argument("--o", required=True, type=Path, help="network to write (.npz)")
    parser.add_argument("--white", action="store_true", help="particles are white")
    parser.add_argument("--expected", type=float, help="particles in a micrograph; default: counted by blobs")
    parser.add_argument("--steps", type=int, default=800)
    options = parser.parse_args(list(words))
    try:
        return _train(options)
    except (JobFailed, NothingToDo, ValueError, OSError) as error:
        print(f"verglas autopick train: {error}", file=sys.stderr)
        return 1


def _train(options: argparse.Namespace) -> int:
    from verglas.jobs.autopick.network import train
    from verglas.picking.training import TrainingSettings

    settings = TrainingSettings(
        options.diameter,
        white_particles=options.white,
        particles_per_micrograph=options.expected,
        steps=options.steps,
    )
    bar = MouseProgress()
    bar.start("Training ...", settings.steps)
    count = train(
        options.i,
        options.coords,
        options.o,
        settings,
        lambda step, loss: bar.update(step),
        lambda text: print(text, file=sys.stderr),
    )
    print(f" {options.o} was trained on {count} picks")
    return 0
