"""`verglas simulate particles|micrograph|movie|session`: data with known truth, from any structure."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verglas.compute.progress import MouseProgress
from verglas.jobs.simulate.settings import ParticleSettings, SessionSettings

_KINDS = ("particles", "micrograph", "movie", "session")


def main(words: Sequence[str]) -> int:
    """Run the command; words[0] is "simulate". `--session` may stand for `session`. Returns the exit code."""
    rest = list(words[1:])
    if rest and rest[0].removeprefix("--") in _KINDS:
        rest[0] = rest[0].removeprefix("--")
    try:
        arguments = _parser().parse_args(rest)
    except SystemExit as ended:  # argparse has printed what is wrong, or the help
        return int(ended.code or 0) and 1
    try:
        told: str = arguments.run(arguments)
    except (ValueError, OSError, RuntimeError) as reason:
        print(f"verglas simulate: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on where this stopped", file=sys.stderr)
        return 2
    print(told)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="verglas simulate", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="|".join(_KINDS))

    session = commands.add_parser("session", help="movies as they come from a microscope")
    session.add_argument("directory", nargs="?", default="session", help="for truth, gain, settings")
    session.add_argument("--into", default="Movies", help="where movies are delivered to")
    session.add_argument("--every", default="", help="time between movies (20s, 2m): stand in for one")
    session.add_argument("--workers", type=int, default=2)
    _add_fields(session, SessionSettings, {})
    session.set_defaults(run=_session)

    movie = commands.add_parser("movie", help="one movie with gain and truth")
    movie.add_argument("directory", nargs="?", default="simulated")
    _add_fields(movie, SessionSettings, {"movies": 1})
    movie.set_defaults(run=_movie)

    micrograph = commands.add_parser("micrograph", help="summed micrographs, without motion")
    micrograph.add_argument("directory", nargs="?", default="simulated")
    micrograph.add_argument("--workers", type=int, default=2)
    _add_fields(micrograph, SessionSettings, {"movies": 1})
    micrograph.set_defaults(run=_micrograph)

    particles = commands.add_parser("particles", help="a stack of particles with known poses")
    particles.add_argument("directory", nargs="?", default="simulated")
    particles.add_argument("--device", default="", help="cpu or cuda:0; default: a GPU if there is one")
    _add_fields(particles, ParticleSettings, {})
    particles.set_defaults(run=_particles)
    return parser


def _add_fields(parser: argparse.ArgumentParser, kind: Any, changed: dict[str, Any]) -> None:
    """One flag per field of a settings class, named after it; booleans as --field / --no-field."""
    for field in dataclasses.fields(kind):
        default = changed.get(field.name, _default(field))
        flag = "--" + field.name.replace("_", "-")
        shown: dict[str, Any] = {"default": default, "help": f"default {default}", "dest": field.name}
        if isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, **shown)
        elif isinstance(default, tuple):
            kind_of_item = float if "float" in str(field.type) else str
            parser.add_argument(flag, nargs="+", type=kind_of_item, **shown)
        else:
            parser.add_argument(flag, type=str if default is None else type(default), **shown)


def _default(field: Any) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory()


def _settings(arguments: argparse.Namespace, kind: Any) -> Any:
    values = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(kind)}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _session(arguments: argparse.Namespace) -> str:
    from verglas.jobs.simulate.session import run_microscope, write_session

    settings = _settings(arguments, SessionSettings)
    directory, destination = Path(arguments.directory), Path(arguments.into)
    if arguments.every:
        seconds = parse_duration(arguments.every)
        told = run_microscope(directory, settings, destination, every_seconds=seconds, told=_announce)
    else:
        told = write_session(
            directory, settings, movies_in=destination, workers=arguments.workers, progress=MouseProgress()
        )
    return f"{len(told)} movies in {destination}, gain {directory / 'gain.mrc'}, truth in {directory}/truth"


def _announce(movie: Path) -> None:
    print(movie, flush=True)


def _movie(arguments: argparse.Namespace) -> str:
    from verglas.jobs.simulate.session import write_session

    directory = Path(arguments.directory)
    settings = _settings(arguments, SessionSettings)
    write_session(directory, settings, movies_in=directory, workers=1, progress=MouseProgress())
    return f"{settings.movies} movie(s), gain.mrc and truth/ in {directory}"


def _micrograph(arguments: argparse.Namespace) -> str:
    from verglas.jobs.simulate.micrograph import write_micrographs

    directory = Path(arguments.directory)
    settings = _settings(arguments, SessionSettings)
    write_micrographs(directory, settings, workers=arguments.workers, progress=MouseProgress())
    return f"{settings.movies} micrograph(s), micrographs.star and truth/ in {directory}"


def _particles(arguments: argparse.Namespace) -> str:
    from verglas.compute.devices import available_devices
    from verglas.jobs.simulate.particles import write_particles

    directory = Path(arguments.directory)
    settings = _settings(arguments, ParticleSettings)
    device = arguments.device or available_devices()[0]
    write_particles(directory, settings, device=device, progress=MouseProgress())
    return (
        f"{settings.count} particles in {directory}: particles.star, truth.star "
        "(image names are relative to that folder: work in it)"
    )


def parse_duration(text: str) -> float:
    """Seconds of "20s", "2m", "1.5h" or "20". Raises ValueError naming the text."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        seconds = float(number) * units[unit]
    except ValueError:
        raise ValueError(f"{text!r} is no time; write 20s, 2m or 1h") from None
    if seconds < 0:
        raise ValueError(f"a time between movies cannot be negative: {text!r}")
    return seconds
