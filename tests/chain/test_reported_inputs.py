"""Inputs on which people of the field lost particles or a night, from first file to last list."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verglas.formats.movies_write import write_movie_eer, write_movie_tiff
from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import JobFailed, RunContext
from verglas.jobs.extract.job import ParticleExtraction
from verglas.jobs.extract.options import ExtractOptions
from verglas.jobs.importing.job import ImportJob
from verglas.jobs.importing.options import ImportOptions
from verglas.jobs.motioncorr.job import MotionCorrection
from verglas.jobs.motioncorr.options import MotionCorrOptions

COORDINATES = "Particle coordinates (*.box, *_pick.star)"
HEAD = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    return root


def run(job: Any, options: Any, directory: str) -> list[str]:
    Path(directory).mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    context = RunContext(Path(directory), say=lines.append, warn=lines.append)
    words = job.command_line(options, directory, False)
    job(job.program.parse(words), context).run()
    return lines


def micrographs(*names: str) -> None:
    rng = np.random.default_rng(1)
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write_mrc(name, rng.normal(size=(256, 256)).astype(np.float32), 1.1)


def take(wildcard: str, job: str = "Import/job001/", **options: object) -> list[str]:
    given = {"fn_in_raw": wildcard, "angpix": 1.1, "is_multiframe": False, **options}
    return run(ImportJob, ImportOptions(**given), job)


def extracted(coordinates: str, job: str = "Extract/job009/", **options: object) -> list[str]:
    """The micrographs of the particles, one each."""
    given = {
        "star_mics": "Import/job001/micrographs.star",
        "coords_suffix": coordinates,
        "extract_size": 32,
        **options,
    }
    run(ParticleExtraction, ExtractOptions(**given), job)
    return read_star(f"{job}particles.star")["particles"].strings("rlnMicrographName")


GRIDS = [
    "Mics/grid1/0001.mrc",
    "Mics/grid1/0002.mrc",
    "Mics/grid1/a_0001.mrc",
    "Mics/grid2/0001.mrc",
    "Mics/grid2/0002.mrc",
]
NAMED = "data_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"


@pytest.mark.parametrize(
    ("file", "text", "meant"),
    [
        ("all.star", f"{NAMED}{GRIDS[0]} 60 60\n{GRIDS[0]} 120 90\n{GRIDS[4]} 180 200\n\n", [0, 0, 4]),
        ("suf.star", f"{NAMED}{GRIDS[2]} 60 60\n\n", [2]),
        ("all.csv", f"micrograph_name,x,y\n{GRIDS[0]},60,60\n{GRIDS[4]},120,90\n", [0, 4]),
        ("t.txt", "image_name\tx_coord\ty_coord\tscore\ngrid2/0001\t60\t60\t2.5\na_0001\t9\t9\t1\n", [2, 3]),
    ],
)
def test_one_file_for_all_goes_by_its_names(project: Path, file: str, text: str, meant: list[int]) -> None:
    micrographs(*GRIDS)
    take("Mics/*/*.mrc")
    Path(file).write_text(text)
    assert extracted(file) == [GRIDS[index] for index in meant]


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("t.txt", "image_name\tx_coord\ty_coord\n0001\t60\t60\n", "0001 may mean .*grid1.*grid2"),
        ("t.txt", "image_name\tx_coord\ty_coord\nFoil\t60\t60\n", "none of them is among the 5"),
        ("one.star", f"{HEAD}60 60\n\n", "does not say on which micrograph"),
        ("one.box", "44 44 32 32\n", "does not say on which micrograph"),
    ],
)
def test_one_file_that_does_not_tell_is_refused(project: Path, file: str, text: str, reason: str) -> None:
    micrographs(*GRIDS)
    take("Mics/*/*.mrc")
    Path(file).write_text(text)
    with pytest.raises(JobFailed, match=reason):
        extracted(file)


CBOX = (
    "data_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n_CoordinateX #1\n_CoordinateY #2\n"
    "_CoordinateZ #3\n_Width #4\n_Height #5\n_Confidence #6\n44 44 <NA> 32 32 0.9\n104 74 <NA> 32 32 0.6\n\n"
)


@pytest.mark.parametrize(
    ("file", "text"), [("c.cbox", CBOX), ("bom.box", "\ufeff44 44 32 32\r\n104 74 32 32\r\n")]
)
def test_boxes_of_other_programs_are_centred(project: Path, file: str, text: str) -> None:
    micrographs("Mics/a.mrc")
    take("Mics/*.mrc")
    Path(file).write_bytes(text.encode())
    assert len(extracted(file)) == 2
    particles = read_star("Extract/job009/particles.star")["particles"]
    assert particles.floats("rlnCoordinateX").tolist() == [60, 120]
    assert particles.floats("rlnCoordinateY").tolist() == [60, 90]


def test_picks_with_damage_are_set_aside_with_their_line(project: Path) -> None:
    names = [f"Mics/m{number}.mrc" for number in range(4)]
    micrographs(*names)
    take("Mics/*.mrc")
    rows = "60 60\n120 90\n180 200\n"
    for name, text in zip(
        names, [f"\n{rows}\n", rows.replace("\n12", "\n\n12"), f"# x\n{rows}", "60 60 9\n"]
    ):
        Path(name.replace(".mrc", "_pick.star")).write_text(HEAD + text)
    options = ImportOptions(
        do_raw=False, do_other=True, fn_in_other="Mics/*_pick.star", node_type=COORDINATES
    )
    run(ImportJob, options, "Import/job002/")
    assert extracted("Import/job002/coords_suffix_pick.star") == [names[0]] * 3 + [names[2]] * 3
    aside = read_star("Extract/job009/set_aside.star")["set_aside"]
    assert aside.strings("rlnMicrographName") == [names[1], names[3]]
    assert all(":" in reason and "_pick.star" in reason for reason in aside.strings("verglasReason"))


def test_micrographs_and_picks_from_one_folder_outside_meet_again(project: Path) -> None:
    outside = project.parent / "mics"
    micrographs(*(str(outside / f"mic{number}.mrc") for number in range(3)))
    for number in range(3):
        (outside / f"mic{number}_pick.star").write_text(f"{HEAD}60 60\n120 90\n\n")
    take(f"{outside}/*.mrc")
    options = ImportOptions(
        do_raw=False, do_other=True, fn_in_other=f"{outside}/*_pick.star", node_type=COORDINATES
    )
    run(ImportJob, options, "Import/job002/")
    assert len(extracted("Import/job002/coords_suffix_pick.star")) == 6


def micrograph_list(path: str, names: list[str]) -> None:
    optics = {
        "rlnOpticsGroupName": ["g"],
        "rlnOpticsGroup": [1],
        "rlnMicrographPixelSize": [1.1],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnMicrographOriginalPixelSize": [1.1],
    }
    rows = {"rlnMicrographName": names, "rlnOpticsGroup": [1] * len(names)}
    table = StarTable.from_columns
    write_star(path, [table("optics", optics), table("micrographs", rows)])


def test_picks_of_cryosparc_find_the_movies_they_are_of(project: Path) -> None:
    stems = [f"FoilHole_1{n}_Data_2_3_20240101_101010_fractions" for n in range(2)]
    names = [f"MotionCorr/job002/Movies/{stem}.mrc" for stem in stems]
    micrographs(*names)
    micrograph_list("m.star", names)
    data = np.zeros(
        3,
        [
            ("location/micrograph_path", "S120"),
            ("location/micrograph_shape", "<u4", (2,)),
            ("location/center_x_frac", "<f4"),
            ("location/center_y_frac", "<f4"),
        ],
    )
    parts = [f"J3/motioncorrected/00{n}7_{stems[n]}_patch_aligned_doseweighted.mrc" for n in (0, 1, 1)]
    data["location/micrograph_path"] = [part.encode() for part in parts]
    data["location/micrograph_shape"] = 256
    data["location/center_x_frac"] = data["location/center_y_frac"] = (0.25, 0.5, 0.75)
    with open("picked.cs", "wb") as out:
        np.save(out, data)
    assert extracted("picked.cs", star_mics="m.star") == [names[0], names[1], names[1]]
    micrograph_list("other.star", ["MotionCorr/job002/Movies/x.mrc"])
    with pytest.raises(JobFailed, match=r"coordinates on 2 micrographs .* none of them is among the 1"):
        extracted("picked.cs", star_mics="other.star")


def test_refined_particles_are_cut_from_a_fresh_motion_correction(project: Path) -> None:
    names = [f"MotionCorr/job005/Movies/mic{n}.mrc" for n in (1, 2)]
    micrographs(*names)
    micrograph_list("new.star", names)
    optics = {
        "rlnOpticsGroupName": ["g"],
        "rlnOpticsGroup": [1],
        "rlnImagePixelSize": [1.1],
        "rlnImageSize": [32],
        "rlnImageDimensionality": [2],
    }
    old = [name.replace("job005", "job002") for name in (names[0], names[0], names[1])]
    rows = {
        "rlnMicrographName": old,
        "rlnCoordinateX": [60.0, 120.0, 60.0],
        "rlnCoordinateY": [60.0, 90.0, 200.0],
        "rlnOpticsGroup": [1, 1, 3],
        "rlnImageName": [f"{n:06d}@a.mrcs" for n in (1, 2, 3)],
    }
    table = StarTable.from_columns
    write_star("refined.star", [table("optics", optics), table("particles", rows)])
    found = extracted("", star_mics="new.star", do_reextract=True, fndata_reextract="refined.star")
    assert found == [names[0]] * 2
    aside = read_star("Extract/job009/set_aside.star")["set_aside"]
    assert "optics group 3, the optics table of refined.star has 1" in aside.strings("verglasReason")[0]


def motion(movies: str, **options: object) -> Callable[[], list[str]]:
    given = {"input_star_mics": movies, "patch_x": 1, "patch_y": 1, **options}
    return lambda: run(MotionCorrection, MotionCorrOptions(**given), "MotionCorr/job003/")


def test_options_that_suit_no_movie_fail_the_job(project: Path) -> None:
    rng = np.random.default_rng(2)
    Path("E").mkdir()
    for name in "ab":
        events = [np.stack([rng.integers(0, 256, 400), rng.integers(0, 320, 400)], 1) for _ in range(4)]
        write_movie_eer(f"E/{name}.eer", events, (64, 80))
    take("E/*.eer", is_multiframe=True)
    for grouping, reason in ((0, "grouping must be at least 1"), (200, "fewer than the EER fractionation")):
        with pytest.raises(
            JobFailed, match=f"none of 2 micrographs has a result: 2 set aside, 2 of .*{reason}"
        ):
            motion("Import/job001/movies.star", eer_grouping=grouping)()
    write_mrc("gain.mrc", np.ones((50, 60), np.float32), 1.0)
    with pytest.raises(JobFailed, match="none of 2 micrographs has a result"):
        motion("Import/job001/movies.star", eer_grouping=2, fn_gain_ref="gain.mrc")()


def test_a_name_that_is_not_utf8_costs_at_most_itself(project: Path) -> None:
    Path("M").mkdir()
    for name in (b"M/a.tif", b"M/lat\xe9.tif"):
        write_movie_tiff(os.fsdecode(name), [np.ones((32, 32), np.uint8)] * 3)
    said = take("M/*.tif", is_multiframe=True)
    assert read_star("Import/job001/movies.star")["movies"].strings("rlnMicrographMovieName") == ["M/a.tif"]
    assert any(r"M/lat\xe9.tif not taken: its name is not UTF-8" in line for line in said)
