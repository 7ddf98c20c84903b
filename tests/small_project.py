"""Import -> MotionCorr -> CtfFind -> AutoPick -> Extract -> Class2D, finished as if they had run.

Two micrographs of noise, picks on one of them, three classes (one empty) of five particles.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.jobs.registry import job_class
from verglas.project.dialect import Status
from verglas.project.project import Project
from verglas.project.registration import register

MICROGRAPHS = ["MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/b.mrc"]
PIXEL = 2.0


def make(root: Path) -> Project:
    """The project, in a new directory."""
    made = Project.create(root)
    _add(made, "Import", {"fn_in_raw": "Movies/*.tif"})
    _add(made, "MotionCorr", {"input_star_mics": "Import/job001/movies.star"})
    _add(made, "CtfFind", {"input_star_mics": "MotionCorr/job002/corrected_micrographs.star"})
    _add(made, "AutoPick", {"fn_input_autopick": "CtfFind/job003/micrographs_ctf.star", "do_log": "Yes"})
    _add(
        made,
        "Extract",
        {
            "star_mics": "CtfFind/job003/micrographs_ctf.star",
            "coords_suffix": "AutoPick/job004/coords_suffix_autopick.star",
        },
    )
    _add(made, "Class2D", {"fn_img": "Extract/job005/particles.star", "nr_iter": "2"})
    _write_micrographs(made.root)
    _write_picks(made.root)
    _write_classes(made.root)
    return made


def _add(project: Project, folder: str, values: dict[str, str]) -> None:
    kind = job_class(folder)
    options, _ = kind.Options.parse(values)
    name = register(project, kind, options, status=Status.SUCCEEDED)
    project.directory(name).write_exit(Status.SUCCEEDED)


def _write_micrographs(root: Path) -> None:
    rng = np.random.default_rng(1)
    for name in MICROGRAPHS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_mrc(root / name, rng.normal(0, 1, (700, 1100)).astype(np.float32), PIXEL)
    optics = StarTable.from_columns(
        "optics", {"rlnOpticsGroupName": ["g"], "rlnOpticsGroup": [1], "rlnMicrographPixelSize": [PIXEL]}
    )
    columns = {
        "rlnMicrographName": MICROGRAPHS,
        "rlnOpticsGroup": [1, 1],
        "rlnDefocusU": [12000.0, 15000.0],
        "rlnDefocusV": [11800.0, 15100.0],
        "rlnCtfMaxResolution": [4.0, 6.5],
    }
    (root / "CtfFind/job003").mkdir(parents=True, exist_ok=True)
    table = StarTable.from_columns("micrographs", columns)
    write_star(root / "CtfFind/job003/micrographs_ctf.star", [optics, table])
    motion = StarTable.from_columns(
        "micrographs",
        {"rlnMicrographName": MICROGRAPHS, "rlnOpticsGroup": [1, 1], "rlnAccumMotionTotal": [9.0, 20.0]},
    )
    write_star(root / "MotionCorr/job002/corrected_micrographs.star", [optics, motion])


def _write_picks(root: Path) -> None:
    folder = root / "AutoPick/job004/Movies"
    folder.mkdir(parents=True)
    columns = {
        "rlnCoordinateX": [100.0, 300.0, 500.0],
        "rlnCoordinateY": [110.0, 310.0, 510.0],
        "rlnAutopickFigureOfMerit": [9.0, 5.0, 1.0],
    }
    write_star(folder / "a_autopick.star", [StarTable.from_columns("", columns)])
    (root / "AutoPick/job004/coords_suffix_autopick.star").write_text("CtfFind/job003/micrographs_ctf.star\n")


def _write_classes(root: Path) -> None:
    job = "Class2D/job006/"
    rng = np.random.default_rng(2)
    for iteration in (1, 2):
        stem = f"{job}run_it{iteration:03d}"
        stack = rng.normal(0, 1, (3, 16, 16)).astype(np.float32)
        stack[2] = 0
        write_mrc(root / f"{stem}_classes.mrcs", stack, 4.0)
        general = {
            "rlnReferenceDimensionality": 2,
            "rlnOriginalImageSize": 16,
            "rlnPixelSize": 4.0,
            "rlnNrClasses": 3,
        }
        classes = {
            "rlnReferenceImage": [f"{n:06d}@{stem}_classes.mrcs" for n in (1, 2, 3)],
            "rlnClassDistribution": [0.6, 0.4, 0.0],
            "rlnEstimatedResolution": [12.0, 18.0, 999.0],
        }
        model = [
            StarTable.from_columns("model_general", general, is_list=True),
            StarTable.from_columns("model_classes", classes),
        ]
        write_star(root / f"{stem}_model.star", model)
        particles = {
            "rlnImageName": [f"{n:06d}@Extract/job005/p.mrcs" for n in range(1, 6)],
            "rlnMicrographName": [MICROGRAPHS[0]] * 5,
            "rlnClassNumber": [1, 1, 1, 2, 2],
            "rlnOpticsGroup": [1] * 5,
        }
        optics = StarTable.from_columns("optics", {"rlnOpticsGroupName": ["g"], "rlnOpticsGroup": [1]})
        write_star(root / f"{stem}_data.star", [optics, StarTable.from_columns("particles", particles)])
    (root / "Extract/job005").mkdir(parents=True, exist_ok=True)
    write_mrc(root / "Extract/job005/p.mrcs", rng.normal(0, 1, (5, 16, 16)).astype(np.float32), 4.0)
    write_star(root / "Extract/job005/particles.star", [StarTable.from_columns("particles", particles)])
