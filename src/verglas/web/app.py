"""The application: routes, the door before them, the built pages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from verglas import __version__
from verglas.formats.star import StarError
from verglas.project.completion import check_completion
from verglas.web import errors, watching
from verglas.web.api import (
    autorun,
    classes,
    job_forms,
    jobs,
    live,
    live_settings,
    maps,
    micrographs,
    notes,
    projects,
    session,
    tables,
)
from verglas.web.api_page import api_html
from verglas.web.guard import Guard
from verglas.web.health import DiscWatch
from verglas.web.live_movies import LiveMovies
from verglas.web.pools import Busy, Overdue, Pool, Pools
from verglas.web.projects import Projects, project_id
from verglas.web.pyramid import PyramidCache
from verglas.web.settings import WebSettings
from verglas.web.starter import POLL_S, Starter
from verglas.web.tables import TableCache

_ABOUT = (
    "Everything the pages can do. Answers are JSON unless a route says otherwise; errors are "
    "{'error': text}. A token goes into the header `Authorization: Bearer TOKEN`; bodies are "
    "application/json. The websocket /api/p/{pid}/watch tells {'kind': 'changed'} when something in "
    "the project changed; send it {'job': 'Class2D/job006/', 'which': 'out'} to follow a log."
)
STATIC = Path(__file__).parent / "static"


def create_app(settings: WebSettings) -> FastAPI:
    """The server of these projects. Raises NotAProject."""
    app = FastAPI(
        title="verglas",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=_lifespan,
    )
    app.state.settings = settings
    app.state.pools = Pools()
    app.state.projects = Projects(settings.projects)
    app.state.tables = TableCache()
    app.state.pyramids = PyramidCache()
    app.state.live_movies = LiveMovies()
    app.state.disc = DiscWatch()
    app.state.trial = threading.Lock()  # one at a time: each takes a processor
    app.state.starter = Starter()
    for part in (
        projects,
        jobs,
        job_forms,
        notes,
        autorun,
        tables,
        micrographs,
        classes,
        maps,
        session,
        live,
        live_settings,
    ):
        app.include_router(part.router)
    app.include_router(watching.router)
    errors.install(app)
    app.add_api_route("/", _index, include_in_schema=False)
    app.add_api_route("/api/docs", _api_page, include_in_schema=False)
    if (STATIC / "assets").is_dir():
        app.mount("/assets", _Lasting(directory=STATIC / "assets"), name="assets")
    app.add_middleware(Guard, settings=settings)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    collector = asyncio.create_task(_collect(app.state.starter, app.state.pools.status))
    yield
    collector.cancel()
    app.state.starter.close()


async def _collect(starter: Starter, pool: Pool) -> None:
    """Each project by itself: one whose disc hangs keeps no other from being looked at."""
    while True:
        await asyncio.sleep(POLL_S)
        for project in starter.ended():
            with suppress(Busy, Overdue, OSError, StarError):
                await pool.run(project_id(project.root), partial(check_completion, project))


async def _index() -> Response:
    page = STATIC / "index.html"
    if not page.exists():
        raise HTTPException(
            503, "the pages are not built: run `npm ci && npm run build` in frontend/"
        )
    return FileResponse(page, headers={"cache-control": "no-cache"})


async def _api_page(request: Request) -> Response:
    return HTMLResponse(api_html(request.app.openapi()))


class _Lasting(StaticFiles):
    """Built assets carry a hash in their names: browsers may keep them."""

    def file_response(self, *args, **kwargs) -> Response:  # type: ignore[no-untyped-def]
        answer = super().file_response(*args, **kwargs)
        answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        return answer
