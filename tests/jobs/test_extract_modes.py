"""Re-extraction and helices against RELION, to the digit."""

from __future__ import annotations

import pickle
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import JobFailed, RunContext
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.extract.job import ParticleExtraction
from verglas.jobs.extract.options import ExtractOptions
from verglas.jobs.extract.reextract import RefinedParticles
from verglas.particles.tubes import beside_tube

LIST = "mics.star"
NAME = "Movies/m0.mrc"
RELION = pytest.mark.skipif(shutil.which("relion_preprocess") is None, reason="RELION is not installed")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("Movies").mkdir()
    random = np.random.default_rng(0)
    write_mrc(NAME, (50 + 4 * random.standard_normal((400, 500))).astype(np.float32), 1.5)
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMicrographOriginalPixelSize": [1.5],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnMicrographPixelSize": [1.5],
    }
    row = {
        "rlnMicrographName": [NAME],
        "rlnOpticsGroup": [1],
        "rlnCtfMaxResolution": [4.5],
        "rlnCtfFigureOfMerit": [0.2],
        "rlnDefocusU": [15000.0],
        "rlnDefocusV": [14500.0],
        "rlnDefocusAngle": [20.0],
    }
    table = StarTable.from_columns
    write_star(LIST, [table("optics", optics), table("micrographs", row)])
    return tmp_path


def write_refined() -> None:
    random = np.random.default_rng(3)
    n = 12
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMicrographOriginalPixelSize": [1.5],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnImagePixelSize": [3.0],
        "rlnImageSize": [32],
        "rlnImageDimensionality": [2],
        "rlnBeamTiltX": [0.25],
        "rlnBeamTiltY": [-0.5],
    }
    columns = {
        "rlnCoordinateX": random.uniform(60, 440, n),
        "rlnCoordinateY": random.uniform(60, 340, n),
        "rlnImageName": [f"{k + 1:06d}@Old/Movies/m0.mrcs" for k in range(n)],
        "rlnMicrographName": [NAME] * n,
        "rlnOpticsGroup": [1] * n,
        "rlnDefocusU": random.uniform(1e4, 2e4, n),
        "rlnDefocusV": random.uniform(1e4, 2e4, n),
        "rlnDefocusAngle": random.uniform(-90, 90, n),
        "rlnPhaseShift": np.zeros(n),
        "rlnAngleRot": random.uniform(-180, 180, n),
        "rlnAngleTilt": random.uniform(0, 180, n),
        "rlnAnglePsi": random.uniform(-180, 180, n),
        "rlnOriginXAngst": random.uniform(-9, 9, n),
        "rlnOriginYAngst": random.uniform(-9, 9, n),
        "rlnNormCorrection": np.ones(n),
    }
    table = StarTable.from_columns
    write_star("data.star", [table("optics", optics), table("particles", columns)])


def run(options: ExtractOptions, directory: str = "Extract/job004/") -> list[str]:
    Path(directory).mkdir(parents=True, exist_ok=True)
    words = ParticleExtraction.command_line(options, directory, False)
    lines: list[str] = []
    context = RunContext(Path(directory), say=lines.append, warn=lines.append)
    ParticleExtraction(ParticleExtraction.program.parse(words), context).run()
    return lines


def compare_with_relion(options: ExtractOptions) -> None:
    run(options)
    theirs = ParticleExtraction.command_line(options, "Extract/relion/", False)
    subprocess.run(["relion_preprocess", *theirs], check=True, capture_output=True)
    ours = read_star("Extract/job004/particles.star")
    reference = read_star("Extract/relion/particles.star")
    assert ours["optics"].labels == reference["optics"].labels
    assert ours["particles"].labels == reference["particles"].labels
    for block in ("optics", "particles"):
        for label in reference[block].labels:
            expected = [
                text.replace("Extract/relion", "Extract/job004") for text in reference[block].strings(label)
            ]
            found = ours[block].strings(label)
            if found != expected:
                numbers = np.array(found, float), np.array(expected, float)
                np.testing.assert_allclose(*numbers, atol=2e-6, rtol=1e-6, err_msg=label)
    np.testing.assert_allclose(
        read_mrc("Extract/job004/Movies/m0.mrcs").data,
        read_mrc("Extract/relion/Movies/m0.mrcs").data,
        atol=2e-4,
    )


REFINED = ExtractOptions(star_mics=LIST, do_reextract=True, fndata_reextract="data.star", extract_size=64)


@pytest.mark.relion
@RELION
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"do_reset_offsets": True},
        {"do_recenter": True},
        {"do_recenter": True, "recenter_x": "5", "recenter_y": "-3.5", "recenter_z": "10"},
        {"do_recenter": True, "do_rescale": True, "rescale": 48},
    ],
)
def test_re_extraction_as_relion(project: Path, changes: dict[str, object]) -> None:
    write_refined()
    compare_with_relion(REFINED.changed(**changes))


