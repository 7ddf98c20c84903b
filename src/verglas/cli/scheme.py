"""`verglas scheme ...`: RELION's Schemes with our jobs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from verglas.cli.arguments import CommandError, complain, obey
from verglas.project.project import Project

_HELP = """verglas scheme list                     the Schemes of this project
verglas scheme run NAME [--detach]      run, or go on where it stopped
verglas scheme abort NAME               stop it and the job it is at
verglas scheme reset NAME               back to the first node, with its reset values
verglas scheme set NAME VARIABLE VALUE
verglas scheme show NAME"""


def main(words: Sequence[str]) -> int:
    """Returns 0, or 1 if the Scheme stopped before its end."""
    return obey("scheme", words, _HELP, lambda rest: _do(Project.open(), rest[0], rest[1:]))


def _do(project: Project, command: str, words: list[str]) -> int:
    from verglas.scheduler.schemes import runner

    if command == "list":
        for path in sorted(
            [*project.root.glob("Schemes/*/scheme.star"), *project.root.glob("Schedules/*/*e.star")]
        ):
            print(path.parent.name)
        return 0
    if not words:
        raise CommandError("name the scheme")
    name = words[0]
    if command == "run":
        return _run(project, name, "--detach" in words)
    if command == "abort":
        runner.abort_scheme(project, name)
    elif command == "reset":
        runner.reset_scheme(project, name)
    elif command == "set" and len(words) == 3:
        runner.set_variable(project, name, words[1], words[2])
    elif command == "show":
        _show(project, name)
    else:
        raise CommandError(f"no command {' '.join([command, *words])!r}; verglas scheme --help lists them")
    return 0


def _run(project: Project, name: str, detach: bool) -> int:
    from verglas.scheduler.child import start_child
    from verglas.scheduler.schemes.runner import SchemeRunner, SchemeStopped, scheme_folder
    from verglas.scheduler.schemes.scheme_lock import SchemeTaken

    os.chdir(project.root)
    if detach:
        with open(scheme_folder(project, name) / "run.out", "ab") as out:
            words = [sys.executable, "-m", "verglas.cli.main", "scheme", "run", name]
            process = start_child(words, project.root, out, out)
        print(f"scheme {name} runs as process {process.pid}")
        return 0
    try:
        SchemeRunner(project, name, say=lambda text: print(text, flush=True)).run()
    except (SchemeStopped, SchemeTaken) as reason:
        return complain("scheme", reason)
    return 0


def _show(project: Project, name: str) -> None:
    from verglas.scheduler.schemes.runner import scheme_folder, scheme_path
    from verglas.scheduler.schemes.scheme_file import read_scheme

    scheme = read_scheme(scheme_path(scheme_folder(project, name)))
    print(f"{scheme.name} at {scheme.current}")
    for title, group in (("float", scheme.floats), ("bool", scheme.bools), ("string", scheme.strings)):
        for key, variable in group.items():
            print(f"  {title:<7} {key} = {variable.value} (reset {variable.reset})")
    for original, job in scheme.jobs.items():
        print(f"  job     {original}: {job.name}, {job.mode}{', started' if job.has_started else ''}")
    for edge in scheme.edges:
        fork = f" if {edge.variable}: {edge.end_if_true}, else" if edge.is_fork else ""
        print(f"  edge    {edge.start} ->{fork} {edge.end}")
