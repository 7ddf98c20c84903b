"""Particle subtraction: what is left of noise-free particles, new centres, halves, revert, and RELION."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "maps"))
from conftest import make_blobs, make_uniform_angles
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.stack_writer import write_stack
from verglas.formats.star import StarTable, read_star, write_star
from verglas.fourier import Projector, inverse
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.subtract.job import ParticleSubtraction
from verglas.jobs.subtract.options import SubtractOptions
from verglas.maps.prediction import ImageGeometry, Poses, Predictor
from verglas.optics import CtfParameters

BOX, PIXEL, COUNT = 32, 3.0, 24
DIRECTORY, ROOT = "Subtract/job003/", "Refine3D/job002/run"
NORM, AVERAGE = 0.8, 1.2
ABERRATIONS = {
    "rlnMagMat00": [1.02],
    "rlnMagMat01": [0.01],
    "rlnMagMat10": [0.005],
    "rlnMagMat11": [0.985],
    "rlnBeamTiltX": [0.8],
    "rlnBeamTiltY": [-0.5],
    "rlnEvenZernike": ["[0,0,0.1,0,0.2,0.1,10,0.1,0.3]"],
}


class Scene:
    """Noise-free particles of a map, half by half, and the files of a refinement that found them."""

    def __init__(self, folder: Path, optics: dict[str, list[object]]) -> None:
        volume = make_blobs(BOX).float()
        keep = torch.zeros(BOX, BOX, BOX)
        keep[:, :, BOX // 2 :] = 1
        self.maps, self.keep = [volume, 0.5 * volume], keep
        self.angles = make_uniform_angles(COUNT)
        generator = torch.Generator().manual_seed(1)
        self.origins = (torch.rand(COUNT, 2, generator=generator, dtype=torch.float64) - 0.5) * 5
        self.half = torch.arange(COUNT) % 2
        self.defocus = torch.linspace(9000, 15000, COUNT, dtype=torch.float64)
        self.aberrated = bool(optics)
        images = self.images(self.maps)
        write_stack(folder / "p.mrcs", (images * NORM / AVERAGE).numpy(), PIXEL)
        write_mrc(folder / "keep.mrc", keep.numpy(), PIXEL)
        (folder / ROOT).parent.mkdir(parents=True)
        self._write(optics)

    def images(self, maps: list[torch.Tensor]) -> torch.Tensor:
        geometry = ImageGeometry(BOX, PIXEL)
        if self.aberrated:
            geometry = ImageGeometry(
                BOX, PIXEL, beam_tilt_mrad=(0.8, -0.5), magnification=(1.02, 0.01, 0.005, 0.985)
            )
        result = torch.zeros(COUNT, BOX, BOX)
        for half, volume in enumerate(maps):
            rows = torch.nonzero(self.half == half).flatten()
            parameters = CtfParameters.of(
                self.defocus[rows],
                self.defocus[rows],
                0.0,
                voltage_kv=300,
                cs_mm=2.7,
                amplitude_contrast=0.1,
                even_zernike=[[0, 0, 0.1, 0, 0.2, 0.1, 10, 0.1, 0.3]] if self.aberrated else None,
                magnification=[[[1.02, 0.01], [0.005, 0.985]]] if self.aberrated else None,
            )
            predictor = Predictor(Projector.of(volume), BOX * PIXEL, geometry)
            poses = Poses(self.angles[rows], self.origins[rows].flip(-1))
            result[rows] = inverse(predictor.transforms(poses, parameters), BOX)
        return result

    def _write(self, optics: dict[str, list[object]]) -> None:
        groups = {
            "rlnOpticsGroupName": ["one"],
            "rlnOpticsGroup": [1],
            "rlnVoltage": [300.0],
            "rlnSphericalAberration": [2.7],
            "rlnAmplitudeContrast": [0.1],
            "rlnImagePixelSize": [PIXEL],
            "rlnImageSize": [BOX],
            "rlnImageDimensionality": [2],
        }
        particles = {
            "rlnImageName": [f"{n + 1:06d}@p.mrcs" for n in range(COUNT)],
            "rlnMicrographName": ["a.mrc"] * COUNT,
            "rlnOpticsGroup": [1] * COUNT,
            "rlnDefocusU": self.defocus.numpy(),
            "rlnDefocusV": self.defocus.numpy(),
            "rlnDefocusAngle": np.zeros(COUNT),
            "rlnAngleRot": self.angles[:, 0].numpy(),
            "rlnAngleTilt": self.angles[:, 1].numpy(),
            "rlnAnglePsi": self.angles[:, 2].numpy(),
            "rlnOriginXAngst": (self.origins[:, 0] * PIXEL).numpy(),
            "rlnOriginYAngst": (self.origins[:, 1] * PIXEL).numpy(),
            "rlnClassNumber": [1] * COUNT,
            "rlnNormCorrection": [NORM] * COUNT,
            "rlnRandomSubset": (self.half + 1).numpy(),
        }
        tables = [
            StarTable.from_columns("optics", groups | optics),
            StarTable.from_columns("particles", particles),
        ]
        write_star(f"{ROOT}_data.star", tables, precision="full")
        for number, volume in enumerate(self.maps, 1):
            write_mrc(f"{ROOT}_half{number}_class001.mrc", volume.numpy(), PIXEL)
            general = {"rlnPixelSize": PIXEL, "rlnNormCorrectionAverage": AVERAGE}
            classes = {"rlnReferenceImage": [f"{ROOT}_half{number}_class001.mrc"]}
            scales = {"rlnGroupName": ["a.mrc"], "rlnGroupScaleCorrection": [1.0]}
            model = [
                StarTable.from_columns("model_general", general, is_list=True),
                StarTable.from_columns("model_classes", classes),
                StarTable.from_columns("model_groups", scales),
            ]
            write_star(f"{ROOT}_half{number}_model.star", model)
        optimiser = {
            "rlnModelStarFile": f"{ROOT}_half1_model.star",
            "rlnModelStarFile2": f"{ROOT}_half2_model.star",
            "rlnExperimentalDataStarFile": f"{ROOT}_data.star",
            "rlnDoCorrectCtf": 1,
        }
        table = StarTable.from_columns("optimiser_general", optimiser, is_list=True)
        write_star(f"{ROOT}_optimiser.star", table)


@pytest.fixture(params=[{}, ABERRATIONS], ids=["plain", "aberrations"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.chdir(tmp_path)
    (tmp_path / DIRECTORY).mkdir(parents=True)
    return Scene(tmp_path, request.param)


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.chdir(tmp_path)
    (tmp_path / DIRECTORY).mkdir(parents=True)
    return Scene(tmp_path, {})


def run(**options: object) -> StarTable:
    values = {"fn_opt": f"{ROOT}_optimiser.star", "fn_mask": "keep.mrc", **options}
    made = SubtractOptions(**values)
    assert not ParticleSubtraction.check(made)
    words = ParticleSubtraction.command_line(made, DIRECTORY, False)
    context = RunContext(Path(DIRECTORY), say=lambda line: None, warn=lambda line: None)
    ParticleSubtraction(ParticleSubtraction.program.parse(words), context).run()
    node = ParticleSubtraction.expected_outputs(made, DIRECTORY)[0]
    return read_star(node.name)["particles"]


def stack() -> np.ndarray:
    return read_mrc(f"{DIRECTORY}Particles/subtracted_opticsgroup1.mrcs").data


def test_what_is_kept_is_left_of_each_half(scene: Scene) -> None:
    table = run(do_center_mask=False)
    wanted = scene.images([volume * scene.keep for volume in scene.maps]).numpy()
    order = [int(name.split("@")[0]) - 1 for name in table.strings("rlnImageName")]
    np.testing.assert_allclose(stack()[order], wanted, atol=2e-4 * np.abs(wanted).max())
    assert table.strings("rlnImageOriginalName")[3] == "000004@p.mrcs"


def test_new_centres_are_where_the_mask_is(plain: Scene) -> None:
    """A blob about the mask's centre of mass is in the middle of every image, up to what the origin says."""
    axis = torch.arange(BOX) - BOX // 2
    place = (6, -3, 4)  # x, y, z
    distance = sum(
        ((axis - p) ** 2).reshape(shape) for p, shape in zip(place, [(1, 1, -1), (1, -1, 1), (-1, 1, 1)])
    )
    keep = (distance < 9).float()
    write_mrc("keep.mrc", keep.numpy(), PIXEL)
    blob = torch.exp(-distance / 4.0).float()
    for number in (1, 2):
        write_mrc(f"{ROOT}_half{number}_class001.mrc", torch.zeros(BOX, BOX, BOX).numpy(), PIXEL)
    write_stack("p.mrcs", plain.images([blob, blob]).numpy(), PIXEL)
    table = run(new_box=16)
    assert read_star(f"{DIRECTORY}particles_subtracted.star")["optics"].ints("rlnImageSize")[0] == 16
    order = [int(name.split("@")[0]) - 1 for name in table.strings("rlnImageName")]
    images = stack()[order]
    assert images.shape == (COUNT, 16, 16)
    origins = np.stack([table.floats("rlnOriginYAngst"), table.floats("rlnOriginXAngst")], 1) / PIXEL
    assert np.abs(origins).max() <= 0.5 + 1e-6
    peaks = np.array([np.unravel_index(image.argmax(), image.shape) for image in images]) - 8
    assert np.abs(peaks + origins).max() < 1.0


