"""Files that RELION wrote come back to the byte; optics are upgraded as RELION does it."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.star import (
    StarError,
    StarTable,
    format_star,
    read_star,
    rows,
    upgrade_optics,
    write_star,
    writing,
)

DATA = Path(os.environ.get("VERGLAS_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
real = [pytest.mark.real, pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data in {DATA}")]
relion = [pytest.mark.relion, pytest.mark.skipif(not shutil.which("relion_convert_star"), reason="no RELION")]


def written_by_relion(path):
    """RELION's layout is its signature; files that other programs or editors touched lack some of it."""
    content = path.read_bytes()
    if not content.startswith((b"\n", b"# RELION")) or not content.endswith(b" \n"):
        return False
    lines = content.split(b"\n")
    loops = [n for n, line in enumerate(lines) if line.startswith(b"loop_")]
    if not all(lines[n] == b"loop_ " and lines[n + 1].endswith(b" ") for n in loops):
        return False
    blocks = [n for n, line in enumerate(lines) if line.startswith(b"data_")]
    framed = all(lines[n + 1] == b"" and lines[n - 1] == b"" for n in blocks)
    ends = content.count(b"\n \n") >= len(blocks)
    touched = path.parts[-3:-1] == ("MotionCorr", "job002") and b"gain_reference.mrc\nfn_" in content
    return framed and ends and not touched and b"\n \n\ndata_" not in content.replace(b"\n \n\n#", b"")


@pytest.mark.parametrize("code", ["plain", "compiled"])
@pytest.mark.parametrize("folder", ["formats", "empiar10204_betagal/project", "empiar10204_betagal/truth"])
class TestRealFiles:
    pytestmark = real

    def test_come_back_to_the_byte(self, folder, code, monkeypatch):
        if code == "compiled":
            monkeypatch.setattr(rows, "LARGE_BYTES", 0)
            monkeypatch.setattr(writing, "LARGE_CELLS", 0)
        paths = [path for path in sorted((DATA / folder).rglob("*.star")) if written_by_relion(path)]
        assert len(paths) > (30 if folder != "empiar10204_betagal/truth" else 1)
        for path in paths:
            assert format_star(read_star(path)) == path.read_bytes(), path

    def test_all_are_read_and_rewritten_stably(self, folder, code, monkeypatch, tmp_path):
        monkeypatch.setattr(rows, "LARGE_BYTES", 0 if code == "compiled" else 10**9)
        for path in sorted((DATA / folder).rglob("*.star")):
            star = read_star(path)
            write_star(tmp_path / "again.star", star, durable=False)
            again = read_star(tmp_path / "again.star")
            assert format_star(again) == (tmp_path / "again.star").read_bytes(), path
            for name, table in star.items():
                if len(table):
                    assert {k: table.strings(k) for k in table.labels} == {
                        k: again[name].strings(k) for k in again[name].labels
                    }


@pytest.mark.real
@pytest.mark.skipif(not DATA.is_dir(), reason="no real data")
def test_numbers_put_back_give_relions_digits():
    star = read_star(DATA / "empiar10204_betagal/project/Class2D/job010/run_it025_data.star")
    particles = star["particles"]
    numbers = [label for label in particles.labels if "Name" not in label]
    replaced = particles.with_columns({label: particles.floats(label) for label in numbers})
    assert format_star([star["optics"], replaced]) == format_star(star)


@pytest.mark.real
@pytest.mark.skipif(not DATA.is_dir(), reason="no real data")
def test_old_files_get_optics_groups():
    path = DATA / "formats/relion1x/ap_s_c2d.star"
    tables = upgrade_optics(read_star(path))
    assert tables.items.name == "particles" and len(tables.items) == 8915
    assert len(tables.optics) == 1 and "rlnOriginXAngst" in tables.items
    old = read_star(path).first
    pixel_size = 10000 * old.floats("rlnDetectorPixelSize") / old.floats("rlnMagnification")
    np.testing.assert_allclose(tables.items.floats("rlnOriginXAngst"), old.floats("rlnOriginX") * pixel_size)
    assert tables.optics.number("rlnImagePixelSize") == pytest.approx(pixel_size[0])


OLD = {
    "rlnImageName": ["000001@a.mrcs", "000002@a.mrcs", "000001@b.mrcs"],
    "rlnOriginY": [1.5, -2.5, 0.0],
    "rlnOriginXPrior": [2.5, 1.0, 0.25],
    "rlnHelicalTrackLength": [3.0, 4.0, 5.0],
    "rlnVoltage": [300.0] * 3,
    "rlnSphericalAberration": [2.7] * 3,
    "rlnAmplitudeContrast": [0.1] * 3,
    "rlnMagnification": [10000.0] * 3,
    "rlnDetectorPixelSize": [1.3, 1.35, 1.3],
    "rlnBeamTiltX": [0.2] * 3,
    "rlnBeamTiltY": [-0.1] * 3,
    "rlnAnglePsi": [5.0, 6.0, 7.0],
}


ONE_GROUP = {
    "rlnOpticsGroupName": ["a"],
    "rlnOpticsGroup": [1],
    "rlnVoltage": [300.0],
    "rlnSphericalAberration": [2.7],
    "rlnAmplitudeContrast": [0.1],
    "rlnImagePixelSize": [1.0],
    "rlnImageSize": [64],
    "rlnImageDimensionality": [2],
}


