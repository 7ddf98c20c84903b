"""Micrographs: lists, tiles, spectra, drift, picks and their editing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import HTTPException, Request, Response
from pydantic import BaseModel, Field

from verglas.formats.mrc import UnreadableImage, read_mrc_header
from verglas.formats.star import format_star
from verglas.jobs.contract.set_aside import file_stamp
from verglas.jobs.coordinates.reading import UnreadableCoordinates
from verglas.jobs.manualpick.files import picks_path, picks_table
from verglas.jobs.registry import job_class, job_type
from verglas.jobs.report.grey import Bytes
from verglas.project.change import PIPELINE, Change
from verglas.project.drafts import forget_draft
from verglas.project.project import Project
from verglas.project.registration import LoadedJob
from verglas.project.results import one_micrograph
from verglas.project.results.ctf_image import ctf_image_path
from verglas.project.results.grid import grid_of_list
from verglas.project.results.micrographs import micrograph_lists, micrograph_table
from verglas.scheduler.launch import launch_as
from verglas.web.api.common import (
    Asked,
    Asker,
    FileName,
    Name,
    answered,
    image_of,
    job_of,
    loaded_job,
    picture,
    record,
    table_of,
)
from verglas.web.former import with_former
from verglas.web.models import pictures as shapes
from verglas.web.models.base import Named
from verglas.web.pictures.images import jpeg_bytes, resized, spectrum_png
from verglas.web.pictures.pyramid import TILE
from verglas.web.serving import routes

router = routes.router("/api/p/{pid}/micrographs", "micrographs")
MAX_PICKS = 100_000


class Picks(BaseModel):
    """Picks of one micrograph in its pixels, replacing those a Manual picking job has."""

    micrograph: FileName
    x: list[float] = Field(max_length=MAX_PICKS)
    y: list[float] = Field(max_length=MAX_PICKS)


class NewManualPick(BaseModel):
    """A Manual picking job on a list; `start_from`: a coordinates node whose picks it begins with."""

    list: FileName
    start_from: FileName = ""
    diameter_angst: float = Field(0, ge=0, le=10_000)
    min_fom: float | None = None


@router.get("", response_model=shapes.MicrographLists)
def lists(project: Asked) -> dict[str, Any]:
    """Lists of micrographs on disc, the richest first, and every set of picks."""
    sources = one_micrograph.pick_sources(project)
    return {
        "lists": micrograph_lists(project),
        "picks": [
            {"node": each.node, "job": each.job, "shown": each.shown, "editable": each.editable}
            for each in sources
        ],
    }


@router.get("/list", response_model=shapes.MicrographList)
def one_list(path: FileName, request: Request, project: Asked) -> Response:
    """Names and figures of every micrograph of a list, column by column."""
    file = table_of(project, path)
    stamp = f"{file_stamp(file)} {file_stamp(project.root / PIPELINE)}"

    def make() -> dict[str, Any]:
        found = micrograph_table(project, path).as_dict()
        return {**found, "columns": with_former(found["columns"])}

    return answered(request, ("list", path), stamp, make)


@router.get("/grid", response_model=shapes.GridShown)
def grid(path: FileName, project: Asked) -> dict[str, Any]:
    """Grid squares and holes, and the hole (or -1) of every micrograph in the order of the list."""
    table_of(project, path)
    return grid_of_list(project, path).as_dict() | {"pending": 0}


@router.get("/info", response_model=shapes.MicrographInfo)
def info(path: FileName, list: FileName, request: Request, project: Asked) -> dict[str, Any]:
    """Size, levels of the tile pyramid, drift, CTF curve, of one micrograph."""
    file = image_of(project, path)
    if list:
        table_of(project, list)
    pyramid = request.app.state.pyramids.pyramid(file)
    height, width = pyramid.shape_yx
    spectrum_name = ctf_image_path(project, list, path) if list else None
    return {
        "width": width,
        "height": height,
        "tile": TILE,
        "levels": pyramid.n_levels,
        "changed": file.stat().st_mtime_ns,
        "drift": one_micrograph.drift(project, path),
        "ctf": one_micrograph.ctf_profile(project, list, path) if list else None,
        "has_spectrum": bool(spectrum_name),
        "spectrum_pixel_angst": _spectrum_pixel(project, spectrum_name),
    }


def _spectrum_pixel(project: Project, name: str | None) -> float:
    """Pixel size in Å of which the edge of a spectrum is the Nyquist frequency; 0 if the picture does not say."""
    try:
        return read_mrc_header(image_of(project, name)).pixel_size_angst if name else 0.0
    except (HTTPException, OSError, UnreadableImage):
        return 0.0


@router.get("/tile")
def tile(
    path: FileName,
    level: int,
    column: int,
    row: int,
    request: Request,
    project: Asked,
    low_pass: float = 0,
    pixel_size: float = 1,
) -> Response:
    """One 512-pixel tile as JPEG; `low_pass` in Å filters the micrograph."""
    file = image_of(project, path)
    if low_pass > 0:
        filtered = request.app.state.pyramids.low_passed(file, pixel_size, low_pass)
        return picture(jpeg_bytes(_part(filtered.image, filtered.level, level, column, row)), "image/jpeg")
    pyramid = request.app.state.pyramids.pyramid(file)
    try:
        return picture(jpeg_bytes(pyramid.tile(level, column, row)), "image/jpeg")
    except (IndexError, KeyError) as error:
        raise HTTPException(404, f"no such tile: {error}") from None


@router.get("/thumbnail")
def thumbnail(path: FileName, request: Request, project: Asked, side: int = 160) -> Response:
    """The whole micrograph, `side` pixels wide (at most 1024)."""
    pyramid = request.app.state.pyramids.pyramid(image_of(project, path))
    side = max(32, min(side, 1024))
    return picture(jpeg_bytes(resized(pyramid.small(side), side)), "image/jpeg")


@router.get("/spectrum")
def spectrum(path: FileName, list: FileName, project: Asked) -> Response:
    """Power spectrum with the CTF that was fitted to it, as the CTF job left it."""
    table_of(project, list)
    name = ctf_image_path(project, list, path)
    if name is None:
        raise HTTPException(404, f"{list} names no power spectrum for {path}")
    return picture(spectrum_png(image_of(project, name)), "image/png", lasting=False)


@router.get("/picks", response_model=shapes.PicksShown)
def picks(node: FileName, micrograph: FileName, project: Asked) -> dict[str, Any]:
    """Picks (and what was considered but fell below the threshold) with figures of merit."""
    table_of(project, node)
    try:
        return one_micrograph.picks(project, node, micrograph)
    except UnreadableCoordinates as error:
        raise HTTPException(422, str(error)) from None


@router.post("/manualpick", response_model=Named)
def new_manualpick(body: NewManualPick, request: Request, project: Asked, person: Asker) -> dict[str, Any]:
    """Make a Manual picking job that begins with another job's picks; the page then edits it."""
    job = job_class("ManualPick")
    values = {"fn_in": body.list}
    if body.diameter_angst > 0:
        values["diameter"] = f"{body.diameter_angst:g}"
    options, _ = job.Options.parse(values)
    seed = _seed(project, body) if body.start_from else {}
    copied = sum(map(len, seed.values()))

    def begin_with(change: Change, name: str) -> None:
        for micrograph, xy in seed.items():
            change.write(str(picks_path(Path(name), micrograph)), format_star([picks_table(xy)]))

    launched = launch_as(project, LoadedJob("", job, options, False), begin_with)
    name = launched.name
    request.app.state.starter.keep(project, launched)
    record(project, person, f"manual picking {name}, {copied} picks to begin with")
    return {"name": name, "copied": copied}


