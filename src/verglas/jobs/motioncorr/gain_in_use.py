"""The gain reference of a job: how it lies over the movies, and the file that others read it from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verglas.formats.mrc_header import UnreadableImage
from verglas.jobs.contract.base import JobFailed, RunContext
from verglas.jobs.contract.program import Arguments


@dataclass(frozen=True)
class GainInUse:
    """`name` is what the metadata of movies says; "" without a gain."""

    name: str
    turn: tuple[int, int]  # rotation, flip


def settled_gain(arguments: Arguments, context: RunContext, movie_names: Sequence[str]) -> GainInUse:
    """Settle how the gain lies. Raises JobFailed for a gain that no movie could use."""
    path, turn = str(arguments["--gainref"]), (arguments["--gain_rot"], arguments["--gain_flip"])
    if not path:
        return GainInUse("", turn)
    from verglas.jobs.motioncorr.gain_input import write_turned

    try:
        if arguments["--gain_auto"]:
            turn = _found_turn(path, turn, arguments["--eer_grouping"], context, movie_names)
        name = _name(path, turn, context)
        write_turned(path, *turn, name)
    except (OSError, UnreadableImage) as error:
        raise JobFailed(f"the gain reference cannot be used: {error}") from error
    return GainInUse(name, turn)


def _name(path: str, turn: tuple[int, int], context: RunContext) -> str:
    """One that is turned, or of a kind that RELION's polishing cannot read, is kept in the job directory."""
    kept = any(turn) or path.lower().endswith((".dm3", ".dm4"))
    return str(context.directory / "gain.mrc") if kept else path


def _found_turn(
    path: str, given: tuple[int, int], grouping: int, context: RunContext, movie_names: Sequence[str]
) -> tuple[int, int]:
    """The orientation that fits the movies' pixel pattern, or the given one; says which and why."""
    from verglas.jobs.motioncorr.gain_estimation import find_orientation

    try:
        best = find_orientation(path, movie_names, context.warn, grouping)[0]
    except UnreadableImage:
        raise
    except ValueError as reason:
        context.warn(f" WARNING: orientation of the gain not found: {reason}")
        return given
    if best.fit.is_clear:
        context.say(f" Gain reference: {best}")
        return best.rotation, best.flip
    context.warn(
        f" WARNING: no orientation of the gain fits clearly, the best is {best};"
        f" gain_rot {given[0]} gain_flip {given[1]} as given is used"
    )
    return given
