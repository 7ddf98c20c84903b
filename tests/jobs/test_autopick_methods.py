"""Auto-picking's methods as jobs: templates, dirty areas, network, the user's topaz."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from verglas.cli.autopick_train import main as train
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.autopick.job import AutoPicking
from verglas.jobs.autopick.network import read_network
from verglas.jobs.autopick.options import AutoPickOptions
from verglas.jobs.autopick.pickers import read_references
from verglas.jobs.contract.base import JobFailed, RunContext
from verglas.jobs.contract.set_aside import SetAsideList

DIRECTORY, NAME = "AutoPick/job003/", "Movies/m0.mrc"
CENTRES = [(100 + 150 * i, 100 + 150 * j) for j in range(3) for i in range(3)]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("Movies").mkdir()
    random = np.random.default_rng(0)
    y, x = np.mgrid[:512, :512]
    image = random.standard_normal((512, 512))
    for cx, cy in CENTRES:
        image -= 1.5 * (np.hypot(x - cx, y - cy) < 32)
    write_mrc(NAME, image.astype(np.float32), 2.0)
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMicrographPixelSize": [2.0],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
    }
    rows = {"rlnMicrographName": [NAME], "rlnOpticsGroup": [1]}
    table = StarTable.from_columns
    write_star("mics.star", [table("optics", optics), table("micrographs", rows)])
    disc = (np.hypot(*(np.mgrid[:48, :48] - 24)) < 16).astype(np.float32)
    write_mrc("refs.mrcs", np.stack([disc, disc]), 4.0)
    return tmp_path


def run(options: AutoPickOptions) -> list[str]:
    words = AutoPicking.command_line(options, DIRECTORY, False)
    lines: list[str] = []
    context = RunContext(Path(DIRECTORY), say=lines.append, warn=lines.append)
    AutoPicking(AutoPicking.program.parse(words), context).run()
    return lines


def picked() -> np.ndarray:
    table = read_star(f"{DIRECTORY}Movies/m0_autopick.star").first
    return np.stack([table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")], 1)


def found_all(tolerance: float = 8) -> bool:
    distance = np.sqrt(((picked()[:, None] - np.array(CENTRES)[None]) ** 2).sum(-1))
    return len(picked()) == 9 and bool((distance.min(1) < tolerance).all())


TEMPLATES = AutoPickOptions(
    fn_input_autopick="mics.star",
    fn_refs_autopick="refs.mrcs",
    particle_diameter=150,
    psi_sampling_autopick=90,
    do_ctf_autopick=False,
    maxstddevnoise_autopick=-1,
)


def test_templates_from_a_stack(project: Path) -> None:
    run(TEMPLATES)
    assert found_all()
    table = read_star(f"{DIRECTORY}Movies/m0_autopick.star").first
    assert set(table.ints("rlnClassNumber").tolist()) <= {1, 2}


def test_references_named_in_a_star_file(project: Path) -> None:
    names = {"rlnReferenceImage": ["000002@refs.mrcs"]}
    write_star("classes.star", [StarTable.from_columns("model_classes", names)])
    images, pixel = read_references("classes.star", -1)
    assert (images.shape, pixel) == ((1, 48, 48), 4.0)
    run(TEMPLATES.changed(fn_refs_autopick="classes.star"))
    assert found_all()


def test_templates_from_a_map(project: Path) -> None:
    z, y, x = np.mgrid[:48, :48, :48] - 24
    ball = (np.sqrt(x**2 + y**2 + z**2) < 16).astype(np.float32)
    write_mrc("map.mrc", ball, 4.0)
    options = TEMPLATES.changed(
        fn_refs_autopick="", do_ref3d=True, fn_ref3d_autopick="map.mrc", ref3d_symmetry="O"
    )
    run(options)
    assert found_all()


def test_a_ctf_is_needed_where_it_is_asked_for(project: Path) -> None:
    with pytest.raises(JobFailed, match="no CTF for this micrograph"):
        run(TEMPLATES.changed(do_ctf_autopick=True))
    reason = dict(SetAsideList.read(Path(DIRECTORY)).reasons())[NAME]
    assert "no CTF for this micrograph" in reason


def test_dirty_areas_are_written_and_left_out(project: Path) -> None:
    image = read_mrc(NAME).data.copy()
    image[60:260, 60:140] -= 25  # a crystal over two particles
    write_mrc(NAME, image, 2.0)
    run(AutoPickOptions(fn_input_autopick="mics.star", do_log=True, log_diam_min=110, log_diam_max=140))
    mask = read_mrc(f"{DIRECTORY}Movies/m0_dirty.mrc").data
    assert 0.02 < mask.mean() < 0.3
    crystal = (np.abs(picked() - [100, 160]) < [45, 105]).all(1)
    assert not crystal.any()


def test_train_and_pick_with_the_network(project: Path) -> None:
    columns = {
        "rlnCoordinateX": [float(x) for x, _ in CENTRES[:6]],
        "rlnCoordinateY": [float(y) for _, y in CENTRES[:6]],
    }
    Path("Pick/Movies").mkdir(parents=True)
    Path("Pick/coords_suffix_manualpick.star").write_text("mics.star\n")
    write_star("Pick/Movies/m0_manualpick.star", [StarTable.from_columns("", columns)])
    words = ["--i", "mics.star", "--coords", "Pick/coords_suffix_manualpick.star", "--diameter", "128"]
    assert train([*words, "--o", "net.npz", "--steps", "120"]) == 0
    options = AutoPickOptions(fn_input_autopick="mics.star", do_network=True, fn_network="net.npz")
    run(options)
    distance = np.sqrt(((picked()[:, None] - np.array(CENTRES)[None]) ** 2).sum(-1))
    assert (distance.min(0) < 12).sum() >= 8
    assert len(picked()) <= 11
    Path("net.npz").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="not a picking network"):
        read_network("net.npz")
    assert train([*words[:3], "nothing.star", *words[4:], "--o", "x.npz"]) == 1


FAKE_TOPAZ = """#!/bin/sh
case "$1" in
preprocess) for last; do :; done; cp "$last" small/ ;;
extract)
  printf 'image_name\\tx_coord\\ty_coord\\tscore\\n' > picks.txt
  printf 'm\\t100\\t100\\t3.5\\nm\\t250\\t100\\t-9\\n' >> picks.txt ;;
