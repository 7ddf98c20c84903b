"""Which complaint becomes which HTTP status.

What the asker can have caused is told in its own words. Everything else is a fault of the server: 500, with
an id under which its log has the whole story, and without names of the server's own files.
"""

from __future__ import annotations

import json
import logging
import secrets

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from verglas.formats.mrc_header import UnreadableImage
from verglas.formats.star import StarError
from verglas.jobs.contract.options import OptionError
from verglas.jobs.contract.unknown import UnknownName
from verglas.project.confinement import OutsideProject, TooLarge
from verglas.project.editing import Unfinished
from verglas.project.lock import LockTimeout
from verglas.project.names import AliasError
from verglas.project.registration import ForeignJob, RefusedJob
from verglas.project.trash import NotDeletable
from verglas.web.door.roles import NotAllowed
from verglas.web.projects import UnknownProject
from verglas.web.serving.pools import Busy, Overdue
from verglas.web.tables import BadFilter

LONGEST_TEXT = 1500  # letters of a complaint
_log = logging.getLogger("verglas.web")
_STATUS: dict[type[Exception], int] = {
    OutsideProject: 403,
    NotAllowed: 403,
    UnknownProject: 404,
    FileNotFoundError: 404,
    ForeignJob: 409,
    NotDeletable: 409,
    Unfinished: 409,
    LockTimeout: 503,
    TooLarge: 413,
    Overdue: 504,
    Busy: 503,
    AliasError: 422,
    OptionError: 422,
    RefusedJob: 422,
    BadFilter: 422,
    StarError: 422,
    UnreadableImage: 422,
    ValueError: 422,
    UnknownName: 404,
    LookupError: 404,
}


def install(app: FastAPI) -> None:
    """Answer `{"error": text}` for everything that a user can have caused."""
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, _handler(status))
    app.add_exception_handler(HTTPException, _of_http)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _of_validation)  # type: ignore[arg-type]


def _handler(status: int):  # type: ignore[no-untyped-def]
    async def answer(request: Request, error: Exception) -> JSONResponse:
        return _answer(_told(request, error), status)

    return answer


def _told(request: Request, error: Exception) -> str:
    """The complaint in its own words; paths as the project calls them."""
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    else:
        text = str(error)
    project = request.app.state.projects.find(request.path_params.get("pid", ""))
    if project is None:
        return text
    return text.replace(f"{project.root}/", "").replace(str(project.root), "the project")


def fault(request: Request, error: Exception) -> JSONResponse:
    """A fault of the server: told by an id, kept in the log with everything that is known."""
    name = secrets.token_hex(4)
    _log.error("fault %s at %s %s", name, request.method, request.url.path, exc_info=error)
    why = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    text = f"the server failed{why}; its log has it under {name}"
    return JSONResponse({"error": text, "fault": name}, 500)


def is_complaint(error: Exception) -> bool:
    """Whether the asker can have caused this and is told why."""
    known = (HTTPException, RequestValidationError, *_STATUS)
    if isinstance(error, json.JSONDecodeError | UnicodeError):  # a file of the server's own
        return False
    if isinstance(error, KeyError | IndexError):  # of a dictionary or list: never a person's word
        return isinstance(error, UnknownName | StarError)
    return isinstance(error, known)


async def _of_http(request: Request, error: HTTPException) -> JSONResponse:
    return _answer(str(error.detail), error.status_code)


async def _of_validation(request: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return _answer(f"{where}: {first['msg']}", 422)


def _answer(text: str, status: int) -> JSONResponse:
    """However long what somebody sent is, the complaint about it can be read."""
    cut = text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} ..."
    return JSONResponse({"error": cut}, status)
