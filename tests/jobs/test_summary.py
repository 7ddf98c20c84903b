"""logfile.pdf and summary.html: right numbers, cheap repeats, few pictures, whatever the files hold."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.motioncorr.pictures import drift_pictures
from verglas.jobs.report.plot import histogram_counts, limits
from verglas.jobs.summary.micrograph_log import SHOWN, SUMMARY, Summary, write_log, write_summary
from verglas.jobs.summary.pictures import ctf_picture, micrograph_picture, particles_picture, picks_picture
from verglas.jobs.summary.plots import MOST_POINTS, Track

COLUMNS = {"rlnDefocusU": "Defocus (Å)", "rlnNone": "not there"}


def rows_of(count: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(0)
    values = rng.normal(15000, 2000, count)
    return [{"rlnMicrographName": f"m{n}.mrc", "rlnDefocusU": value} for n, value in enumerate(values)]


def test_few_values_are_points_many_are_bands() -> None:
    values = np.arange(10.0)
    values[3] = np.nan
    track = Track.of(values)
    assert track.low is None
    assert track.position.tolist() == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    many = np.random.default_rng(0).normal(size=20000)
    track = Track.of(many)
    assert len(track.position) == MOST_POINTS and track.low is not None and track.high is not None
    assert (track.low < track.middle).all() and (track.middle < track.high).all()
    counts, _ = histogram_counts(many)
    assert counts.sum() == len(many)


def test_one_wild_value_does_not_flatten_the_plot() -> None:
    values = np.append(np.random.default_rng(0).normal(1, 0.1, 1000), 1e6)
    low, high = limits(values)
    assert 0 < low < 1 < high < 3
    assert histogram_counts(values)[0].sum() == 1001


def test_the_page_shows_newest_and_worst_and_what_was_set_aside(tmp_path: Path) -> None:
    aside = SetAsideList.read(tmp_path)
    aside.add("bad<1>.tif", None, "truncated: expected 10 & found 5")
    aside.write()
    rows = rows_of(100)
    drawn: list[str] = []

    def picture(row) -> str:
        drawn.append(row["rlnMicrographName"])
        return "<i></i>"

    write_log(tmp_path / "logfile.pdf", Summary("Title", COLUMNS, picture, "rlnDefocusU"), rows)
    text = (tmp_path / SUMMARY).read_text()
    assert (tmp_path / "logfile.pdf").read_bytes().startswith(b"%PDF")
    assert "bad&lt;1&gt;.tif" in text and "10 &amp; found" in text
    assert "not there" not in text and "http" not in text
    assert len(drawn) == 2 * SHOWN and drawn[0] == "m99.mrc"
    highest = max(rows[:-SHOWN], key=lambda row: row["rlnDefocusU"])["rlnMicrographName"]
    assert drawn[SHOWN] == highest


def test_nothing_new_redraws_nothing_and_a_new_row_only_its_picture(tmp_path: Path) -> None:
    drawn: list[str] = []

    def picture(row) -> str:
        drawn.append(row["rlnMicrographName"])
        return f"<b>{row['rlnMicrographName']}</b>"

    def write(count: int) -> None:
        write_log(tmp_path / "logfile.pdf", Summary("T", COLUMNS, picture), rows_of(count))

    write(30)
    made = [(tmp_path / name).stat().st_mtime_ns for name in ("logfile.pdf", SUMMARY)]
    drawn.clear()
    write(30)
    assert made == [(tmp_path / name).stat().st_mtime_ns for name in ("logfile.pdf", SUMMARY)]
    rows = [{**row, "rlnDefocusU": f"{row['rlnDefocusU']:.6f}"} for row in rows_of(30)]
    write_log(tmp_path / "logfile.pdf", Summary("T", COLUMNS, picture), rows)
    assert not drawn  # values that came back from a file are the same values
    rows.append({"rlnMicrographName": "new.mrc", "rlnDefocusU": 1.0})
    write_log(tmp_path / "logfile.pdf", Summary("T", COLUMNS, picture), rows)
    assert drawn == ["new.mrc"]
    assert "<b>m29.mrc</b>" in (tmp_path / SUMMARY).read_text()


def test_twenty_thousand_micrographs_are_quick_and_small(tmp_path: Path) -> None:
    rows = rows_of(20000)
    start = time.process_time()
    write_summary(tmp_path, Summary("T", COLUMNS), rows)
    assert time.process_time() - start < 5  # 0.2 s measured; a shared machine gets room
    assert (tmp_path / SUMMARY).stat().st_size < 100_000


def test_no_rows_and_damaged_pages_are_no_trouble(tmp_path: Path) -> None:
    write_log(tmp_path / "logfile.pdf", Summary("T", COLUMNS), [])
    (tmp_path / SUMMARY).write_bytes(b"\xff\xfe\x00 nonsense")
    write_log(tmp_path / "logfile.pdf", Summary("T", COLUMNS), rows_of(2))
    assert "2 micrographs" in (tmp_path / SUMMARY).read_text()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    write_mrc(tmp_path / "m.mrc", rng.normal(size=(500, 700)).astype(np.float32), 1.0)
    write_mrc(tmp_path / "m.ctf", rng.normal(size=(64, 64)).astype(np.float32), 1.0)
    write_mrc(tmp_path / "p.mrcs", rng.normal(size=(20, 48, 48)).astype(np.float32), 1.0)
    shifts = {
        "rlnMicrographFrameNumber": [1, 2, 3],
        "rlnMicrographShiftX": [-9999.0, 0.0, 1.5],
        "rlnMicrographShiftY": [-9999.0, 0.0, 0.5],
    }
    write_star(tmp_path / "m.star", [StarTable.from_columns("global_shift", shifts)])
    picks = {"rlnCoordinateX": [10.0, 690.0], "rlnCoordinateY": [10.0, 250.0]}
    write_star(tmp_path / "picks.star", [StarTable.from_columns("", picks)])
    write_star(tmp_path / "none.star", [])
    return tmp_path


def test_pictures_of_every_job(files: Path) -> None:
    row = {
        "rlnMicrographName": str(files / "m.mrc"),
        "rlnCtfImage": f"{files / 'm.ctf'}:mrc",
        "rlnMicrographMetadata": str(files / "m.star"),
    }
    image = "data:image/png;base64,"
    assert image in micrograph_picture(row)
    drift = drift_pictures(row)
    assert image in drift and len(re.findall(r"[\d.]+,[\d.]+", drift)) == 2
    assert image in ctf_picture(row)
    assert picks_picture(row, files / "picks.star") != picks_picture(row, files / "none.star")
    assert image in particles_picture(files / "p.mrcs")


def test_pictures_of_missing_files_are_left_out(files: Path) -> None:
    assert micrograph_picture({"rlnMicrographName": "gone.mrc"}) == ""
    assert ctf_picture({}) == ""
    (files / "m.mrc").write_bytes(b"short")
    assert micrograph_picture({"rlnMicrographName": str(files / "m.mrc")}) == ""
    assert particles_picture(files / "gone.mrcs") == ""
