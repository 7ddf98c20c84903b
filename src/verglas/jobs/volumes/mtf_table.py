"""The MTF of a detector from a STAR file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verglas.formats.star import StarError
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.tables import read_items

if TYPE_CHECKING:
    from verglas.maps.postprocessing.sharpening import DetectorMtf

_LABELS = ("rlnResolutionInversePixel", "rlnMtfValue")


def read_mtf(path: str, pixel_size_angst: float) -> DetectorMtf:
    """The table for a detector pixel in Å. Raises NothingToDo, JobFailed naming what is wrong with it."""
    import torch

    from verglas.maps.postprocessing.sharpening import DetectorMtf

    try:
        _, table = read_items(path)
        missing = [label for label in _LABELS if label not in table]
        if missing:
            raise JobFailed(f"{path} is no MTF: it has no {' and no '.join(missing)}")
        frequencies, values = (torch.tensor(table.floats(label)) for label in _LABELS)
    except (StarError, ValueError) as error:
        raise JobFailed(f"{path} is no MTF: {error}") from error
    if pixel_size_angst <= 0:
        raise JobFailed(f"the MTF {path} needs the detector's pixel size: give --mtf_angpix")
    if not bool(((values >= 0) & (values <= 1.5)).all()) or bool((frequencies[1:] <= frequencies[:-1]).any()):
        raise JobFailed(
            f"{path} is no MTF: values from 0 to 1 at ascending frequencies are wanted, got values from "
            f"{float(values.min()):g} to {float(values.max()):g}"
        )
    return DetectorMtf(frequencies, values, pixel_size_angst)
