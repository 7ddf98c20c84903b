"""The end of an initial model: its largest class on the symmetry axes, and whether it can be believed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.formats.mrc import write_mrc
from verglas.jobs.contract.base import JobFailed, RunContext
from verglas.jobs.contract.program import Arguments
from verglas.jobs.initialmodel.verdict import verdict_of
from verglas.jobs.initialmodel.verdict_file import Verdict
from verglas.jobs.refine.files.checkpoint import read_checkpoint
from verglas.jobs.refine.options.settings import parity_of

MOST_SYMMETRIES = 6  # told of in the verdict's file

if TYPE_CHECKING:
    from verglas.em.state.model import Model


def write_result(arguments: Arguments, context: RunContext, optimiser: str) -> None:
    """Write the map that `--result` names from the last iteration of the run, and say what is thought of it."""
    done = read_checkpoint(optimiser, parity_of(arguments))
    model = done.state.model
    klass = int(model.class_weights.argmax())
    if model.n_classes > 1:
        share = 100 * model.class_weights[klass]
        context.say(f" Class {klass + 1} is the largest ({share:.1f} % of the particles): it is the result")
    write_mrc(arguments["--result"], _map(arguments, context, model, klass), model.pixel_size_angst)
    verdict = verdict_of(arguments, context, done, klass)
    lines = verdict.lines
    if done.settings.symmetry == "C1":
        lines += judge_symmetry(verdict, model, klass, arguments["--align_sym"].upper())
    for line in lines:
        context.say(line)
    verdict.write(Path(arguments["--result"]).with_suffix(".json"))
    context.say(
        f" The initial model is {arguments['--result']}. Its hand is free: a map and its mirror image explain "
        "particles equally well"
    )


def _map(arguments: Arguments, context: RunContext, model: Model, klass: int) -> Any:
    """The map of a class; on the axes of the point group asked for, and symmetric."""
    density = model.references[klass].float().cpu()
    name = arguments["--align_sym"].upper()
    if name in ("", "C1"):
        return density.numpy()
    from verglas.geometry.symmetry import PointGroup
    from verglas.maps.symmetry.alignment import align_to_symmetry, impose

    group = PointGroup.of(name)
    try:
        move = align_to_symmetry(density, model.pixel_size_angst, group)
    except ValueError as error:
        raise JobFailed(f"--align_sym {name}: {error}") from error
    context.say(
        f" The axes of {name} were found; the map agrees with its turned copies to {move.correlation:.2f}"
    )
    return impose(density.numpy(), move, group)


def judge_symmetry(verdict: Verdict, model: Model, klass: int, asked: str) -> list[str]:
    """What the map, made without symmetry, says about its point group; and a doubt about the one asked for.

    Both become parts of the verdict; the lines say them in run.out.
    """
    from verglas.maps.symmetry.proposal import HOLDS, propose_symmetries

    density = model.references[klass].float().cpu()
    limit = 1 / model.current_resolution if model.current_resolution > 0 else None
    try:
        found = propose_symmetries(density, model.pixel_size_angst, resolution_angst=limit)
    except ValueError as error:
        return [f" Its symmetry cannot be told: {error}"]
    told = [one for one in found if not math.isnan(one.score)]
    verdict.symmetries = [(one.name, round(one.score, 3), one.statement) for one in told[:MOST_SYMMETRIES]]
    lines = [f" Symmetry: {found[0].name} {found[0].statement}"]
    mine = [one for one in found if one.name == asked]
    if asked not in ("", "C1") and mine and mine[0].score < HOLDS:
        verdict.doubts.append(f"{asked} does not hold: {mine[0].statement or 'it is excluded'}")
        lines.append(f" The initial model is doubtful because {verdict.doubts[-1]}")
    return lines
