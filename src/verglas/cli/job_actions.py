"""What is done to jobs that exist: `verglas job abort|delete|clean|alias|note|mark|reorder ...`."""

from __future__ import annotations

from collections.abc import Callable

from verglas.cli.arguments import CommandError, one_word, without_flag
from verglas.project.dialect import Status
from verglas.project.project import Project


def abort_command(words: list[str]) -> int:
    from verglas.scheduler.launch import abort

    project = Project.open()
    name = project.job_name(one_word(words, "a job"))
    if not abort(project, name):
        raise CommandError(f"{name} is not running")
    print(f"{name} was asked to stop")
    return 0


def delete_command(words: list[str]) -> int:
    from verglas.project.trash import delete

    words, only = without_flag(words, "--only")
    project = Project.open()
    for name in delete(project, project.job_name(one_word(words, "a job")), recursive=not only):
        print(f"{name} -> Trash/{name}")
    return 0


def undelete_command(words: list[str]) -> int:
    from verglas.project.trash import deleted_jobs, undelete

    project = Project.open()
    if not words:
        print("\n".join(deleted_jobs(project)) or "there is nothing in Trash")
        return 0
    for word in words:
        name = word.removeprefix("Trash/").rstrip("/") + "/"
        undelete(project, name)
        print(name)
    return 0


def clean_command(words: list[str]) -> int:
    from verglas.project.trash import clean

    words, harsh = without_flag(words, "--harsh")
    project = Project.open()
    files = clean(project, project.job_name(one_word(words, "a job")), harsh=harsh)
    print(f"{len(files)} files moved to Trash")
    return 0


def alias_command(words: list[str]) -> int:
    from verglas.project.editing import set_alias

    if not words:
        raise CommandError("name a job and its alias")
    project = Project.open()
    set_alias(project, project.job_name(words[0]), " ".join(words[1:]))
    return 0


def note_command(words: list[str]) -> int:
    from verglas.project.note import read_note, write_note

    if not words:
        raise CommandError("name a job")
    project = Project.open()
    directory = project.root / project.job_name(words[0])
    if len(words) == 1:
        print(read_note(directory), end="")
        return 0
    write_note(directory, read_note(directory) + " ".join(words[1:]) + "\n")
    return 0


def mark_command(words: list[str]) -> int:
    from verglas.project.editing import mark

    states = {"finished": Status.SUCCEEDED, "failed": Status.FAILED}
    if len(words) != 2 or words[1] not in states:
        raise CommandError("verglas job mark JOB finished|failed")
    project = Project.open()
    mark(project, project.job_name(words[0]), states[words[1]])
    return 0


def reorder_command(words: list[str]) -> int:
    from verglas.project.editing import reorder

    project = Project.open()
    reorder(project, [project.job_name(word) for word in words])
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "abort": abort_command,
    "delete": delete_command,
    "undelete": undelete_command,
    "clean": clean_command,
    "alias": alias_command,
    "note": note_command,
    "mark": mark_command,
    "reorder": reorder_command,
}
