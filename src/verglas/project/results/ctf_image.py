"""The picture of the power spectrum and its fit that a list names for each micrograph."""

from __future__ import annotations

from functools import lru_cache

from verglas.formats.stack import strip_format
from verglas.formats.star import StarError
from verglas.project.confinement import read_table
from verglas.project.project import Project


def ctf_image_path(project: Project, list_path: str, micrograph: str) -> str | None:
    """`rlnCtfImage` of a micrograph without its `:mrc`; None if the list does not say."""
    try:
        changed = (project.root / list_path).stat().st_mtime_ns
    except OSError:
        return None
    return _ctf_images(project, list_path, changed).get(micrograph)


@lru_cache(maxsize=4)
def _ctf_images(project: Project, path: str, _changed: int) -> dict[str, str]:
    try:
        star = read_table(project, path)
    except (OSError, StarError):
        return {}
    for table in star.values():
        if "rlnMicrographName" in table and "rlnCtfImage" in table:
            images = [strip_format(each) for each in table.strings("rlnCtfImage")]
            return dict(zip(table.strings("rlnMicrographName"), images))
    return {}
