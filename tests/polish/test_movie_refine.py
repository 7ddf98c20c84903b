"""Movie refinement: offsets of frames, names, incremental by movie, and six incremental types in a schedule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from polish_project import EXTRACT, MOTION, REFINE
from scenes import rms, run_job, true_tracks, write_refinement

from verglas.formats.stack import open_stack
from verglas.formats.star import read_star
from verglas.jobs.contract.base import NothingToDo
from verglas.jobs.motioncorr.recorded import read_motion
from verglas.jobs.movierefine.job import MovieRefinement
from verglas.jobs.movierefine.options import MovieRefineOptions
from verglas.jobs.polish.inputs import read_polish_inputs

PIXEL, FRAMES = 3.0, 8
HALVES = [f"{REFINE}run_half{half}_class001_unfil.mrc" for half in (1, 2)]
FLAGS = (
    "--i movies.star --continue Refine3D/job007/run_optimiser.star --movie_frames_running_avg 3 --sigma_off 1 "
    "--invert_contrast --norm"
)


@pytest.fixture
def refined(in_scene):
    write_refinement("Refine3D/job007/run", f"{EXTRACT}particles.star", HALVES)
    return in_scene


def tracks_of(rows, table, motion, item):
    """Tracks (P, F, 2) in pixels that a list of movie particles stands for."""
    frames = FRAMES
    new = np.stack([rows.floats("rlnOriginYAngst"), rows.floats("rlnOriginXAngst")], 1).reshape(-1, frames, 2)
    old = np.stack([table.floats("rlnOriginYAngst"), table.floats("rlnOriginXAngst")], 1)
    seen = item.places_yx()[:, None] + motion.displacements(item.places_yx(), range(frames))
    return np.trunc(seen) - item.places_yx()[:, None] - (new - old[:, None]) / PIXEL


def test_running_averages_come_nearer_to_the_truth_than_the_whole_frame(refined):
    run_job(MovieRefinement, "MovieRefine/job020/", f"{FLAGS} --skip_rotate")
    rows = read_star("MovieRefine/job020/run_ravg3_off1_data.star")["particles"]
    names = np.array(rows.strings("rlnImageName"))
    before, after = [], []
    for item in read_polish_inputs(f"{EXTRACT}particles.star", f"{MOTION}corrected_micrographs.star").items:
        movie = Path(item.name).stem
        mine = rows.take(np.flatnonzero([movie in name for name in names]))
        assert len(mine) == FRAMES * len(item.table)
        motion, truth = read_motion(item.metadata), true_tracks(movie, item.table)
        before.append(rms(motion.displacements(item.places_yx(), range(FRAMES)), truth))
        after.append(rms(tracks_of(mine, item.table, motion, item), truth))
    assert np.mean(after) < 0.85 * np.mean(before)
    with open_stack("MovieRefine/job020/Movies/mov_0001_movie.mrcs") as stack:
        assert len(stack) == FRAMES * len(true_tracks("mov_0001", stack_table("mov_0001")))
    assert rows.string("rlnMicrographName", 1) == "000002@Movies/mov_0001.tif"
    again = run_job(MovieRefinement, "MovieRefine/job020/", f"{FLAGS} --skip_rotate --only_do_unfinished")
    assert " 0 to process, 3 finished before, 3 in all" in again


def stack_table(movie):
    table = read_star(f"{EXTRACT}particles.star")["particles"]
    rows = [movie in name for name in table.strings("rlnMicrographName")]
    return table.take(np.flatnonzero(rows))


def test_rotations_and_averaged_frames(refined):
    words = f"{FLAGS} --sigma_ang 2 --avg_movie_frames 3 --extract_size 72 --scale 48 --first_movie_frame 2"
    run_job(MovieRefinement, "MovieRefine/job021/", words)
    star = read_star("MovieRefine/job021/run_ravg3_off1_ang2_data.star")
    rows = star["particles"]
    one = rows.take(np.arange(2))
    assert one.ints("rlnMovieFrameNumber").tolist() == [2, 5]  # frames 2-4 and 5-8
    assert star["optics"].integer("rlnImageSize", 0) == 48
    old = np.repeat(read_star(f"{EXTRACT}particles.star")["particles"].floats("rlnAngleRot"), 2)
    steps = (rows.floats("rlnAngleRot") - old) / 2
    assert set(np.round(steps).astype(int)) <= {-1, 0, 1}


def test_names_and_refusals():
    options = MovieRefineOptions(fn_movie_star="a.star", fn_cont="Refine3D/job007/run_optimiser.star")
    assert [node.name for node in MovieRefinement.expected_outputs(options, "MovieRefine/job008/")] == [
        "MovieRefine/job008/run_ravg5_off1_data.star"
    ]
    assert MovieRefinement.check(options) == []
    both = options.changed(do_alsorot_movies=True)
    assert any("batches" in each for each in MovieRefinement.check(both))
    words = MovieRefinement.command_line(options, "MovieRefine/job008/", True)
    assert "--skip_rotate" in words and "--only_do_unfinished" in words


def test_it_waits_for_the_refinement(in_scene):
    with pytest.raises(NothingToDo, match="does not exist yet"):
        run_job(MovieRefinement, "MovieRefine/job022/", FLAGS.replace("job007", "job099"))
