"""`verglas image`: the operations of relion_image_handler."""

from __future__ import annotations

from collections.abc import Sequence

from verglas.cli.arguments import complain
from verglas.formats.star import StarError
from verglas.jobs.base import JobFailed, NothingToDo
from verglas.jobs.image_handler_flags import PROGRAM
from verglas.jobs.program import UsageError


def main(words: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    rest = list(words[1:])
    if not rest or "--help" in rest or "-h" in rest:
        print(PROGRAM.help_text())
        return 0
    try:
        arguments = PROGRAM.parse(rest)
        from verglas.jobs.image_handler import handle_images

        handle_images(arguments)
    except (UsageError, JobFailed, NothingToDo, StarError, ValueError, OSError) as error:
        return complain("image", error)
    return 0
