"""The application: routes, the door before them, the built pages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from verglas import __version__
from verglas.formats.star import StarError
from verglas.project.completion import check_completion
from verglas.scheduler.supervisor import revive
from verglas.web.api import (
    autorun,
    classes,
    drafts,
    job_forms,
    jobs,
    live,
    live_map,
    live_settings,
    maps,
    micrographs,
    notes,
    places,
    projects,
    session,
    tables,
)
from verglas.web.door.guard import Guard
from verglas.web.live.health import DiscWatch
from verglas.web.live.movies import LiveMovies
from verglas.web.pictures.pyramid import PyramidCache
from verglas.web.projects import Projects, project_id
from verglas.web.serving import assets, errors, watching
from verglas.web.serving.answers import Answers
from verglas.web.serving.api_page import api_html
from verglas.web.serving.pools import Busy, Overdue, Pool, Pools
from verglas.web.serving.starter import POLL_S, Starter
from verglas.web.serving.watching import Watchers
from verglas.web.serving.worker import Worker
from verglas.web.settings import WebSettings
from verglas.web.tables import TableCache

_ABOUT = (
    "Everything the pages can do. Answers are JSON unless a route says otherwise; errors are "
    "{'error': text}. A token goes into the header `Authorization: Bearer TOKEN`; bodies are "
    "application/json. The websocket /api/p/{pid}/watch tells {'kind': 'changed'} when something in "
    "the project changed; send it {'job': 'Class2D/job006/', 'which': 'out'} to follow a log."
)
REVIVE_S = 10.0


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
    app.state.watchers = Watchers(app.state.pools.status)
    app.state.projects = Projects(settings.projects)
    app.state.tables = TableCache()
    app.state.pyramids = PyramidCache()
    app.state.live_movies = LiveMovies()
    app.state.disc = DiscWatch()
    app.state.answers = Answers()
    app.state.worker, app.state.trials = Worker(), Worker()
    app.state.trial = threading.Lock()  # one at a time: each takes a processor
    app.state.starter = Starter()
    for part in (
        projects,
        places,
        drafts,
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
        live_map,
        live_settings,
    ):
        app.include_router(part.router)
    app.include_router(watching.router)
    errors.install(app)
    app.add_api_route("/", assets.index, include_in_schema=False)
    app.add_api_route("/assets/{name}", assets.asset, include_in_schema=False)
    app.add_api_route("/api/docs", _api_page, include_in_schema=False)
    app.add_middleware(Guard, settings=settings)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    pool = app.state.pools.status
    tasks = [
        asyncio.create_task(_collect(app.state.starter, pool)),
        asyncio.create_task(_look_after(app.state.projects, pool)),
    ]
    yield
    for task in tasks:
        task.cancel()
    app.state.starter.close()
    app.state.worker.close()
    app.state.trials.close()


async def _collect(starter: Starter, pool: Pool) -> None:
    """Each project by itself: one whose disc hangs keeps no other from being looked at."""
    while True:
        await asyncio.sleep(POLL_S)
        for project in starter.ended():
            with suppress(Busy, Overdue, OSError, StarError):
                await pool.run(project_id(project.root), partial(check_completion, project))


async def _look_after(projects: Projects, pool: Pool) -> None:
    """What runs by itself goes on although its processes were killed: the pages bring them back."""
    while True:
        for key, project in projects.items():
            with suppress(Busy, Overdue, OSError, ValueError):
                await pool.run(key, partial(revive, project.root))
        await asyncio.sleep(REVIVE_S)


async def _api_page(request: Request) -> Response:
    return HTMLResponse(api_html(request.app.openapi()))
