"""Jobs run in this process, and the truth of the simulated project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from polish_project import EXTRACT, MOTION, POST

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import RunContext
from verglas.jobs.polish.job import BayesianPolishing

FLAGS = (
    f"--i {EXTRACT}particles.star --f {POST}postprocess.star --corr_mic {MOTION}corrected_micrographs.star"
)
PRIOR = "--s_vel 0.8 --s_div 2000 --s_acc 3"


def run_job(kind, directory, words, *, place="--o", out="", **context):
    """Run a job in its directory; what it said and warned of."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    told: list[str] = []
    arguments = kind.program.parse([*words.split(), place, f"{directory}{out}"])
    where = RunContext(Path(directory), say=told.append, warn=told.append, **context)
    kind(arguments, where).run()
    return told


def polish(directory, more="", flags=FLAGS, prior=PRIOR, **context):
    """A polishing job; its directory and what it told."""
    words = f"{flags} {prior} --combine_frames {more}"
    return directory, run_job(BayesianPolishing, directory, words, **context)


def smooth_mask(volume, path):
    """A soft ball that holds the particle."""
    image = read_mrc(volume)
    size = image.data.shape[0]
    place = np.indices(image.data.shape) - size // 2
    radius = np.sqrt((place**2).sum(axis=0))
    mask = np.clip((0.38 * size - radius) / 6, 0, 1)
    write_mrc(path, mask.astype(np.float32), image.pixel_size_angst)


def true_tracks(movie, table):
    """Displacements (P, F, 2) as (y, x) in pixels of particles of one movie, in the order of a list."""
    star = read_star(f"session/truth/{movie}.star")
    tracks, places = star["tracks"], star["particles"]
    count = int(tracks.ints("verglasParticle").max())
    moved = np.stack([tracks.floats("verglasDisplacementY"), tracks.floats("verglasDisplacementX")], 1)
    moved = moved.reshape(count, -1, 2)
    known = np.stack([places.floats("rlnCoordinateY"), places.floats("rlnCoordinateX")], 1)
    listed = np.stack([table.floats("rlnCoordinateY"), table.floats("rlnCoordinateX")], 1)
    nearest = [int(np.argmin(np.hypot(*(known - place - 0.5).T))) for place in listed]
    return moved[nearest]


def rms(tracks, truth):
    """RMS along an axis of tracks about their means: where a particle is said to be is the refinement's."""
    off = tracks - truth
    return float(np.sqrt(((off - off.mean(axis=1, keepdims=True)) ** 2).mean()))


def write_refinement(root, particles, half_maps):
    """The files of an auto-refine that ended with these particles and maps: optimiser, models, data."""
    star = read_star(particles)
    Path(root).parent.mkdir(parents=True, exist_ok=True)
    write_star(f"{root}_data.star", [star["optics"], star["particles"]])
    image = read_mrc(half_maps[0])
    names = sorted(set(star["particles"].strings("rlnMicrographName")))
    for number, name in enumerate(half_maps, 1):
        general = {"rlnPixelSize": image.pixel_size_angst, "rlnCurrentImageSize": 40}
        write_star(
            f"{root}_half{number}_model.star",
            [
                StarTable.from_columns("model_general", general, is_list=True),
                StarTable.from_columns("model_classes", {"rlnReferenceImage": [name]}),
                StarTable.from_columns(
                    "model_groups", {"rlnGroupName": names, "rlnGroupScaleCorrection": [1.0] * len(names)}
                ),
            ],
        )
    models = {
        "rlnModelStarFile": f"{root}_half1_model.star",
        "rlnModelStarFile2": f"{root}_half2_model.star",
        "rlnExperimentalDataStarFile": f"{root}_data.star",
        "rlnDoCorrectCtf": 1,
    }
    write_star(f"{root}_optimiser.star", [StarTable.from_columns("optimiser_general", models, is_list=True)])
