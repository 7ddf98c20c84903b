"""Threads for the routes: so many at once, for so long, and none of them needed to go on.

A file on a disc that does not answer holds its thread for ever. Such a thread is left behind: its place is
given to the next request, and once a few of one project are left behind, further requests that need that
project's files are refused at once instead of one by one. Lists and states have a pool of their own, so
that slow pictures never keep a page from telling what a job does.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

Answer = TypeVar("Answer")
MOST_LEFT_BEHIND = 4  # threads of one project


class Overdue(Exception):
    """The time of a request ran out."""


class Busy(Exception):
    """Too many requests of this project hang: their files do not answer."""


class _Call:
    """One call at work: whether anybody still waits for it."""

    def __init__(self) -> None:
        self.left_behind = False


_at_work = threading.local()


def check_wanted() -> None:
    """For long loops: ends the work if nobody waits for it any more. Raises Overdue."""
    call = getattr(_at_work, "call", None)
    if call is not None and call.left_behind:
        raise Overdue("nobody waits for this any more")


class Pool:
    """At most `threads` calls at once, each for at most `limit_s` seconds with its waiting."""

    def __init__(self, threads: int, limit_s: float) -> None:
        self.limit_s = limit_s
        self._places = asyncio.Semaphore(threads)
        self._lock = threading.Lock()
        self._left_behind: Counter[str] = Counter()

    async def run(self, key: str, work: Callable[[], Answer]) -> Answer:
        """What `work` returns or raises; `key` is the project. Raises Overdue, Busy."""
        if self._left_behind[key] >= MOST_LEFT_BEHIND:
            raise Busy(
                "files of this project do not answer (a disc that hangs, a network that is gone?): "
                "requests that need them are refused until they do"
            )
        try:
            async with asyncio.timeout(self.limit_s), self._places:
                return await self._in_thread(key, work)
        except TimeoutError:
            raise Overdue(
                f"this took more than {self.limit_s:g} s and was given up: is the disc busy, or the "
                "file very large?"
            ) from None

    async def _in_thread(self, key: str, work: Callable[[], Answer]) -> Answer:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        call = _Call()
        thread = threading.Thread(
            target=self._work, args=(call, key, work, loop, done), daemon=True, name=f"request {key}"
        )
        thread.start()
        try:
            answer: Answer = await done
        except asyncio.CancelledError:
            with self._lock:
                if not done.done() or done.cancelled():
                    call.left_behind = True
                    self._left_behind[key] += 1
            raise
        return answer

    def _work(
        self,
        call: _Call,
        key: str,
        work: Callable[[], Any],
        loop: asyncio.AbstractEventLoop,
        done: asyncio.Future[Any],
    ) -> None:
        _at_work.call = call
        try:
            tell, what = done.set_result, work()
        except BaseException as error:  # whoever waits handles it
            tell, what = done.set_exception, error
        with self._lock:
            if call.left_behind:
                self._left_behind[key] -= 1
                return
        with suppress(RuntimeError):  # the server has ended meanwhile
            loop.call_soon_threadsafe(_unless_given_up, done, tell, what)


def _unless_given_up(done: asyncio.Future[Any], tell: Callable[[Any], None], what: Any) -> None:
    if not done.done():
        tell(what)


class Pools:
    """`status`: lists, states, logs; `files`: pictures, tables, maps; `long`: trials and what jobs do."""

    def __init__(self) -> None:
        self.status = Pool(16, 20.0)
        self.files = Pool(8, 60.0)
        self.long = Pool(4, 900.0)
