"""Files of any size as they are: piece by piece, each piece read in a pool, none kept."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from verglas.web.serving.pools import Pool

PIECE = 1 << 20


def sent(
    pool: Pool, key: str, path: Path, kind: str, headers: dict[str, str], *, download: bool = False
) -> StreamingResponse:
    """A regular file as an answer; `download` has the browser keep it instead of showing it."""
    size = path.stat().st_size
    headers = {**headers, "content-length": str(size), "cache-control": "private, no-cache"}
    if download:
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(path.name)}"
    pieces = _pieces(pool, key, path, size)
    return StreamingResponse(pieces, media_type=kind, headers=headers)


async def _pieces(pool: Pool, key: str, path: Path, size: int) -> AsyncIterator[bytes]:
    """Exactly the bytes that were announced; a file that shrank meanwhile breaks the answer off."""
    at = 0
    while at < size:
        piece = await pool.run(key, partial(_piece, path, at, min(PIECE, size - at)))
        if not piece:
            raise EOFError(f"{path.name} became shorter while it was sent")
        at += len(piece)
        yield piece


def _piece(path: Path, at: int, count: int) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.pread(handle, count, at)
    finally:
        os.close(handle)
