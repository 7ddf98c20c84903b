"""CTF refinement as a job: what it finds of known optics, files, going on, bad input, and RELION beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "maps"))
from conftest import make_blobs, make_uniform_angles
from verglas.formats.mrc import write_mrc
from verglas.formats.stack_writer import write_stack
from verglas.formats.star import StarTable, read_star, write_star
from verglas.fourier import Projector, inverse
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.ctfrefine.distortion import seen_anew
from verglas.jobs.ctfrefine.job import CtfRefinement
from verglas.jobs.ctfrefine.options import CtfRefineOptions
from verglas.maps.prediction import ImageGeometry, Poses, Predictor
from verglas.optics import CtfParameters, ctf_phase

BOX, PIXEL, COUNT, MICS = 48, 1.6, 48, 6
DIRECTORY = "CtfRefine/job005/"
GEOMETRY = ImageGeometry(BOX, PIXEL, beam_tilt_mrad=(1.5, -0.8), odd_zernike=(0, 0, 9.0, 0, 0, -6.0))
LIST = "particles_ctf_refine.star"


class Scene:
    """Particles of a map with a little noise; their defocus in the list is their micrograph's."""

    def __init__(
        self, geometry: ImageGeometry = GEOMETRY, noise: float = 0.05, **optics: list[object]
    ) -> None:
        volume = make_blobs(BOX).float()
        rng = np.random.default_rng(3)
        self.true_defocus = np.linspace(9000, 14000, MICS)[np.arange(COUNT) % MICS] + rng.normal(
            0, 120, COUNT
        )
        self.micrograph_defocus = np.linspace(9000, 14000, MICS)[np.arange(COUNT) % MICS]
        self.angles = make_uniform_angles(COUNT)
        self.origins_xy = torch.from_numpy(rng.uniform(-2, 2, (COUNT, 2)))
        parameters = CtfParameters.of(
            self.true_defocus + 150, self.true_defocus - 150, 20.0, **_microscope(geometry)
        )
        predictor = Predictor(Projector.of(volume), BOX * PIXEL, geometry)
        poses = Poses(self.angles, self.origins_xy.flip(-1))
        images = inverse(predictor.transforms(poses, parameters), BOX).numpy()
        images += rng.normal(0, noise * images.std(), images.shape).astype(np.float32)
        write_stack(Path("p.mrcs"), images, PIXEL)
        self._write_maps(volume)
        self._write_list(optics)

    def _write_maps(self, volume: torch.Tensor) -> None:
        rng = np.random.default_rng(4)
        for half in (1, 2):
            noisy = volume.numpy() + rng.normal(0, 1e-4, volume.shape).astype(np.float32)
            write_mrc(f"half{half}.mrc", noisy, PIXEL)
        shells = np.arange(BOX // 2 + 1)
        curve = {
            "rlnSpectralIndex": shells,
            "rlnFourierShellCorrelationCorrected": np.where(shells < 20, 0.9, 0),
        }
        general = {"rlnUnfilteredMapHalf1": "half1.mrc", "rlnUnfilteredMapHalf2": "half2.mrc"}
        write_star(
            "post.star",
            [
                StarTable.from_columns("general", general, is_list=True),
                StarTable.from_columns("fsc", curve | {"rlnResolution": shells / (BOX * PIXEL)}),
            ],
        )

    def _write_list(self, optics: dict[str, list[object]]) -> None:
        groups: dict[str, list[object]] = {
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
            "rlnMicrographName": [f"MotionCorr/job002/Movies/m{n % MICS}.mrc" for n in range(COUNT)],
            "rlnOpticsGroup": [1] * COUNT,
            "rlnDefocusU": self.micrograph_defocus + 150,
            "rlnDefocusV": self.micrograph_defocus - 150,
            "rlnDefocusAngle": [20.0] * COUNT,
            "rlnAngleRot": self.angles[:, 0].numpy(),
            "rlnAngleTilt": self.angles[:, 1].numpy(),
            "rlnAnglePsi": self.angles[:, 2].numpy(),
            "rlnOriginXAngst": (self.origins_xy[:, 0] * PIXEL).numpy(),
            "rlnOriginYAngst": (self.origins_xy[:, 1] * PIXEL).numpy(),
            "rlnRandomSubset": [n // MICS % 2 + 1 for n in range(COUNT)],
        }
        tables = [
            StarTable.from_columns("optics", groups | optics),
            StarTable.from_columns("particles", particles),
        ]
        write_star("particles.star", tables, precision="full")

    def defocus_error(self, path: str) -> np.ndarray:
        table = read_star(path)["particles"]
        row = [int(name[:6]) - 1 for name in table.strings("rlnImageName")]
        found = (np.array(table.floats("rlnDefocusU")) + np.array(table.floats("rlnDefocusV"))) / 2
        return found - self.true_defocus[row]


def _microscope(geometry: ImageGeometry) -> dict[str, object]:
    values = {"voltage_kv": 300.0, "cs_mm": 2.7, "amplitude_contrast": 0.1}
    if geometry.magnification is not None:
        values["magnification"] = np.array(geometry.magnification).reshape(1, 2, 2)
    return values


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / DIRECTORY).mkdir(parents=True)


def refine(*words: str, said: list[str] | None = None) -> RunContext:
    told = [] if said is None else said
    context = RunContext(Path(DIRECTORY), say=told.append, warn=told.append)
    flags = ["--i", "particles.star", "--f", "post.star", "--o", DIRECTORY, *words]
    CtfRefinement(CtfRefinement.program.parse(flags), context).run()
    return context


ODD = ["--fit_beamtilt", "--odd_aberr_max_n", "3"]
DEFOCUS = ["--fit_defocus", "--fit_mode", "fpmff"]


def test_defocus_tilt_and_trefoil_come_back_and_are_told():
    scene, said = Scene(), []
    refine(*ODD, *DEFOCUS, "--kmin_defocus", "20", said=said)
    assert np.sqrt((scene.defocus_error("particles.star") ** 2).mean()) > 100
    assert np.sqrt((scene.defocus_error(DIRECTORY + LIST) ** 2).mean()) < 25
    star = read_star(DIRECTORY + LIST)
    optics = star["optics"]
    assert optics.number("rlnBeamTiltX", 0) == pytest.approx(1.5, abs=0.03)
    assert optics.number("rlnBeamTiltY", 0) == pytest.approx(-0.8, abs=0.03)
    zernike = optics.vectors("rlnOddZernike")[0]
    assert zernike[2] == pytest.approx(9, abs=0.5) and zernike[5] == pytest.approx(-6, abs=0.5)
    before, after = read_star("particles.star")["particles"], star["particles"]
    assert after.labels == before.labels and len(after) == COUNT
    assert after.strings("rlnImageName") == before.strings("rlnImageName")
    told = "\n".join(said)
    assert (
        "48 particles of 6 micrographs were refined" in told and "optics group one: beam tilt x = 1." in told
    )
    for name in ("logfile.pdf", "aberrations_optics-group_1.png"):
        assert (Path(DIRECTORY) / name).stat().st_size > 1000


def test_what_was_found_leaves_nothing_to_be_found():
    Scene()
    refine(*ODD)
    Path(DIRECTORY + LIST).rename("particles.star")
    refine("--fit_beamtilt")  # the tilt alone: trefoil stays in the list
    optics = read_star(DIRECTORY + LIST)["optics"]
    assert optics.number("rlnBeamTiltX", 0) == pytest.approx(1.5, abs=0.03)
    assert optics.vectors("rlnOddZernike")[0][2] == pytest.approx(9, abs=0.5)


def test_fourth_order_aberrations_are_replaced_not_added():
    even = (0.4, -0.3, 1.0, 0.6, 3.0, -2.0, 8.0, 1.0, -4.0)
    Scene(ImageGeometry(BOX, PIXEL))
    refine("--fit_aberr", "--kmin_aberr", "15")
    none = read_star(DIRECTORY + LIST)["optics"].vectors("rlnEvenZernike")[0]
    star = read_star("particles.star")
    text = "[" + ",".join(map(str, even)) + "]"
    write_star("particles.star", [star["optics"].with_columns({"rlnEvenZernike": [text]}), star["particles"]])
    refine("--fit_aberr", "--kmin_aberr", "15")
    again = read_star(DIRECTORY + LIST)["optics"].vectors("rlnEvenZernike")[0]
    np.testing.assert_allclose(again, none, atol=1e-3)


def test_anisotropic_magnification_in_passes():
    geometry, said = ImageGeometry(BOX, PIXEL, magnification=(1.01, 0.004, 0.002, 0.994)), []
    Scene(geometry)
    refine("--fit_aniso", "--kmin_mag", "25", said=said)
    star = read_star(DIRECTORY + LIST)
    found = [star["optics"].number(f"rlnMagMat{place}", 0) for place in ("00", "01", "10", "11")]
    np.testing.assert_allclose(found, geometry.magnification, atol=8e-4)
    assert any("Pass 2" in line for line in said) and any("anisotropy 1." in line for line in said)
    before, after = (
        np.array(t["particles"].floats("rlnDefocusU")) for t in (read_star("particles.star"), star)
    )
    assert np.abs(after - before).max() > 10  # astigmatism in the new coordinates
    with pytest.raises(JobFailed, match="--fit_aniso goes alone"):
        refine("--fit_aniso", *ODD)


def test_first_passes_over_many_micrographs_take_some_of_them(monkeypatch):
    geometry, said = ImageGeometry(BOX, PIXEL, magnification=(1.01, 0.004, 0.002, 0.994)), []
    Scene(geometry)
    monkeypatch.setattr("verglas.jobs.ctfrefine.job.MANY", 4)
    refine("--fit_aniso", "--kmin_mag", "25", said=said)
    counts = [line.split()[0] for line in said if "to process" in line]
    assert counts == ["2", "2", "6"]
    optics = read_star(DIRECTORY + LIST)["optics"]
    found = [optics.number(f"rlnMagMat{place}", 0) for place in ("00", "01", "10", "11")]
    np.testing.assert_allclose(found, geometry.magnification, atol=8e-4)
    again = []
    refine("--fit_aniso", "--kmin_mag", "25", "--only_do_unfinished", said=again)
    assert [line.split()[0] for line in again if "to process" in line] == ["0", "0", "0"]


def test_a_second_run_does_the_rest_only_and_gives_the_same():
    Scene()
    refine(*ODD, *DEFOCUS)
    first = (Path(DIRECTORY) / LIST).read_bytes()
    results = sorted(Path(DIRECTORY).rglob("*_ctf_refine.npz"))
    assert len(results) == MICS and results[0].parent.name == "Movies"
    kept = {path: path.stat().st_mtime_ns for path in results[1:]}
    results[0].unlink()
    (Path(DIRECTORY) / LIST).unlink()
    said = []
    refine(*ODD, *DEFOCUS, "--only_do_unfinished", said=said)
    assert " 1 to process, 5 finished before, 6 in all" in said
    assert (Path(DIRECTORY) / LIST).read_bytes() == first
    assert {path: path.stat().st_mtime_ns for path in results[1:]} == kept


def test_the_other_half_may_be_compared_with():
    scene = Scene()
    refine(*DEFOCUS, "--kmin_defocus", "20", "--opposite_half")
    own = scene.defocus_error(DIRECTORY + LIST)
    refine(*DEFOCUS, "--kmin_defocus", "20")
    other = scene.defocus_error(DIRECTORY + LIST)
    assert np.sqrt((own**2).mean()) < 25 and 0 < np.abs(own - other).max() < 10


def test_particles_that_cannot_be_used_are_set_aside_and_the_rest_goes_on():
    """One without a half, one without an image, one whose defocus is no number, one alone on its micrograph."""
    Scene()
    star = read_star("particles.star")
    table = star["particles"]
    half, names, u = table.ints("rlnRandomSubset"), table.strings("rlnImageName"), table.floats("rlnDefocusU")
    half, names, u = list(half), list(names), list(u)
    half[3], names[4], u[5] = 0, "000099@p.mrcs", float("nan")
    mics = list(table.strings("rlnMicrographName"))
    mics[10] = "alone.mrc"
    columns = {"rlnRandomSubset": half, "rlnImageName": names, "rlnDefocusU": u, "rlnMicrographName": mics}
    write_star("particles.star", [star["optics"], table.with_columns(columns)])
    said = []
    refine(*DEFOCUS, said=said)
    assert len(read_star(DIRECTORY + LIST)["particles"]) == COUNT - 3
    reasons = dict(SetAsideList.read(Path(DIRECTORY)).reasons())
    assert reasons["000004@p.mrcs"] == "it belongs to neither half of the data"
    assert "holds only 48" in reasons["000099@p.mrcs"] and len(reasons) == 3
    told = "\n".join(said)
    assert "45 particles of 7 micrographs were refined" in told and "1 are alone on their micrograph" in told


def test_optics_groups_with_other_boxes_have_their_own_geometry():
    """Half of the particles again, cut out in a smaller box, as a second group."""
    Scene()
    star = read_star("particles.star")
    from verglas.formats.mrc import read_mrc

    images = np.asarray(read_mrc("p.mrcs").data)[:, 4:-4, 4:-4]
    write_stack(Path("small.mrcs"), np.ascontiguousarray(images), PIXEL)
    table, optics = star["particles"], star["optics"]
    small = [n % 12 < 6 for n in range(COUNT)]
    columns = {
        "rlnOpticsGroup": [2 if each else 1 for each in small],
        "rlnImageName": [f"{n + 1:06d}@{'small' if each else 'p'}.mrcs" for n, each in enumerate(small)],
    }
    rows = {label: [optics.string(label, 0)] * 2 for label in optics.labels}
    rows |= {"rlnOpticsGroup": ["1", "2"], "rlnImageSize": [str(BOX), str(BOX - 8)]}
    write_star("particles.star", [StarTable.from_columns("optics", rows), table.with_columns(columns)])
    refine(*ODD)
    found = read_star(DIRECTORY + LIST)["optics"]
    for row in range(2):
        assert found.number("rlnBeamTiltX", row) == pytest.approx(
            1.5, abs=0.25
        )  # the small box cuts fringes off


@pytest.mark.parametrize(
    ("change", "words", "error", "message"),
    [
        ("drop rlnRandomSubset", ODD, JobFailed, "has no rlnRandomSubset.*which half"),
        ("drop rlnAngleRot", ODD, JobFailed, "has no rlnAngleRot.*auto-refine"),
        ("no post", ODD, NothingToDo, "post.star does not exist"),
        ("short fsc", ODD, JobFailed, "has 10 shells, the half map"),
        ("no fsc", ODD, JobFailed, "no rlnFourierShellCorrelationCorrected"),
        ("premultiplied", ODD, JobFailed, "were multiplied by a CTF"),
        ("cs", ODD, JobFailed, "Cs of 0"),
        ("", [], JobFailed, "nothing is to be fitted"),
        ("", ["--fit_defocus", "--fit_mode", "fpmmf"], JobFailed, "Cs belongs to the optics group"),
        ("", ["--fit_defocus", "--fit_mode", "fffff"], JobFailed, "fixes everything"),
        ("", ["--fit_beamtilt", "--kmin_tilt", "3"], JobFailed, "no frequency is left between 3 Å and 4.0 Å"),
        ("", [*ODD, "--min_MG", "70"], JobFailed, "none of the 6"),
    ],
)
def test_bad_input_is_named(change, words, error, message):
    optics = {"rlnCtfDataAreCtfPremultiplied": [1]} if change == "premultiplied" else {}
    optics |= {"rlnSphericalAberration": [0.0]} if change == "cs" else {}
    Scene(**optics)
    if change.startswith("drop"):
        star = read_star("particles.star")
        kept = [label for label in star["particles"].labels if label != change.split()[1]]
        write_star("particles.star", [star["optics"], star["particles"].select(kept)])
    if change == "no post":
        Path("post.star").unlink()
    if change.endswith("fsc"):
        star = read_star("post.star")
        fsc = (
            star["fsc"].take(np.arange(10))
            if change == "short fsc"
            else star["fsc"].select(["rlnResolution"])
        )
        write_star("post.star", [star["general"], fsc])
    with pytest.raises(error, match=message):
        refine(*words)


def test_the_form_says_what_relion_is_told():
    options = CtfRefineOptions(
        fn_data="a.star", fn_post="post.star", do_defocus="Per-particle", do_astig="Per-micrograph",
        do_tilt=True, do_trefoil=True, do_4thorder=True, minres=25,
    )  # fmt: skip
    line = " ".join(CtfRefinement.command_line(options, DIRECTORY, False))
    assert line == (
        f"--o {DIRECTORY} --j 1 --i a.star --f post.star --fit_beamtilt --fit_aberr --fit_defocus --fit_mode fpmff "
        "--kmin_defocus 25 --kmin_tilt 25 --odd_aberr_max_n 3 --kmin_aberr 25"
    )
    aniso = options.changed(do_aniso_mag=True)
    assert CtfRefinement.command_line(aniso, DIRECTORY, True)[2:] == [
        *("--only_do_unfinished", "--j", "1", "--i", "a.star", "--f", "post.star", "--fit_aniso"),
        *("--kmin_mag", "25"),
    ]
    assert CtfRefinement.check(options) == [] and CtfRefinement.check(aniso) == []
    assert "Nothing is chosen on the Fit tab" in CtfRefinement.check(CtfRefineOptions())


@pytest.mark.relion
def test_relion_goes_on_with_our_list_and_we_with_its():
    """RELION 3.1.3 finds what we found; each takes what the other wrote."""
    scene = Scene()
    relion = ["relion_ctf_refine", "--f", "post.star", "--m1", "half1.mrc", "--m2", "half2.mrc"]
    fits = [*ODD, "--kmin_tilt", "20", *DEFOCUS, "--kmin_defocus", "20"]

    def run(i: str, o: str) -> None:
        done = subprocess.run([*relion, "--i", i, "--o", o, *fits], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    run("particles.star", "theirs/")
    refine(*fits)
    Path(DIRECTORY + LIST).rename("ours.star")
    ours, theirs = (read_star(path)["optics"] for path in ("ours.star", "theirs/" + LIST))
    for label in ("rlnBeamTiltX", "rlnBeamTiltY"):
        assert ours.number(label, 0) == pytest.approx(theirs.number(label, 0), abs=0.03)
    errors = [np.sqrt((scene.defocus_error(path) ** 2).mean()) for path in ("ours.star", "theirs/" + LIST)]
    assert errors[0] <= errors[1] * 1.05
    run("ours.star", "again/")
    Path("theirs/" + LIST).rename("particles.star")
    refine(*fits)
    again = read_star("again/" + LIST)["optics"], read_star(DIRECTORY + LIST)["optics"]
    for optics in again:
        assert optics.number("rlnBeamTiltX", 0) == pytest.approx(1.5, abs=0.04)


def test_copies_of_an_image_and_new_particles_of_a_finished_micrograph_stay():
    """Symmetry copies are particles of their own; what joins a finished micrograph keeps its defocus."""
    Scene()
    star = read_star("particles.star")
    table = star["particles"]
    copies = table.take(np.r_[0:COUNT, 0:3])
    write_star("particles.star", [star["optics"], copies])
    refine(*DEFOCUS)
    assert len(read_star(DIRECTORY + LIST)["particles"]) == COUNT + 3
    more = table.take(np.r_[0:COUNT, 0:3, 5:6])
    write_star("particles.star", [star["optics"], more])
    said = []
    refine(*DEFOCUS, "--only_do_unfinished", said=said)
    found = read_star(DIRECTORY + LIST)["particles"]
    assert len(found) == COUNT + 4
    assert found.floats("rlnDefocusU")[-1] == pytest.approx(table.floats("rlnDefocusU")[5])
    assert any("1 kept theirs: not in the list when" in line for line in said)


def test_astigmatism_in_other_coordinates_makes_the_same_phases():
    """From one matrix to another that is not the first one's identity; micrographs get a mean of their own."""
    before, after = (np.array(m).reshape(2, 2) for m in ((1.02, 0.01, 0.0, 0.99), (0.99, 0.0, 0.02, 1.01)))
    defocus = np.array([[15000.0, 14000.0, 70.0], [12000.0, 11900.0, -10.0]])
    moved = seen_anew(defocus, before, after)
    grid = torch.rand(50, 2, dtype=torch.float64) * 0.3
    phases = [
        ctf_phase(
            CtfParameters.of(
                *torch.from_numpy(values).unbind(1),
                voltage_kv=300,
                cs_mm=0,
                amplitude_contrast=0.1,
                magnification=matrix[None],
            ),
            grid,
        )
        for values, matrix in ((defocus, before), (moved, after))
    ]
    torch.testing.assert_close(phases[0], phases[1])
    shared = seen_anew(defocus, before, after, np.array(["a.mrc", "a.mrc"]))
    stretch = shared[:, 0] - shared[:, 1]
    assert stretch[0] == pytest.approx(stretch[1]) and shared[0, 2] == pytest.approx(shared[1, 2])
    np.testing.assert_allclose(shared[:, :2].mean(1), moved[:, :2].mean(1))
