"""What `verglas job --help` and `verglas job COMMAND --help` say."""

from __future__ import annotations

_JOB = "JOB is Class2D/job006, job006, 6, or an alias."
_KEYS = "Keys are those of job.star (verglas job options TYPE); what is not given has its default."
_CODES = "Exit code: 0 success, 1 failure, 2 aborted, 3 waiting for input."

# command -> (words behind it, one line, more lines)
COMMANDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "types": ("", "list the job types, and what a repeat of each does", ()),
    "options": ("TYPE", "the options of a type: key, default, meaning", ()),
    "run": (
        "TYPE|JOB [--key value ...] [--detach]",
        "make a job and run it now; run a scheduled one, or repeat a finished one",
        (
            "Shows the job's output until it ends; Ctrl-C asks it to stop. --detach: does not wait.",
            "A repeat does only what is new (Import to Extract) or starts from scratch (all others): the old",
            "result stays until the new one is complete. To go on from where a job stopped: continue.",
            _KEYS,
            _JOB,
            _CODES,
        ),
    ),
    "schedule": (
        "TYPE|JOB [--key value ...]",
        "make a job for later; its outputs can be chosen at once (also: add)",
        (
            "Prints the job's name and its expected outputs; verglas autorun runs all scheduled jobs.",
            _KEYS,
            _JOB,
        ),
    ),
    "continue": (
        "JOB [--key value ...] [--detach]",
        "go on where it stopped",
        (
            "Jobs that work micrograph by micrograph do what is missing; classifications and refinements go",
            "on after their last complete iteration (fn_cont: another _optimiser.star). Values that are",
            "given change the options first; one that a continued run cannot change is refused.",
            "--detach: does not wait.",
            _JOB,
            _CODES,
        ),
    ),
    "edit": ("JOB --key value ...", "change options; expected outputs follow", (_KEYS, _JOB)),
    "list": (
        "[--json]",
        "all jobs, one a line: name, state, and why it failed or waits",
        ("Looks first whether running jobs have ended. --json: an array of objects for scripts.",),
    ),
    "show": ("JOB", "state, inputs, outputs and options of a job", (_JOB,)),
    "log": ("JOB [--err]", "the end of run.out, or of run.err", (_JOB,)),
    "abort": (
        "JOB",
        "stop a running job",
        (
            "It is asked to, and stops between two micrographs or iterations, so that nothing is lost; what is",
            "finished stays, and continue goes on from there. One that waits in a queue is taken out of it.",
            _JOB,
        ),
    ),
    "delete": ("JOB [--only]", "to Trash, with the jobs that use it (--only: without them)", (_JOB,)),
    "undelete": ("[JOB ...]", "back from Trash; without a name, lists what is there", ()),
    "clean": ("JOB [--harsh]", "move intermediate files to Trash", (_JOB,)),
    "alias": ("JOB [NAME]", "name it; without a name, take the alias away", (_JOB,)),
    "note": ("JOB [TEXT]", "show its note, or write into it", (_JOB,)),
    "mark": ("JOB finished|failed", "set its state by hand", (_JOB,)),
    "reorder": ("JOB JOB ...", "change the order of scheduled jobs", (_JOB,)),
}


def help_text() -> str:
    """All commands, one or two lines each."""
    lines = ["verglas job COMMAND ...    (verglas job COMMAND --help says more)"]
    for command, (words, line, _) in COMMANDS.items():
        usage = f"  {command} {words}".rstrip()
        lines.append(f"{usage:<38} {line}" if len(usage) < 38 else f"{usage}\n{'':<38} {line}")
    return "\n".join([*lines, f"{_JOB} Option keys are those of job.star."])


def help_of(command: str) -> str:
    """One command. Raises KeyError."""
    words, line, more = COMMANDS["schedule" if command == "add" else command]
    return "\n".join([f"verglas job {command} {words}".rstrip(), f"  {line}", *more])
