"""What the demo simulates, and the chain of jobs it schedules before any file exists."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from verglas.jobs.simulate.settings import SessionSettings

PARTICLE_DIAMETER_ANGST = 190.0
SYMMETRY = "D7"
FIRST_MAP = "InitialModel/job007/initial_model.mrc"
REFINED_MAP = "Refine3D/job008/run_class001.mrc"
FINEST = "--maximum_angular_sampling 1.8"  # the pixels of the demo need no finer one
FIRST_LOT = 8  # movies; the rest arrive while the first round runs


@dataclass(frozen=True)
class DemoPlan:
    """Sizes of the demo; `quick` is for the test suite."""

    session: SessionSettings = field(
        default_factory=lambda: SessionSettings(movies=12, particles=130, views=8, seed=7)
    )
    first_lot: int = FIRST_LOT
    classes: int = 12
    iterations: int = 25
    box: int = 160
    rescaled: int = 64
    defocus_bound_angst: float = 150.0
    three_d: bool = False  # the schedule goes on to a first map and its refinement
    mini_batches: int = 60

    @classmethod
    def quick(cls) -> DemoPlan:
        """Four small movies, four classes: the same way in a fraction of the time."""
        session = SessionSettings(movies=4, particles=30, views=4, seed=7, size=768, frames=10)
        small = 400.0  # a quarter of the pixels and half the dose leave fewer rings
        return cls(session, first_lot=2, classes=4, iterations=8, defocus_bound_angst=small)

    @property
    def n_particles(self) -> int:
        return self.session.movies * self.session.particles

    @property
    def map_pixel_angst(self) -> float:
        """Pixel size of the rescaled particles and of the maps."""
        return self.session.pixel_size_angst * self.box / self.rescaled

    def chain(self, cores: int) -> list[tuple[str, dict[str, Any]]]:
        """Job types in order with the options that differ from the defaults.

        Inputs name outputs of earlier jobs of the list, which have numbers 1, 2, ... in a new project.
        """
        session = self.session
        chain: list[tuple[str, dict[str, Any]]] = [
            (
                "Import",
                {
                    "fn_in_raw": f"Movies/*.{session.format}",
                    "angpix": session.pixel_size_angst,
                    "kV": session.voltage_kv,
                    "Cs": session.cs_mm,
                    "Q0": session.amplitude_contrast,
                },
            ),
            (
                "MotionCorr",
                {
                    "input_star_mics": "Import/job001/movies.star",
                    "fn_gain_ref": "gain.mrc",
                    "dose_per_frame": session.dose_per_frame_e_a2,
                    "nr_mpi": cores,
                },
            ),
            ("CtfFind", {"input_star_mics": "MotionCorr/job002/corrected_micrographs.star", "nr_mpi": cores}),
            (
                "AutoPick",
                {
                    "fn_input_autopick": "CtfFind/job003/micrographs_ctf.star",
                    "do_log": True,
                    "log_diam_min": 0.75 * PARTICLE_DIAMETER_ANGST,
                    "log_diam_max": PARTICLE_DIAMETER_ANGST,
                    "nr_mpi": cores,
                },
            ),
            (
                "Extract",
                {
                    "star_mics": "CtfFind/job003/micrographs_ctf.star",
                    "coords_suffix": "AutoPick/job004/coords_suffix_autopick.star",
                    "extract_size": self.box,
                    "do_rescale": True,
                    "rescale": self.rescaled,
                    "nr_mpi": cores,
                },
            ),
            (
                "Class2D",
                {
                    "fn_img": "Extract/job005/particles.star",
                    "nr_classes": self.classes,
                    "nr_iter": self.iterations,
                    "particle_diameter": 1.1 * PARTICLE_DIAMETER_ANGST,
                    "psi_sampling": 6.0,
                    "nr_threads": cores,
                },
            ),
        ]
        return chain + self._maps(cores) if self.three_d else chain

    def _maps(self, cores: int) -> list[tuple[str, dict[str, Any]]]:
        """From nothing to a map: what follows the 2D classes with `three_d`."""
        common = {
            "fn_img": "Extract/job005/particles.star",
            "particle_diameter": 1.1 * PARTICLE_DIAMETER_ANGST,
            "sym_name": SYMMETRY,
            "nr_threads": cores,
        }
        first = {"nr_iter": self.mini_batches}
        refinement = {"fn_ref": FIRST_MAP, "ini_high": 30.0, "other_args": FINEST}
        return [("InitialModel", common | first), ("Refine3D", common | refinement)]
