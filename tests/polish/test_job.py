"""The job on simulated movies: nearer to the truth than motion correction, resumed after a kill, bad input."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from polish_project import EXTRACT, MOTION, POST
from scenes import FLAGS, polish, rms, run_job, true_tracks

from verglas.formats.mrc import read_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.motioncorr.recorded import read_motion
from verglas.jobs.polish.files import read_tracks
from verglas.jobs.polish.inputs import read_polish_inputs
from verglas.jobs.polish.job import BayesianPolishing
from verglas.jobs.polish.options import PARAMETERS_FILE, PolishOptions

PIXEL, FRAMES = 3.0, 8
LIST = f"{MOTION}corrected_micrographs.star"


def stamps(directory):
    return {
        str(path.relative_to(directory)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(Path(directory).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def test_tracks_are_nearer_to_the_truth_than_those_of_the_whole_frame(in_scene, polished):
    inputs = read_polish_inputs(f"{EXTRACT}particles.star", LIST)
    assert sum(len(item.table) for item in inputs.items) == len(
        read_star(polished / "shiny.star")["particles"]
    )
    before, after = [], []
    for item in inputs.items:
        movie = Path(item.name).stem
        truth = true_tracks(movie, item.table)
        motion = read_motion(item.metadata)
        first = motion.displacements(item.places_yx(), range(FRAMES))
        before.append(rms(first, truth))
        after.append(rms(read_tracks(polished / f"Movies/{movie}_tracks.star") / PIXEL, truth))
    assert np.mean(after) < 0.7 * np.mean(before)
    assert np.mean(after) < 0.4


def test_polished_particles_have_the_list_that_relion_expects(in_scene, polished):
    star = read_star(polished / "shiny.star")
    table, optics = star["particles"], star["optics"]
    before = read_star(f"{EXTRACT}particles.star")["particles"]
    assert set(before.labels) == set(table.labels)
    name = table.string("rlnImageName", 0)
    assert name.endswith("@Polish/job008/Movies/mov_0001_shiny.mrcs")
    assert optics.integer("rlnImageSize", 0) == 72
    stack = read_mrc(polished / "Movies/mov_0001_shiny.mrcs").data
    assert stack.std(axis=(1, 2)) == pytest.approx(1, abs=1e-3)
    old = read_mrc(f"{EXTRACT}Movies/mov_0001.mrcs").data
    alike = [float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in zip(stack, old)]
    assert np.mean(alike) > 0.5  # the same particles, in the same order, white
    weights = read_star(polished / "bfactors.star")["perframe_bfactors"]
    b_factor = -weights.floats("rlnBfactorUsedForSharpening")
    assert len(b_factor) == FRAMES and b_factor.min() == 0
    assert all((polished / name).stat().st_size > 500 for name in ("logfile.pdf", "summary.html"))


def test_after_a_kill_the_rest_is_done_with_the_same_bits(in_scene, polished):
    copy = Path("Polish/job009")
    shutil.copytree(polished, copy)
    before = stamps(copy)
    for ending in ("_shiny.mrcs", "_shiny.star", "_tracks.star", "_FCC_w1.mrc"):
        (copy / f"Movies/mov_0002{ending}").unlink()
    (copy / "Movies/mov_0003_shiny.star").unlink()
    told = polish("Polish/job009/", "--only_do_unfinished")[1]
    assert " 2 to process, 1 finished before, 3 in all" in told
    after = stamps(copy)
    assert after.keys() == before.keys()
    for name, (time, content) in after.items():
        if name.startswith("Movies/mov_0001"):
            assert time == before[name][0], name
        if name.endswith((".mrcs", ".mrc", "tracks.star", "bfactors.star")):
            assert content.replace(b"job009", b"job008") == before[name][1], name


def changed_list(path, change):
    """The list of micrographs with some rows changed."""
    star = read_star(LIST)
    table = star["micrographs"]
    rows = {label: table.strings(label) for label in table.labels}
    change(rows)
    write_star(path, [star["optics"], StarTable.from_columns("micrographs", rows)])


def test_what_cannot_be_polished_is_set_aside_and_the_rest_goes_on(in_scene):
    def change(rows):
        broken = Path("broken.star")
        text = Path(rows["rlnMicrographMetadata"][0]).read_text()
        broken.write_text(text.replace("Movies/mov_0001.tif", "Movies/mov_0001_gone.tif"))
        rows["rlnMicrographMetadata"][0] = str(broken)
        rows["rlnMicrographMetadata"][1] = "None"

    changed_list("changed.star", change)
    star = read_star(f"{EXTRACT}particles.star")
    table = star["particles"]
    halves = table.ints("rlnRandomSubset").copy()
    halves[-1] = 0
    keep = [row for row in range(len(table)) if "mov_0003" not in table.string("rlnMicrographName", row)]
    keep += [len(table) - 2, len(table) - 1]  # one particle of the third micrograph, one without its half
    table = table.with_columns({"rlnRandomSubset": halves}).take(np.array(keep))
    write_star("fewer.star", [star["optics"], table])
    flags = FLAGS.replace(LIST, "changed.star").replace(f"{EXTRACT}particles.star", "fewer.star")
    directory, told = polish("Polish/job010/", flags=flags)
    text = "\n".join(told)
    aside = dict(SetAsideList.read(Path(directory)).reasons())
    assert list(aside) == [f"{MOTION}Movies/mov_0001.mrc"]
    assert "mov_0001_gone.tif" in aside[f"{MOTION}Movies/mov_0001.mrc"]
    assert "1 micrographs have no motion metadata" in text
    assert "its half-set is 0: 1 or 2 was expected" in text
    polished = read_star(f"{directory}shiny.star")["particles"]
    counts = [sum(f"mov_000{n}" in name for name in polished.strings("rlnImageName")) for n in (1, 2, 3)]
    assert counts[0] == 0 and counts[1] > 5 and counts[2] == 1
    plain = read_mrc(f"{directory}Movies/mov_0002_shiny.mrcs").data
    old = read_mrc(f"{EXTRACT}Movies/mov_0002.mrcs").data
    assert np.corrcoef(plain[0].ravel(), old[0].ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rlnImageSizeX                                      320", "rlnImageSizeX 300", "says 300 x 320"),
        (
            "rlnImageSizeZ                                        8",
            "rlnImageSizeZ 9",
            "8 shifts for 9 frames",
        ),
        ("session/gain.mrc", "session/gone.mrc", "gain or defects"),
        ("mov_0001.tif", "mov_0002.tif", "another movie"),
        ("rlnMicrographDoseRate", "verglasNothing", "no dose per frame"),
    ],
)
def test_metadata_that_do_not_belong(in_scene, tmp_path, old, new, said):
    from verglas.jobs.contract.set_aside import SetAside

    text = Path(f"{MOTION}Movies/mov_0001.star").read_text()
    if old not in text:  # numbers are written in columns
        label, _ = old.split()
        line = next(line for line in text.splitlines() if line.split()[:1] == [f"_{label}"])
        old, new = line, f"_{new}"
    wrong = tmp_path / "mov_0001.star"
    wrong.write_text(text.replace(old, new))

    def change(rows):
        rows["rlnMicrographMetadata"][0] = str(wrong)

    changed_list("wrong.star", change)
    inputs = read_polish_inputs(f"{EXTRACT}particles.star", "wrong.star")
    words = FLAGS.replace(LIST, "wrong.star").split()
    from verglas.jobs.contract.base import RunContext

    job = BayesianPolishing(BayesianPolishing.program.parse([*words, "--o", "x/"]), RunContext(tmp_path))
    with pytest.raises(SetAside, match=said):
        job.process(inputs.items[0], "cpu")


def test_hot_pixels_do_not_come_back(in_scene):
    motion = read_motion(f"{MOTION}Movies/mov_0001.star")
    assert len(motion.hot_pixels_yx) >= 4
    frame = next(iter(motion.frames(motion.open(), range(1))))
    assert frame[tuple(motion.hot_pixels_yx.T)].max() < 40 + 6 * frame.std()


def test_training_writes_what_polishing_reads(in_scene):
    told = run_job(BayesianPolishing, "Polish/job011/", f"{FLAGS} --params3 --min_p 30 --par_iters 12")
    numbers = [float(word) for word in Path(f"Polish/job011/{PARAMETERS_FILE}").read_text().split()]
    assert len(numbers) == 3 and min(numbers) > 0
    assert any("score" in line for line in told)
    flags = f"{FLAGS} --params_file Polish/job011/{PARAMETERS_FILE} --min_MG 1 --max_MG 1"
    directory, _ = polish("Polish/job012/", flags=flags, more="--window 96 --scale 64 --float16", prior="")
    star = read_star(f"{directory}shiny.star")
    assert star["optics"].integer("rlnImageSize", 0) == 64
    assert star["optics"].number("rlnImagePixelSize", 0) == pytest.approx(4.5)
    assert read_mrc(f"{directory}Movies/mov_0002_shiny.mrcs").data.shape[1:] == (64, 64)


def test_what_cannot_be_is_said_before_anything_is_done(in_scene):
    with pytest.raises(JobFailed, match="go together"):
        polish("Polish/job013/", "--window 96")
    with pytest.raises(NothingToDo, match="does not exist yet"):
        polish("Polish/job013/", flags=FLAGS.replace(POST, "PostProcess/job099/"))
    with pytest.raises(JobFailed, match="no parameter file"):
        Path("bad.txt").write_text("a b c")
        polish("Polish/job013/", "--params_file bad.txt")
    both = PolishOptions(fn_mic="a", fn_data="b", fn_post="c", do_param_optim=True, do_own_params=True)
    assert any("exactly one" in each for each in BayesianPolishing.check(both))
    only = PolishOptions(fn_mic="a", fn_data="b", fn_post="c", do_own_params=True)
    assert BayesianPolishing.check(only) == []
    words = BayesianPolishing.command_line(only, "Polish/job001/", True)
    assert words[:3] == ["--o", "Polish/job001/", "--only_do_unfinished"] and "--combine_frames" in words


@pytest.mark.slow
def test_the_same_bits_however_many_workers(in_scene, polished):
    directory, _ = polish("Polish/job014/", workers=2, isolate=True)
    for path in sorted(polished.rglob("*")):
        if path.name.endswith((".mrcs", ".mrc", "tracks.star", "bfactors.star")):
            other = Path(directory) / path.relative_to(polished)
            assert other.read_bytes() == path.read_bytes(), path.name
