"""Motion correction as a job: files, columns, repeats, and what bad movies and gains do to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dm_file import dm_file
from verglas.formats.movies_write import write_movie_eer, write_movie_mrc, write_movie_tiff
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.motioncorr.job import MotionCorrection
from verglas.jobs.motioncorr.options import MotionCorrOptions

DIRECTORY = "MotionCorr/job002/"
LIST = "Import/job001/movies.star"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in (DIRECTORY, "Import/job001", "Movies"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def frames(n: int = 5, shape: tuple[int, int] = (96, 128), seed: int = 0) -> np.ndarray:
    """A specimen that moves by (1, -2) pixels per frame, counted."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    transform = np.fft.rfft2(rng.normal(size=shape)) * np.exp(-((np.hypot(fy, fx) / 0.1) ** 2))
    scale = np.fft.irfft2(transform, shape).std()
    moved = [np.fft.irfft2(transform * np.exp(-2j * np.pi * (fy - 2 * fx) * m), shape) for m in range(n)]
    return rng.poisson([np.maximum(5 * (1 + 0.4 * m / scale), 0) for m in moved]).astype(np.int16)


def movie(name: str, **options: object) -> str:
    path = f"Movies/{name}"
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    data = frames(**options)  # type: ignore[arg-type]
    if name.endswith((".tif", ".tiff")):
        write_movie_tiff(path, data.astype(np.uint8))
    else:
        write_movie_mrc(path, data, 1.0)
    return path


def write_list(names: list[str], groups: list[int] | None = None) -> None:
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMicrographOriginalPixelSize": [1.2],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
    }
    rows = {"rlnMicrographMovieName": names, "rlnOpticsGroup": groups or [1] * len(names)}
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("movies", rows)]
    write_star(LIST, tables)


def run(
    is_continue: bool = False, extra: tuple[str, ...] = (), workers: int = 1, **options: object
) -> list[str]:
    chosen = MotionCorrOptions(**({"input_star_mics": LIST, "dose_per_frame": 0.5} | options))
    words = [*MotionCorrection.command_line(chosen, DIRECTORY, is_continue), *extra]
    lines: list[str] = []
    context = RunContext(Path(DIRECTORY), say=lines.append, warn=lines.append)
    MotionCorrection(MotionCorrection.program.parse(words), context).run()
    return lines


def corrected() -> StarTable:
    return read_star(f"{DIRECTORY}corrected_micrographs.star")["micrographs"]


def reason(name: str) -> str:
    return SetAsideList.read(Path(DIRECTORY)).entries[name][0]


def test_outputs_and_columns(project: Path) -> None:
    write_list([movie("b.mrc"), movie("a.x.tif", seed=1)])
    run(do_save_noDW=True, do_save_ps=True, group_for_ps=1.0)
    table = corrected()
    assert table.labels == (
        "rlnMicrographNameNoDW",
        "rlnCtfPowerSpectrum",
        "rlnMicrographName",
        "rlnMicrographMetadata",
        "rlnOpticsGroup",
        "rlnAccumMotionTotal",
        "rlnAccumMotionEarly",
        "rlnAccumMotionLate",
    )
    assert table.strings("rlnMicrographName") == [f"{DIRECTORY}Movies/b.mrc", f"{DIRECTORY}Movies/a_x.mrc"]
    for label in ("rlnMicrographNameNoDW", "rlnCtfPowerSpectrum", "rlnMicrographMetadata"):
        assert all(Path(name).exists() for name in table.strings(label))
    np.testing.assert_allclose(table.floats("rlnAccumMotionTotal"), 4 * np.sqrt(5) * 1.2, rtol=0.15)
    optics = read_star(f"{DIRECTORY}corrected_micrographs.star")["optics"]
    assert optics.labels[-1] == "rlnMicrographPixelSize"
    spectrum = read_mrc(f"{DIRECTORY}Movies/b_PS.mrc")
    assert spectrum.data.shape == (512, 512)
    assert spectrum.pixel_size_angst == pytest.approx(1.4, rel=0.03)
    assert Path(f"{DIRECTORY}logfile.pdf").read_bytes().startswith(b"%PDF")
    assert Path(f"{DIRECTORY}Movies/b_shifts.eps").read_text().startswith("%!PS")


