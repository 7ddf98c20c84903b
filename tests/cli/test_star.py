"""`verglas star`: every operation on small files, and the same bytes as relion_star_handler."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from verglas.cli.star import main
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.handlers.star.histogram import Histogram

OPTICS = {
    "rlnOpticsGroupName": ["opticsGroup1"],
    "rlnOpticsGroup": [1],
    "rlnMicrographOriginalPixelSize": [1.5],
    "rlnImagePixelSize": [3.0],
    "rlnVoltage": [300.0],
    "rlnSphericalAberration": [2.7],
    "rlnAmplitudeContrast": [0.1],
    "rlnImageSize": [64],
    "rlnImageDimensionality": [2],
}


def particles(path: str, n: int, first: int = 1, group: str = "opticsGroup1", **more) -> None:
    i = np.arange(first, first + n)
    columns = {
        "rlnImageName": [f"{k:06d}@stack.mrcs" for k in i],
        "rlnMicrographName": [f"mic{k % 2}.mrc" for k in i],
        "rlnCoordinateX": 10.0 * i,
        "rlnCoordinateY": 5.0 + 0 * i,
        "rlnOpticsGroup": 1 + 0 * i,
        "rlnClassNumber": i % 3 + 1,
        "rlnAngleRot": i * 13.0 % 360,
        "rlnAngleTilt": i * 7.0 % 180,
        "rlnAnglePsi": i * 29.0 % 360,
        "rlnOriginXAngst": i * 0.5,
        "rlnOriginYAngst": -i * 0.25,
        **more,
    }
    optics = {**OPTICS, "rlnOpticsGroupName": [group]}
    write_star(path, [StarTable.from_columns("optics", optics), StarTable.from_columns("particles", columns)])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    particles("a.star", 10)
    particles("b.star", 6, first=7)
    particles("d.star", 4, first=30, group="other")
    return tmp_path


def star(*words: str) -> int:
    return main(["star", *words])


def table(path: str = "out.star") -> StarTable:
    return read_star(path)["particles"]


def numbers(path: str = "out.star") -> list[int]:
    return [int(name[:6]) for name in table(path).strings("rlnImageName")]


def test_joining_merges_optics_and_leaves_out_repeats(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--combine", "--i", "a.star b.star d.star", "--check_duplicates", "rlnImageName"]
    assert star(*flags) == 0
    assert numbers() == [*range(1, 13), *range(30, 34)]
    assert read_star("out.star")["optics"].strings("rlnOpticsGroupName") == ["opticsGroup1", "other"]
    assert table().ints("rlnOpticsGroup").tolist() == [1] * 12 + [2] * 4
    assert "4 duplicates" in capsys.readouterr().out


def test_joining_keeps_common_columns_and_names_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    particles("c.star", 2, first=50, rlnCtfMaxResolution=[3.0, 4.0])
    assert star("--combine", "--i", "c.star a.star") == 0
    assert "rlnCtfMaxResolution" not in table()
    assert "rlnCtfMaxResolution" in capsys.readouterr().out


def test_an_old_file_is_not_joined_with_new_ones(capsys: pytest.CaptureFixture[str]) -> None:
    write_star("old.star", [table("a.star").named("")])
    assert star("--combine", "--i", "a.star old.star") == 1
    assert "no optics table" in capsys.readouterr().err


def test_rows_by_value_text_and_distance() -> None:
    star("--i", "a.star", "--select", "rlnCoordinateX", "--minval", "30", "--maxval", "60")
    assert numbers() == [3, 4, 5, 6]
    star("--i", "a.star", "--select_by_str", "rlnMicrographName", "--select_include", "mic0")
    assert numbers() == [2, 4, 6, 8, 10]
    star("--i", "a.star", "--select_by_str", "rlnMicrographName", "--select_exclude", "mic0")
    assert numbers() == [1, 3, 5, 7, 9]
    star("--i", "a.star", "--remove_duplicates", "40", "--image_angpix", "1.5")
    assert numbers() == [1, 2, 5, 6, 9, 10]


@pytest.mark.parametrize(
    ("flags", "sizes"),
    [
        (["--nr_split", "3"], [3, 4, 3]),
        (["--size_split", "4"], [4, 4, 2]),
        (["--size_split", "2", "--nr_split", "3"], [2, 2, 2]),
    ],
)
def test_parts(flags: list[str], sizes: list[int]) -> None:
    assert star("--i", "a.star", "--split", *flags) == 0
    assert [len(table(f"out_split{n}.star")) for n in range(1, len(sizes) + 1)] == sizes
    assert not Path(f"out_split{len(sizes) + 1}.star").exists()


def test_shuffled_parts_hold_everything_once_and_the_seed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    star("--i", "a.star", "--split", "--nr_split", "2", "--random_order")
    told = capsys.readouterr().out.split("--random_seed ")[1].split()[0]
    first = numbers("out_split1.star")
    assert sorted(first + numbers("out_split2.star")) == list(range(1, 11))
    flags = ["--nr_split", "2", "--random_order", "--random_seed", told]
    star("--i", "a.star", "--split", *flags)
    assert numbers("out_split1.star") == first


@pytest.mark.parametrize(
    "labels", [["--label1", "rlnImageName"], ["--label1", "rlnCoordinateX", "--label2", "rlnCoordinateY"]]
)
def test_comparing(labels: list[str]) -> None:
    assert star("--i", "a.star", "--compare", "b.star", *labels, "--max_dist", "4") == 0
    assert numbers("out_both.star") == [7, 8, 9, 10]
    assert numbers("out_only1.star") == [1, 2, 3, 4, 5, 6]
    assert numbers("out_only2.star") == [11, 12]


def test_values_set_multiplied_added_and_columns_added_and_removed() -> None:
    star("--i", "a.star", "--operate", "rlnClassNumber", "--multiply_by", "2", "--add_to", "1.6")
    assert table().ints("rlnClassNumber")[:3].tolist() == [5, 7, 3]  # cut off, as RELION does
    star("--i", "a.star", "--operate", "rlnMicrographName", "--set_to", "x.mrc")
    assert set(table().strings("rlnMicrographName")) == {"x.mrc"}
    star("--i", "a.star", "--add_column", "rlnBeamTiltX", "--copy_column_from", "rlnCoordinateX")
    assert table().floats("rlnBeamTiltX").tolist() == table().floats("rlnCoordinateX").tolist()
    star("--i", "a.star", "--remove_column", "rlnCoordinateX")
    assert "rlnCoordinateX" not in table()
    assert table().strings("rlnAngleRot") == table("a.star").strings("rlnAngleRot")


def test_histogram_counts_everything() -> None:
    values = np.random.default_rng(0).normal(size=500)
    histogram = Histogram.of(values, 8, -1, 1)
    assert histogram.counts.sum() == 500
    assert histogram.counts[0] == (values < -1).sum()
    percent = Histogram.of(values, in_percent=True, cumulative=True)
    assert percent.counts[-1] == pytest.approx(100)
    assert Histogram.of(np.ones(3)).counts.sum() == 3
    assert star("--i", "a.star", "--hist_column", "rlnCoordinateX") == 0
    assert Path("out.eps").read_bytes().startswith(b"%!PS")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--i", "gone.star"], "does not exist"),
        (["--i", "a.star", "--select", "rlnNone"], "no column rlnNone"),
        (["--i", "a.star", "--select_by_str", "rlnImageName"], "--select_include"),
        (["--i", "a.star", "--add_column", "rlnBeamTiltX"], "--add_column_value"),
        (["--i", "a.star", "--operate", "rlnImageName"], "only --set_to"),
        (["--i", "a.star", "--split"], "--nr_split"),
        (["--i", "a.star", "--slect", "x"], "did you mean --select"),
        (["--i", "a.star", "--i_tablename", "nothing"], "expected a table data_nothing"),
    ],
)
def test_errors_say_what_is_wrong(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert star(*words) == 1
    assert said in capsys.readouterr().err
    assert not Path("out.star").exists()


def test_printing_and_plotting(capsys: pytest.CaptureFixture[str]) -> None:
    assert star("print", "a.star", "data_particles", "rlnImageName", "rlnClassNumber") == 0
    assert capsys.readouterr().out.splitlines()[0] == "000001@stack.mrcs 2"
    assert star("plot", "a.star", "particles", "rlnCoordinateX", "rlnAngleRot") == 0
    assert Path("a_rlnCoordinateX.png").read_bytes().startswith(b"\x89PNG")


def test_converting_an_old_file() -> None:
    columns = {
        "rlnMicrographName": ["m.mrc"],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnMagnification": [10000.0],
        "rlnDetectorPixelSize": [1.4],
    }
    write_star("old.star", [StarTable.from_columns("", columns)])
    assert star("convert", "--i", "old.star", "--o", "new.star") == 0
    new = read_star("new.star")
    assert new["optics"].floats("rlnMicrographPixelSize")[0] == 1.4
    assert new["micrographs"].ints("rlnOpticsGroup").tolist() == [1]


RELION = {
    "operate": ["--operate", "rlnClassNumber", "--multiply_by", "2", "--add_to", "1.6"],
    "add": ["--add_column", "rlnBeamTiltX", "--add_column_value", "3"],
    "center": ["--center", "--center_X", "5", "--center_Y", "2", "--center_Z", "-3"],
    "select": ["--select", "rlnCoordinateX", "--minval", "30", "--maxval", "60"],
    "text": ["--select_by_str", "rlnImageName", "--select_include", "0003"],
    "combine": ["--combine", "--i", "a.star d.star"],
}


@pytest.mark.relion
@pytest.mark.parametrize("name", RELION)
def test_same_bytes_as_relion(name: str) -> None:
    flags = RELION[name] if "--i" in RELION[name] else ["--i", "a.star", *RELION[name]]
    subprocess.run(["relion_star_handler", "--o", "relion.star", *flags], check=True, capture_output=True)
    assert star("--o", "ours.star", *flags) == 0
    assert Path("ours.star").read_bytes() == Path("relion.star").read_bytes()