def test_recentring_moves_the_particle_to_the_box_centre(project: Path) -> None:
    """What the origin would shift to the centre is in the centre without it, to half a pixel."""
    write_refined()
    run(REFINED.changed(do_recenter=True))
    before, after = (read_star(path)["particles"] for path in ("data.star", "Extract/job004/particles.star"))
    for axis in "XY":
        place = [
            table.floats(f"rlnCoordinate{axis}") - table.floats(f"rlnOrigin{axis}Angst") / 1.5
            for table in (before, after)
        ]
        np.testing.assert_allclose(place[0], place[1], atol=1e-4)
        assert np.abs(after.floats(f"rlnOrigin{axis}Angst")).max() <= 0.75 + 1e-5
    assert Path("Extract/job004/coords_suffix_extract.star").exists()


def test_re_extraction_keeps_or_renews_the_ctf(project: Path) -> None:
    write_refined()
    run(REFINED)
    kept = read_star("Extract/job004/particles.star")["particles"].floats("rlnDefocusU")
    assert len(set(kept.tolist())) == 12
    run(REFINED.changed(other_args="--keep_ctfs_micrographs"))
    renewed = read_star("Extract/job004/particles.star")["particles"].floats("rlnDefocusU")
    assert set(renewed.tolist()) == {15000.0}


def test_refined_particles_travel_to_workers_by_name(project: Path) -> None:
    write_refined()
    refined = RefinedParticles("data.star")
    refined.match([NAME], print)
    sent = pickle.dumps(refined)
    assert len(sent) < 300
    assert pickle.loads(sent).has(NAME)


def write_ends(points: list[tuple[float, float]]) -> None:
    columns = {"rlnCoordinateX": [x for x, _ in points], "rlnCoordinateY": [y for _, y in points]}
    Path("Pick/Movies").mkdir(parents=True, exist_ok=True)
    Path("Pick/coords_suffix_manualpick.star").write_text(f"{LIST}\n")
    write_star("Pick/Movies/m0_manualpick.star", [StarTable.from_columns("", columns)])


ENDS = [(60.0, 70.0), (220.0, 190.0), (300.0, 100.0), (300.4, 300.0), (400.0, 60.0), (390.0, 50.0)]
HELIX = ExtractOptions(
    star_mics=LIST,
    coords_suffix="Pick/coords_suffix_manualpick.star",
    extract_size=64,
    do_extract_helix=True,
    helical_tube_outer_diameter=41.3,
    helical_nr_asu=5,
    helical_rise=9,
)


@pytest.mark.relion
@RELION
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"do_cut_into_segments": False},
        {"helical_bimodal_angular_priors": False, "helical_nr_asu": 1, "helical_rise": 31.5},
    ],
)
def test_helical_segments_as_relion(project: Path, changes: dict[str, object]) -> None:
    write_ends(ENDS)
    compare_with_relion(HELIX.changed(**changes))


def test_background_beside_a_rescaled_tube(project: Path) -> None:
    """The tube keeps its width in Å; RELION's normalisation of rescaled segments follows no rule we know."""
    write_ends(ENDS)
    run(HELIX.changed(do_rescale=True, rescale=48))
    table = read_star("Extract/job004/particles.star")["particles"]
    images = read_mrc("Extract/job004/Movies/m0.mrcs").data
    for image, psi in zip(images, table.floats("rlnAnglePsiPrior")):
        values = image[beside_tube(48, 41.3 / 4, psi)]  # 41.3 Å across, 2 Å pixels
        assert values.mean() == pytest.approx(0, abs=1e-4)
        assert values.std() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("points", "changes", "reason"),
    [
        (ENDS[:3], {}, "come in pairs, found 3"),
        ([(50.0, 50.0), (50.0, 50.0)], {}, "tube 1 has no length"),
        (ENDS, {"do_extract_helical_tubes": False}, "need rlnAnglePsiPrior"),
        (ENDS, {"helical_rise": 0.0}, "step along a tube must be positive"),
        (ENDS, {"helical_tube_outer_diameter": 400}, "leaves no background"),
    ],
)
def test_bad_tubes_are_set_aside(
    project: Path, points: list[tuple[float, float]], changes: dict[str, object], reason: str
) -> None:
    write_ends(points)
    with pytest.raises(JobFailed, match=reason):
        run(HELIX.changed(**changes))
    assert reason in dict(SetAsideList.read(Path("Extract/job004")).reasons())[NAME]
