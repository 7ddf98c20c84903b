"""`verglas image`: the operations of relion_image_handler."""

from __future__ import annotations

from collections.abc import Sequence

from verglas.cli.arguments import complain
from verglas.formats.star import StarError
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.contract.program import UsageError
from verglas.jobs.handlers.image.flags import PROGRAM


def main(words: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    rest = list(words[1:])
    if not rest or "--help" in rest or "-h" in rest:
        print(PROGRAM.help_text())
        return 0
    try:
        arguments = PROGRAM.parse(rest)
        from verglas.jobs.handlers.image.handler import handle_images

        handle_images(arguments)
    except (UsageError, JobFailed, NothingToDo, StarError, ValueError, OSError) as error:
        return complain("image", error)
    return 0