def test_metadata_tables(project: Path) -> None:
    write_list([movie("m.mrc")])
    run(first_frame_sum=2)
    star = read_star(f"{DIRECTORY}Movies/m.star")
    general = star["general"]
    assert general.labels == (
        "rlnImageSizeX",
        "rlnImageSizeY",
        "rlnImageSizeZ",
        "rlnMicrographMovieName",
        "rlnMicrographBinning",
        "rlnMicrographOriginalPixelSize",
        "rlnMicrographDoseRate",
        "rlnMicrographPreExposure",
        "rlnVoltage",
        "rlnMicrographStartFrame",
        "rlnMotionModelVersion",
    )
    assert (general.integer("rlnImageSizeX"), general.integer("rlnImageSizeZ")) == (128, 5)
    shifts = star["global_shift"]
    assert shifts.ints("rlnMicrographFrameNumber").tolist() == [1, 2, 3, 4, 5]
    assert shifts.floats("rlnMicrographShiftX")[0] == -9999
    assert shifts.floats("rlnMicrographShiftX")[1] == 0
    np.testing.assert_allclose(shifts.floats("rlnMicrographShiftX")[2:], [2, 4, 6], atol=0.5)
    np.testing.assert_allclose(shifts.floats("rlnMicrographShiftY")[2:], [-1, -2, -3], atol=0.5)


def test_all_extra_outputs_in_half_precision(project: Path) -> None:
    write_list([movie("m.mrc")])
    run(do_float16=True, do_even_odd_split=True, do_save_movies=True, bin_factor=2.0)
    root = f"{DIRECTORY}Movies/m"
    image, even, odd = (read_mrc(f"{root}{end}.mrc", None).data for end in ("", "_EVN", "_ODD"))
    assert image.dtype == np.float16
    np.testing.assert_allclose(even.astype(float) + odd, image, atol=0.05)
    stack = read_mrc(f"{root}_movie.mrcs", None).data
    assert stack.shape == (5, 48, 64)
    assert corrected().strings("rlnMicrographNameEven") == [f"{root}_EVN.mrc"]
    movies = read_star(f"{DIRECTORY}corrected_micrograph_movies.star")["movies"]
    assert movies.strings("rlnMicrographMovieName") == [f"{root}_movie.mrcs"]


def test_only_what_is_missing_is_done(project: Path) -> None:
    write_list([movie("a.mrc"), movie("b.mrc")])
    run()
    before = os.stat(f"{DIRECTORY}Movies/a.mrc").st_mtime_ns
    write_list(["Movies/a.mrc", movie("aa.mrc"), "Movies/b.mrc"])
    assert run(is_continue=True)[0] == " 1 to process, 2 finished before, 3 in all"
    assert os.stat(f"{DIRECTORY}Movies/a.mrc").st_mtime_ns == before
    assert [Path(name).stem for name in corrected().strings("rlnMicrographName")] == ["a", "aa", "b"]
    Path(f"{DIRECTORY}Movies/b.star").unlink()  # as a kill between the files leaves it
    assert run(is_continue=True)[0] == " 1 to process, 2 finished before, 3 in all"


def test_at_most_so_many(project: Path) -> None:
    write_list([movie("a.mrc"), movie("b.mrc"), movie("c.mrc")])
    run(extra=("--do_at_most", "2"))
    assert len(corrected()) == 2
    run(is_continue=True, extra=("--do_at_most", "2"))
    assert len(corrected()) == 3


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _not_finite(path: Path) -> None:
    data = frames().astype(np.float32)
    data[3, 4, 5] = np.nan
    write_movie_mrc(path, data, 1.0, dtype=np.float32)


