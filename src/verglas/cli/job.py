"""`verglas job ...`: making, running and looking at single jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from verglas.cli.arguments import CommandError, complain, one_word, split_words, without_flag
from verglas.cli.job_help import COMMANDS as HELP
from verglas.cli.job_help import help_of, help_text
from verglas.formats.star import StarError
from verglas.project.project import Project

if TYPE_CHECKING:
    from verglas.project.registration import LoadedJob
    from verglas.scheduler.launch import Launched


def main(words: Sequence[str]) -> int:
    """Returns the exit code: 0 good, 1 failed, 2 aborted, 3 waiting for input."""
    if len(words) < 2 or words[1] in ("-h", "--help"):
        print(help_text())
        return 0
    command, rest = words[1], list(words[2:])
    if command in (*HELP, "add") and {"-h", "--help"} & set(rest):
        return _help(command, rest[0])
    try:
        return _command(command)(rest)
    except (CommandError, KeyError, ValueError, LookupError, OSError, StarError) as error:
        return complain(f"job {command}", error)


def _help(command: str, word: str) -> int:
    """What a command does; `verglas job run TYPE --help` tells the type's options as well."""
    from verglas.jobs.registry import job_folders

    print(help_of(command))
    return _options([word]) if word in job_folders() else 0


def _command(name: str) -> Callable[[list[str]], int]:
    """What makes, runs or shows jobs is here; what is done to them afterwards in its own module."""
    if name in _COMMANDS:
        return _COMMANDS[name]
    from verglas.cli.job_actions import COMMANDS

    if name not in COMMANDS:
        raise CommandError(f"no command {name!r}; verglas job --help lists them")
    return COMMANDS[name]


def _types(_words: list[str]) -> int:
    from verglas.jobs.registry import job_class, job_folders

    for folder in job_folders():
        try:
            kind = job_class(folder).type
        except ImportError:
            continue
        repeat = "only what is new" if kind.incremental else "from scratch"
        print(f"{folder:<14} {kind.title:<28} a repeat: {'by hand' if kind.interactive else repeat}")
    return 0


def _options(words: list[str]) -> int:
    from verglas.jobs.contract.options import to_text
    from verglas.jobs.registry import job_class

    kind = job_class(one_word(words, "a job type"))
    tab = ""
    for key, info in kind.Options.infos().items():
        if info.tab != tab:
            tab = info.tab
            print(f"{tab}:")
        default = to_text(kind.Options.model_fields[key].default)
        choices = f" [{', '.join(info.choices)}]" if info.choices else ""
        print(f"  --{key} ({default or 'empty'}) {info.label} {info.help}{choices}")
    for key, reason in {**kind.Options.unneeded_keys, **kind.Options.impossible_keys}.items():
        print(f"  --{key}: no effect, {reason}")
    return 0


def _run(words: list[str]) -> int:
    from verglas.scheduler.launch import launch, launch_as

    words, detach = without_flag(words, "--detach")
    project = Project.open()
    asked = _asked(project, words)
    _show_outside_files(project, asked)
    as_it_is = bool(asked.name) and len(words) == 1
    launched = launch(project, asked.name) if as_it_is else launch_as(project, asked)
    print(launched.name)
    return 0 if detach else _follow(project, launched)


def _schedule(words: list[str]) -> int:
    from verglas.project.registration import register

    project = Project.open()
    asked = _asked(project, words)
    _show_outside_files(project, asked)
    name = register(project, asked.job, asked.options, name=asked.name or None, is_continue=asked.is_continue)
    graph = project.graph()
    print(name)
    for node in graph.outputs_of(name):
        print(f"  {node}  (expected)")
    return 0


def _continue(words: list[str]) -> int:
    from verglas.scheduler.launch import launch_as

    words, detach = without_flag(words, "--detach")
    project = Project.open()
    asked = _asked_of_job(project, words)
    _refuse_locked(project, asked)
    launched = launch_as(project, replace(asked, is_continue=True))
    print(launched.name)
    return 0 if detach else _follow(project, launched)


def _edit(words: list[str]) -> int:
    from verglas.project.editing import edit

    project = Project.open()
    name, values = _job_and_values(project, words)
    if not values:
        raise CommandError("give the options to change: --key value ...")
    edit(project, name, values)
    print(name)
    return 0