def test_revert_brings_the_original_names_back(plain: Scene) -> None:
    run(do_center_mask=False)
    table = run(do_fliplabel=True, fn_fliplabel=f"{DIRECTORY}particles_subtracted.star")
    assert table.strings("rlnImageName")[0] == "000001@p.mrcs"
    with pytest.raises(JobFailed, match="were not subtracted"):
        run(do_fliplabel=True, fn_fliplabel=f"{ROOT}_data.star")


def test_unreadable_particles_are_set_aside(plain: Scene) -> None:
    data = read_star(f"{ROOT}_data.star")
    names = data["particles"].strings("rlnImageName")
    changed = data["particles"].with_columns({"rlnImageName": [*names[:-1], "000099@p.mrcs"]})
    write_star(f"{ROOT}_data.star", [data["optics"], changed])
    assert len(run(do_center_mask=False)) == COUNT - 1
    assert "000099@p.mrcs" in SetAsideList.read(Path(DIRECTORY))


def test_what_is_refused(plain: Scene) -> None:
    with pytest.raises(NothingToDo, match="absent_optimiser"):
        run(fn_opt="absent_optimiser.star")
    with pytest.raises(JobFailed, match="even"):
        run(new_box=15)
    write_mrc("keep.mrc", np.ones((16, 16, 16), np.float32), PIXEL)
    with pytest.raises(JobFailed, match="a box of 16"):
        run()
    assert len(ParticleSubtraction.check(SubtractOptions())) == 2


