"""Mask creation: a soft mask of a map, of an atomic model, or from nothing (pipeline.md §4.14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verglas.formats.mrc import write_mrc
from verglas.jobs.contract.base import Job, JobFailed, JobType
from verglas.jobs.contract.nodes import MASK, Node
from verglas.jobs.contract.program import Arguments, Flag, Program
from verglas.jobs.maskcreate.options import COMBINATIONS, MaskCreateOptions
from verglas.jobs.volumes.half_maps import read_half_maps
from verglas.jobs.volumes.reading import Volume, check_same_grid, read_volume

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.maps.mask_creation import MaskShape
    from verglas.maps.near_distance import Region

ATOM_RADIUS_ANGST = 3.0  # what a mask of a model adds around each atom
_DE_NOVO = "De novo mask creation"
_EXTRA = (
    Flag("--o", "mask.mrc", "Output mask"),
    Flag("--and", "", "Another map: voxels above the threshold in both"),
    Flag("--or", "", "Another map: voxels above the threshold in either"),
    Flag("--and_not", "", "Another map: above the threshold in the first, not in this one"),
    Flag("--or_not", "", "Another map: above the threshold in the first, or not in this one"),
    Flag("--denovo", False, "Make a spherical mask of no map", _DE_NOVO),
    Flag("--box_size", -1, "Box of that mask (pixels)", _DE_NOVO),
    Flag("--inner_radius", 0.0, "Inner radius (pixels)", _DE_NOVO),
    Flag("--outer_radius", 99999.0, "Outer radius (pixels)", _DE_NOVO),
    Flag("--center_x", 0.0, "Centre from the middle of the box (pixels)", _DE_NOVO),
    Flag("--center_y", 0.0, "Centre from the middle of the box (pixels)", _DE_NOVO),
    Flag("--center_z", 0.0, "Centre from the middle of the box (pixels)", _DE_NOVO),
)
_DEFAULTS = {"--ini_threshold": 0.01, "--extend_inimask": 0.0, "--width_soft_edge": 0.0, "--lowpass": -1.0}


class MaskCreation(Job):
    """Cut a map at a threshold (given, proposed or automatic), extend it, give it a soft edge."""

    type: ClassVar[JobType] = JobType("MaskCreate", "relion.maskcreate", 12, "Mask creation")
    Options = MaskCreateOptions
    program: ClassVar[Program] = Program.of(
        "maskcreate",
        MaskCreateOptions,
        _EXTRA,
        defaults=_DEFAULTS,
        relion_name="relion_mask_create",
        summary="a soft mask of a map, a model, or a sphere",
    )

    @classmethod
    def expected_outputs(cls, options: MaskCreateOptions, directory: str) -> list[Node]:
        return [Node(f"{directory}mask.mrc", MASK)]

    @classmethod
    def output_flags(cls, options: MaskCreateOptions, directory: str, is_continue: bool) -> list[str]:
        combined = [f"--{options.combination}", options.fn_combine] if options.fn_combine else []
        return ["--o", f"{directory}mask.mrc", *combined]

    @classmethod
    def check(cls, options: MaskCreateOptions) -> list[str]:
        if not options.fn_in and not (options.do_auto and options.fn_half):
            return ["Input 3D map: is empty"]
        return []

    def run(self) -> None:
        flags = self.arguments
        _set_threads(flags["--j"])
        if flags["--denovo"]:
            mask, pixel = _sphere(flags), max(flags["--angpix"], 1.0)
        elif flags["--auto"]:
            mask, pixel = self._automatic()
        else:
            volume = read_volume(_required(flags), flags["--angpix"])
            mask, pixel = self._of_region(volume), volume.pixel_size_angst
        self._report(mask)
        write_mrc(flags["--o"], mask.numpy(), pixel)

    def _of_region(self, volume: Volume) -> Tensor:
        from verglas.maps.mask_creation import mask_of

        region = self._around_model(volume) if self.arguments["--model"] else self._cut(volume)
        return mask_of(region, self._shape())

    def _cut(self, volume: Volume) -> Region:
        from verglas.fourier import low_pass
        from verglas.maps.auto_mask import propose_threshold, smooth
        from verglas.maps.mask_creation import region_above

        flags, pixel = self.arguments, volume.pixel_size_angst
        filtered = volume.tensor
        if flags["--lowpass"] > 0:
            filtered = low_pass(filtered, pixel, flags["--lowpass"])
        try:
            proposed = propose_threshold(smooth(filtered, pixel))
            self.context.say(f" Proposed threshold: {proposed.value:.4g} ({proposed.reason})")
        except ValueError as error:
            if flags["--auto_threshold"]:
                raise
            self.context.warn(f" WARNING: {error}")
        threshold = proposed.value if flags["--auto_threshold"] else flags["--ini_threshold"]
        return region_above(filtered, threshold, others=self._others(volume))

    def _others(self, volume: Volume) -> list[tuple[Any, Tensor]]:
        found = []
        for how in COMBINATIONS:
            name = self.arguments[f"--{how}"]
            if name:
                other = read_volume(name, self.arguments["--angpix"])
                check_same_grid(other, volume, "map")
                found.append((how, other.tensor))
        return found

    def _around_model(self, volume: Volume) -> Region:
        from verglas.jobs.volumes.models import atoms_in_box
        from verglas.maps.mask_creation import extend

        radius_px = ATOM_RADIUS_ANGST / volume.pixel_size_angst
        return extend(atoms_in_box(self.arguments["--model"], volume), radius_px)

    def _automatic(self) -> tuple[Tensor, float]:
        from verglas.maps.auto_mask import automatic_mask

        flags = self.arguments
        if flags["--half"]:
            one, two = read_half_maps(flags["--half"], pixel_size_angst=flags["--angpix"])
            found = automatic_mask(one.tensor, two.tensor, one.pixel_size_angst)
        else:
            one = read_volume(_required(flags), flags["--angpix"])
            found = automatic_mask(one.tensor, None, one.pixel_size_angst)
        say = self.context.say
        say(f" Threshold {found.threshold.value:.4g} of the smoothed map ({found.threshold.reason})")
        say(f" Extended by {found.extend_px:.1f} px, soft edge of {found.soft_edge_px:.1f} px")
        if found.curves is not None:
            say(f" FSC with random phases at the resolution: {found.random_fsc:.3f}")
        for warning in found.warnings:
            self.context.warn(f" WARNING: {warning}")
        mask = 1 - found.mask if flags["--invert"] else found.mask
        return mask, one.pixel_size_angst

    def _shape(self) -> MaskShape:
        from verglas.maps.mask_creation import MaskShape

        flags = self.arguments
        return MaskShape(
            flags["--extend_inimask"],
            flags["--width_soft_edge"],
            fill=flags["--fill"],
            central_z_share=flags["--z_percentage"] if flags["--helix"] else 1.0,
            invert=flags["--invert"],
        )

    def _report(self, mask: Tensor) -> None:
        share = float((mask > 0.5).double().mean())
        self.context.say(f" The mask covers {share:.1%} of the box")
        if share <= 0 or share >= 1:
            self.context.warn(" WARNING: the mask covers nothing or everything: check the threshold")


def _required(flags: Arguments) -> str:
    name = str(flags["--i"])
    if not name:
        raise JobFailed("--i says which map the mask is made of")
    return name


def _set_threads(count: int) -> None:
    import torch

    torch.set_num_threads(max(count, torch.get_num_threads()))


def _sphere(flags: Arguments) -> Tensor:
    import numpy as np
    import torch

    from verglas.maps.box_geometry import shifted
    from verglas.maps.mask_creation import spherical_shell

    size = flags["--box_size"]
    if size < 8:
        raise JobFailed(f"--denovo needs --box_size of 8 px or more, got {size}")
    outer = min(flags["--outer_radius"], size / 2)
    mask = spherical_shell(size, outer, flags["--inner_radius"], flags["--width_soft_edge"])
    centre = tuple(flags[f"--center_{axis}"] for axis in "xyz")
    if any(centre):
        mask = torch.from_numpy(np.asarray(shifted(mask.numpy(), centre)))
    return 1 - mask if flags["--invert"] else mask
