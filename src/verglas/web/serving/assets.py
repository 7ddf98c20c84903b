"""The built pages, compressed once and sent from memory: a first visit costs a few hundred kB."""

from __future__ import annotations

import gzip
import mimetypes
from functools import lru_cache
from pathlib import Path

from fastapi import HTTPException, Request, Response

STATIC = Path(__file__).parents[1] / "static"
_LASTING = "public, max-age=31536000, immutable"  # their names hold a hash of their content
_TEXTS = ("text/", "application/javascript", "application/json", "image/svg+xml")


async def index(request: Request) -> Response:
    """The page itself; browsers ask each time whether it has changed."""
    if not (STATIC / "index.html").exists():
        raise HTTPException(503, "the pages are not built: run `npm ci && npm run build` in frontend/")
    return _sent(request, "index.html", "no-cache")


async def asset(name: str, request: Request) -> Response:
    """A part of the pages, by its name alone."""
    if name not in _names():
        raise HTTPException(404, "the pages have no such part: load the page again")
    return _sent(request, f"assets/{name}", _LASTING)


def _sent(request: Request, path: str, age: str) -> Response:
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    data, zipped = _content(path, kind, (STATIC / path).stat().st_mtime_ns)
    headers = {"cache-control": age, "vary": "accept-encoding"}
    if zipped and "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
    elif zipped:
        data = gzip.decompress(data)
    return Response(data, media_type=kind, headers=headers)


def _names() -> frozenset[str]:
    return frozenset(path.name for path in (STATIC / "assets").glob("*"))


@lru_cache(maxsize=64)
def _content(path: str, kind: str, changed_ns: int) -> tuple[bytes, bool]:
    """The bytes of a part, compressed if it is text."""
    data = (STATIC / path).read_bytes()
    return (gzip.compress(data, 9, mtime=0), True) if kind.startswith(_TEXTS) else (data, False)
