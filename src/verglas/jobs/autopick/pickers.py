"""From the flags of Auto-picking to a picker: settings, references, projections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from verglas.formats.mrc import read_mrc
from verglas.formats.stack import parse_image_name, read_images, strip_format
from verglas.formats.star import read_star
from verglas.jobs.autopick.network import read_network
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from verglas.optics import CtfParameters
    from verglas.picking.dirty_areas import DirtyAreas
    from verglas.picking.filament_picker import TubeSettings
    from verglas.picking.log_picker import LogSettings
    from verglas.picking.network import PickingNetwork
    from verglas.picking.picks import Picks
    from verglas.picking.template_bank import TemplateBank
    from verglas.picking.template_picker import TemplateSettings

_REFERENCE_LABELS = ("rlnReferenceImage", "rlnImageName")
AUTOMATIC_DIAMETER = 0.9  # of the reference box, where no mask diameter is given


@dataclass(frozen=True)
class Scene:
    """One micrograph to pick, and what is known about it."""

    micrograph: Tensor  # (y, x)
    pixel_size_angst: float
    ctf: CtfParameters | None
    dirty: DirtyAreas | None


class Picker(ABC):
    """Finds candidates in one micrograph; made once for a job."""

    diameter_angst: float  # of the largest particle

    @abstractmethod
    def pick(self, scene: Scene) -> Picks:
        """All candidates. Raises ValueError for a micrograph that cannot be picked."""


@dataclass
class BlobPicker(Picker):
    """Laplacian of Gaussian and the profile it learns."""

    settings: LogSettings

    def __post_init__(self) -> None:
        self.diameter_angst = self.settings.largest_diameter_angst

    def pick(self, scene: Scene) -> Picks:
        from verglas.picking.log_picker import pick_blobs

        return pick_blobs(scene.micrograph, scene.pixel_size_angst, self.settings, scene.dirty)


@dataclass
class TemplatePicker(Picker):
    """Matched filters."""

    bank: TemplateBank
    settings: TemplateSettings

    def __post_init__(self) -> None:
        self.diameter_angst = self.bank.diameter_angst

    def pick(self, scene: Scene) -> Picks:
        from verglas.picking.template_picker import pick_with_templates

        return pick_with_templates(
            scene.micrograph,
            scene.pixel_size_angst,
            self.bank.to(scene.micrograph.device),
            self.settings,
            scene.ctf,
            scene.dirty,
        )


@dataclass
class FilamentPicker(TemplatePicker):
    """Segments along filaments, found by matched filters."""

    tubes: TubeSettings

    def pick(self, scene: Scene) -> Picks:
        from verglas.picking.filament_picker import pick_filaments

        return pick_filaments(
            scene.micrograph,
            scene.pixel_size_angst,
            self.bank.to(scene.micrograph.device),
            self.settings,
            self.tubes,
            scene.ctf,
            scene.dirty,
        )


@dataclass
class NetworkPicker(Picker):
    """The small network trained on a person's picks."""

    network: PickingNetwork

    def __post_init__(self) -> None:
        self.diameter_angst = self.network.diameter_angst

    def pick(self, scene: Scene) -> Picks:
        from verglas.picking.network import pick_with_network

        return pick_with_network(scene.micrograph, scene.pixel_size_angst, self.network, scene.dirty)


@dataclass
class TopazPicker(Picker):
    """The user's own topaz program."""

    flags: dict[str, Any]

    def __post_init__(self) -> None:
        self.diameter_angst = self.flags["--particle_diameter"]

    def pick(self, scene: Scene) -> Picks:
        from verglas.jobs.autopick.topaz import pick_with_topaz

        image, device = scene.micrograph.cpu().numpy(), str(scene.micrograph.device)
        picks = pick_with_topaz(image, scene.pixel_size_angst, self.flags, device)
        return picks if scene.dirty is None else picks.take(~scene.dirty.holds(picks.xy))


def picker_of(arguments: Arguments) -> Picker:
    """The picker these flags ask for; the same object for the same flags in one process.

    Raises JobFailed where flags or references make no sense.
    """
    return _made(tuple(sorted(arguments.items())))


@lru_cache(maxsize=4)
def _made(items: tuple[tuple[str, Any], ...]) -> Picker:
    flags = dict(items)
    try:
        if flags["--LoG"]:
            return _blob_picker(flags)
        if flags["--topaz"]:
            return TopazPicker(flags)
        if flags["--network"]:
            return NetworkPicker(read_network(flags["--network_model"]))
        if not flags["--ref"]:
            raise JobFailed("no references given (--ref), and no other method (--LoG, --network, --topaz)")
        return _template_picker(flags)
    except (ValueError, OSError) as error:
        raise JobFailed(str(error)) from error


