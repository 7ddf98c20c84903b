"""Programs that are no job types: `verglas reconstruct`, `project`, `expand`, `halves check`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from verglas.cli.arguments import complain
from verglas.formats.star import StarError
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.contract.program import UsageError

# command -> module with PROGRAM, and its function
_HANDLERS = {
    "reconstruct": ("verglas.jobs.handlers.reconstruct.handler", "reconstruct_particles"),
    "expand": ("verglas.jobs.handlers.expand.handler", "expand_particles"),
    "align_symmetry": ("verglas.jobs.handlers.align_symmetry.handler", "align_symmetry"),
    "helix": ("verglas.jobs.handlers.helix.handler", "treat_helix"),
    "directions": ("verglas.jobs.handlers.directions.handler", "show_directions"),
    "halves": ("verglas.jobs.handlers.halves.handler", "check_halves"),
    "project": ("verglas.jobs.handlers.project.handler", "project_map"),
}


def main(words: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    name, rest = words[0], list(words[1:])
    path, function = _HANDLERS[name]
    module = import_module(path)
    if not rest or "--help" in rest or "-h" in rest:
        print(module.PROGRAM.help_text())
        return 0
    if name == "halves":
        rest = rest[1:] if rest[0] == "check" else rest
    try:
        code = getattr(module, function)(module.PROGRAM.parse(rest))
    except (UsageError, JobFailed, NothingToDo, StarError, ValueError, OSError) as error:
        return complain(name, error)
    return code or 0