@pytest.mark.relion
def test_beside_relion(plain: Scene) -> None:
    """The same images but for rounding, on files of a classification of ours."""
    from verglas.cli.program import run_program

    data = read_star(f"{ROOT}_data.star")
    table = data["particles"].without(["rlnRandomSubset"])
    write_star("input.star", [data["optics"].with_columns(ABERRATIONS), table])
    Path("Class3D/job001").mkdir(parents=True)
    flags = (
        "--K 1 --iter 1 --ctf --particle_diameter 90 --zero_mask --oversampling 0 --healpix_order 0 --norm"
    )
    words = [
        "--i",
        "input.star",
        "--ref",
        f"{ROOT}_half1_class001.mrc",
        "--o",
        "Class3D/job001/run",
        "--ini_high",
        "12",
        "--offset_range",
        "2",
        "--offset_step",
        "2",
        "--scale",
        *flags.split(),
    ]
    assert run_program("refine", words) == 0
    optimiser = "Class3D/job001/run_it001_optimiser.star"
    command = ["relion_particle_subtract", "--i", optimiser, "--o", "Subtract/theirs/"]
    command += ["--mask", "keep.mrc", "--recenter_on_mask", "--new_box", "24"]
    subprocess.run(command, check=True, capture_output=True, timeout=200)
    run(fn_opt=optimiser, new_box=24)
    found = {}
    for folder in (DIRECTORY, "Subtract/theirs/"):
        table = read_star(f"{folder}particles_subtracted.star")["particles"]
        images = read_mrc(f"{folder}Particles/subtracted_opticsgroup1.mrcs").data
        places = [int(name.split("@")[0]) - 1 for name in table.strings("rlnImageName")]
        names = table.strings("rlnImageOriginalName")
        x = table.floats("rlnOriginXAngst")
        found[folder] = {
            name: (images[place], x[row]) for row, (name, place) in enumerate(zip(names, places))
        }
    ours, theirs = found.values()
    assert set(ours) == set(theirs)
    for name, (image, origin) in theirs.items():
        assert np.corrcoef(image.ravel(), ours[name][0].ravel())[0, 1] > 0.9999
        assert ours[name][1] == pytest.approx(origin, abs=1e-4)