def _dead(path: Path) -> None:
    write_movie_mrc(path, np.zeros((5, 96, 128), np.int16), 1.0)


def _wild(path: Path) -> None:
    write_movie_mrc(path, frames().astype(np.float32) * 1e30, 1.0, dtype=np.float32)


def _tiny(path: Path) -> None:
    write_movie_mrc(path, frames()[:, :1, :1], 1.0)


DAMAGE: list[tuple[str, Callable[[Path], None], str]] = [
    ("bad.mrc", _truncated, "truncated"),
    ("bad.mrc", _empty, "empty file"),
    ("bad.tif", _truncated, ""),
    ("bad.tif", _empty, "empty file"),
    ("bad.mrc", _not_finite, "frame 4: 1 pixels are not finite, the first at x 5, y 4"),
    ("bad.mrc", Path.unlink, "cannot be read"),
    ("bad.mrc", _dead, "every pixel of the sum has the same value"),
    ("bad.mrc", _wild, "no movie of counts"),
    ("bad.mrc", _tiny, "frames of 1 x 1 pixels are too small"),
]


@pytest.mark.parametrize(("name", "damage", "words"), DAMAGE)
def test_a_damaged_movie_is_set_aside(
    project: Path, name: str, damage: Callable[[Path], None], words: str
) -> None:
    bad = movie(name)
    damage(Path(bad))
    write_list([movie("first.mrc"), bad, movie("last.mrc")])
    lines = run()
    assert words in reason(bad)
    assert any(f"{bad} was set aside" in line for line in lines)
    assert [Path(name).stem for name in corrected().strings("rlnMicrographName")] == ["first", "last"]
    assert not list(Path(DIRECTORY).rglob(".verglas-*"))


def test_a_repaired_movie_is_tried_again(project: Path) -> None:
    bad = movie("bad.mrc")
    whole = Path(bad).read_bytes()
    _truncated(Path(bad))
    write_list([bad])
    with pytest.raises(JobFailed, match=r"1 set aside.* truncated"):
        run()
    with pytest.raises(NothingToDo, match="nothing new"):
        run(is_continue=True)
    Path(bad).write_bytes(whole)
    assert run(is_continue=True)[0].startswith(" 1 to process")
    assert len(corrected()) == 1


