"""RELION's project lock, held by us so that nobody ever has to delete it by hand (pipeline.md §1.6).

The lock is the directory `.relion_lock`: whoever makes it holds it. We make ours under another name,
with `lock_<name>_pipeline.star` (RELION's reason) and our owner file inside, and rename it into place,
so that at no instant a lock of ours lies there without its owner; we let go by renaming it away. So a
lock without owner file is RELION's.

A dead holder of ours is recognised without comparing clocks: on this machine by its process, elsewhere
by a heartbeat counter that stands still for 15 s of our own monotonic clock. RELION's lock is waited
for, two minutes without change, then taken over with a logged line.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from verglas.project.owner import Owner

log = logging.getLogger("verglas.lock")

LOCK = ".relion_lock"
OWNER_FILE = "verglas_owner"
FOREIGN_PATIENCE_S = 120.0
REMOTE_PATIENCE_S = 15.0
BEAT_S = 1.0
_PREPARED, _RELEASED = ".verglas-lock-", ".verglas-unlock-"
_RENAME_NOREPLACE = 1


class LockTimeout(TimeoutError):
    """The lock is held by a living process that does not let go."""


@dataclass(frozen=True)
class _Seen:
    """What a waiter saw of the lock: unchanged means the same inode, files and owner text."""

    inode: int
    changed_ns: int
    names: tuple[str, ...]
    owner: str


@contextmanager
def project_lock(root: Path, reason: str, *, timeout_s: float = 180.0) -> Iterator[None]:
    """Hold the project's lock during the block. Raises LockTimeout, OSError (read-only, disc full)."""
    token = _acquire(root, reason, timeout_s)
    stop = threading.Event()
    beat = threading.Timer(BEAT_S, _keep_beating, (root, token, stop))
    beat.daemon = True
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.cancel()
        _release(root, token)


def break_lock(root: Path) -> str | None:
    """Remove whatever lock there is; returns who held it, None if there was none."""
    seen = _look(root)
    if seen is None:
        return None
    _take_away(root, seen)
    owner = _owner(seen)
    return owner.shown if owner else "a program that left no name (RELION)"


def lock_holder(root: Path) -> str | None:
    """Who holds the lock at this moment, in words; None if nobody does."""
    seen = _look(root)
    if seen is None:
        return None
    owner = _owner(seen)
    return owner.shown if owner else "RELION"


def _acquire(root: Path, reason: str, timeout_s: float) -> str:
    token = secrets.token_hex(8)
    prepared = root / f"{_PREPARED}{token}"
    prepared.mkdir()
    try:
        (prepared / "lock_default_pipeline.star").write_text(f"lock mechanism for pipeline: {reason}\n")
        _write_owner(prepared, token, 0)
        _wait_and_rename(root, prepared, timeout_s)
    except BaseException:
        shutil.rmtree(prepared, ignore_errors=True)
        raise
    return token


def _wait_and_rename(root: Path, prepared: Path, timeout_s: float) -> None:
    begin = time.monotonic()
    last: _Seen | None = None
    since, pause = begin, 0.005
    while not _rename_if_free(prepared, root / LOCK):
        seen = _look(root)
        now = time.monotonic()
        if seen != last:
            last, since = seen, now
        if seen is not None and _is_dead(seen, now - since):
            _take_away(root, seen)
            continue
        if now - begin > timeout_s:
            holder = lock_holder(root)
            raise LockTimeout(
                f"the project lock {root / LOCK} has been held for {timeout_s:.0f} s by {holder}; "
                "if that program is no longer there: verglas unlock"
            )
        time.sleep(pause)
        pause = min(0.05, pause * 1.5)


def _release(root: Path, token: str) -> None:
    """Let go, if the lock is still ours (it is not after a `verglas unlock` or a takeover)."""
    away = root / f"{_RELEASED}{token}"
    try:
        text = (root / LOCK / OWNER_FILE).read_text()
    except OSError:
        return
    if token not in text:
        return
    with suppress(OSError):
        os.rename(root / LOCK, away)
        shutil.rmtree(away, ignore_errors=True)


def _keep_beating(root: Path, token: str, stop: threading.Event) -> None:
    """Only for holders that take long: count up once a second."""
    count = 1
    while True:
        with suppress(OSError):
            if token in (root / LOCK / OWNER_FILE).read_text():
                _write_owner(root / LOCK, token, count)
        count += 1
        if stop.wait(BEAT_S):
            return


def _write_owner(folder: Path, token: str, beat: int) -> None:
    text = json.dumps({**asdict(Owner.this_process()), "token": token, "beat": beat})
    (folder / f"{OWNER_FILE}.new").write_text(text)
    os.replace(folder / f"{OWNER_FILE}.new", folder / OWNER_FILE)


def _look(root: Path) -> _Seen | None:
    path = root / LOCK
    try:
        status = path.stat()
        names = tuple(sorted(os.listdir(path)))
    except OSError:
        return None
    try:
        owner = (path / OWNER_FILE).read_text()
    except OSError:
        owner = ""
    return _Seen(status.st_ino, status.st_mtime_ns, names, owner)


def _owner(seen: _Seen) -> Owner | None:
    try:
        known = json.loads(seen.owner)
        return Owner(**{key: known[key] for key in Owner.__dataclass_fields__ if key in known})
    except (ValueError, KeyError, TypeError):
        return None


def _is_dead(seen: _Seen, unchanged_s: float) -> bool:
    owner = _owner(seen)
    if owner is None:
        return unchanged_s > FOREIGN_PATIENCE_S
    alive = owner.is_alive()
    if alive is None:  # another machine: only its counter can tell
        return unchanged_s > REMOTE_PATIENCE_S
    return not alive


def _take_away(root: Path, seen: _Seen) -> None:
    """Remove a dead lock; one taker at a time, and only the very lock that was judged."""
    with open(root / ".verglas-takeover", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        now = _look(root)
        if now is None or (now.inode, now.owner) != (seen.inode, seen.owner):
            return
        owner = _owner(seen)
        holder = owner.shown if owner else "a program that left no name (RELION)"
        log.warning("took over the project lock left behind by %s", holder)
        away = root / f"{_RELEASED}{secrets.token_hex(8)}"
        with suppress(FileNotFoundError):
            os.rename(root / LOCK, away)
        shutil.rmtree(away, ignore_errors=True)
        _sweep(root)


def _sweep(root: Path) -> None:
    """Remove prepared or released locks whose maker is dead."""
    for leftover in [*root.glob(f"{_PREPARED}*"), *root.glob(f"{_RELEASED}*")]:
        try:
            text = (leftover / OWNER_FILE).read_text()
        except OSError:
            text = ""
        owner = _owner(_Seen(0, 0, (), text))
        if owner is not None and owner.is_alive() is False:
            shutil.rmtree(leftover, ignore_errors=True)


def _rename_if_free(source: Path, target: Path) -> bool:
    """Rename unless the target exists (even as an empty directory, which rename would replace)."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        at_cwd = -100
        done = function(at_cwd, os.fsencode(source), at_cwd, os.fsencode(target), _RENAME_NOREPLACE)
        if done == 0:
            return True
        code = ctypes.get_errno()
        if code in (errno.EEXIST, errno.ENOTEMPTY):
            return False
        if code not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise OSError(code, os.strerror(code), str(target))
    return _make_if_free(source, target)


def _make_if_free(source: Path, target: Path) -> bool:
    """Where the file system knows no such rename (NFS): make the directory, then move the files in."""
    try:
        target.mkdir()
    except FileExistsError:
        return False
    for name in os.listdir(source):
        os.rename(source / name, target / name)
    source.rmdir()
    return True
