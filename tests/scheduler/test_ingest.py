"""Feeding: only complete files appear, verified; growing and vanishing sources are waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from verglas.cli.main import main
from verglas.scheduler import ingest as ingest_module
from verglas.scheduler.ingest import Ingest
from verglas.scheduler.settings import WatchSettings, save_settings


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    (tmp_path / "scope/grid1").mkdir(parents=True)
    return tmp_path / "scope", tmp_path / "project/Movies"


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_is_copied_once_it_rests(folders):
    source, target = folders
    (source / "grid1/a.tif").write_bytes(b"x" * 1000)
    ingest = Ingest(source, target, checksum=True)
    assert ingest.once() == 0  # only just seen
    assert "growing" in ingest.tally.waiting["grid1/a.tif"]
    assert ingest.once() == 1
    assert names(target) == ["grid1/a.tif"]
    assert (target / "grid1/a.tif").stat().st_mtime_ns == (source / "grid1/a.tif").stat().st_mtime_ns
    assert ingest.once() == 0
    assert Ingest(source, target).once() == 0  # a restart knows what is there
    assert ingest.tally.known == 1


def test_a_growing_file_waits(folders):
    source, target = folders
    ingest = Ingest(source, target)
    for size in range(1, 5):
        (source / "a.tif").write_bytes(b"x" * size)
        assert ingest.once() == 0
    assert ingest.once() == 1
    assert (target / "a.tif").stat().st_size == 4


def test_unfinished_names_and_other_files_stay(folders):
    source, target = folders
    for name in (".a.tif", "b.tif.part", "c.tmp", "d.filepart", "e.txt", ".f.tif.Xy12z", "g.tif"):
        (source / name).write_text("x")
    Ingest(source, target, patterns=("*.tif",)).once(settled=True)
    assert names(target) == ["g.tif"]


def test_move_deletes_only_what_was_read_back(folders, monkeypatch):
    source, target = folders
    (source / "a.tif").write_bytes(b"x" * 1000)
    (source / "b.tif").write_bytes(b"y" * 1000)
    real = ingest_module._digest
    monkeypatch.setattr(ingest_module, "_digest", lambda path: "bad" if ".b.tif" in path.name else real(path))
    ingest = Ingest(source, target, move=True)
    assert ingest.once(settled=True) == 1
    assert names(source) == ["b.tif"]
    assert names(target) == ["a.tif"]
    assert "differs" in ingest.tally.waiting["b.tif"]
    monkeypatch.setattr(ingest_module, "_digest", real)
    assert ingest.once(settled=True) == 1
    assert names(source) == []


def test_a_source_that_changes_while_it_is_copied_is_not_taken(folders, monkeypatch):
    source, target = folders
    (source / "a.tif").write_bytes(b"x")
    real = ingest_module._copy_bytes

    def slow_copy(path, copy):
        digest = real(path, copy)
        path.write_bytes(b"xx")
        return digest

    monkeypatch.setattr(ingest_module, "_copy_bytes", slow_copy)
    assert Ingest(source, target).once(settled=True) == 0
    assert names(target) == []


def test_a_share_that_vanishes_is_waited_for(folders):
    source, target = folders
    said: list[str] = []
    ingest = Ingest(source, target, say=said.append)
    source.rename(source.with_name("away"))
    assert ingest.once() == 0
    assert ingest.once() == 0
    assert len(said) == 1
    assert "is away" in said[0]
    source.with_name("away").rename(source)
    (source / "a.tif").write_text("x")
    assert ingest.once(settled=True) == 1
    assert "is back" in said[1]


def test_a_replaced_source_is_copied_again(folders):
    source, target = folders
    (source / "a.tif").write_text("old")
    ingest = Ingest(source, target)
    ingest.once(settled=True)
    (source / "a.tif").write_text("newer")
    assert ingest.once(settled=True) == 1
    assert (target / "a.tif").read_text() == "newer"


def test_a_full_disc_leaves_nothing_behind(folders, monkeypatch):
    source, target = folders
    (source / "a.tif").write_text("x")

    def no_space(path, copy):
        copy.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ingest_module, "_copy_bytes", no_space)
    ingest = Ingest(source, target)
    assert ingest.once(settled=True) == 0
    assert names(target) == []
    assert "No space left" in ingest.tally.waiting["a.tif"]
    assert os.listdir(target) == []


def test_one_bad_entry_costs_no_other(folders):
    """A dangling link, a circle of links: said, and everything else is copied once."""
    source, target = folders
    (source / "grid1/a.tif").write_text("x")
    (source / "grid1/gone.tif").symlink_to("/nowhere/gone.tif")
    (source / "grid1/up").symlink_to(source)
    (source / "grid1/b.tif").write_text("y")
    said: list[str] = []
    ingest = Ingest(source, target, say=said.append)
    assert ingest.once(settled=True) == 2
    assert names(target) == ["grid1/a.tif", "grid1/b.tif"]
    assert ingest.tally.waiting == {"grid1/gone.tif": "a link to /nowhere/gone.tif, which is not there"}
    assert said == []


def test_linked_folders_and_files_are_copied_as_what_they_are(folders, tmp_path):
    source, target = folders
    (tmp_path / "store").mkdir()
    (tmp_path / "store/a.tif").write_text("x")
    (source / "grid2").symlink_to(tmp_path / "store")
    (source / "b.tif").symlink_to(tmp_path / "store/a.tif")
    assert Ingest(source, target).once(settled=True) == 2
    assert names(target) == ["b.tif", "grid2/a.tif"]
    assert not (target / "b.tif").is_symlink()


def test_the_floor_of_the_project_is_kept(project, capsys):
    """`verglas alarm set --ingest_floor_gb`: below it copying pauses, above it not."""
    source = project.root.parent / "scope"
    source.mkdir()
    (source / "a.tif").write_text("x")
    words = ["ingest", str(source), str(project.root / "Movies/new"), "--every", "0.01"]
    save_settings(project.root, WatchSettings(ingest_floor_gb=1e6))
    assert main(words) == 1
    assert "free at the destination" in capsys.readouterr().out
    save_settings(project.root, WatchSettings(ingest_floor_gb=0.0))
    assert main(words) == 0
    assert (project.root / "Movies/new/a.tif").read_text() == "x"
