"""Back-projection of particles at their stored poses: what relion_reconstruct does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from verglas.compute.progress import MouseProgress, Progress
from verglas.formats.mrc import write_mrc
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments, Flag, Program
from verglas.jobs.contract.tables import read_items
from verglas.jobs.refine.files.particles import read_particles
from verglas.jobs.refine.images.geometry import image_geometry, poses_of
from verglas.jobs.refine.images.stacks import StackSource

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.fourier import BackProjector
    from verglas.maps.ewald import EwaldInserter
    from verglas.maps.prediction import ImageFrame

Say = Callable[[str], None]
Ints = npt.NDArray[np.int64]
BATCH = 256
FIGURE_OF_MERIT = "rlnParticleFigureOfMerit"
_CTF, _EWALD, _EXPERT = "CTF options", "Ewald sphere", "Expert options"
_GRIDDING = "weights are divided once, as in refinement"
PROGRAM = Program(
    "reconstruct",
    {
        flag.name: flag
        for flag in (
            Flag("--i", "", "Particles with orientations", required=True),
            Flag("--o", "relion.mrc", "Output map"),
            Flag("--sym", "c1", "Point group"),
            Flag("--maxres", -1.0, "Use frequencies up to this resolution (Å); by default to Nyquist"),
            Flag("--pad", 2.0, "Padding factor"),
            Flag("--subset", -1, "1 or 2: particles of that half only"),
            Flag("--class", -1, "Particles of this class only"),
            Flag("--angpix", -1.0, "Pixel size of the map (Å); by default of the first optics group"),
            Flag("--ctf", False, "Correct for the CTF", _CTF),
            Flag("--ctf_intact_first_peak", False, "CTF = 1 up to its first peak", _CTF),
            Flag("--ctf_phase_flipped", False, "The images were phase flipped", _CTF),
            Flag("--only_flip_phases", False, "Correct phases, not amplitudes", _CTF),
            Flag("--ewald", False, "Correct for the curvature of the Ewald sphere (with --ctf)", _EWALD),
            Flag(
                "--mask_diameter",
                -1.0,
                "Diameter of the particle (Å): its twins beyond it are cut off",
                _EWALD,
            ),
            Flag("--width_mask_edge", 3.0, "Width of the mask's soft edge (px)", _EWALD),
            Flag("--reverse_curvature", False, "The sphere is curved the other way", _EWALD),
            Flag("--skip_mask", False, "Do not cut twins off", _EWALD),
            Flag("--sectors", 2, "", _EWALD, unneeded="the whole plane is transformed: no line divides it"),
            Flag("--fom_weighting", False, f"Weight particles by {FIGURE_OF_MERIT}", _EXPERT),
            Flag("--angular_error", 0.0, "Deviation of random errors of angles (degrees)", _EXPERT),
            Flag("--shift_error", 0.0, "Deviation of random errors of shifts (Å)", _EXPERT),
            Flag("--fsc", "", "STAR file with an FSC for a Wiener filter", _EXPERT),
            Flag("--random_seed", 1, "Seed of the random errors", _EXPERT),
            Flag("--j", 1, "Threads", _EXPERT),
            Flag("--skip_gridding", False, _GRIDDING, _EXPERT, unneeded=_GRIDDING),
            Flag("--iter", 10, _GRIDDING, _EXPERT, unneeded=_GRIDDING),
            Flag("--verb", 1, "", _EXPERT, unneeded="progress is always shown"),
        )
    },
    "a map of particles whose orientations are known",
    "relion_reconstruct",
)


def reconstruct_particles(flags: Arguments, say: Say = print, progress: Progress | None = None) -> None:
    """Do what the flags say. Raises JobFailed, NothingToDo, ValueError, OSError."""
    _Reconstruction(flags, say, progress or MouseProgress()).run()


class _Reconstruction:
    def __init__(self, flags: Arguments, say: Say, progress: Progress) -> None:
        self.flags, self.say, self.progress = flags, say, progress
        self.listed = read_particles(flags["--i"], with_ctf=flags["--ctf"])
        first = self.listed.particles.optics[0]
        self.box = first.box_size
        self.pixel = first.pixel_size_angst
        if flags["--angpix"] > 0:
            self.box = _even(first.box_size * first.pixel_size_angst / flags["--angpix"])
            self.pixel = first.box_size * first.pixel_size_angst / self.box
        self.rng = np.random.default_rng(flags["--random_seed"])
        self.weights = self._weights()
        self._check_ewald()

    def _check_ewald(self) -> None:
        flags = self.flags
        if not flags["--ewald"]:
            return
        others = ("--ctf_intact_first_peak", "--ctf_phase_flipped", "--only_flip_phases")
        wrong = [flag for flag in others if flags[flag]]
        if not flags["--ctf"] or wrong:
            raise JobFailed(f"--ewald needs --ctf and cannot go with {', '.join(wrong or others)}")
        if flags["--mask_diameter"] <= 0 and not flags["--skip_mask"]:
            raise JobFailed(
                "--ewald needs --mask_diameter, the diameter of the particle in Å, or --skip_mask"
            )

    def run(self) -> None:
        import torch

        from verglas.fourier import BackProjector
        from verglas.geometry import PointGroup

        flags = self.flags
        torch.set_num_threads(max(flags["--j"], torch.get_num_threads()))
        rows = self._chosen()
        size = self.box
        if flags["--maxres"] > 0:
            size = min(size, 2 * round(self.box * self.pixel / flags["--maxres"]))
        sums = BackProjector.empty(self.box, size, padding=flags["--pad"])
        self._insert(sums, rows)
        sums.make_hermitian()
        sums.symmetrise(PointGroup.of(flags["--sym"]).operators)
        volume = self._solved(sums)
        Path(flags["--o"]).parent.mkdir(parents=True, exist_ok=True)
        write_mrc(flags["--o"], volume.numpy(), self.pixel)
        self.say(f" Written: {flags['--o']} ({len(rows)} particles, {self.pixel:g} Å per pixel)")

    def _chosen(self) -> Ints:
        table, flags = self.listed.table, self.flags
        kept = np.ones(len(table), bool)
        for flag, label in (("--subset", "rlnRandomSubset"), ("--class", "rlnClassNumber")):
            if flags[flag] > 0:
                if label not in table:
                    raise JobFailed(f"{flag} needs {label}, which {flags['--i']} has not")
                kept &= table.ints(label) == flags[flag]
        rows = np.flatnonzero(kept)
        if not len(rows):
            raise JobFailed(f"{flags['--i']}: no particle is of that half and class")
        return rows

    def _insert(self, sums: BackProjector, rows: Ints) -> None:
        particles = self.listed.particles
        boxes = np.array([group.box_size for group in particles.optics])[particles.optics_group]
        source = StackSource(particles.names, boxes)
        self.progress.start("Back-projecting all images ...", len(rows))
        done = 0
        for number in range(len(particles.optics)):
            chosen = rows[particles.optics_group[rows] == number]
            frame = self._frame(number)
            spheres = self._spheres(frame)
            for start in range(0, len(chosen), BATCH):
                batch = chosen[start : start + BATCH]
                images = source.read(batch)
                good = np.isfinite(images).all(axis=(1, 2))
                self._add(sums, frame, spheres, batch[good], number, images[good])
                done += len(batch)
                self.progress.update(done)
        source.close()
        for row, reason in source.problems.items():
            self.say(f" WARNING: {particles.names[row]} is left out: {reason}")
        if len(source.problems) == len(rows):
            raise JobFailed(f"{self.flags['--i']}: not one image could be read")

    def _frame(self, number: int) -> ImageFrame:
        from verglas.maps.prediction import CtfUse, ImageFrame

        flags = self.flags
        use = CtfUse(
            flags["--ctf"],
            flags["--ctf_intact_first_peak"],
            flags["--ctf_phase_flipped"],
            flags["--only_flip_phases"],
        )
        geometry = image_geometry(self.listed.particles.optics[number])
        return ImageFrame(geometry, self.box * self.pixel, use)

    def _spheres(self, frame: ImageFrame) -> EwaldInserter | None:
        from verglas.maps.ewald import EwaldInserter, EwaldSettings

        flags = self.flags
        if not flags["--ewald"]:
            return None
        masked = not flags["--skip_mask"]
        diameter = flags["--mask_diameter"] if masked else frame.geometry.extent_angst
        settings = EwaldSettings(diameter, flags["--width_mask_edge"], flags["--reverse_curvature"], masked)
        return EwaldInserter(frame, self.box * self.pixel, settings)

    def _add(
        self,
        sums: BackProjector,
        frame: ImageFrame,
        spheres: EwaldInserter | None,
        rows: Ints,
        number: int,
        images: Any,
    ) -> None:
        import torch

        from verglas.em.images.transfer import ctf_parameters

        if not len(rows):
            return
        particles = self.listed.particles
        pixel = frame.geometry.pixel_size_angst
        poses = poses_of(self.listed.assignments, rows, pixel, one_class=True)
        angles = poses.angles_deg + self._errors((len(rows), 3), self.flags["--angular_error"])
        shifts = poses.origins_yx_px + self._errors((len(rows), 2), self.flags["--shift_error"] / pixel)
        values = frame.centred(torch.from_numpy(images), shifts)
        values[:, 0, 0] = 0  # the mean of an image says nothing of the particle
        parameters = ctf_parameters(particles, rows, particles.optics[number])
        if spheres is not None:
            weights = torch.from_numpy(self.weights[rows]).float()
            spheres.insert(sums, values, parameters, angles, weights)
            return
        transfer = frame.transfer(parameters)
        weight = torch.from_numpy(self.weights[rows]).float()[:, None, None]
        premultiplied = frame.geometry.ctf_premultiplied and frame.use.apply
        data, power = (values, transfer) if premultiplied else (values * transfer, transfer.square())
        sums.insert(data * weight, power * weight, frame.matrices(angles))

    def _errors(self, shape: tuple[int, int], deviation: float) -> Tensor:
        import torch

        return torch.from_numpy(self.rng.normal(0, 1, shape) * deviation)

    def _weights(self) -> npt.NDArray[np.float64]:
        table = self.listed.table
        if not self.flags["--fom_weighting"]:
            return np.ones(len(table))
        if FIGURE_OF_MERIT not in table:
            raise JobFailed(f"--fom_weighting needs {FIGURE_OF_MERIT}")
        return np.asarray(table.floats(FIGURE_OF_MERIT))

    def _solved(self, sums: BackProjector) -> Tensor:
        import torch

        from verglas.maps import reconstruct
        from verglas.maps.spectra import noise_power

        if not self.flags["--fsc"]:
            return reconstruct(sums)[0]
        _, table = read_items(self.flags["--fsc"], "fsc")
        label = next((name for name in table.labels if name.startswith("rlnFourierShellCorr")), "")
        if not label or len(table) != self.box // 2 + 1:
            raise JobFailed(
                f"{self.flags['--fsc']}: an FSC of {self.box // 2 + 1} shells is wanted, got {len(table)}"
            )
        curve = torch.from_numpy(np.clip(table.floats(label), 0.001, 0.999))
        tau2 = noise_power(sums)[0] * curve / (1 - curve)
        return reconstruct(sums, tau2[None])[0]


def _even(value: float) -> int:
    return 2 * round(value / 2)
