"""Hand-over of a small project made by hand: relative names, resolved links, sums, going on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.cryosparc import read_cs
from verglas.formats.mrc import write_mrc
from verglas.formats.stack_writer import write_stack
from verglas.formats.star import StarTable, read_star, write_star
from verglas.project.handover import Lists, hand_over, inner_name, read_sums

OPTICS = {
    "rlnOpticsGroupName": ["opticsGroup1"],
    "rlnOpticsGroup": [1],
    "rlnVoltage": [300.0],
    "rlnSphericalAberration": [2.7],
    "rlnAmplitudeContrast": [0.1],
    "rlnImagePixelSize": [3.0],
    "rlnImageSize": [8],
    "rlnMicrographPixelSize": [1.5],
}


@pytest.fixture
def made(tmp_path) -> Path:
    """Two micrographs (one accepted), a linked movie outside, a gain outside, three particles."""
    outside, project = tmp_path / "outside", tmp_path / "project"
    outside.mkdir()
    for folder in ("Import/job001/in", "MotionCorr/job002/in", "Select/job005", "Extract/job006/in"):
        (project / folder).mkdir(parents=True)
    gain = outside / "gain.mrc"
    write_mrc(gain, np.ones((4, 4), np.float32), 1.0)
    for name in ("a", "b"):
        write_mrc(outside / f"{name}.mrc", np.ones((4, 4), np.float32), 1.0)
        (project / f"Import/job001/in/{name}.mrc").symlink_to(outside / f"{name}.mrc")
        write_mrc(project / f"MotionCorr/job002/in/{name}.mrc", np.ones((4, 4), np.float32), 1.5)
        general = {
            "rlnMicrographMovieName": f"Import/job001/in/{name}.mrc",
            "rlnMicrographGainName": str(gain),
        }
        table = StarTable.from_columns("general", general, is_list=True)
        write_star(project / f"MotionCorr/job002/in/{name}.star", [table])
    _lists(project)
    return project


def _lists(project: Path) -> None:
    optics = StarTable.from_columns("optics", OPTICS)
    sums = [f"MotionCorr/job002/in/{name}.mrc" for name in "ab"]
    movies = {"rlnMicrographMovieName": [f"Import/job001/in/{n}.mrc" for n in "ab"], "rlnOpticsGroup": [1, 1]}
    motion = {
        "rlnMicrographName": sums,
        "rlnMicrographMetadata": [f"{name[:-4]}.star" for name in sums],
        "rlnOpticsGroup": [1, 1],
    }
    accepted = {"rlnMicrographName": sums[:1], "rlnOpticsGroup": [1]}
    stack = "Extract/job006/in/a.mrcs"
    write_stack(project / stack, np.zeros((3, 8, 8), np.float32), 3.0)
    particles = {
        "rlnImageName": [f"{n:06d}@{stack}" for n in (1, 2, 3)],
        "rlnMicrographName": [sums[0]] * 3,
        "rlnOpticsGroup": [1] * 3,
        "rlnDefocusU": [1e4] * 3,
        "rlnDefocusV": [9e3] * 3,
        "rlnDefocusAngle": [30.0] * 3,
    }
    for path, name, columns in (
        ("Import/job001/movies.star", "movies", movies),
        ("MotionCorr/job002/corrected_micrographs.star", "micrographs", motion),
        ("Select/job005/micrographs.star", "micrographs", accepted),
        ("Extract/job006/particles.star", "particles", particles),
    ):
        write_star(project / path, [optics, StarTable.from_columns(name, columns)])


LISTS = Lists(
    "Import/job001/movies.star",
    "Select/job005/micrographs.star",
    "MotionCorr/job002/corrected_micrographs.star",
    "Extract/job006/particles.star",
)


def test_the_folder_needs_nothing_else(made, tmp_path):
    target = tmp_path / "out"
    done = hand_over(made, target, LISTS, ("movies", "micrographs", "particles"))
    assert done.missing == ()
    files = [path for path in target.rglob("*") if path.is_file() or path.is_symlink()]
    assert not any(path.is_symlink() for path in files)
    for path in target.rglob("*.star"):
        words = path.read_text().split()
        assert not [word for word in words if word.startswith(("/", ".."))]
    metadata = read_star(target / "MotionCorr/job002/in/a.star")["general"]
    assert (target / metadata.string("rlnMicrographGainName")).is_file()
    for name in read_star(target / "Import/job001/movies.star")["movies"].strings("rlnMicrographMovieName"):
        assert (target / name).is_file()
    assert (target / "Extract/job006/in/a.mrcs").is_file()
    assert subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=target).returncode == 0
    assert len(read_sums(target)) == len(files) - 1


def test_only_accepted_micrographs_go(made, tmp_path):
    target = tmp_path / "out"
    hand_over(made, target, LISTS, ("micrographs",))
    motion = read_star(target / "MotionCorr/job002/corrected_micrographs.star")["micrographs"]
    assert motion.strings("rlnMicrographName") == ["MotionCorr/job002/in/a.mrc"]
    assert not (target / "MotionCorr/job002/in/b.mrc").exists()
    assert not (target / "Extract").exists()


def test_an_interrupted_copy_goes_on(made, tmp_path):
    target = tmp_path / "out"

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hand_over(made, target, LISTS, ("movies", "particles"), shown=stop)
    begun = {path: path.stat().st_mtime_ns for path in target.rglob("*.mrc*")}
    assert begun
    done = hand_over(made, target, LISTS, ("movies", "particles"))
    assert done.copied < done.files
    assert all(path.stat().st_mtime_ns == time for path, time in begun.items())
    again = hand_over(made, target, LISTS, ("movies", "particles"))
    assert again.copied == 0


def test_missing_files_are_named(made, tmp_path):
    (made / "Extract/job006/in/a.mrcs").unlink()
    done = hand_over(made, tmp_path / "out", LISTS, ("particles",))
    assert done.missing == ("Extract/job006/in/a.mrcs",)
    with pytest.raises(LookupError, match="there are no particles"):
        hand_over(made, tmp_path / "out", Lists(particles="no.star"), ("particles",))


def test_cryosparc_gets_its_dataset(made, tmp_path):
    hand_over(made, tmp_path / "out", LISTS, ("particles",), for_cryosparc=True)
    dataset = read_cs(tmp_path / "out/Extract/job006/particles.cs")
    assert dataset["blob/path"][0] == b"Extract/job006/in/a.mrcs"
    assert dataset["blob/idx"].tolist() == [0, 1, 2]
    assert dataset["ctf/df1_A"].tolist() == [1e4] * 3


@pytest.mark.parametrize(
    ("name", "inside"),
    [("a/b.mrc", "a/b.mrc"), ("/x/y.mrc", "external/x/y.mrc"), ("../z.mrc", "external/z.mrc")],
)
def test_names_stay_inside(name, inside):
    assert inner_name(name) == inside
