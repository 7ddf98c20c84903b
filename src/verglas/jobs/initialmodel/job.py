"""3D initial model (pipeline.md §4.10): maps from nothing, the largest one on its symmetry axes, and a verdict."""

from __future__ import annotations

from typing import ClassVar

from verglas.jobs.contract.base import JobFailed, JobType
from verglas.jobs.contract.nodes import MAP, MODEL, PARTICLES, Node
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.initialmodel.options import (
    InitialModelOptions,
    first_limit,
    in_phases,
    iterations,
    last_limit,
    runs_in_c1,
)
from verglas.jobs.refine.job import RefineJob
from verglas.jobs.refine.options.compute import ct_root
from verglas.jobs.refine.options.flags import REFINE_FLAGS
from verglas.jobs.refine.options.maps import coarse_order

RESULT = "initial_model.mrc"
INI_BATCH, FIN_BATCH = (
    200,
    300,
)  # particles of a mini-batch: enough, with momentum over ten of them (docs/initial-model.md)
EM_ITERATIONS = 8  # at the end: their maps are averages of all particles, with less noise than a mini-batch's
LEAST = 20  # mini-batches
_END = "Initial model"
FLAGS: tuple[Flag, ...] = (
    Flag("--result", "", "The map that is the result, on its symmetry axes, e.g. initial_model.mrc", _END),
    Flag("--align_sym", "", "Find the axes of this point group in the map, align and apply them", _END),
)


class InitialModel(RefineJob):
    """Maps from the particles alone: competing starts from random blobs, or mini-batches."""

    type: ClassVar[JobType] = JobType(
        "InitialModel",
        "relion.initialmodel",
        18,
        "3D initial model",
        iterative=True,
        class_dims=3,
        settings_name="inimodel",
    )
    Options = InitialModelOptions
    program: ClassVar[Program] = Program.of(
        "initialmodel",
        InitialModelOptions,
        (*REFINE_FLAGS, *FLAGS),
        relion_name="relion_refine",
        summary="first maps from the particles alone",
    )
    fixed_flags: ClassVar[tuple[str, ...]] = (
        *("--grad", "--denovo_3dref", "--zero_mask", "--auto_sampling", "--oversampling", "1"),
    )

    @classmethod
    def command_line(cls, options: InitialModelOptions, directory: str, is_continue: bool) -> list[str]:
        """Flags that follow from several options are said here."""
        words = super().command_line(options, directory, is_continue)
        words += ["--pad", "1" if options.do_pad1 else "2", "--result", f"{directory}{RESULT}"]
        symmetry = options.sym_name.upper() or "C1"
        if not options.fn_cont:
            words += ["--sym", "C1" if runs_in_c1(options) else symmetry]
        if runs_in_c1(options):
            words += ["--align_sym", symmetry]
        for flag, value in _derived(options).items():
            words += [] if flag in words else [flag, value]
        return words

    @classmethod
    def expected_outputs(cls, options: InitialModelOptions, directory: str) -> list[Node]:
        root = f"{ct_root(directory, options.fn_cont)}_it{iterations(options):03d}"
        label = f"{MAP.label}.relion.initialmodel"
        volumes = [Node(f"{root}_class{k + 1:03d}.mrc", MAP, label) for k in range(options.nr_classes)]
        return [
            Node(f"{root}_data.star", PARTICLES, f"{PARTICLES.label}.initialmodel"),
            Node(f"{root}_model.star", MODEL, f"{MODEL.label}.initialmodel"),
            *volumes,
            Node(f"{directory}{RESULT}", MAP, label),
        ]

    @classmethod
    def check(cls, options: InitialModelOptions) -> list[str]:
        complaints = [] if options.fn_img or options.fn_cont else ["Input images STAR file is empty"]
        if iterations(options) < LEAST:
            complaints.append(
                f"{iterations(options)} mini-batches are too few for a map (RELION 2.1 counts passes over all "
                "particles here): give 50 to 500"
            )
        if options.nr_mpi > 1:
            complaints.append("the initial model runs in one process: set the number of MPI processes to 1")
        if coarse_order(options.sampling) < 0:
            complaints.append(
                "Initial angular sampling: 30 degrees leave nothing for the first pass; take 15"
            )
        return complaints

    def run(self) -> None:
        _check_group(self.arguments["--align_sym"])
        super().run()

    def ended(self, optimiser: str) -> None:
        if self.arguments["--result"]:
            from verglas.jobs.initialmodel.result import write_result

            write_result(self.arguments, self.context, optimiser)


def _check_group(name: str) -> None:
    """Raises JobFailed before the first iteration for what could not be aligned after the last."""
    from verglas.geometry.symmetry import PointGroup

    try:
        PointGroup.of(name or "C1")
    except ValueError as error:
        raise JobFailed(f"--align_sym: {error}") from error


def _derived(options: InitialModelOptions) -> dict[str, str]:
    """Flags that no single option stands for."""
    found = {
        "--grad_ini_subset": str(INI_BATCH),
        "--grad_fin_subset": str(FIN_BATCH),
        "--grad_em_iters": str(EM_ITERATIONS),
        "--class_inactivity_threshold": "0.1",
    }
    if first_limit(options) > 0:
        found["--grad_ini_resol"] = f"{first_limit(options):g}"
    if last_limit(options) > 0:
        found["--grad_fin_resol"] = f"{last_limit(options):g}"
    if in_phases(options):
        total = iterations(options)
        found |= {
            "--iter": str(total),
            "--grad_ini_frac": f"{options.sgd_ini_iter / total:.6g}",
            "--grad_fin_frac": f"{options.sgd_fin_iter / total:.6g}",
        }
    return found
