"""cryoSPARC's datasets: the way to our tables and back is exact in what both sides know."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from verglas.formats.cryosparc import cs_from_tables, join_by_uid, read_cs, tables_from_cs, write_cs
from verglas.formats.cryosparc.dataset import CsError
from verglas.formats.cryosparc.poses import eulers_from_vectors, vectors_from_eulers
from verglas.formats.star import read_star, write_star
from verglas.geometry import euler_matrices

DATA = Path(os.environ.get("VERGLAS_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
FILES = sorted((DATA / "formats" / "cryosparc").glob("*.cs"))


def dataset(count=5):
    random = np.random.default_rng(1)
    fields = [
        ("uid", "<u8"),
        ("blob/path", "S20"),
        ("blob/idx", "<u4"),
        ("blob/shape", "<u4", (2,)),
        ("blob/psize_A", "<f4"),
        ("ctf/exp_group_id", "<u4"),
        ("ctf/accel_kv", "<f4"),
        ("ctf/cs_mm", "<f4"),
        ("ctf/amp_contrast", "<f4"),
        ("ctf/df1_A", "<f4"),
        ("ctf/df2_A", "<f4"),
        ("ctf/df_angle_rad", "<f4"),
        ("ctf/phase_shift_rad", "<f4"),
        ("ctf/tilt_A", "<f4", (2,)),
        ("alignments3D/shift", "<f4", (2,)),
        ("alignments3D/pose", "<f4", (3,)),
        ("alignments3D/psize_A", "<f4"),
        ("alignments3D/split", "<u4"),
        ("alignments3D/class", "<u4"),
        ("alignments3D/error", "<f4"),
    ]
    made = np.zeros(count, np.dtype(fields))
    made["uid"] = 2**63 + np.arange(count, dtype=np.uint64) * 7
    made["blob/path"] = b">J1/a.mrc"
    made["blob/idx"] = np.arange(count)
    made["blob/shape"], made["blob/psize_A"], made["alignments3D/psize_A"] = 256, 1.1, 2.2
    made["ctf/exp_group_id"] = np.arange(count) % 2 + 10
    made["ctf/accel_kv"], made["ctf/cs_mm"], made["ctf/amp_contrast"] = 300, 2.7, 0.1
    made["ctf/tilt_A"] = np.array([[100.0, -50.0], [20.0, 0.5]])[np.arange(count) % 2]
    for name in ("ctf/df1_A", "ctf/df2_A", "ctf/df_angle_rad", "alignments3D/error"):
        made[name] = random.uniform(0, 20000 if "_A" in name else 3, count)
    made["alignments3D/pose"] = random.normal(0, 1.2, (count, 3))
    made["alignments3D/shift"] = random.normal(0, 5, (count, 2))
    made["alignments3D/split"] = np.arange(count) % 2
    return made


def there_and_back(original, tmp_path, template=None):
    tables = tables_from_cs(original)
    write_star(tmp_path / "p.star", [tables.optics, tables.particles], precision="full")
    star = read_star(tmp_path / "p.star")
    return cs_from_tables(star["optics"], star["particles"], template=template)


def assert_same(original, back, but=()):
    for name in set(back.dtype.names) - set(but):
        np.testing.assert_array_equal(back[name], original[name], err_msg=name)


def test_a_made_dataset_comes_back_exactly(tmp_path):
    original = dataset()
    back = there_and_back(original, tmp_path)
    assert {"ctf/tilt_A", "alignments3D/pose", "ctf/exp_group_id", "uid"} < set(back.dtype.names)
    assert_same(original, back, but=["alignments3D/psize_A", "alignments3D/shift", "blob/path"])
    np.testing.assert_allclose(back["alignments3D/shift"], original["alignments3D/shift"] * 2, rtol=1e-6)
    assert back["blob/path"][0] == b"J1/a.mrc"
    whole = there_and_back(original, tmp_path, template=original)
    assert whole.dtype == original.dtype
    assert_same(original, whole)


@pytest.mark.real
@pytest.mark.skipif(not FILES, reason=f"no .cs files in {DATA}")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem[:20])
def test_real_datasets_come_back_exactly(path, tmp_path):
    original = read_cs(path)
    assert_same(original, there_and_back(original, tmp_path), but=["blob/path"])
    whole = there_and_back(original, tmp_path, template=original)
    assert whole.dtype == original.dtype
    assert whole.tobytes() == original.tobytes()
    write_cs(tmp_path / "again.cs", whole)
    assert read_cs(tmp_path / "again.cs").tobytes() == original.tobytes()


def test_poses_are_relions_matrices():
    vectors = np.random.default_rng(2).normal(0, 1.5, (500, 3))
    vectors[:4] = [[0, 0, 0], [0, 0, 1.0], [np.pi, 0, 0], [0, 3.0, 0]]
    eulers = eulers_from_vectors(vectors)
    expected = Rotation.from_rotvec(vectors).as_matrix().transpose(0, 2, 1)
    np.testing.assert_allclose(np.asarray(euler_matrices(eulers)), expected, atol=1e-9)
    shorter = np.linalg.norm(vectors, axis=1) < 2 * np.pi
    np.testing.assert_allclose(vectors_from_eulers(eulers)[shorter], vectors[shorter], atol=1e-12)
    np.testing.assert_allclose(eulers[1], [0, 0, np.degrees(1.0)], atol=1e-12)


def test_signs_and_counting():
    original = dataset(2)
    tables = tables_from_cs(original)
    particles = tables.particles
    assert particles.strings("rlnImageName") == ["000001@J1/a.mrc:mrcs", "000002@J1/a.mrc:mrcs"]
    np.testing.assert_allclose(
        particles.floats("rlnOriginXAngst"),
        original["alignments3D/shift"][:, 0] * np.float64(np.float32(2.2)),
    )
    assert particles.ints("rlnRandomSubset").tolist() == [1, 2]
    assert tables.optics.strings("rlnOpticsGroupName") == ["csGroup10", "csGroup11"]
    np.testing.assert_allclose(tables.optics.floats("rlnBeamTiltX"), [100 / 2.7e4, 20 / 2.7e4], rtol=1e-6)


def test_coordinates_and_the_y_flip(tmp_path):
    location = np.zeros(2, [("uid", "<u8"), ("location/micrograph_path", "S9")])
    location = np.zeros(
        2,
        [
            ("uid", "<u8"),
            ("location/micrograph_path", "S9"),
            ("location/micrograph_shape", "<u4", (2,)),
            ("location/center_x_frac", "<f4"),
            ("location/center_y_frac", "<f4"),
        ],
    )
    original = dataset(2)
    location["uid"] = original["uid"][::-1]
    location["location/micrograph_path"] = [b"two.mrc", b"one.mrc"]
    location["location/micrograph_shape"] = [3000, 4000]
    location["location/center_x_frac"], location["location/center_y_frac"] = [0.5, 0.25], [0.1, 0.2]
    joined = join_by_uid(original, location)
    assert joined["location/micrograph_path"].tolist() == [b"one.mrc", b"two.mrc"]
    for flip_y, expected in ((False, [600, 300]), (True, [2400, 2700])):
        tables = tables_from_cs(joined, flip_y=flip_y)
        np.testing.assert_allclose(tables.particles.floats("rlnCoordinateX"), [1000, 2000])
        np.testing.assert_allclose(tables.particles.floats("rlnCoordinateY"), expected, rtol=1e-6)
        back = cs_from_tables(tables.optics, tables.particles, template=joined, flip_y=flip_y)
        assert_same(joined, back)
    with pytest.raises(CsError, match="1 of 2 particles have no row"):
        join_by_uid(original, location[:1])


def test_a_selection_goes_back_by_uid():
    original = dataset(6)
    tables = tables_from_cs(original)
    back = cs_from_tables(tables.optics, tables.particles.take([4, 1]), template=original)
    np.testing.assert_array_equal(back, original[[4, 1]])


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "x.cs"
    write_cs(path, dataset())
    whole = path.read_bytes()
    for length in (0, 5, 60, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CsError, match=r"x\.cs: not a complete .cs file"):
            read_cs(path)
