"""Unfinished files of dead processes are swept; those of living ones are not."""

import os

from verglas.formats.atomic import temporary_name
from verglas.project.leftovers import sweep


def test_only_our_old_unfinished_files_go(tmp_path):
    (tmp_path / "Movies").mkdir()
    old, young, deep = (temporary_name(tmp_path / folder / "x") for folder in ("", "", "Movies"))
    for path in (old, young, deep, tmp_path / "result.star", tmp_path / ".other.tmp"):
        path.touch()
        os.utime(path, (1e9, 1e9))
    os.utime(young)
    assert sweep(tmp_path) == 1
    assert not old.exists()
    assert sweep(tmp_path, below=True, old_s=0.0) == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".other.tmp", "Movies", "result.star"]
