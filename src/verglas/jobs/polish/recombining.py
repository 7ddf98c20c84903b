"""One micrograph: its frames added up along the tracks, with the weights of the whole data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from verglas.em.images.transfer import ctf_parameters
from verglas.formats.mrc import read_mrc
from verglas.formats.stack import image_name
from verglas.formats.stack_writer import write_stack
from verglas.formats.star import StarError, StarTable, write_star
from verglas.fourier import frequency_grid
from verglas.jobs.contract.set_aside import SetAside
from verglas.jobs.polish.files import PolishFiles, read_tracks
from verglas.jobs.polish.inputs import MicrographItem, motion_of
from verglas.jobs.polish.movie_flags import adjusted
from verglas.jobs.polish.settings import Boxes, boxes_of
from verglas.jobs.refine.images.geometry import image_geometry
from verglas.maps.prediction import ImageFrame, ImageGeometry
from verglas.polish.recombination import OutputImages, recombined

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.polish.frame_weights import FrameWeights

Flags = Mapping[str, Any]


def recombine(
    item: MicrographItem, files: PolishFiles, weights: FrameWeights | None, optics: StarTable, flags: Flags
) -> None:
    """Polished particles of a micrograph: stack, then list. Raises SetAside.

    `weights` has a row for every frame from --first_frame on. A micrograph whose movie nobody recorded gives
    particles of its plain sum.
    """
    motion, group = motion_of(item), item.group()
    frames: Iterable[Any]
    if motion is None:
        frames, places, boxes, mixed = _plain(item, flags)
    else:
        motion = adjusted(motion, flags)
        used = motion.used(flags["--first_frame"], flags["--last_frame"])
        boxes = boxes_of(flags, group.box_size, group.pixel_size_angst, motion.pixel_size_angst)
        try:
            tracks = read_tracks(files.tracks)
        except (OSError, StarError, KeyError) as error:
            raise SetAside(f"the tracks {files.tracks} cannot be read: {error}") from error
        if tracks.shape[:2] != (len(item.table), len(used)):
            raise SetAside(
                f"{files.tracks} has tracks of {tracks.shape[0]} particles in {tracks.shape[1]} frames; there "
                f"are {len(item.table)} in {len(used)}: it is of another list"
            )
        if weights is None:
            raise SetAside("there are no frame weights")
        places = item.places_yx()[:, None] * motion.binning + tracks / motion.pixel_size_angst
        mixed = _mixed(weights, used.start - flags["--first_frame"] + 1, len(used), boxes)
        frames = motion.frames(motion.open(), used)
    transfer = _transfer(item, boxes) if flags["--ctf_multiply"] else None
    output = OutputImages(boxes.window_px, boxes.scale_px, boxes.crop_px)
    images = recombined(frames, places, mixed, output, transfer)
    files.root.parent.mkdir(parents=True, exist_ok=True)
    write_stack(
        files.stack, images, boxes.pixel_size_angst, dtype=np.float16 if flags["--float16"] else np.float32
    )
    names = [image_name(str(files.stack), index) for index in range(len(images))]
    write_star(files.list, [optics, item.table.named("particles").with_columns({"rlnImageName": names})])


def _mixed(weights: FrameWeights, start: int, count: int, boxes: Boxes) -> Tensor:
    """(F, N, N//2+1) float32 of the frames of one movie, adding up to 1."""
    part = weights.rows(start, start + count)
    radius = frequency_grid(boxes.scale_px, boxes.pixel_size_angst).double().square().sum(-1).sqrt()
    return torch.from_numpy(part.of_band(radius.numpy())).float()


def _plain(item: MicrographItem, flags: Flags) -> tuple[list[Any], Any, Boxes, Tensor]:
    """The sum as a movie of one frame."""
    try:
        image = read_mrc(item.name)
    except (OSError, ValueError) as error:
        raise SetAside(f"it has no motion metadata, and its sum cannot be read: {error}") from error
    group = item.group()
    pixel = image.pixel_size_angst if image.pixel_size_angst > 0 else group.pixel_size_angst
    boxes = boxes_of(flags, group.box_size, group.pixel_size_angst, pixel)
    weights = torch.ones((1, boxes.scale_px, boxes.scale_px // 2 + 1))
    return [image.data], item.places_yx()[:, None], boxes, weights


def _transfer(item: MicrographItem, boxes: Boxes) -> Tensor:
    """The CTF of every particle in the polished boxes."""
    assert item.particles is not None
    found = torch.empty((len(item.table), boxes.scale_px, boxes.scale_px // 2 + 1))
    for number in np.unique(item.particles.optics_group):
        rows = np.flatnonzero(item.particles.optics_group == number)
        group = item.particles.optics[number]
        shape = image_geometry(group)
        geometry = ImageGeometry(
            boxes.scale_px, boxes.pixel_size_angst, shape.voltage_kv, shape.cs_mm,
            magnification=shape.magnification,
        )  # fmt: skip
        frame = ImageFrame(geometry, geometry.extent_angst)
        found[rows] = frame.transfer(ctf_parameters(item.particles, rows, group))
    return found
