"""Files that change together: nothing before they are written down, everything afterwards, also twice."""

from __future__ import annotations

import os
import shutil

import pytest

from verglas.project import journal as journal_module
from verglas.project.journal import STAGING, Journal, is_unsettled, settle


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "old").write_text("old")
    (tmp_path / "job").mkdir()
    (tmp_path / "job/a.star").write_text("job/a.mrc")
    (tmp_path / "Trash/job").mkdir(parents=True)
    (tmp_path / "Trash/job/earlier").write_text("")
    (tmp_path / "nodes/3").mkdir(parents=True)
    (tmp_path / "nodes/3/gone").write_text("")
    return tmp_path


def all_steps(folder):
    journal = Journal(folder)
    journal.keep("old", "kept/old")
    journal.write("old", b"new")
    journal.keep("job/a.star", "kept/a.star")
    journal.reword("kept/a.star", "job/", "job/kept/")
    journal.move("job", "Trash/job")
    journal.remove("nodes/3/gone", up_to="nodes")
    journal.link("alias", "Trash/job")
    journal.touch("signal")
    return journal


def contents(folder):
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


AFTER = {
    "Trash/job/a.star": "job/a.mrc",
    "kept/a.star": "job/kept/a.mrc",
    "kept/old": "old",
    "old": "new",
    "signal": "",
}


def test_all_steps_are_taken(folder):
    all_steps(folder).commit()
    assert contents(folder) == AFTER
    assert os.readlink(folder / "alias") == "Trash/job"
    assert not (folder / "nodes/3").exists()
    assert not is_unsettled(folder)


def test_what_cannot_be_written_down_changes_nothing(folder, monkeypatch):
    """A full disc: the error is told, nothing is left behind."""
    before = contents(folder)

    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal_module, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        all_steps(folder).commit()
    assert contents(folder) == before
    assert not is_unsettled(folder)


def test_every_step_may_be_taken_twice(folder, monkeypatch):
    """The whole list again after all of it was done: the process died before it could say so."""
    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "settle", lambda root: shutil.copytree(root / STAGING, root / "copy"))
        all_steps(folder).commit()
    settle(folder)
    (folder / "copy/0").unlink()  # staged contents are gone once they are in place
    os.rename(folder / "copy", folder / STAGING)
    assert settle(folder)
    assert contents(folder) == AFTER


def test_staged_files_without_a_list_are_removed(folder):
    (folder / STAGING).mkdir()
    (folder / STAGING / "0").write_text("half")
    before = {name for name in contents(folder) if not name.startswith(STAGING)}
    assert not settle(folder)
    assert set(contents(folder)) == before


def test_a_removal_spares_what_comes_into_its_place(folder):
    """Taken twice it would remove the new file."""
    journal = Journal(folder)
    journal.remove("old")
    journal.write("old", b"new")
    journal.touch("signal")
    journal.commit()
    assert (folder / "old").read_text() == "new"
