"""Coordinates of other programs, against each other and against real files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from verglas.jobs.coordinates.reading import UnreadableCoordinates, X, Y, read_coordinates
from verglas.jobs.coordinates.source import CoordinateSource, flags_of

STAR = "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n"
MICROGRAPH = "MotionCorr/job002/Movies/a1.mrc"


def xy(path: Path, shape: tuple[int, int] | None = None) -> list[tuple[float, float]]:
    table = read_coordinates(path, MICROGRAPH, shape)
    assert table is not None
    return list(zip(table.floats(X).tolist(), table.floats(Y).tolist()))


def test_eman_box_centres_by_integer_division(tmp_path: Path) -> None:
    path = tmp_path / "a1.box"
    path.write_text("10 20 101 101\n30\t40\t100\t100\n\n")
    assert xy(path) == [(60.0, 70.0), (80.0, 90.0)]


def test_box_with_scores(tmp_path: Path) -> None:
    path = tmp_path / "a1.box"
    path.write_text("432 36 180 180 0.78\n")
    table = read_coordinates(path, MICROGRAPH)
    assert table is not None
    assert table.floats("rlnAutopickFigureOfMerit").tolist() == [0.78]


def test_eman_json(tmp_path: Path) -> None:
    path = tmp_path / "a1_info.json"
    path.write_text(json.dumps({"boxes": [[12.5, 40, "manual"], [7, 8, "auto", 3]]}))
    assert xy(path) == [(12.5, 40.0), (7.0, 8.0)]
    path.write_text("{}")
    assert read_coordinates(path, MICROGRAPH) is None
    path.write_text('{"ctf": [1]}')
    assert read_coordinates(path, MICROGRAPH) is None


def test_csv_with_and_without_header(tmp_path: Path) -> None:
    path = tmp_path / "a1.csv"
    path.write_text("X-Coordinate,Y-Coordinate,Diameter\r\n3752,693,108\r\n3474,182,108\r\n")
    assert xy(path, (4096, 4000)) == [(3752.0, 3403.0), (3474.0, 3914.0)]
    with pytest.raises(UnreadableCoordinates, match="the height must be known"):
        read_coordinates(path, MICROGRAPH)
    path.write_text("1,2\n3,4\n")
    assert xy(path) == [(1.0, 2.0), (3.0, 4.0)]


def test_plain_text_with_a_header(tmp_path: Path) -> None:
    path = tmp_path / "a1.txt"
    path.write_text("x y z\n1 2 3\n4.5 5 6\n")
    assert xy(path) == [(1.0, 2.0), (4.5, 5.0)]


def test_cryosparc_fractions(tmp_path: Path) -> None:
    fields = [
        ("location/micrograph_path", "S60"),
        ("location/micrograph_shape", "<u4", (2,)),
        ("location/center_x_frac", "<f4"),
        ("location/center_y_frac", "<f4"),
    ]
    data = np.zeros(3, fields)
    data["location/micrograph_path"] = [
        b"J1/motioncorrected/0123_a1.mrc",
        b"J1/motioncorrected/0124_b1.mrc",
        b"J1/motioncorrected/0123_a1.mrc",
    ]
    data["location/micrograph_shape"] = (3000, 4000)
    data["location/center_x_frac"] = (0.5, 0.1, 0.25)
    data["location/center_y_frac"] = (0.5, 0.1, 0.75)
    path = tmp_path / "picked.cs"
    with open(path, "wb") as out:
        np.save(out, data)
    assert xy(path) == [(2000.0, 1500.0), (1000.0, 2250.0)]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.box", "1 2 3\n", "line 1: expected x y width height"),
        ("a.box", "1 2 x 4\n", "line 1: could not convert"),
        ("a.json", "{broken", "a.json"),
        ("a.json", '{"boxes": [1]}', "does not hold"),
        ("a.json", '{"boxes": [[1, "2"]]}', "does not hold"),
        ("a.json", '{"boxws": [[1, 2]]}', 'no "boxes", but boxws'),
        ("a.csv", "a,b\n1,2\n", "line 1: expected x y, or headings"),
        ("a.csv", "x,y\n1,2\n3\n", "line 3: expected 2 columns, found 1"),
        ("a.csv", "x,y\n1,2\n3,4,5\n", "line 3: expected 2 columns, found 3"),
        ("a.csv", 'x,y\n1,"2\n', "line 2: unexpected end of data"),
        ("a.txt", "1 2\n3\n", "line 2: expected 2 columns, found 1"),
        ("a.txt", "1 2\n3 4_0\n", "line 2: could not convert"),
        ("a.txt", "1 2\n438.269 43", "line 2: the file ends in the middle of '438.269 43'"),
        ("a.box", "1 2 3 4\n1 2 3 40", "line 2: the file ends in the middle"),
        ("a.box", "1 2 3 4 0.5\n1 2 3 4\n", "some rows have a score"),
        ("a.txt", "1 nan\n", "row 1 has rlnCoordinateY nan"),
        ("a.star", "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n 1\n", "a.star"),
        ("a.star", "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n NA 1\n", "'NA'"),
        ("a.star", f"{STAR}60 60\n\n120 90\n", "a.star:7:1: .*is this one of its rows"),
        ("a.star", f"{STAR}60 60 9\n120 90\n", "a.star:5:7: .* expected 2 values, found 3"),
        ("a.star", f"{STAR}60 60\n120\n", "a.star:6:4: .* expected 2 values, found 1"),
        ("a.star", f"{STAR}60 60\n120 9", "a.star, line 6: the file ends in the middle"),
        ("a.star", f"{STAR}60 60\n\n{STAR}60 60\n", "a.star:.* a second table"),
        ("a.star", f"{STAR}60 60\n\n{STAR.replace('_', '_b', 1)}60 60\n", "2 tables have coord"),
        ("a.star", f"{STAR}60 \0 60\n", "a.star:5:4: stray character"),
        ("a.star", "data_\n\nloop_\n_CoordinateX #1\n_CoordinateY #2\n 1 2\n", "no table with"),
        ("a.box", "1 2 inf 10\n", "line 1: the box is inf x 10 pixels"),
        ("a.box", "1 2 nan 10\n", "line 1: the box is nan x 10 pixels"),
        ("a.box", "1e300 2 10 10\n", r"row 1 has rlnCoordinateX 1e\+300"),
        ("a.json", "[" * 100000, "a.json: nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, reason: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UnreadableCoordinates, match=reason):
        read_coordinates(path, MICROGRAPH)


@pytest.mark.parametrize(
    "content",
    [bytes(200), bytes(range(256)) * 4, "data_\n\nloop_\n_rlnCoordinateX #1\n".encode("utf-16")],
    ids=["zeros", "binary", "UTF-16"],
)
def test_a_file_that_is_no_star_is_not_a_micrograph_without_particles(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a_autopick.star"
    path.write_bytes(content)
    with pytest.raises(
        UnreadableCoordinates, match=r"a_autopick\.star:1:1: stray character|1:4: stray character"
    ):
        read_coordinates(path, MICROGRAPH)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.star", "data_\r\n\r\nloop_\r\n_rlnCoordinateX #1\r\n_rlnCoordinateY #2\r\n 3 4\r\n"),
        ("a.star", "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_foo #3\n 3 4 x\n"),
        ("a.box", "1 2 4 4\r\n"),
        ("a.csv", "x,y\r\n3,4\r\n"),
    ],
    ids=["CR LF", "a foreign column", "box with CR LF", "csv with CR LF"],
)
def test_odd_but_readable(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    assert xy(path) == [(3.0, 4.0)]


@pytest.mark.parametrize("text", ["", "\n", "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n\n"])
def test_an_empty_list_means_no_particles(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a_autopick.star"
    path.write_text(text)
    assert read_coordinates(path, MICROGRAPH) is None


def test_a_cs_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.cs"
    path.write_bytes(b"hello")
    with pytest.raises(ValueError, match="not a cryoSPARC table"):
        read_coordinates(path, MICROGRAPH)


def test_suffixes_lists_and_single_files(tmp_path: Path) -> None:
    assert flags_of("AutoPick/job003/coords_suffix_autopick.star") == [
        "--coord_dir",
        "AutoPick/job003/",
        "--coord_suffix",
        "_autopick.star",
    ]
    assert flags_of("AutoPick/job003/autopick.star")[0] == "--coord_list"
    by_suffix = CoordinateSource.of_suffix("AutoPick/job003/", "_autopick.star")
    assert by_suffix.path_of(MICROGRAPH) == Path("AutoPick/job003/Movies/a1_autopick.star")
    beside = CoordinateSource.of_suffix("ASINPUT", ".box")
    assert beside.path_of(MICROGRAPH) == Path("MotionCorr/job002/Movies/a1.box")


@pytest.mark.real
def test_real_files_of_three_programs_agree(real_data: Path) -> None:
    """Boxes of two pickers lie on what people picked: the one real check of every y axis here."""
    folder = real_data / "empiar10017_betagal_picks"
    name = "Falcon_2012_06_12-14_33_35_0"
    people = np.array(xy(folder / f"human_cryoppp_{name}.csv", (4096, 4096)))
    assert len(people) == 629
    for program in ("crYOLO", "topaz"):
        picks = np.array(xy(folder / program / f"{name}.box"))
        nearest = np.sqrt(((picks[:, None] - people[None]) ** 2).sum(-1)).min(1)
        assert np.median(nearest) < 10  # pixels of 1.77 Å


@pytest.mark.real
def test_real_cryosparc_files_without_locations_say_so(real_data: Path) -> None:
    for path in (real_data / "formats" / "cryosparc").glob("*.cs"):
        with pytest.raises(ValueError, match="holds no particle locations"):
            read_coordinates(path, MICROGRAPH)
