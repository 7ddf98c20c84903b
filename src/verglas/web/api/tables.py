"""STAR tables: any file, any size."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from verglas.web import tables
from verglas.web.api.common import Asked, file_of

router = APIRouter(prefix="/api/p/{pid}/tables", tags=["tables"])
Filters = Annotated[list[str], Query(max_length=20)]


@router.get("")
def blocks(path: str, request: Request, project: Asked) -> dict[str, Any]:
    """Tables of a file with their columns; values of list tables."""
    opened = request.app.state.tables.get(file_of(project, path))
    return {"path": path, "blocks": tables.blocks_of(opened)}


@router.get("/page")
def page(
    path: str, request: Request, project: Asked, block: str = "", offset: int = 0,
    count: int = 200, sort: str = "", descending: bool = False, filter: Filters = [],  # noqa: B006
) -> dict[str, Any]:  # fmt: skip
    """Rows of a table. A filter is `label sign value` with one of < > <= >= = != ~ (contains)."""
    opened = request.app.state.tables.get(file_of(project, path))
    return tables.page(
        opened, block, offset=offset, count=count, sort=sort, descending=descending, filters=filter
    )


@router.get("/plot")
def plot(
    path: str, request: Request, project: Asked, y: str, block: str = "", x: str = "",
    filter: Filters = [],  # noqa: B006
) -> dict[str, Any]:  # fmt: skip
    """A column against another (or the row number); at most 20,000 points."""
    opened = request.app.state.tables.get(file_of(project, path))
    return tables.plot(opened, block, x, y, filter)
