"""CTF refinement: CTFs of particles and aberrations of optics groups, against a map (pipeline.md §4.19)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from verglas.jobs.contract.base import JobType
from verglas.jobs.contract.micrograph_job import Item, MicrographJob
from verglas.jobs.contract.nodes import LOGFILE, PARTICLES, Node
from verglas.jobs.contract.program import Program
from verglas.jobs.contract.tables import output_root
from verglas.jobs.ctfrefine.flags import EXTRA, settings_of
from verglas.jobs.ctfrefine.inputs import ROWS, RefinementInputs, read_refinement_inputs
from verglas.jobs.ctfrefine.options import CtfRefineOptions

if TYPE_CHECKING:
    from verglas.ctf.refinement.micrograph import FitSettings
    from verglas.jobs.ctfrefine.gathering import Gathering
    from verglas.jobs.ctfrefine.views import Matrix
    from verglas.jobs.ctfrefine.work import MicrographWork


MANY, EVERY = 16, 4  # from so many micrographs on, the first passes over the magnification take every fourth


class CtfRefinement(MicrographJob[RefinementInputs]):
    """Every micrograph leaves its refined particles and its sums; what optics groups share comes of all sums."""

    type: ClassVar[JobType] = JobType(
        "CtfRefine",
        "relion.ctfrefine",
        21,
        "CTF refinement",
        cleaned=(
            "*/*_wAcc_optics-group*.mrc",
            "*/*_xyAcc_*",
            "*/*_aberr-A??_*",
            "*/*_aberr-b?_*",
            "*/*_mag_optics-group_*",
            "*/*_fit.star",
            "*/*_fit.eps",
            "*/*_ctf_refine*.npz",
        ),
    )
    Options = CtfRefineOptions
    program: ClassVar[Program] = Program.of(
        "ctf_refine",
        CtfRefineOptions,
        EXTRA,
        relion_name="relion_ctf_refine",
        summary="refine defocus, aberrations and magnification against a map",
    )

    @classmethod
    def expected_outputs(cls, options: CtfRefineOptions, directory: str) -> list[Node]:
        return [
            Node(f"{directory}particles_ctf_refine.star", PARTICLES, f"{PARTICLES.label}.ctfrefine"),
            Node(f"{directory}logfile.pdf", LOGFILE, f"{LOGFILE.label}.ctfrefine"),
        ]

    @classmethod
    def check(cls, options: CtfRefineOptions) -> list[str]:
        complaints = [] if options.fn_data else ["Particles (from Refine3D): is empty"]
        if not options.fn_post:
            complaints.append("Postprocess STAR file: is empty")
        if not options.chosen:
            complaints.append("Nothing is chosen on the Fit tab")
        return complaints

    @property
    def title(self) -> str:
        return "Estimating magnification ..." if self.settings.magnification else "Refining the CTF ..."

    magnifications: dict[int, Matrix] | None = None
    """Of a further pass: the magnification matrix that images are predicted with, by optics group."""

    @cached_property
    def settings(self) -> FitSettings:
        """What is fitted."""
        return settings_of(self.arguments)

    @cached_property
    def work(self) -> MicrographWork:
        """Made once in each process."""
        import torch

        from verglas.jobs.ctfrefine.work import MicrographWork

        flags = self.arguments
        torch.set_num_threads(max(1, flags["--j"]))
        return MicrographWork(
            self.inputs,
            self.settings,
            padding=flags["--pad"],
            opposite=flags["--opposite_half"],
            magnifications=self.magnifications,
        )

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        for own in ("work", "_gathering"):  # every process makes its own
            state.pop(own, None)
        return state

    def read_inputs(self) -> RefinementInputs:
        return read_refinement_inputs(self.arguments, self.settings)

    def result_path(self, item: Item) -> Path:
        """The file of a micrograph; further passes over the magnification have files of their own."""
        root = output_root(item.name, self.context.directory)
        tail = ""
        if self.magnifications:
            told = repr(sorted(self.magnifications.items()))
            tail = f"_{hashlib.sha256(told.encode()).hexdigest()[:8]}"
        return root.with_name(f"{root.name}_ctf_refine{tail}.npz")

    def is_done(self, item: Item) -> bool:
        return self.result_path(item).exists()

    def process(self, item: Item, device: str) -> None:
        found = self.work.result(item.row[ROWS])
        path = self.result_path(item)
        path.parent.mkdir(parents=True, exist_ok=True)
        found.write(path)

    def gather(self, done: Sequence[Item], anew: frozenset[str]) -> None:
        from verglas.jobs.ctfrefine.gathering import Gathering

        self._gathering = Gathering.of(self, done)
        if not self.settings.magnification:
            self._gathering.write()

    _gathering: Gathering

    def run(self) -> None:
        """Magnification is fitted to first order: each pass starts from what the one before has found.

        Of many micrographs the first passes take some only; the last one takes all.
        """
        if not self.settings.magnification:
            super().run()
            return
        everything, passes = self.inputs, max(1, self.arguments["--mag_passes"])
        some = everything.items[::EVERY] if len(everything.items) >= MANY else everything.items
        number, ends = 1, passes == 1
        while True:
            self.__dict__["inputs"] = everything if ends else replace(everything, items=some)
            super().run()
            steps = self._gathering.magnification_steps()
            small = self._gathering.is_small(steps)
            if ends or (small and len(some) == len(everything.items)):
                break
            number += 1
            ends = number == passes or small
            self._go_on(self._gathering.next_magnifications(steps))
            self.context.say(f" Pass {number}: images are predicted with the magnification found so far")
        self._gathering.write()

    def _go_on(self, magnifications: dict[int, Matrix]) -> None:
        self.magnifications = magnifications
        if "work" in self.__dict__:
            self.work.predict_with(magnifications)

    def _gather_if_new(self, done: Sequence[Item], anew: frozenset[str]) -> None:
        if not self.settings.magnification:
            super()._gather_if_new(done, anew)
        elif done:
            self.gather(done, anew)
