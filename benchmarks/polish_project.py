"""A simulated project up to polishing: movies, motion correction, true poses, half maps, post-processing.

What is true about the particles stays in `session/truth`, so that what polishing finds can be judged.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from verglas.formats.star import StarTable, read_star, write_star

VERGLAS = [sys.executable, "-m", "verglas.cli.main"]
MOTION, EXTRACT, POST, REFINE = (
    "MotionCorr/job002/", "Extract/job005/", "PostProcess/job007/", "Refine3D/job006/",
)  # fmt: skip
SYMMETRY = "D7"  # of the packaged model


def run(*words: str) -> None:
    """One command of verglas in the current folder. Raises CalledProcessError."""
    subprocess.run([*VERGLAS, *words], check=True, stdout=subprocess.DEVNULL)


def make_project(folder: Path, box: int, flags: list[str]) -> None:
    """Everything that polishing needs, in `folder`; `flags` are those of `verglas simulate session`."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    if (folder / POST / "postprocess.star").exists():
        return
    run("simulate", "session", "session", "--into", "Movies", "--workers", "1", *flags)
    general = read_star(next(Path("session/truth").glob("mov_*.star")))["general"]
    write_movies(float(general.number("rlnMicrographOriginalPixelSize")), float(general.number("rlnVoltage")))
    dose = f"{general.number('rlnMicrographDoseRate'):g}"
    run(
        *("motioncorr", "--i", "movies.star", "--o", MOTION, "--use_own", "--gainref", "session/gain.mrc"),
        *("--gain_auto", "--dose_per_frame", dose, "--patch_x", "3", "--patch_y", "3", "--bfactor", "150"),
    )
    write_refined(f"{REFINE}run_data.star")
    radius = str(int(0.37 * box))
    run(
        *("extract", "--i", f"{MOTION}corrected_micrographs.star", "--reextract_data_star"),
        *(f"{REFINE}run_data.star", "--part_star", f"{EXTRACT}particles.star", "--part_dir", EXTRACT),
        *("--extract", "--extract_size", str(box), "--norm", "--bg_radius", radius, "--invert_contrast"),
    )
    reconstruct_and_sharpen(f"{EXTRACT}particles.star", REFINE, POST)


def write_movies(pixel: float, voltage: float) -> None:
    """`movies.star` of all movies there are."""
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"], "rlnOpticsGroup": [1], "rlnMicrographOriginalPixelSize": [pixel],
        "rlnVoltage": [voltage], "rlnSphericalAberration": [2.7], "rlnAmplitudeContrast": [0.1],
    }  # fmt: skip
    names = sorted(str(path) for path in Path("Movies").iterdir() if path.suffix in (".tif", ".mrc", ".eer"))
    movies = {"rlnMicrographMovieName": names, "rlnOpticsGroup": [1] * len(names)}
    write_star(
        Path("movies.star"),
        [StarTable.from_columns("optics", optics), StarTable.from_columns("movies", movies)],
    )


def write_refined(path: str) -> None:
    """What a refinement would say: true poses, at whole pixels with the rest as origins, two halves."""
    star = read_star(Path("session/truth/particles.star"))
    table, optics = star["particles"], star["optics"]
    pixel = optics.number("rlnMicrographPixelSize")
    columns = {}
    for axis in "XY":
        place = table.floats(f"rlnCoordinate{axis}")
        columns[f"rlnCoordinate{axis}"] = np.floor(place)
        columns[f"rlnOrigin{axis}Angst"] = -(place - np.floor(place)) * pixel
    names = [f"{MOTION}Movies/{Path(name).stem}.mrc" for name in table.strings("rlnMicrographName")]
    columns |= {"rlnMicrographName": names, "rlnRandomSubset": [1 + i % 2 for i in range(len(table))]}
    columns |= {"rlnImageName": [f"{i + 1:06d}@none.mrcs" for i in range(len(table))]}
    columns |= {"rlnClassNumber": [1] * len(table)}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    image = {"rlnImageSize": [64], "rlnImagePixelSize": [pixel], "rlnImageDimensionality": [2]}
    write_star(Path(path), [optics.with_columns(image), table.with_columns(columns)])


def reconstruct_and_sharpen(particles: str, maps: str, post: str, mask: str = "") -> float:
    """Half maps at the poses of a list, a mask if none is given, post-processing; the resolution in Å."""
    Path(maps).mkdir(parents=True, exist_ok=True)
    for half in (1, 2):
        name = f"{maps}run_half{half}_class001_unfil.mrc"
        run("reconstruct", "--i", particles, "--o", name, "--ctf", "--sym", SYMMETRY, "--subset", str(half))
    if not mask:
        mask = f"{maps}mask.mrc"
        first = f"{maps}run_half1_class001_unfil.mrc"
        run(
            *("maskcreate", "--i", first, "--o", mask, "--lowpass", "15", "--ini_threshold"),
            *(_threshold(first), "--extend_inimask", "3", "--width_soft_edge", "6"),
        )
    Path(post).mkdir(parents=True, exist_ok=True)
    first = f"{maps}run_half1_class001_unfil.mrc"
    run("postprocess", "--i", first, "--mask", mask, "--o", f"{post}postprocess", "--adhoc_bfac", "-50")
    return float(read_star(Path(f"{post}postprocess.star"))["general"].number("rlnFinalResolution"))


def _threshold(path: str) -> str:
    """A level that holds the particle: three deviations of the map."""
    import scipy.ndimage

    from verglas.formats.mrc import read_mrc

    data = scipy.ndimage.gaussian_filter(np.asarray(read_mrc(path).data, float), 2)
    return f"{3 * data.std():g}"