@router.put("/picks/{folder}/{job}")
def save_picks(
    folder: Name, job: Name, body: Picks, request: Request, project: Asked, person: Asker
) -> dict[str, Any]:
    """Replace the picks of one micrograph in a Manual picking job."""
    name = job_of(project, folder, job)
    if not job_type(folder).interactive:
        raise HTTPException(409, f"{name} is not a Manual picking job: its picks are not edited")
    if len(body.x) != len(body.y):
        raise HTTPException(422, f"{len(body.x)} x but {len(body.y)} y coordinates")
    image_of(project, body.micrograph)
    picked = picks_table([*zip(body.x, body.y)])
    with project.change(f"picks in {name}") as change:
        change.write(str(picks_path(Path(name), body.micrograph)), format_star([picked]))
        forget_draft(change, "picks", body.micrograph, person.name, name)
    record(project, person, f"{len(body.x)} picks on {body.micrograph} in {name}")
    return {"count": len(body.x)}


@router.post("/picks/{folder}/{job}/finish", response_model=Named)
def finish_picks(folder: Name, job: Name, request: Request, project: Asked, person: Asker) -> dict[str, Any]:
    """Rebuild the lists of a Manual picking job, so that Extraction sees what was picked."""
    name = job_of(project, folder, job)
    asked = replace(loaded_job(project, name), is_continue=True)
    request.app.state.starter.keep(project, launch_as(project, asked))
    return {"name": name}


def _seed(project: Project, body: NewManualPick) -> dict[str, list[tuple[float, float]]]:
    """The picks (x, y) that the job begins with, of each micrograph that has some."""
    seed = {}
    for micrograph in micrograph_table(project, body.list).names:
        found = one_micrograph.picks(project, body.start_from, micrograph)
        least = body.min_fom if body.min_fom is not None else found["threshold"]
        xy = [
            (x, y)
            for index, (x, y) in enumerate(zip(found["x"], found["y"]))
            if least is None or found["fom"] is None or found["fom"][index] >= least
        ]
        if xy:
            seed[micrograph] = xy
    return seed


def _part(image: Bytes, at: int, level: int, column: int, row: int) -> Bytes:
    """A tile of another level cut out of one image (binned `2**at` times)."""
    import numpy as np

    if level < 0 or level > 12 or row < 0 or column < 0:
        raise HTTPException(404, "no such tile")
    step = 2.0 ** (level - at)  # image pixels per tile pixel
    y = ((np.arange(row * TILE, (row + 1) * TILE) + 0.5) * step).astype(int)
    x = ((np.arange(column * TILE, (column + 1) * TILE) + 0.5) * step).astype(int)
    y, x = y[y < image.shape[0]], x[x < image.shape[1]]
    if not (y.size and x.size):
        raise HTTPException(404, "no such tile")
    part: Bytes = image[np.ix_(y, x)]
    return part
