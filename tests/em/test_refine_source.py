"""Where images are read from: a scratch disc, memory, or rank 0; never with another result."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from refine_runs import FLAGS, N, noisy, refine, refine_over_ranks, same_files, write_particles
from verglas.compute.progress import SilentProgress
from verglas.em.run.memory import largest_size_that_fits, memory_need
from verglas.em.start.initialise import first_model
from verglas.em.state.sampling import Sampling
from verglas.em.state.settings import EmSettings, GradientSettings
from verglas.formats.mrc import write_mrc
from verglas.formats.star import read_star
from verglas.jobs.refine.images import scratch as refine_scratch
from verglas.jobs.refine.images.scratch import FOLDER, Scratch
from verglas.jobs.refine.images.stacks import StackSource

WORDS = ["--i", "particles.star", "--K", "2", "--iter", "2", *FLAGS]


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("disc").mkdir()
    return tmp_path


@pytest.fixture
def stacks():
    """Two stacks of one image size, one of them float16; names and their source."""
    images = np.random.default_rng(0).normal(size=(20, 16, 16)).astype(np.float16).astype(np.float32)
    write_mrc("a.mrcs", images[:12], 2.0)
    write_mrc("b.mrcs", images[12:].astype(np.float16), 2.0)
    names = [f"{i + 1:06d}@a.mrcs" for i in range(12)] + [f"{i + 1:06d}@b.mrcs" for i in range(8)]
    source = StackSource(names, np.full(20, 16))
    made: list[Scratch] = []
    yield names, source, images, made
    for open_file in [source, *made]:
        open_file.close()


def read_all(names) -> np.ndarray:
    with closing(StackSource(names, np.full(20, 16))) as source:
        return source.read(np.arange(20))


def copied(stacks, said=None, **options) -> Scratch:
    names, source, _, made = stacks
    scratch = Scratch("disc", options.pop("keep_free", 0.0), **{"keep": False, "reuse": False} | options)
    said = [] if said is None else said
    made.append(scratch)
    scratch.copy(source, names, np.zeros(20, np.int64), SilentProgress(), said.append)
    return scratch


def left() -> list[Path]:
    return list(Path("disc", FOLDER).iterdir())


def test_a_copy_holds_the_images_and_goes_away(stacks):
    scratch = copied(stacks)
    assert all(name.split("@")[1].startswith("disc") for name in scratch.names)
    np.testing.assert_array_equal(read_all(scratch.names), stacks[2])
    scratch.close()
    assert left() == []


def test_what_does_not_fit_stays_where_it_is(stacks, monkeypatch):
    names = stacks[0]
    room = iter([10**9, 10**9, 100, 0])
    monkeypatch.setattr(refine_scratch, "PIECE_BYTES", 6 * 16 * 16 * 4)
    monkeypatch.setattr(refine_scratch, "free_bytes", lambda folder: next(room))
    said: list[str] = []
    scratch = copied(stacks, said)
    assert scratch.names[12:] == names[12:] and scratch.names[:12] != names[:12]
    assert "8 of 20 particles stay where they are" in said[0]
    np.testing.assert_array_equal(read_all(scratch.names), stacks[2])


def test_a_disc_that_fills_while_copying_is_not_an_error(stacks, monkeypatch):
    def full(*words, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(refine_scratch.StackWriter, "add", full)
    assert copied(stacks).names == stacks[0]


def test_a_copy_can_be_kept_and_used_again_for_the_same_images_only(stacks):
    first = copied(stacks, keep=True)
    first.close()
    said: list[str] = []
    second = copied(stacks, said, reuse=True)
    assert second.names == first.names and "Using the scratch copy" in said[0]
    second.close()
    assert len(left()) == 1
    os.utime("a.mrcs", (1, 1))  # written anew
    third = copied(stacks, said, reuse=True)
    assert third.names != first.names and "a new one is made" in said[1]


def test_what_a_dead_run_left_is_removed_and_a_living_one_is_left_alone(stacks):
    code = (
        "import os, sys; sys.path[:0] = sys.argv[1:]; from pathlib import Path; "
        "from verglas.jobs.refine.images.scratch import _locked; "
        "folder = Path('disc', 'verglas_volatile', 'host-1-dead'); folder.mkdir(parents=True); "
        "lock = _locked(folder / 'owner.lock'); (folder / 'particles_000000001.mrcs').touch(); "
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, *sys.path], check=False)
    assert len(left()) == 1
    living = copied(stacks)
    other = copied(stacks)
    assert len(left()) == 2
    other.close()
    assert [folder.name for folder in left()] == [Path(living.names[0].split("@")[1]).parent.name]


def test_scratch_and_memory_change_nothing():
    images = noisy()
    images[5, 0, 0] = np.nan
    write_particles(images, [f"{i + 1:06d}@particles.mrcs" for i in range(N + 1)])
    assert refine(*WORDS, "--o", "plain/run") == 0
    assert refine(*WORDS, "--o", "copy/run", "--scratch_dir", "disc", "--keep_free_scratch", "0") == 0
    assert refine(*WORDS, "--o", "memory/run", "--preread_images") == 0
    for way in ("copy", "memory"):
        same_files("plain/run_it002", f"{way}/run_it002")
        aside = read_star(f"{way}/set_aside.star")["set_aside"]
        assert any("holds only 40" in text for text in aside.strings("verglasReason"))
    assert left() == []
    names = read_star("copy/run_it002_data.star")["particles"].strings("rlnImageName")
    assert names[0] == "000001@particles.mrcs"  # not the copy's


def test_a_scratch_directory_that_cannot_be_used_is_told(capsys):
    write_particles(noisy(12))
    Path("file").touch()
    assert refine(*WORDS, "--o", "job/run", "--scratch_dir", "file") == 0
    assert "no use of the scratch directory" in capsys.readouterr().out


def test_rank_0_reads_for_all_with_the_same_result():
    write_particles(noisy(), [f"{i + 1:06d}@particles.mrcs" for i in range(N + 1)])
    for way, flags in (("each", ["--scratch_dir", "disc"]), ("zero", ["--no_parallel_disc_io"])):
        said = refine_over_ranks(2, [*WORDS, "--o", f"{way}/run", *flags])
        aside = read_star(f"{way}/set_aside.star")["set_aside"]
        assert aside.strings("verglasReason") == ["image 41 of particles.mrcs, which holds only 40"]
    assert "Rank 0 reads the images of all 2 ranks" in said
    same_files("each/run_it002", "zero/run_it002")
    assert left() == []


def test_more_images_than_memory_are_read_again_and_again(monkeypatch, capsys):
    write_particles(noisy())
    memory = type("Memory", (), {"available": 100_000})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert refine(*WORDS, "--o", "job/run", "--preread_images") == 0
    said = capsys.readouterr()
    assert "they are read in every iteration instead" in said.err
    assert "WARNING: memory suffices up to no resolution" in said.err
    assert "Memory for the last iteration (images of up to 32 pixels)" in said.out


def test_memory_grows_with_image_size_classes_and_momentum():
    settings = EmSettings(n_classes=4)
    sampling = Sampling.of(settings, 3.0)
    model = first_model(settings, torch.zeros(4, 64, 64), np.ones((1, 33)), 3.0, 1, 1)
    small, large = (memory_need(settings, sampling, model, size) for size in (32, 64))
    assert small.sums < large.sums and small.slices < large.slices and large.momentum == 0
    vdam = replace(settings, gradient=GradientSettings())
    assert memory_need(vdam, sampling, model, 64).momentum > 0
    free = (small.total + large.total) // 2
    fits = largest_size_that_fits(settings, sampling, model, free)
    assert 32 <= fits < 64
    assert memory_need(settings, sampling, model, fits + 2).total > free
