"""Picks that a person edited survive changes of settings, or are named before they are laid aside."""

from __future__ import annotations

import pytest

from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.autopick.results import summary_row
from verglas.scheduler.events import read_events
from verglas.scheduler.live.record.edited_picks import edited_among
from verglas.scheduler.live.record.ledger import Ledger
from verglas.scheduler.live.requests.stage_changes import change_settings, preview_settings
from verglas.scheduler.live.requests.verdicts import try_again

pytestmark = pytest.mark.slow  # most start processes
EDITED_PICKS = 7


def edit(path) -> bytes:
    """Seven picks as a person leaves them: no figure of merit."""
    columns = {
        "rlnCoordinateX": [8.0 * n for n in range(EDITED_PICKS)],
        "rlnCoordinateY": [6.0] * EDITED_PICKS,
        "rlnClassNumber": [-999] * EDITED_PICKS,
        "rlnAnglePsi": [-999.0] * EDITED_PICKS,
    }
    write_star(path, [StarTable.from_columns("", columns)])
    return path.read_bytes()


@pytest.fixture
def session(project, movies, write_movie, make_session, finish):
    """Three movies that are through; the picks of the second are edited. (folder, files of picks)"""
    for number in range(3):
        write_movie(movies / f"m{number}.mrc", number)
    finish(folder := make_session())
    files = sorted(project.root.glob("AutoPick/job004/Movies/*_autopick.star"))
    edit(files[1])
    return folder, files


def extracted(project) -> list[int]:
    particles = read_star(project.root / "Extract/job006/particles.star")["particles"]
    names = particles.strings("rlnMicrographName")
    return [sum(f"/m{number}.mrc" in name for name in names) for number in range(3)]


@pytest.mark.parametrize("change", [{"AutoPick": {"log_diam_max": "31"}}, {"MotionCorr": {"patch_x": "2"}}])
def test_edited_picks_are_named_and_kept_and_extracted(project, session, finish, change):
    folder, files = session
    before = [path.read_bytes() for path in files]
    times = [path.stat().st_mtime_ns for path in files]
    assert preview_settings(folder, change, "all").edited == ("MotionCorr/job002/Movies/m1.mrc",)
    assert preview_settings(folder, change, "3").edited == ()
    told = change_settings(project, folder, change, "all")
    assert "picks edited by hand are kept: MotionCorr/job002/Movies/m1.mrc" in told
    finish(folder)
    assert files[1].read_bytes() == before[1]
    assert [path.stat().st_mtime_ns != time for path, time in zip(files, times)] == [True, False, True]
    assert extracted(project)[1] == EDITED_PICKS
    kept = [each for each in read_events(project.root) if each["kind"] == "picks-kept"]
    assert len(kept) == 1
    ledger = Ledger(folder.journal)
    ledger.read()
    assert ledger.movies[1].figures["picks"] == EDITED_PICKS
    # they stay a person's: another change keeps them, too
    assert [each.number for each in edited_among(project.root, folder.order().jobs, ledger.movies)] == [2]


def test_a_change_after_the_picks_says_nothing_of_them(project, session):
    folder, _ = session
    told = change_settings(project, folder, {"Extract": {"do_invert": "No"}}, "all")
    assert not any("edited" in line for line in told)


def test_edited_picks_that_would_not_fit_are_named_before_they_are_laid_aside(project, session, finish):
    folder, files = session
    change, edited = {"MotionCorr": {"bin_factor": "2"}}, files[1].read_bytes()
    with pytest.raises(ValueError, match=r"m1\.mrc; with --edited-aside"):
        change_settings(project, folder, change, "all")
    with pytest.raises(ValueError, match=r"m1\.mrc; with --edited-aside"):
        preview_settings(folder, change, "all")
    assert files[1].read_bytes() == edited
    told = change_settings(project, folder, change, "all", edited_aside=True)
    assert "laid aside" in told[0] and "m1.mrc" in told[0]
    finish(folder)
    assert files[1].read_bytes() != edited
    assert files[1].with_name("m1_autopick_edited.star").read_bytes() == edited
    assert edited_among(project.root, folder.order().jobs, _movies(folder)) == []


def test_a_movie_with_edited_picks_is_extracted_again_when_asked(project, session, finish):
    folder, _ = session
    assert extracted(project)[1] != EDITED_PICKS
    told = try_again(folder, ["m1", "m2"])
    assert told == [
        "0 movies are tried again",
        "extracted again with edited picks: MotionCorr/job002/Movies/m1.mrc",
    ]
    finish(folder)
    assert extracted(project)[1] == EDITED_PICKS


def test_a_picker_that_was_killed_before_it_could_say_so_is_no_person(tmp_path):
    ledger = Ledger(tmp_path / "movies.jsonl")
    movie = ledger.take("a", "a", "1:1")
    ledger.done(movie, "AutoPick", 1, 0.1, picks="abc")
    ledger.note_picking(movie)  # the file is replaced now, and the worker dies
    other = Ledger(tmp_path / "movies.jsonl")
    assert other.read()[0].picks == ""
    assert edited_among(tmp_path, {"AutoPick": "AutoPick/job004/"}, other.movies) == []


def test_picks_without_a_figure_of_merit_are_counted(tmp_path):
    edit(path := tmp_path / "m_autopick.star")
    assert summary_row("m.mrc", path)["rlnGroupNrParticles"] == EDITED_PICKS


def _movies(folder):
    ledger = Ledger(folder.journal)
    ledger.read()
    return ledger.movies
