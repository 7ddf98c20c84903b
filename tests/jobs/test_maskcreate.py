"""Mask creation as a job: threshold, automatic, model, combinations, and relion_mask_create beside it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from map_scene import HALF1, PIXEL, SIZE, write_scene

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.maskcreate.job import MaskCreation
from verglas.jobs.maskcreate.options import MaskCreateOptions

DIRECTORY = "MaskCreate/job003/"


@pytest.fixture(autouse=True)
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / DIRECTORY).mkdir(parents=True)
    write_scene(tmp_path)
    return tmp_path


def run_words(words: list[str]) -> list[str]:
    said: list[str] = []
    context = RunContext(Path(DIRECTORY), say=said.append, warn=said.append)
    MaskCreation(MaskCreation.program.parse(words), context).run()
    return said


def run(**options: object) -> tuple[np.ndarray, list[str]]:
    values = {"fn_in": "map.mrc", "lowpass_filter": 10.0, "inimask_threshold": 0.04, **options}
    made = MaskCreateOptions(**values)
    assert not MaskCreation.check(made)
    said = run_words(MaskCreation.command_line(made, DIRECTORY, False))
    node = MaskCreation.expected_outputs(made, DIRECTORY)[0]
    image = read_mrc(node.name)
    assert image.pixel_size_angst == pytest.approx(PIXEL)
    assert image.data.min() >= 0 and image.data.max() <= 1
    return image.data, said


def test_a_threshold_is_proposed_and_can_be_used() -> None:
    plain, said = run()
    assert any("Proposed threshold" in line for line in said)
    proposed, _ = run(do_auto_threshold=True)
    assert 0.03 < proposed.mean() < 0.6
    assert abs((plain > 0.5).mean() - (proposed > 0.5).mean()) < 0.2


def test_extension_inversion_and_helix() -> None:
    narrow, wide = run(extend_inimask=0.0)[0], run(extend_inimask=4.0)[0]
    assert (narrow > 0.5).sum() < (wide > 0.5).sum()
    np.testing.assert_allclose(run(do_invert=True)[0], 1 - run()[0], atol=1e-6)
    helix = run(do_helix=True, helical_z_percentage=20.0)[0]
    assert helix[SIZE // 2].max() == 1 and helix[8].max() == 0


def test_an_automatic_mask_covers_the_particle() -> None:
    inside = read_mrc("map.mrc").data > 0.3
    for options in ({"fn_half": HALF1}, {}):
        mask, said = run(do_auto=True, **options)
        assert mask[inside].min() > 0.9
        assert any("Threshold" in line for line in said)
        assert any("random phases" in line for line in said) == bool(options)


def test_maps_are_combined() -> None:
    other = np.zeros((SIZE,) * 3, np.float32)
    other[:, :, : SIZE // 2] = 1
    write_mrc("other.mrc", other, PIXEL)
    exact = {"fn_combine": "other.mrc", "extend_inimask": 0.0, "width_mask_edge": 0.0}
    whole = run(extend_inimask=0.0, width_mask_edge=0.0)[0] > 0.5
    for how, wanted in (
        ("and", whole & (other > 0)),
        ("or", whole | (other > 0)),
        ("and_not", whole & (other == 0)),
        ("or_not", whole | (other == 0)),
    ):
        np.testing.assert_array_equal(run(combination=how, **exact)[0] > 0.5, wanted)


def test_a_mask_of_a_model() -> None:
    line = "ATOM      1  CA  GLY A   1      {:6.3f}  {:6.3f}  {:6.3f}  1.00 30.00           C\n"
    Path("model.pdb").write_text(line.format(14.0, 21.0, 28.0))
    mask, _ = run(fn_model="model.pdb", extend_inimask=0.0)
    assert np.unravel_index(mask.argmax(), mask.shape) == (20, 15, 9) or mask[20, 15, 10] == 1
    assert (mask == 1).sum() < 100
    Path("model.pdb").write_text(line.format(-90.0, 21.0, 28.0))
    with pytest.raises(JobFailed, match="no atom"):
        run(fn_model="model.pdb")


def test_holes_are_filled() -> None:
    axis = np.arange(SIZE) - SIZE // 2
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    write_mrc("map.mrc", ((radius > 6) & (radius < 12)).astype(np.float32), PIXEL)
    options = {"lowpass_filter": 0.0, "inimask_threshold": 0.5}
    assert run(**options)[0][(SIZE // 2,) * 3] == 0
    assert run(do_fill=True, **options)[0][(SIZE // 2,) * 3] == 1


def test_a_sphere_of_no_map() -> None:
    run_words(
        [
            "--denovo",
            "--box_size",
            "32",
            "--outer_radius",
            "8",
            "--o",
            f"{DIRECTORY}mask.mrc",
            "--center_x",
            "4",
        ]
    )
    mask = read_mrc(f"{DIRECTORY}mask.mrc").data
    assert mask[16, 16, 20] == 1 and mask[16, 16, 8] == 0


def test_what_is_refused() -> None:
    with pytest.raises(NothingToDo, match=r"absent\.mrc"):
        run(fn_in="absent.mrc")
    with pytest.raises(ValueError, match="highest value"):
        run(inimask_threshold=0.5)
    assert MaskCreation.check(MaskCreateOptions())
