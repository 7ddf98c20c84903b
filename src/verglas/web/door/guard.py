"""The door: every request and every websocket passes here before anything else looks at it.

Refused are: unknown host names on a server without tokens (a page elsewhere whose name was pointed at
this machine), requests from other pages (Origin, Sec-Fetch-Site), bodies that are too large or not
JSON, people without a token, and changes by people who may only look.
"""

from __future__ import annotations

import json
import re
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from verglas.web.door.access import LOCAL, Person
from verglas.web.settings import WebSettings

COOKIE = "verglas_browser"
_SAFE = {"GET", "HEAD", "OPTIONS"}
_OPEN = ("/api/session",)  # how one comes in
# changes nothing, although it has a body; whole paths: the last part of others is somebody's word
_LOOKING = re.compile(r"/api/p/[^/]+/(check|live/look|live/[^/]+/(cost|preview))")
_CSP = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self'; worker-src 'self' blob:; connect-src 'self' ws: wss:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
)
_HEADERS = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Guard:
    """Pure ASGI middleware, so that websockets pass it as well."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {key.decode("latin1"): value.decode("latin1") for key, value in scope["headers"]}
        _set_prefix(scope, self.settings.root_path)
        try:
            self._check_host(headers)
            self._check_origin(scope, headers)
            scope.setdefault("state", {})["person"] = self._person(scope, headers)
            limit = self._check_body(scope, headers)
        except _Refused as reason:
            await _refuse(scope, receive, send, reason)
            return
        if scope["type"] == "http":
            receive, send = _limited(receive, limit), _with_headers(send)
        await self.app(scope, receive, send)

    def _check_host(self, headers: dict[str, str]) -> None:
        if self.settings.needs_token:
            return
        host = _host_name(headers.get("host", ""))
        if host not in self.settings.allowed_hosts:
            raise _Refused(421, f"this server does not answer for the host name {host!r}")

    def _check_origin(self, scope: Scope, headers: dict[str, str]) -> None:
        if scope["type"] == "http" and scope["method"] in _SAFE:
            return
        origin = headers.get("origin")
        if origin is not None:
            if urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
                raise _Refused(403, f"requests from the page {origin} are not taken")
        elif headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise _Refused(403, "requests from other pages are not taken")

    def _person(self, scope: Scope, headers: dict[str, str]) -> Person | None:
        person = self._known(headers)
        path = scope["path"].removeprefix(self.settings.root_path)
        if person is None and path.startswith("/api") and not path.startswith(_OPEN):
            raise _Refused(401, "a token is needed: open the link that `verglas gui` printed")
        if scope["type"] == "websocket" or scope["method"] in _SAFE or path.startswith(_OPEN):
            return person
        if scope["method"] == "POST" and _LOOKING.fullmatch(path) and person is not None:
            return person
        if person is None or not person.may_change or self.settings.read_only:
            raise _Refused(403, "you may look but not change: ask an operator of this project")
        return person

    def _known(self, headers: dict[str, str]) -> Person | None:
        if not self.settings.needs_token:
            return LOCAL
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self.settings.access.find(token.strip())
        key = key_of_cookie(headers.get("cookie", ""))
        return self.settings.access.find_session(key) if key else None

    def _check_body(self, scope: Scope, headers: dict[str, str]) -> int:
        limit = self.settings.max_body_bytes
        if scope["type"] == "websocket" or scope["method"] in _SAFE:
            return limit
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > limit:
            raise _Refused(413, f"the request is larger than {limit} bytes")
        has_body = int(length) > 0 or "transfer-encoding" in headers
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if has_body and kind != "application/json":
            raise _Refused(415, "send JSON (content-type application/json)")
        return limit


def _set_prefix(scope: Scope, root_path: str) -> None:
    """A proxy may hand the prefix on or cut it off; inside, paths have it."""
    if not root_path:
        return
    scope["root_path"] = root_path
    if not scope["path"].startswith(f"{root_path}/"):
        scope["path"] = root_path + scope["path"]


def key_of_cookie(text: str) -> str:
    try:
        found = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _limited(receive: Receive, limit: int) -> Receive:
    """Cuts off a body that was announced smaller than it is."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            return {"type": "http.disconnect"}
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            known = {key for key, _ in message["headers"]}
            extra = [(k.encode(), v.encode()) for k, v in _HEADERS.items() if k.encode() not in known]
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return sending


async def _refuse(scope: Scope, receive: Receive, send: Send, reason: _Refused) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4000 + reason.status, "reason": reason.text[:120]})
        return
    body = json.dumps({"error": reason.text}).encode()
    headers: list[Any] = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": reason.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
