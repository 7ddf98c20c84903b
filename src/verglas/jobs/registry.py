"""The list of job types; a type's module is imported when it is first asked for.

Keys are RELION's directory names; `PROGRAMS` maps the name of a command-line program to its job type.
`VERGLAS_JOB_TYPES` ("Folder=module:Class,...") puts job types from elsewhere in their place: for
laboratories with types of their own, and for tests.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from verglas.jobs.contract.job_type import JobType
from verglas.jobs.contract.unknown import UnknownName
from verglas.jobs.foreign import FOREIGN

if TYPE_CHECKING:
    from verglas.jobs.contract.base import Job

_JOBS: dict[str, str] = {
    "Import": "verglas.jobs.importing.job:ImportJob",
    "MotionCorr": "verglas.jobs.motioncorr.job:MotionCorrection",
    "CtfFind": "verglas.jobs.ctffind.job:CtfEstimation",
    "ManualPick": "verglas.jobs.manualpick.job:ManualPicking",
    "AutoPick": "verglas.jobs.autopick.job:AutoPicking",
    "Extract": "verglas.jobs.extract.job:ParticleExtraction",
    "Sort": "verglas.jobs.sort.job:ParticleSorting",
    "Select": "verglas.jobs.select.job:SubsetSelection",
    "Class2D": "verglas.jobs.classification.class2d:Classification2D",
    "InitialModel": "verglas.jobs.initialmodel.job:InitialModel",
    "Class3D": "verglas.jobs.classification.class3d:Classification3D",
    "Refine3D": "verglas.jobs.autorefine.job:AutoRefine3D",
    "MaskCreate": "verglas.jobs.maskcreate.job:MaskCreation",
    "JoinStar": "verglas.jobs.joinstar.job:JoinStarFiles",
    "Subtract": "verglas.jobs.subtract.job:ParticleSubtraction",
    "PostProcess": "verglas.jobs.postprocess.job:PostProcessing",
    "LocalRes": "verglas.jobs.localres.job:LocalResolution",
    "CtfRefine": "verglas.jobs.ctfrefine.job:CtfRefinement",
    "Polish": "verglas.jobs.polish.job:BayesianPolishing",
    "MovieRefine": "verglas.jobs.movierefine.job:MovieRefinement",
    "ParticlePolish": "verglas.jobs.particlepolish.job:ParticlePolishing",
    "External": "verglas.jobs.external.job:External",
}

PROGRAMS: dict[str, str] = {
    "import": "Import",
    "motioncorr": "MotionCorr",
    "ctffind": "CtfFind",
    "autopick": "AutoPick",
    "extract": "Extract",
    "sort": "Sort",
    "select": "Select",
    "refine": "Class2D",
    "initialmodel": "InitialModel",
    "maskcreate": "MaskCreate",
    "joinstar": "JoinStar",
    "subtract": "Subtract",
    "postprocess": "PostProcess",
    "localres": "LocalRes",
    "ctf_refine": "CtfRefine",
    "motion_refine": "Polish",
    "movie_refine": "MovieRefine",
    "particle_polish": "ParticlePolish",
    "external": "External",
}


def job_folders() -> list[str]:
    """Directory names of all job types, in the order of RELION's list."""
    return list(_known())


def job_class(folder: str) -> type[Job]:
    """The job type with this directory name ("Class2D"). Raises KeyError naming the known ones."""
    known = _known()
    try:
        module, name = known[folder].split(":")
    except KeyError:
        raise UnknownName(f"no job type {folder!r}; known: {', '.join(known)}") from None
    found: type[Job] = getattr(import_module(module), name)
    return found


def job_type(folder: str) -> JobType:
    """What is known about the jobs of a directory, of verglas or not; of others, nothing holds."""
    if folder in _known():
        return job_class(folder).type
    return FOREIGN.get(folder) or JobType(folder, "", -1, folder)


def _known() -> dict[str, str]:
    given = os.environ.get("VERGLAS_JOB_TYPES", "")
    return _JOBS | dict(entry.split("=", 1) for entry in given.split(",") if "=" in entry)