def test_corrupt_and_good_eer(project: Path) -> None:
    rng = np.random.default_rng(0)
    names = []
    for name in ("good", "bad"):
        names.append(f"Movies/{name}.eer")
        events = [rng.integers(0, 4 * 1024, (20000, 2)) for _ in range(12)]
        write_movie_eer(names[-1], events, (1024, 1024))
    content = Path(names[1]).read_bytes()
    Path(names[1]).write_bytes(content[: len(content) // 2])
    write_list(names)
    run(eer_grouping=3, dose_per_frame=0.1, bin_factor=4.0)
    assert [Path(name).stem for name in corrected().strings("rlnMicrographName")] == ["good"]
    general = read_star(f"{DIRECTORY}Movies/good.star")["general"]
    assert general.integer("rlnImageSizeZ") == 4
    assert general.integer("rlnEERGrouping") == 3


def test_an_eer_movie_of_no_bytes(project: Path) -> None:
    Path("Movies/zero.eer").write_bytes(b"")
    write_list(["Movies/zero.eer", movie("good.mrc")])
    run()
    assert "empty file" in reason("Movies/zero.eer")
    assert len(corrected()) == 1


def test_eer_on_the_finest_grid(project: Path) -> None:
    rng = np.random.default_rng(0)
    events = [rng.integers(0, 4 * 256, (4000, 2)) for _ in range(4)]
    write_movie_eer("Movies/a.eer", events, (256, 256))
    write_list(["Movies/a.eer"])
    run(eer_grouping=2, dose_per_frame=0.1, bin_factor=4.0, extra=("--eer_upsampling", "4"))
    general = read_star(f"{DIRECTORY}Movies/a.star")["general"]
    assert general.integer("rlnImageSizeX") == 1024
    assert read_mrc(f"{DIRECTORY}Movies/a.mrc").data.shape == (256, 256)


def test_movies_of_any_length_and_shape(project: Path) -> None:
    names = [
        movie("one.mrc", n=1),
        movie("two.mrc", n=2),
        movie("seven.mrc", n=7),
        movie("wide.mrc", shape=(64, 150)),
    ]
    write_list(names)
    run(patch_x=5, patch_y=5)
    assert len(corrected()) == 4
    assert read_mrc(f"{DIRECTORY}Movies/wide.mrc").data.shape == (64, 150)


def test_names_that_need_quoting(project: Path) -> None:
    names = [movie("with space [1]#2.mrc"), movie("quote's.mrc"), movie("x" * 200 + ".mrc")]
    write_list(names)
    run()
    assert len(corrected()) == 3
    assert all(Path(name).exists() for name in corrected().strings("rlnMicrographName"))


def test_a_movie_behind_a_link(project: Path) -> None:
    target = movie("real.mrc")
    Path("Import/job001/raw").mkdir()
    link = Path("Import/job001/raw/link.mrc")
    link.symlink_to(Path(target).absolute())
    dangling = Path("Import/job001/raw/gone.mrc")
    dangling.symlink_to("/nowhere/gone.mrc")
    write_list([str(link), str(dangling)])
    run()
    assert corrected().strings("rlnMicrographName") == [f"{DIRECTORY}raw/link.mrc"]
    assert "/nowhere/gone.mrc" in reason(str(dangling))


def test_unknown_optics_group(project: Path) -> None:
    write_list([movie("a.mrc"), movie("b.mrc")], groups=[1, 7])
    run()
    assert "optics group 7" in reason("Movies/b.mrc")
    assert len(corrected()) == 1


def test_gain_that_fits_only_some_movies(project: Path) -> None:
    write_mrc("gain.mrc", np.ones((96, 128), np.float32), 1.0)
    write_list([movie("a.mrc"), movie("turned.mrc", shape=(128, 96)), movie("half.mrc", shape=(48, 64))])
    run(fn_gain_ref="gain.mrc")
    assert len(corrected()) == 1
    assert "gain_rot 1 or 3" in reason("Movies/turned.mrc")
    assert "super-resolution" in reason("Movies/half.mrc")


def test_turned_gain_with_zeros(project: Path) -> None:
    rng = np.random.default_rng(1)
    sensitivity = rng.uniform(0.8, 1.2, (128, 96))
    gain = (1 / sensitivity).astype(np.float32)
    gain[10, 20] = 0
    write_mrc("gain.mrc", gain, 1.0)
    name = movie("a.mrc")
    write_list([name])
    run(fn_gain_ref="gain.mrc", gain_rot="90 degrees (1)", gain_flip="Flip left to right (2)")
    kept = read_mrc(f"{DIRECTORY}gain.mrc").data
    assert kept.shape == (96, 128)
    general = read_star(f"{DIRECTORY}Movies/a.star")["general"]
    assert general.string("rlnMicrographGainName") == f"{DIRECTORY}gain.mrc"


def test_a_dm4_gain_corrects_as_the_same_gain_in_mrc(project: Path) -> None:
    """Its rows count from the top; the metadata name a copy that RELION's polishing can read."""
    gain = np.random.default_rng(2).uniform(0.8, 1.25, (96, 128)).astype(np.float32)
    gain[10, 20] = 0
    write_mrc("gain.mrc", gain, 1.0)
    Path("gain.dm4").write_bytes(dm_file([gain[:8, :8], gain[::-1]]))
    write_list([movie("a.mrc")])
    images = []
    for name in ("gain.mrc", "gain.dm4"):
        lines = run(fn_gain_ref=name)
        assert not any("WARNING" in line for line in lines)
        images.append(read_mrc(corrected().strings("rlnMicrographName")[0]).data)
        general = read_star(f"{DIRECTORY}Movies/a.star")["general"]
        applied = read_mrc(general.string("rlnMicrographGainName")).data
        np.testing.assert_allclose(applied, gain, rtol=1e-6)
    np.testing.assert_array_equal(*images)


def test_a_gain_no_movie_could_use_fails_the_job(project: Path) -> None:
    write_list([movie("a.mrc")])
    with pytest.raises(JobFailed, match="gain reference cannot be used"):
        run(fn_gain_ref="missing.mrc")
    Path("junk.dm4").write_bytes(b"junk" * 400)
    with pytest.raises(JobFailed, match=r"gain reference cannot be used: junk\.dm4"):
        run(fn_gain_ref="junk.dm4")
    write_mrc("zero.mrc", np.zeros((96, 128), np.float32), 1.0)
    with pytest.raises(JobFailed, match="every pixel is zero"):
        run(fn_gain_ref="zero.mrc")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10 20 5 3\n", None),
        ("CameraSizeX 128\nCameraSizeY 96\nBadColumns 15 16\nBadPixels 3 4\n", None),
        ("CameraSizeX 128\nCameraSizeY 96\nBadColumns x\n", "BadColumns"),
        ("120 90 20 20\n", "leaves the frame"),
        ("a b\n", "line 1: expected whole numbers"),
    ],
)
def test_defect_files(project: Path, text: str, words: str | None) -> None:
    Path("defects.txt").write_text(text)
    write_list([movie("a.mrc")])
    if words is None:
        run(fn_defect="defects.txt")
        assert len(corrected()) == 1
        return
    with pytest.raises(JobFailed, match="1 set aside"):
        run(fn_defect="defects.txt")
    assert words in reason("Movies/a.mrc")


