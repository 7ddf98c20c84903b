"""`verglas align_symmetry`: maps and model files, proposals, and relion_align_symmetry beside it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from verglas.cli.main import main
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.geometry import PointGroup
from verglas.maps.box_geometry import symmetrised
from verglas.maps.fitting import RigidMove

SIZE, PIXEL_ANGST = 32, 4.0
TURN = Rotation.from_euler("zyz", [50, 70, 120], degrees=True).as_matrix()


def particle(seed: int) -> np.ndarray:
    """A few Gaussian blobs."""
    random = np.random.default_rng(seed)
    axis = np.arange(SIZE) - SIZE // 2
    total = np.zeros((SIZE, SIZE, SIZE))
    for z, y, x in random.uniform(-6, 6, (5, 3)):
        blob = [np.exp(-((axis - place) ** 2) / 4) for place in (z, y, x)]
        total += np.einsum("z,y,x->zyx", *blob)
    return total.astype(np.float32)


def turned(name: str, seed: int = 3) -> np.ndarray:
    volume = symmetrised(particle(seed), PointGroup.of(name).operators.numpy())
    return RigidMove(TURN, np.array([1.0, -0.5, 0.5]), 0).apply(volume)


def residual(path: str, name: str) -> float:
    volume = read_mrc(path).data
    return float(
        ((volume - symmetrised(volume, PointGroup.of(name).operators.numpy())) ** 2).sum() / (volume**2).sum()
    )


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_map_is_aligned_and_made_symmetric(capsys: pytest.CaptureFixture[str]) -> None:
    write_mrc("m.mrc", turned("D2"), PIXEL_ANGST)
    assert residual("m.mrc", "D2") > 0.1
    words = ["align_symmetry", "--i", "m.mrc", "--sym", "D2"]
    assert main([*words, "--o", "out/a.mrc", "--nr_uniform", "800"]) == 0
    assert "not needed" in capsys.readouterr().out
    assert main([*words, "--o", "s.mrc", "--apply_sym"]) == 0
    assert residual("s.mrc", "D2") < residual("out/a.mrc", "D2") < 0.01
    assert read_mrc("s.mrc").pixel_size_angst == pytest.approx(PIXEL_ANGST)


def write_model() -> None:
    """Three classes: the most populated one has no symmetry."""
    for number, volume in enumerate((turned("C3"), particle(8), turned("C3", 5)), 1):
        write_mrc(f"c{number}.mrc", volume, PIXEL_ANGST)
    columns = {
        "rlnReferenceImage": [f"c{number}.mrc" for number in (1, 2, 3)],
        "rlnClassDistribution": [0.3, 0.6, 0.1],
    }
    write_star("run_model.star", [StarTable.from_columns("model_classes", columns)])


def test_of_a_model_file_the_largest_or_the_best_class_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    write_model()
    words = ["align_symmetry", "--i", "run_model.star", "--sym", "C3", "--o", "a.mrc"]
    assert main(words) == 0
    assert residual("a.mrc", "C3") < 0.01
    assert main([*words, "--select_largest_class"]) == 0
    assert "c2.mrc, 60.0%" in capsys.readouterr().out
    assert residual("a.mrc", "C3") > 0.05


def test_symmetry_is_proposed_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    write_mrc("m.mrc", turned("C3"), PIXEL_ANGST)
    assert main(["align_symmetry", "--i", "m.mrc", "--propose"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 1 + 11 + 11 + 3
    assert lines[1].split()[0] == "C3" and "proposed" in lines[1]


def test_bad_input_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    write_mrc("m.mrc", particle(1), PIXEL_ANGST)
    write_model()
    for words, text in [
        (["--i", "m.mrc"], "--propose"),
        (["--i", "m.mrc", "--sym", "Q7"], "unknown point group 'Q7'"),
        (["--i", "m.mrc", "--sym", "C2", "--box_size", "4"], "--box_size"),
        (["--i", "n.mrc", "--sym", "C2"], "n.mrc does not exist"),
        (["--i", "n.star", "--sym", "C2"], "n.star does not exist"),
        (["--i", "run_model.star", "--propose"], "--select_largest_class"),
    ]:
        assert main(["align_symmetry", *words]) != 0
        assert text in capsys.readouterr().err


@pytest.mark.relion
@pytest.mark.slow
def test_no_worse_than_relion() -> None:
    for name in ("C3", "D2"):
        write_mrc("m.mrc", turned(name), PIXEL_ANGST)
        command = [
            "relion_align_symmetry",
            "--i",
            "m.mrc",
            "--sym",
            name,
            "--o",
            "r.mrc",
            "--angpix",
            str(PIXEL_ANGST),
        ]
        subprocess.run([*command, "--box_size", str(SIZE)], check=True, capture_output=True)
        assert main(["align_symmetry", "--i", "m.mrc", "--sym", name, "--o", "a.mrc"]) == 0
        assert residual("a.mrc", name) <= residual("r.mrc", name)