def _list(words: list[str]) -> int:
    from verglas.project.summary import job_summaries

    parsed = split_words(words, {"--json": False})
    jobs = job_summaries(Project.open())
    if parsed.has("--json"):
        print(json.dumps([job.as_dict() for job in jobs]))
    else:
        for job in jobs:
            print(job.line)
    return 0


def _show(words: list[str]) -> int:
    from verglas.project.job_star import read_settings
    from verglas.project.summary import summary

    project = Project.open()
    name = project.job_name(one_word(words, "a job"))
    graph = project.graph()
    print(summary(project, graph.processes[name]).line)
    for title, nodes in (("inputs", graph.inputs_of(name)), ("outputs", graph.outputs_of(name))):
        print(f"{title}:")
        for node in nodes:
            print(f"  {node}{'' if project.exists(node) else '  (does not exist yet)'}")
    print("options:")
    for key, value in read_settings(project.root / name).options.items():
        print(f"  {key} = {value}")
    return 0


def _log(words: list[str]) -> int:
    from verglas.jobs.contract.control_files import RUN_ERR, RUN_OUT
    from verglas.project.job_directory import tail

    words, errors = without_flag(words, "--err")
    project = Project.open()
    name = project.job_name(one_word(words, "a job"))
    for line in tail(project.root / name / (RUN_ERR if errors else RUN_OUT), 65536):
        print(line)
    return 0


def _asked(project: Project, words: list[str]) -> LoadedJob:
    """The job that the words name, with the options they change, or a new one of the type they name."""
    from verglas.jobs.registry import job_class, job_folders
    from verglas.project.registration import LoadedJob

    if not words:
        raise CommandError("name a job type or a job")
    if words[0] not in job_folders():
        return _asked_of_job(project, words)
    kind = job_class(words[0])
    options, _ = kind.Options.parse(_values(kind.Options.understood(), words[1:]))
    return LoadedJob("", kind, options, is_continue=False)


def _asked_of_job(project: Project, words: list[str]) -> LoadedJob:
    from verglas.project.editing import with_values
    from verglas.project.registration import load_job

    name, values = _job_and_values(project, words)
    return with_values(load_job(project, name), values)


def _refuse_locked(project: Project, asked: LoadedJob) -> None:
    """Raises CommandError for options that a job which goes on keeps: they would have no effect."""
    from verglas.project.registration import load_job

    before = load_job(project, asked.name).options
    for key, info in type(asked.options).infos().items():
        if info.on_continue == "locked" and getattr(before, key) != getattr(asked.options, key):
            raise CommandError(
                f"--{key}: a job that goes on keeps {getattr(before, key)!r} ({info.label.rstrip(':')}); "
                "make a new job, or run this one from scratch"
            )


def _show_outside_files(project: Project, asked: LoadedJob) -> None:
    """The pages may show where a new import's files lie."""
    from verglas.project.data_roots import add_import_root

    for wildcard in [] if asked.name else asked.job.outside_files(asked.options):
        add_import_root(project, wildcard)


def _job_and_values(project: Project, words: list[str]) -> tuple[str, dict[str, str]]:
    from verglas.project.registration import load_job

    if not words:
        raise CommandError("name a job")
    name = project.job_name(words[0])
    if not words[1:]:
        return name, {}
    return name, _values(load_job(project, name).job.Options.understood(), words[1:])


def _values(keys: Iterable[str], words: list[str]) -> dict[str, str]:
    known = {f"--{key}": True for key in keys}
    parsed = split_words(words, known)
    if parsed.positional:
        raise CommandError(f"unexpected word {parsed.positional[0]!r}; options are --key value")
    return {name.removeprefix("--"): str(value) for name, value in parsed.flags.items()}


def _follow(project: Project, launched: Launched) -> int:
    """Show the job's progress until it ends."""
    from verglas.cli.follow import follow

    return follow(project, launched)


_COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "types": _types,
    "options": _options,
    "run": _run,
    "schedule": _schedule,
    "add": _schedule,
    "continue": _continue,
    "edit": _edit,
    "list": _list,
    "show": _show,
    "log": _log,
}
