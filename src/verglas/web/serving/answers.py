"""Answers as bytes: JSON made once, compressed once, and kept while what they tell has not changed."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from pydantic_core import to_json

LEAST_ZIPPED = 1400  # bytes: less fits into one packet as it is
_LEVEL = 4
KEPT = 64


@dataclass(frozen=True)
class Packed:
    """A JSON answer ready to be sent: compressed if that is worth it, with its mark."""

    data: bytes
    zipped: bool
    mark: str  # ETag

    @classmethod
    def of(cls, answer: Any, stamp: str | None = None) -> Packed:
        """`stamp` changes whenever the answer would; without one the answer itself is the mark."""
        plain = to_json(answer, inf_nan_mode="null")
        zipped = len(plain) >= LEAST_ZIPPED
        data = gzip.compress(plain, _LEVEL, mtime=0) if zipped else plain
        return cls(data, zipped, mark_of(stamp.encode() if stamp is not None else plain))


def mark_of(data: bytes) -> str:
    return f'"{hashlib.sha1(data, usedforsecurity=False).hexdigest()[:20]}"'


def sent_as(request: Request, packed: Packed) -> Response:
    """The answer, or 304 to a browser that has it already."""
    headers = {"vary": "accept-encoding", "cache-control": "no-store"}
    if request.method == "GET":
        headers |= {"etag": packed.mark, "cache-control": "private, no-cache"}
        if has_already(request, packed.mark):
            return Response(status_code=304, headers=headers)
    data = packed.data
    if packed.zipped:
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
        else:
            data = gzip.decompress(data)
    return Response(data, media_type="application/json", headers=headers)


def has_already(request: Request, mark: str) -> bool:
    return mark in request.headers.get("if-none-match", "")


class Answers:
    """The answers given last, by what was asked; several askers wait for one making."""

    def __init__(self, most: int = KEPT) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, ...], tuple[str, Packed]] = OrderedDict()
        self._making: dict[tuple[str, ...], threading.Lock] = {}

    def get(self, key: tuple[str, ...], stamp: str, make: Callable[[], Any]) -> Packed:
        """The answer to `key`, made anew when its stamp has changed."""
        if (known := self._known(key, stamp)) is not None:
            return known
        with self._lock:
            door = self._making.setdefault(key, threading.Lock())
        with door:
            if (known := self._known(key, stamp)) is not None:
                return known
            packed = Packed.of(make(), stamp)
            with self._lock:
                self._kept[key] = stamp, packed
                self._kept.move_to_end(key)
                while len(self._kept) > self.most:
                    old, _ = self._kept.popitem(last=False)
                    self._making.pop(old, None)
        return packed

    def _known(self, key: tuple[str, ...], stamp: str) -> Packed | None:
        with self._lock:
            found = self._kept.get(key)
            if found is None or found[0] != stamp:
                return None
            self._kept.move_to_end(key)
            return found[1]
