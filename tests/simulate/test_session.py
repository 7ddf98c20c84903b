"""Sessions on disc: truth, gain, determinism, resuming, delivery, the command."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verglas.cli.simulate import main, parse_duration
from verglas.formats.gain import read_gain
from verglas.formats.movies import open_movie
from verglas.formats.star import read_star
from verglas.jobs.simulate.movie import read_motion, session_camera, session_views, simulate_movie
from verglas.jobs.simulate.session import deliver, lots, run_microscope, write_session
from verglas.jobs.simulate.settings import SessionSettings

TINY = SessionSettings(
    movies=3,
    size=192,
    width=160,
    frames=4,
    pixel_size_angst=4.0,
    particles=6,
    drift_pixels=3.0,
    hot_pixels=3,
    dead_pixels=2,
    local_pixels=0.8,
)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    directory = tmp_path_factory.mktemp("session")
    return directory, write_session(directory, TINY, workers=1)


def frames_of(path):
    return np.stack(list(open_movie(path).frames()))


def test_movies_are_complete_and_have_the_dose(session):
    directory, movies = session
    assert [movie.name for movie in movies] == ["mov_0001.tif", "mov_0002.tif", "mov_0003.tif"]
    frames = frames_of(movies[0])
    assert frames.shape == (4, 192, 160)
    gain = read_gain(directory / "gain.mrc", movie_kind="tiff")
    expected = TINY.dose_per_frame_e_a2 * 16 * np.exp(-350 / 3000)
    assert (frames * gain.factors)[:, gain.factors > 0].mean() == pytest.approx(expected, rel=0.06)
    assert gain.bad.sum() == 2


def test_the_file_holds_the_frames_that_were_made(session):
    _, movies = session
    frames, truth = simulate_movie(TINY, 1)
    assert np.array_equal(frames_of(movies[1]), np.minimum(np.stack(list(frames)), 255))
    star = read_star(session[0] / "truth" / "mov_0002.star")
    shifts = star["global_shift"]
    assert np.allclose(shifts.floats("rlnMicrographShiftX"), truth.motion.global_xy[:, 0], atol=1e-5)
    assert np.allclose(
        star["local_motion_model"].floats("rlnMotionModelCoeff"), truth.motion.local.ravel(), atol=1e-4
    )
    assert star["particles"].floats("rlnCoordinateX").max() < 160
    assert np.allclose(star["particles"].floats("rlnCoordinateY"), truth.field.centres_yx[:, 0], atol=1e-4)
    assert len(star["hot_pixels"]) == 3
    assert star["micrograph"].number("rlnDefocusU") >= star["micrograph"].number("rlnDefocusV")
    assert read_motion(str(session[0] / "truth" / "mov_0002.star"), 4).global_xy[0].tolist() == [0, 0]


def test_joined_truth_lists_everything(session):
    truth = session[0] / "truth"
    particles = read_star(truth / "particles.star")
    assert len(particles["particles"]) == 18
    assert particles["optics"].number("rlnVoltage") == 300
    micrographs = read_star(truth / "micrographs.star")["micrographs"]
    assert micrographs.strings("verglasMovieKind") == ["good"] * 3


def test_the_same_settings_give_the_same_bytes_whatever_the_workers(session, tmp_path):
    again = write_session(tmp_path, TINY, workers=2)
    for one, other in zip(session[1], again):
        assert one.read_bytes() == other.read_bytes()
    other = write_session(tmp_path / "other", replace(TINY, seed=2, movies=1), workers=1)
    assert other[0].read_bytes() != again[0].read_bytes()


def test_an_interrupted_session_goes_on(session, tmp_path):
    directory = tmp_path / "again"
    shutil.copytree(session[0], directory)
    (directory / "truth" / "mov_0002.star").unlink()
    kept = (directory / "store" / "mov_0001.tif").stat().st_mtime_ns
    write_session(directory, TINY, workers=1)
    assert (directory / "store" / "mov_0001.tif").stat().st_mtime_ns == kept
    assert (directory / "truth" / "mov_0002.star").exists()
    with pytest.raises(FileExistsError, match="other settings"):
        write_session(directory, replace(TINY, seed=9), workers=1)


@pytest.mark.parametrize(("rotation", "flip"), [(0, 0), (1, 0), (2, 1), (3, 2)])
def test_the_gain_file_needs_the_turns_it_says(tmp_path, rotation, flip):
    from verglas.jobs.simulate.session import write_gain

    settings = replace(TINY, gain_rotation=rotation, gain_flip=flip)
    write_gain(tmp_path / "gain.mrc", settings)
    read = read_gain(tmp_path / "gain.mrc", movie_kind="tiff").oriented(rotation, flip)
    assert np.allclose(read.factors, session_camera(settings).gain)


@pytest.mark.parametrize("kind", ["mrc", "eer"])
def test_other_formats(tmp_path, kind):
    settings = replace(TINY, movies=1, format=kind, dose_per_frame_e_a2=0.03)
    movie = write_session(tmp_path, settings, workers=1)[0]
    made = np.stack(list(simulate_movie(settings, 0)[0]))
    opened = open_movie(movie, eer_grouping=1) if kind == "eer" else open_movie(movie)
    frames = np.stack(list(opened.frames()))
    assert frames.shape == made.shape
    expected = np.minimum(made, 1) if kind == "eer" else np.minimum(made, 127)
    assert np.array_equal(frames, expected)
    gain = read_gain(tmp_path / "gain.mrc", movie_kind=kind)
    camera = session_camera(settings).gain
    good = camera > 0
    ratio = gain.factors[good] / camera[good]
    assert ratio.std() < 1e-4 * ratio.mean()


@pytest.mark.parametrize("kind", ["tif", "mrc"])
def test_strong_doses_are_not_cut_off(tmp_path, kind):
    settings = replace(TINY, movies=1, frames=2, format=kind, dose_per_frame_e_a2=40.0)
    movie = write_session(tmp_path, settings, workers=1)[0]
    assert frames_of(movie).mean() > 450


def test_junk_ice_and_carbon_are_where_they_were_asked_for(tmp_path):
    settings = replace(TINY, movies=6, junk_share=0.5, early_ice_factor=2.0, frames=2, carbon_share=0.3)
    write_session(tmp_path, settings, workers=1)
    micrographs = read_star(tmp_path / "truth" / "micrographs.star")["micrographs"]
    assert micrographs.strings("verglasMovieKind") == [
        "good",
        "empty",
        "good",
        "contaminated",
        "good",
        "blurred",
    ]
    assert micrographs.floats("verglasIceThicknessAngst").tolist() == [700.0] * 2 + [350.0] * 4


def test_tracks_of_a_file_are_followed(session, tmp_path):
    tracks = str(session[0] / "truth" / "mov_0001.star")
    settings = replace(TINY, movies=1, frames=3, tracks=tracks, seed=4)
    _, truth = simulate_movie(settings, 0)
    expected = read_motion(tracks, 4)
    assert np.array_equal(truth.motion.global_xy, expected.global_xy[:3])
    assert np.array_equal(truth.motion.local, expected.local)
    with pytest.raises(ValueError, match="4 frames, 9 are needed"):
        read_motion(tracks, 9)


def test_delivery_shows_only_whole_files(session, tmp_path, monkeypatch):
    seen = []
    real = shutil.copyfileobj

    def watching(source, out, length):
        real(source, out, length)
        seen.append(sorted(path.name for path in tmp_path.glob("*.tif")))

    monkeypatch.setattr(shutil, "copyfileobj", watching)
    delivered = deliver(session[1], tmp_path)
    assert [path.read_bytes() for path in delivered] == [path.read_bytes() for path in session[1]]
    assert seen == [[], ["mov_0001.tif"], ["mov_0001.tif", "mov_0002.tif"]]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    before = delivered[0].stat().st_mtime_ns
    assert deliver(session[1], tmp_path)[0].stat().st_mtime_ns == before


def test_lots():
    paths = [Path(str(index)) for index in range(7)]
    assert [len(lot) for lot in lots(paths, 3)] == [3, 2, 2]
    assert [path for lot in lots(paths, 3) for path in lot] == paths


def test_a_microscope_delivers_in_time_and_resumes(tmp_path):
    now = [0.0]
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        now[0] += seconds

    settings = replace(TINY, frames=2)
    into = tmp_path / "Movies"
    told = []
    arguments = {"every_seconds": 20.0, "sleep": sleep, "clock": lambda: now[0]}
    run_microscope(tmp_path / "s", settings, into, told=told.append, **arguments)
    assert waits == [0.0, 20.0, 20.0]
    assert [path.name for path in told] == ["mov_0001.tif", "mov_0002.tif", "mov_0003.tif"]
    assert not list((tmp_path / "s" / "store").iterdir())
    (into / "mov_0003.tif").unlink()
    told.clear()
    run_microscope(tmp_path / "s", settings, into, told=told.append, **arguments)
    assert [path.name for path in told] == ["mov_0003.tif"]


def test_views_of_the_session():
    assert session_views(TINY) == ()
    views = session_views(replace(TINY, views=5))
    assert len(views) == 5 and views[0] == (0.0, 0.0)
    assert len(session_views(replace(TINY, views=4, symmetry="O"))) == 4


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"movies": 0}, "at least one movie"),
        ({"format": "png"}, "movie format 'png'"),
        ({"size": 8}, "at least 64"),
        ({"junk_share": 1.5}, "junk_share must lie"),
        ({"defocus_min_angst": 3e4}, "is no range"),
    ],
)
def test_impossible_settings_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **changed)


def test_the_command_makes_micrographs_and_particles(tmp_path, capsys):
    words = ["--size", "192", "--pixel-size-angst", "4", "--particles", "5", "--frames", "3"]
    assert (
        main(["simulate", "micrograph", str(tmp_path / "m"), "--movies", "2", "--workers", "1", *words]) == 0
    )
    star = read_star(tmp_path / "m" / "micrographs.star")
    assert star["micrographs"].strings("rlnMicrographName") == ["mov_0001.mrc", "mov_0002.mrc"]
    assert len(read_star(tmp_path / "m" / "truth" / "particles.star")["particles"]) == 10
    assert (
        main(
            [
                "simulate",
                "particles",
                str(tmp_path / "p"),
                "--count",
                "8",
                "--box",
                "64",
                "--pixel-size-angst",
                "3.5",
                "--device",
                "cpu",
            ]
        )
        == 0
    )
    assert len(read_star(tmp_path / "p" / "particles.star")["particles"]) == 8
    assert "8 particles" in capsys.readouterr().out


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert main(["simulate", "particles", str(tmp_path), "--box", "32", "--count", "2"]) == 1
    assert "does not fit in a box" in capsys.readouterr().err
    assert main(["simulate", "particles", str(tmp_path), "--models", "missing.pdb"]) == 1
    assert "missing.pdb" in capsys.readouterr().err
    assert main(["simulate", "session", str(tmp_path), "--every", "soon"]) == 1
    assert "'soon' is no time" in capsys.readouterr().err
    assert main(["simulate", "nonsense"]) == 1
    assert main(["simulate", "--help"]) == 0


def test_settings_that_failed_do_not_block_the_directory(tmp_path, capsys):
    """A mistyped model leaves nothing that the corrected command stumbles over."""
    small = ["--size", "128", "--frames", "2", "--particles", "1", "--seed", "3"]
    words = ["simulate", "movie", str(tmp_path), *small]
    assert main([*words, "--model", str(tmp_path / "no.pdb")]) == 1
    assert "no.pdb" in capsys.readouterr().err
    assert main([*words, "--pixel-size-angst", "4"]) == 0
    assert main([*words, "--pixel-size-angst", "5"]) == 1
    assert "other settings" in capsys.readouterr().err


def test_the_session_flag_stands_for_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [
        "--movies",
        "1",
        "--size",
        "192",
        "--frames",
        "2",
        "--pixel-size-angst",
        "4",
        "--particles",
        "3",
        "--every",
        "0s",
    ]
    assert main(["simulate", "--session", *words]) == 0
    assert (tmp_path / "Movies" / "mov_0001.tif").exists()
    settings = json.loads((tmp_path / "session" / "session.json").read_text())
    assert settings["particles"] == 3


@pytest.mark.parametrize(("text", "seconds"), [("20s", 20), ("1.5m", 90), ("2h", 7200), ("7", 7)])
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.relion
def test_relion_finds_the_motion_and_the_hot_pixels_of_the_truth(tmp_path):
    """Signs of shifts, gain and row order, judged by a program that is not ours."""
    import subprocess

    if shutil.which("relion_run_motioncorr") is None:
        pytest.skip("RELION is not installed")
    settings = SessionSettings(
        movies=1,
        size=1024,
        frames=12,
        particles=60,
        drift_pixels=6.0,
        local_pixels=0.0,
        hot_pixels=8,
        gain_rotation=2,
        gain_flip=1,
        seed=5,
    )
    write_session(tmp_path, settings, movies_in=tmp_path / "Movies", workers=1)
    from verglas.formats.star import StarTable, write_star
    from verglas.jobs.simulate.truth import optics_table

    movies = {"rlnMicrographMovieName": ["Movies/mov_0001.tif"], "rlnOpticsGroup": [1]}
    tables = [optics_table(settings, {}), StarTable.from_columns("movies", movies)]
    write_star(tmp_path / "movies.star", tables)
    subprocess.run(
        "relion_run_motioncorr --i movies.star --o MC/ --use_own --gainref gain.mrc --gain_rot 2 "
        "--gain_flip 1 --dose_per_frame 1.4 --patch_x 1 --patch_y 1 --bfactor 150 --j 1 --angpix 1.7",
        shell=True,
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    found = read_star(tmp_path / "MC" / "Movies" / "mov_0001.star")
    truth = read_star(tmp_path / "truth" / "mov_0001.star")

    def track(star):
        table = star["global_shift"]
        both = [table.floats(f"rlnMicrographShift{axis}") for axis in "XY"]
        return np.stack(both, axis=1) - np.mean(both, axis=1)

    def places(star):
        table = star["hot_pixels"]
        return set(zip(table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")))

    error = np.sqrt(((track(found) - track(truth)) ** 2).sum(axis=1).mean())
    assert error < 0.5
    assert len(places(found) & places(truth)) >= 7
