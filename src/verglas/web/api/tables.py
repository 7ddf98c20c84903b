"""STAR tables: any file, any size."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request

from verglas.web import tables
from verglas.web.api.common import Asked, FileName, Name
from verglas.web.models import pictures as shapes
from verglas.web.serving import routes

router = routes.router("/api/p/{pid}/tables", "tables")
Filters = Annotated[list[Name], Query(max_length=20)]


@router.get("", response_model=shapes.TablesShown)
def blocks(path: FileName, request: Request, project: Asked) -> dict[str, Any]:
    """Tables of a file with their columns; values of list tables."""
    opened = request.app.state.tables.get(project, path)
    return {"path": path, "blocks": tables.blocks_of(opened), "left_out": tables.left_out(opened)}


@router.get("/page", response_model=shapes.TablePage)
def page(
    path: FileName,
    request: Request,
    project: Asked,
    block: Name = "",
    offset: int = 0,
    count: int = 200,
    sort: Name = "",
    descending: bool = False,
    filter: Filters = [],  # noqa: B006
) -> dict[str, Any]:
    """Rows of a table. A filter is `label sign value` with one of < > <= >= = != ~ (contains)."""
    opened = request.app.state.tables.get(project, path)
    return tables.page(
        opened, block, offset=offset, count=count, sort=sort, descending=descending, filters=filter
    )


@router.get("/plot", response_model=shapes.TablePlot)
def plot(
    path: FileName,
    request: Request,
    project: Asked,
    y: Name,
    block: Name = "",
    x: Name = "",
    filter: Filters = [],  # noqa: B006
) -> dict[str, Any]:
    """A column against another (or the row number); at most 20,000 points."""
    opened = request.app.state.tables.get(project, path)
    return tables.plot(opened, block, x, y, filter)
