"""What a run works on, read in one place: particles, settings, images, and where it begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.contract.program import Arguments
from verglas.jobs.refine.files.checkpoint import read_checkpoint
from verglas.jobs.refine.files.half_sets import with_halves
from verglas.jobs.refine.files.names import RunNames, newest_iteration
from verglas.jobs.refine.files.particles import ParticleList, read_particles
from verglas.jobs.refine.frame import RunFrame
from verglas.jobs.refine.images.source import Images
from verglas.jobs.refine.options.settings import changed_settings, parity_of, settings_of, with_changes
from verglas.jobs.refine.reference import read_references
from verglas.jobs.refine.telling.doubts import doubts

if TYPE_CHECKING:
    from verglas.em.state.model import State
    from verglas.em.state.particles import Assignments
    from verglas.em.state.settings import EmSettings


@dataclass(frozen=True)
class RefineInputs:
    """Everything that a run begins with. `images` are open and to be closed."""

    names: RunNames
    listed: ParticleList
    settings: EmSettings
    images: Images
    references: Any = None  # of a new run: (K, N, N) or (1, N, N, N) array; None: from the particles
    state: State | None = None  # of the iteration to go on from; None: a new run


def read_inputs(frame: RunFrame) -> RefineInputs:
    """Of a new run, or of one that goes on from an iteration. Raises JobFailed, NothingToDo."""
    if "--pool" in frame.arguments.given:
        frame.say(" --pool: batches are sized by the memory there is, not by this number")
    begun = frame.arguments["--continue"]
    if frame.arguments["--only_do_unfinished"] and not begun:
        begun = newest_iteration(frame.names.root)
    return _continued(frame, begun) if begun else _new(frame)


def _new(frame: RunFrame) -> RefineInputs:
    arguments = frame.arguments
    if not arguments["--i"]:
        raise JobFailed("give the particles with --i, or an _optimiser.star with --continue")
    _check_starts(arguments)
    listed = read_particles(arguments["--i"], with_ctf=arguments["--ctf"])
    references = read_references(arguments, listed.particles.optics[0], frame.say)
    if arguments["--denovo_3dref"] and references is not None:
        raise JobFailed(
            "--denovo_3dref makes the first maps from the particles: leave out --ref, or this flag"
        )
    dims = 3 if arguments["--denovo_3dref"] or (references is not None and references.ndim == 4) else 2
    settings = settings_of(arguments, dims)
    if references is not None and not arguments["--ctf_corrected_ref"]:
        settings = replace(settings, refs_are_ctf_corrected=False)
    if settings.halves is not None:
        listed = with_halves(listed, arguments["--i"], settings.random_seed)
    _check_numbers(listed, settings.n_classes)
    if settings.relax_symmetry and settings.halves is None and not max(settings.local_sigma_deg) > 0:
        frame.warn(
            " WARNING: --relax_sym acts in local searches only, and without --sigma_ang there are none"
        )
    _check_priors(arguments["--i"], listed, settings)
    images = _images(frame, listed)
    return RefineInputs(frame.names, listed, settings, images, references=references)


def _check_starts(arguments: Arguments) -> None:
    """Raises JobFailed where competing starts are asked for that nothing could follow."""
    starts = arguments["--starts"]
    if starts < 0:
        raise JobFailed(f"--starts is {starts}: expected 0 (none) or a number of starts")
    follows = arguments["--denovo_3dref"] and arguments["--grad"] and arguments["--grad_em_iters"] > 0
    if starts and not follows:
        raise JobFailed(
            f"--starts {starts} makes first maps from nothing, which the last iterations refine: give --grad, "
            "--denovo_3dref and --grad_em_iters (e.g. 8) beside it"
        )


def _continued(frame: RunFrame, path: str) -> RefineInputs:
    if not Path(path).exists():
        raise NothingToDo(f"{path} does not exist yet")
    checkpoint = read_checkpoint(path, parity_of(frame.arguments))
    names = frame.names
    if "--solvent_mask" not in frame.arguments.given:
        names = replace(names, solvent_mask=checkpoint.solvent_mask)
    settings = changed_settings(checkpoint.settings, frame.arguments)
    state = with_changes(checkpoint.state, checkpoint.settings, settings)
    gradient = settings.gradient
    batches = 0 if gradient is None else settings.n_iterations - gradient.em_iterations
    if state.moments is None and 0 < state.iteration < batches:
        frame.context.warn(f" WARNING: {path} comes without moments: momentum starts anew")
    images = _images(frame, checkpoint.listed)
    return RefineInputs(names, checkpoint.listed, settings, images, state=state)


def _images(frame: RunFrame, listed: ParticleList) -> Images:
    comm = getattr(frame.ranks, "comm", None)
    return Images.opened(frame.arguments, listed.particles, comm, frame.context, frame.watcher())


def tell_doubts(frame: RunFrame, inputs: RefineInputs) -> None:
    """What looks wrong about the particles of a new run."""
    if not frame.is_main or frame.arguments["--dont_check_norm"]:
        return
    diameter = inputs.settings.particle_diameter_angst
    for doubt in doubts(inputs.listed.particles, inputs.images.source, diameter):
        frame.warn(f" WARNING: {doubt}")


def first_assignments(listed: ParticleList, settings: EmSettings) -> Assignments:
    """Poses that a new run begins with.

    In 2D those of the list only where it does not search for them. In 3D local searches begin at its orientations,
    and all searches at its offsets, as RELION's do.
    """
    given = listed.assignments
    if settings.skip_align or settings.skip_rotate:
        return given
    fresh = type(given).start(len(given.norm))
    fresh.set_aside.update(given.set_aside)
    if settings.dims == 3:
        return replace(
            fresh,
            rot_deg=given.rot_deg,
            tilt_deg=given.tilt_deg,
            psi_deg=given.psi_deg,
            origin_yx_angst=given.origin_yx_angst,
        )
    if settings.helix is not None and listed.particles.psi_prior_deg is not None:
        fresh.psi_deg = listed.particles.psi_prior_deg.copy()
    return fresh


def _check_numbers(listed: ParticleList, n_classes: int) -> None:
    n = len(listed.particles)
    if n_classes > n:
        raise JobFailed(f"{n_classes} classes were asked for, but there are only {n} particles")


def _check_priors(path: str, listed: ParticleList, settings: EmSettings) -> None:
    filaments = settings.helix is not None or settings.sigma_psi_deg > 0
    if settings.dims == 3 and max(settings.local_sigma_deg) > 0 and "rlnAngleRot" not in listed.table:
        raise JobFailed(
            f"{path} has no rlnAngleRot: local searches need orientations to begin from; refine globally first, "
            "or leave out --sigma_ang"
        )
    if settings.dims == 2 and filaments and listed.particles.psi_prior_deg is None:
        raise JobFailed(
            f"{path} has no rlnAnglePsiPrior, which says how each filament lies: "
            "extract helical segments, or classify without the helical options"
        )
