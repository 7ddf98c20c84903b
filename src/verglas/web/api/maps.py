"""Maps: smaller copies for the browser, sections, FSC curves, orientations."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from fastapi import HTTPException, Response

from verglas.formats.mrc import UnreadableImage, read_mrc_header
from verglas.jobs.contract.nodes import FINAL_MAP, HALF_MAP, LOCAL_RESOLUTION_MAP, MAP, MASK
from verglas.jobs.registry import job_type
from verglas.project.names import owner_of
from verglas.project.results import curves
from verglas.project.results.classes import models_of
from verglas.project.results.postprocess import postprocess
from verglas.web.api.common import Asked, FileName, image_of, picture, table_of
from verglas.web.models import pictures as shapes
from verglas.web.pictures.volumes import contour_level, map_bytes, slice_png, small_map
from verglas.web.serving import routes

router = routes.router("/api/p/{pid}/maps", "maps")
_MAPS = (MAP, MASK, HALF_MAP, FINAL_MAP, LOCAL_RESOLUTION_MAP)
MAX_SIDE = 192


@router.get("", response_model=shapes.MapsShown)
def maps(project: Asked) -> dict[str, Any]:
    """Maps on disc: outputs of jobs, and every iteration's class maps."""
    found = [
        node.name
        for node in project.graph().nodes.values()
        if node.type in _MAPS and project.exists(node.name)
    ]
    for name, process in project.graph().processes.items():
        if job_type(process.folder).class_dims == 3:
            base = project.root / name
            found += [name + path.name for path in sorted(base.glob("run*_class*.mrc"))]
    found += [path.name for path in sorted(project.root.glob("*.mrc"))[:200] if _is_cube(path)]
    known = list(dict.fromkeys(found))
    models = {name: curves.model_of_map(project, name) for name in known}
    return {"maps": known, "models": {name: model for name, model in models.items() if model}}


@router.get("/iterations", response_model=shapes.ModelList)
def iterations(model: FileName, project: Asked) -> dict[str, Any]:
    """The models of all iterations of the job that a model file belongs to, first to last."""
    table_of(project, model)
    owner = owner_of(model)
    return {"models": models_of(project, owner) if owner else [model]}


@router.get("/volume")
def volume(path: FileName, project: Asked, side: int = 96) -> Response:
    """The map at most `side` voxels wide, as MRC; headers tell voxel size (Å) and contour level."""
    data, voxel = small_map(image_of(project, path), max(16, min(side, MAX_SIDE)))
    answer = picture(map_bytes(data, voxel), "application/octet-stream", lasting=False)
    answer.headers["x-voxel"] = f"{voxel:.6g}"
    answer.headers["x-mean"], answer.headers["x-deviation"] = (f"{data.mean():.6g}", f"{data.std():.6g}")
    answer.headers["x-maximum"] = f"{data.max():.6g}"
    answer.headers["x-level"] = f"{contour_level(data):.6g}"
    return answer


@router.get("/slice")
def section(
    path: FileName, project: Asked, axis: Literal["x", "y", "z"] = "z", position: float = 0.5
) -> Response:
    """One section at a fraction 0..1 of an axis."""
    try:
        return picture(slice_png(image_of(project, path), axis, position), "image/png", lasting=False)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None


@router.get("/curves", response_model=list[shapes.Curve])
def fsc(path: FileName, project: Asked) -> list[dict[str, Any]]:
    """FSC and SSNR curves of a model or postprocess file."""
    table_of(project, path)
    return curves.fsc_curves(project, path)


@router.get("/postprocess", response_model=shapes.PostprocessShown)
def postprocessed(path: FileName, project: Asked) -> dict[str, Any]:
    """Resolution and why, B-factor, Guinier plot, and what is not to be trusted, of a postprocess.star."""
    table_of(project, path)
    return postprocess(project, path)


@router.get("/angles", response_model=shapes.Orientations)
def angles(path: FileName, project: Asked) -> dict[str, Any]:
    """How many particles look along each direction (equal-area cells)."""
    table_of(project, path)
    return curves.angles(project, path)


def _is_cube(path: Path) -> bool:
    try:
        header = read_mrc_header(path)
    except (OSError, UnreadableImage):
        return False
    return header.n_images > 1 and header.n_images == header.shape_yx[0]
