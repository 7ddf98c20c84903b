"""Which complaint becomes which HTTP status; the text always reaches the page."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from verglas.formats.mrc_header import UnreadableImage
from verglas.formats.star import StarError
from verglas.jobs.contract.options import OptionError
from verglas.project.editing import Unfinished
from verglas.project.lock import LockTimeout
from verglas.project.names import AliasError
from verglas.project.registration import ForeignJob, RefusedJob
from verglas.project.trash import NotDeletable
from verglas.web.confinement import OutsideProject
from verglas.web.projects import UnknownProject
from verglas.web.tables import BadFilter

_STATUS: dict[type[Exception], int] = {
    OutsideProject: 403,
    UnknownProject: 404,
    FileNotFoundError: 404,
    ForeignJob: 409,
    NotDeletable: 409,
    Unfinished: 409,
    LockTimeout: 503,
    AliasError: 422,
    OptionError: 422,
    RefusedJob: 422,
    BadFilter: 422,
    StarError: 422,
    UnreadableImage: 422,
    ValueError: 422,
    KeyError: 404,
    OSError: 500,
}


def install(app: FastAPI) -> None:
    """Answer `{"error": text}` for everything that a user can have caused."""
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, _handler(status))
    app.add_exception_handler(HTTPException, _of_http)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _of_validation)  # type: ignore[arg-type]


def _handler(status: int):  # type: ignore[no-untyped-def]
    async def answer(request: Request, error: Exception) -> JSONResponse:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        return JSONResponse({"error": str(text)}, status)

    return answer


async def _of_http(request: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"error": str(error.detail)}, error.status_code)


async def _of_validation(request: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse({"error": f"{where}: {first['msg']}"}, 422)