train) echo "$@" > "{out}/said"; : > "{out}/trained" ;;
esac
"""
TOPAZ = AutoPickOptions(
    fn_input_autopick="mics.star",
    do_topaz=True,
    do_topaz_pick=True,
    topaz_particle_diameter=128,
    fn_topaz_exec="./topaz",
)


def fake_topaz(project: Path, text: str = FAKE_TOPAZ) -> None:
    program = project / "topaz"
    program.write_text(text.replace("{out}", str(project)))
    os.chmod(program, 0o755)


def test_the_users_topaz_is_called(project: Path) -> None:
    fake_topaz(project)
    run(TOPAZ.changed(fn_topaz_exec=str(project / "topaz")))
    assert picked().tolist() == [[100.0, 100.0]]


def test_topaz_is_trained_on_picks(project: Path) -> None:
    fake_topaz(project)
    Path("picks.star").write_text(
        "data_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
        f"{NAME} 100 100\n{NAME} 250 100\n"
    )
    options = TOPAZ.changed(
        do_topaz_pick=False,
        do_topaz_train=True,
        topaz_train_picks="picks.star",
        fn_topaz_exec=str(project / "topaz"),
    )
    run(options)
    assert (project / "trained").exists()
    assert "-n 2" in (project / "said").read_text()
    assert AutoPicking.expected_outputs(options, DIRECTORY) == []


def test_a_missing_or_failing_topaz_says_so(project: Path) -> None:
    with pytest.raises(JobFailed, match="topaz program 'no-such-topaz' was not found"):
        run(TOPAZ.changed(fn_topaz_exec="no-such-topaz"))
    fake_topaz(project, "#!/bin/sh\necho boom >&2\nexit 3\n")
    with pytest.raises(JobFailed, match="ended with 3: boom"):
        run(TOPAZ.changed(fn_topaz_exec=str(project / "topaz")))
    reason = dict(SetAsideList.read(Path(DIRECTORY)).reasons())[NAME]
    assert reason == "topaz preprocess ended with 3: boom"