def _blob_picker(flags: dict[str, Any]) -> Picker:
    from verglas.picking.log_picker import LogSettings

    resolution = flags["--lowpass"] if flags["--lowpass"] > 0 else 20.0
    return BlobPicker(
        LogSettings(
            flags["--LoG_diam_min"],
            flags["--LoG_diam_max"],
            resolution_angst=resolution,
            white_particles=flags["--Log_invert"],
            neighbour_fraction=flags["--LoG_neighbour"] / 100,
        )
    )


def _template_picker(flags: dict[str, Any]) -> Picker:
    from verglas.picking.template_picker import TemplateSettings

    references, pixel = read_references(flags["--ref"], flags["--angpix_ref"])
    box_angst = references.shape[-1] * pixel
    diameter = flags["--particle_diameter"]
    diameter = diameter if diameter > 0 else AUTOMATIC_DIAMETER * box_angst
    common: dict[str, Any] = {
        "diameter_angst": diameter,
        "psi_step_deg": flags["--ang"],
        "resolution_angst": flags["--lowpass"] if flags["--lowpass"] > 0 else 20.0,
    }
    settings = TemplateSettings(
        flags["--min_distance"] if flags["--min_distance"] > 0 else 0.5 * box_angst,
        white_particles=not flags["--invert"],
        shrink=flags["--shrink"] if 0 < flags["--shrink"] < 1 else 0.0,
        ctf_intact_first_peak=flags["--ctf_intact_first_peak"],
        threshold_fraction=None if flags["--auto_threshold"] else flags["--threshold"],
        highpass_angst=flags["--highpass"],
        max_noise_deviation=flags["--max_stddev_noise"],
        min_noise_average=flags["--min_avg_noise"],
    )
    bank = _bank(references, pixel, flags, common)
    if flags["--helix"]:
        return FilamentPicker(bank, settings, _tubes(flags, diameter, settings.distance_angst))
    return TemplatePicker(bank, settings)


def _tubes(flags: dict[str, Any], mask_diameter_angst: float, step_angst: float) -> TubeSettings:
    """Curvature is given in units of that of a circle as large as the mask of the references."""
    from verglas.picking.filament_picker import TubeSettings

    return TubeSettings(
        flags["--helical_tube_outer_diameter"],
        flags["--helical_tube_kappa_max"] * 2 / mask_diameter_angst,
        step_angst,
        flags["--helical_tube_length_min"],
    )


def _bank(
    references: np.ndarray, pixel: float, flags: dict[str, Any], common: dict[str, Any]
) -> TemplateBank:
    import torch

    from verglas.geometry import PointGroup, healpix_directions
    from verglas.picking.template_bank import bank_of_images, bank_of_map

    images = torch.from_numpy(references)
    if not _is_map(flags["--ref"], references):
        return bank_of_images(images, pixel, **common)
    order = int(flags["--healpix_order"])
    kept = PointGroup.of(flags["--sym"]).asymmetric_pixels(order)
    directions = healpix_directions(order)[kept]
    return bank_of_map(images, pixel, directions, **common)


def _is_map(path: str, references: np.ndarray) -> bool:
    """A cube in a file that is not called a stack."""
    n = references.shape[-1]
    return references.shape == (n, n, n) and strip_format(path).endswith((".mrc", ".map"))


def read_references(path: str, pixel_size_angst: float) -> tuple[np.ndarray, float]:
    """2D references (n, N, N) or a map (N, N, N), and their pixel size (the file's where not given).

    `path` is a stack, a map, a STAR file naming images, or one image of a stack (`000001@stack`).
    """
    if path.endswith(".star"):
        images, header_pixel = _from_star(path)
    else:
        image = read_mrc(strip_format(path))
        images, header_pixel = image.data, image.pixel_size_angst
    images = images[None] if images.ndim == 2 else images
    pixel = pixel_size_angst if pixel_size_angst > 0 else header_pixel
    if not pixel > 0:
        raise ValueError(f"{path} does not say its pixel size; give --angpix_ref")
    if images.shape[-1] != images.shape[-2]:
        raise ValueError(f"references must be square, {path} holds {images.shape[-2:]}")
    return images, float(pixel)


def _from_star(path: str) -> tuple[np.ndarray, float]:
    star = read_star(path)
    for table in star.values():
        label = next((name for name in _REFERENCE_LABELS if name in table), None)
        if label is None:
            continue
        names = [parse_image_name(name) for name in table.strings(label)]
        images = [(strip_format(file), index or 0) for file, index in names]
        pixel = read_mrc(images[0][0]).pixel_size_angst
        return read_images(images), pixel
    raise ValueError(f"{path} names no images ({' or '.join(_REFERENCE_LABELS)})")