@pytest.mark.relion
def test_numbers_are_relions(tmp_path):
    """Written with all their digits, rewritten by RELION, against our rounding of the same doubles."""
    chance = random.Random(1)
    values = [1e5, -1e5, 99999.9999996, -99999.9999996, 0.001, -0.001, 0.00099999999999, -0.0, 1e-5, 5e-7]
    values += [chance.uniform(-1, 1) * 10.0 ** chance.randrange(-8, 8) for _ in range(1500)]
    values += [chance.randrange(-(10**9), 10**9) / 128 for _ in range(500)]  # many exact ties
    items = {
        "rlnImageName": [f"{n}@q" for n in range(1, len(values) + 1)],
        "rlnOpticsGroup": [1] * len(values),
        "rlnDefocusU": values,
    }
    table = StarTable.from_columns("particles", items)
    write_star(tmp_path / "i.star", [StarTable.from_columns("optics", ONE_GROUP), table], precision="full")
    command = ["relion_star_handler", "--i", "i.star", "--o", "o.star"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert format_star(read_star(tmp_path / "o.star")["particles"]) == format_star(table)


QUOTED = ["x y", '"quo" ted', 'x" y', 'a "b" c', '"q', '""x', 'a" b"c', '"a" b"', '"a"b"c', "'a' b", 'a "\tb']


@pytest.mark.relion
@pytest.mark.skipif(not shutil.which("relion_star_handler"), reason="no RELION")
@pytest.mark.parametrize("text", QUOTED)
def test_strings_are_quoted_as_relion_does(text, tmp_path):
    items = StarTable.from_columns("particles", {"rlnImageName": ["1@q"], "rlnOpticsGroup": [1]})
    write_star(tmp_path / "i.star", [StarTable.from_columns("optics", ONE_GROUP), items])
    command = ["relion_star_handler", "--i", "i.star", "--o", "o.star", "--add_column", "rlnMicrographName"]
    subprocess.run([*command, "--add_column_value", text], cwd=tmp_path, check=True, capture_output=True)
    theirs = read_star(tmp_path / "o.star")["particles"]
    ours = items.with_columns({"rlnMicrographName": [text]})
    assert theirs.string("rlnMicrographName") == text
    assert format_star(ours) == format_star(theirs)


@pytest.mark.parametrize("kind", ["particles", "micrographs"])
class TestAgainstRelion:
    pytestmark = relion

    def test_upgraded_as_relion_convert_star_does(self, kind, tmp_path):
        columns = dict(OLD)
        if kind == "micrographs":
            columns["rlnMicrographName"] = ["a.mrc", "b.mrc", "c.mrc"]
            for label in ("rlnImageName", "rlnOriginY", "rlnOriginXPrior", "rlnHelicalTrackLength"):
                del columns[label]
        write_star(tmp_path / "old.star", StarTable.from_columns("", columns, version=None))
        command = ["relion_convert_star", "--i", "old.star", "--o", "new.star"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        tables = upgrade_optics(read_star(tmp_path / "old.star"))
        assert format_star([tables.optics, tables.items]) == (tmp_path / "new.star").read_bytes()

    def test_relion_reads_and_rewrites_ours(self, kind, tmp_path):
        name = {"particles": "rlnImageName", "micrographs": "rlnMicrographName"}[kind]
        optics = {**ONE_GROUP, "rlnOpticsGroupName": ["a b"], "rlnMicrographPixelSize": [1.0]}
        items = {
            name: ["000001@a b.mrcs", 'x"y', '"q', '"', "'q z'", 'plain "', 'a "b"', "'"],
            "rlnDefocusU": [123456.789, 1e-5, -1e-5, 0, -0.0005, 0.001, -123456.7, 99999.9999996],
            "rlnClassNumber": range(8),
            "rlnOpticsGroup": [1] * 8,
        }
        ours = tmp_path / "ours.star"
        write_star(ours, [StarTable.from_columns("optics", optics), StarTable.from_columns(kind, items)])
        command = ["relion_star_handler", "--i", "ours.star", "--o", "theirs.star"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        assert (tmp_path / "theirs.star").read_bytes() == ours.read_bytes()


def test_optics_groups_are_checked_and_renumbered(tmp_path):
    optics = StarTable.from_columns("optics", {"rlnOpticsGroup": [3, 7], "rlnOpticsGroupName": ["a", "b"]})
    items = StarTable.from_columns("particles", {"rlnImageName": ["1@a", "2@a"], "rlnOpticsGroup": [7, 3]})
    write_star(tmp_path / "p.star", [optics, items])
    tables = upgrade_optics(read_star(tmp_path / "p.star"))
    assert tables.optics.ints("rlnOpticsGroup").tolist() == [1, 2]
    assert tables.items.ints("rlnOpticsGroup").tolist() == [2, 1]
    assert "renumbered" in tables.warnings[0]
    write_star(tmp_path / "p.star", [optics, items.with_columns({"rlnOpticsGroup": [7, 4]})])
    with pytest.raises(StarError, match=r"optics groups \[4\] are used but not"):
        upgrade_optics(read_star(tmp_path / "p.star"))


def test_what_an_old_file_does_not_say_has_to_be_given(tmp_path):
    columns = {"rlnMicrographName": ["a.mrc"], "rlnVoltage": [300.0], "rlnAmplitudeContrast": [0.1]}
    write_star(tmp_path / "m.star", StarTable.from_columns("", columns, version=None))
    star = read_star(tmp_path / "m.star")
    with pytest.raises(StarError, match="rlnSphericalAberration is neither in this file"):
        upgrade_optics(star)
    known = {"rlnSphericalAberration": 2.7, "rlnMicrographPixelSize": 1.1}
    assert upgrade_optics(star, known=known).optics.number("rlnMicrographPixelSize") == 1.1