def test_a_name_that_is_not_utf8_is_a_name_as_others(project: Path) -> None:
    bad = movie(os.fsdecode(b"lat\xe9.mrc"))
    write_list([movie("a.mrc"), bad])
    run()
    assert corrected().strings("rlnMicrographName") == [
        f"{DIRECTORY}{name.removesuffix('.mrc')}.mrc" for name in ("Movies/a.mrc", bad)
    ]
    assert r"lat\xe9" in Path(f"{DIRECTORY}summary.html").read_text()


def test_other_options_try_again_what_was_set_aside(project: Path) -> None:
    write_list([movie("a.mrc")])
    Path("defects.txt").write_text("a b\n")
    with pytest.raises(JobFailed, match=r"none of 1 micrographs .* expected whole numbers"):
        run(fn_defect="defects.txt")
    assert run(is_continue=True)[0].startswith(" 1 to process")


def test_input_that_is_not_there_yet(project: Path) -> None:
    with pytest.raises(NothingToDo):
        run()


def test_checks_of_the_form() -> None:
    complaints = MotionCorrection.check(
        MotionCorrOptions(bin_factor=0.5, dose_per_frame=0.0, do_own_motioncor=False)
    )
    assert len(complaints) == 4


def test_command_line_is_relions() -> None:
    options = MotionCorrOptions(
        input_star_mics=LIST,
        do_save_ps=True,
        dose_per_frame=1.277,
        nr_threads=4,
        fn_gain_ref="gain.mrc",
        gain_rot="180 degrees (2)",
    )
    line = " ".join(MotionCorrection.command_line(options, DIRECTORY, True))
    for words in (
        "--only_do_unfinished",
        "--use_own",
        "--dose_weighting",
        "--grouping_for_ps 3",
        "--j 4",
        "--gain_rot 2",
        "--gain_flip 0",
        "--patch_x 1",
        "--eer_grouping 32",
        "--bfactor 150",
    ):
        assert words in line
