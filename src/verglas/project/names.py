"""Job names, aliases and what they allow (pipeline.md §1.2, §1.7, §1.8)."""

from __future__ import annotations

import os
import re
from pathlib import Path

_JOB_PART = re.compile(r"/(job\d{3,})(/|$)")
_JOB_NAME = re.compile(r"\w[\w.\-]*/job\d{3,}/?")
_FORBIDDEN_IN_ALIAS = set("*?()/\"'`\\|#<>&%{}$;!~^=:")
_LONGEST_ALIAS = 100  # bytes; a file name has at most 255
_PLAIN = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_.\-]{0,59}")


class AliasError(ValueError):
    """An alias that cannot be given; the message says why."""


class BadName(ValueError):
    """A name that cannot stand for a job, a session, a schedule; the message says why."""


def checked_job_name(text: str) -> str:
    """ "Class2D/job006/", for names that come from outside and become a path. Raises BadName."""
    if not _JOB_NAME.fullmatch(text) or len(text) > _LONGEST_ALIAS:
        raise BadName(f"{text[:120]!r} is no name of a job: expected e.g. Class2D/job006/")
    return text.rstrip("/") + "/"


def checked_plain_name(what: str, text: str) -> str:
    """A name that becomes a directory of ours (of a session, a schedule). Raises BadName."""
    if not _PLAIN.fullmatch(text):
        raise BadName(
            f"{what} name {text[:120]!r}: 1 to 60 letters, digits, dots, hyphens, underscores, "
            "the first of them no dot"
        )
    return text


def job_name(folder: str, number: int) -> str:
    """ "Class2D/job006/"; no padding beyond three digits."""
    return f"{folder}/job{number:03d}/"


def folder_of(path: str) -> str:
    """The directory name of the type ("Class2D") of a job or of a file in it."""
    return path.split("/", 1)[0]


def decompose(path: str) -> tuple[str, str, str]:
    """(up to and with the slash before jobNNN, "jobNNN/", the rest); ("", "", path) without one."""
    found = _JOB_PART.search(path)
    if found is None:
        return "", "", path
    return path[: found.start() + 1], found.group(1) + "/", path[found.end() :]


def owner_of(path: str) -> str | None:
    """The job a project path belongs to ("Class2D/job006/"), by its name alone."""
    before, job, _ = decompose(path)
    return before + job if job else None


def without_alias(root: Path, path: str) -> str:
    """The path with an alias (a link `Type/alias -> ../Type/jobNNN`) replaced by the job's name."""
    parts = path.split("/")
    if len(parts) < 2 or parts[1].startswith("job"):
        return path
    link = root / parts[0] / parts[1]
    if not link.is_symlink():
        return path
    target = os.readlink(link)
    if not target.startswith("../"):
        return path
    return "/".join([target.removeprefix("../").rstrip("/"), *parts[2:]])


def checked_alias(text: str) -> str:
    """The alias as it is stored (without folder and slash). Raises AliasError."""
    alias = text.strip().replace(" ", "_")
    if len(alias) < 2:
        raise AliasError(f"alias {text!r}: at least 2 characters are needed")
    if alias.startswith("job"):
        raise AliasError(f"alias {text!r}: it may not start with 'job'")
    if alias.startswith((".", "-")):
        raise AliasError(f"alias {alias[:120]!r}: it may not start with {alias[0]!r}")
    if not alias.isprintable() or len(alias.encode()) > _LONGEST_ALIAS:
        raise AliasError(f"alias {alias[:120]!r}: at most {_LONGEST_ALIAS} bytes of printable characters")
    bad = sorted(set(alias) & _FORBIDDEN_IN_ALIAS)
    if bad:
        raise AliasError(f"alias {text!r}: it may not contain {' '.join(bad)}")
    return alias
