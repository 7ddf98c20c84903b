"""How a route is run: in its pool of threads, only while somebody waits, faults told by an id."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from verglas.web.serving.answers import Packed, sent_as
from verglas.web.serving.errors import fault, is_complaint

Handler = Callable[[Request], Awaitable[Response]]
Endpoint = Callable[..., Any]
_request: ContextVar[Request] = ContextVar("request")
GONE = 499  # nobody is there to read it


def status(endpoint: Endpoint) -> Endpoint:
    """Marks a route that only tells lists and states."""
    endpoint.__dict__["pool"] = "status"
    return endpoint


def long(endpoint: Endpoint) -> Endpoint:
    """Marks a route that waits for what jobs do."""
    endpoint.__dict__["pool"] = "long"
    return endpoint


def router(prefix: str, tag: str) -> APIRouter:
    """Routes of one subject."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=PooledRoute)


class PooledRoute(APIRoute):
    """A route whose function runs in a thread of the server's pools."""

    def __init__(self, path: str, endpoint: Endpoint, **facts: Any) -> None:
        super().__init__(path, _in_pool(endpoint), **facts)

    def get_route_handler(self) -> Callable[[Request], Any]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            _request.set(request)
            try:
                return await _while_wanted(request, handler)
            except Exception as error:
                if is_complaint(error):
                    raise
                return fault(request, error)

        return handle


def _in_pool(endpoint: Endpoint) -> Endpoint:
    if inspect.iscoroutinefunction(endpoint):
        return endpoint

    @functools.wraps(endpoint)
    async def pooled(**values: Any) -> Any:
        request = _request.get()
        kind: Literal["status", "files", "long"] = endpoint.__dict__.get("pool", "files")
        pool = getattr(request.app.state.pools, kind)
        key = request.path_params.get("pid", "")
        return await pool.run(key, functools.partial(_answer, request, endpoint, values))

    return pooled


def _answer(request: Request, endpoint: Endpoint, values: dict[str, Any]) -> Response:
    """Everything that takes time happens in the thread: JSON and its compression too."""
    found = endpoint(**values)
    if isinstance(found, Response):
        return found
    answer = sent_as(request, Packed.of(found))
    given = values.get("response")  # a route that sets cookies
    if isinstance(given, Response):
        answer.raw_headers += given.raw_headers
    return answer


async def _while_wanted(request: Request, handler: Handler) -> Response:
    """The answer, given up when a looking page goes away; what changes something is always ended."""
    if request.method != "GET":
        return await handler(request)
    answer = asyncio.ensure_future(handler(request))
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        answer.cancel()
        raise
    finally:
        gone.cancel()
    if answer.done():
        return answer.result()
    answer.cancel()
    return Response(status_code=GONE)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
