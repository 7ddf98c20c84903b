"""The end of an initial model: its largest class on the symmetry axes, and whether it can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verglas.formats.mrc import write_mrc
from verglas.jobs.contract.base import JobFailed, RunContext
from verglas.jobs.contract.program import Arguments
from verglas.jobs.initialmodel.verdict import verdict_lines
from verglas.jobs.refine.files.checkpoint import read_checkpoint
from verglas.jobs.refine.files.names import newest_iteration, root_of_run
from verglas.jobs.refine.options.settings import parity_of

if TYPE_CHECKING:
    from verglas.em.state.model import Model


def write_result(arguments: Arguments, context: RunContext) -> None:
    """Write the map that `--result` names from the newest iteration of the run, and say what is thought of it."""
    root = arguments["--o"] or root_of_run(arguments["--continue"])
    newest = newest_iteration(root)
    if not newest:
        raise JobFailed(f"{root} has no iteration to make {arguments['--result']} from")
    done = read_checkpoint(newest, parity_of(arguments))
    model = done.state.model
    klass = int(model.class_weights.argmax())
    if model.n_classes > 1:
        share = 100 * model.class_weights[klass]
        context.say(f" Class {klass + 1} is the largest ({share:.1f} % of the particles): it is the result")
    write_mrc(arguments["--result"], _map(arguments, context, model, klass), model.pixel_size_angst)
    for line in verdict_lines(arguments, context, done, klass):
        context.say(line)
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
    raise JobFailed(
        f"--align_sym {name}: finding the axes is not possible yet; run with --sym {name} instead"
    )
