"""What people did in RELION stays as it is: a real project opened, cleaned, deleted from and restored."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from verglas.project.editing import set_alias
from verglas.project.note import read_note, write_note
from verglas.project.project import Project
from verglas.project.trash import clean, delete, undelete


@pytest.fixture
def betagal(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of a student's RELION 5 project."""
    root = tmp_path / "project"
    shutil.copytree(real_data / "empiar10204_betagal/project", root)
    for folder, _, _ in os.walk(root):
        os.chmod(folder, 0o755)
    monkeypatch.chdir(root)
    return Project.open(root)


@pytest.mark.real
def test_looking_changes_nothing(betagal: Project) -> None:
    before = (betagal.root / "default_pipeline.star").read_bytes()
    graph = betagal.graph()
    assert [name.split("/")[0] for name in graph.processes] == [
        "Import",
        "MotionCorr",
        "CtfFind",
        "ManualPick",
        "Select",
        "AutoPick",
        "Extract",
        "Class2D",
    ]
    assert betagal.job_name("Extract/LoGExtract") == "Extract/job009/"
    assert (betagal.root / "default_pipeline.star").read_bytes() == before


@pytest.mark.real
def test_deleted_and_restored_it_is_the_same_project(betagal: Project) -> None:
    before = betagal.graph()
    assert delete(betagal, "Extract/job009/") == ["Extract/job009/", "Class2D/job010/"]
    for name in ("Extract/job009/", "Class2D/job010/"):
        undelete(betagal, name)
    after = betagal.graph()
    assert after.processes == before.processes  # aliases and states, too
    assert after.nodes == before.nodes
    assert sorted(after.inputs) == sorted(before.inputs)
    assert sorted(after.outputs) == sorted(before.outputs)
    assert (betagal.root / "Extract/LoGExtract").resolve().name == "job009"


@pytest.mark.real
def test_cleaning_keeps_what_the_pipeline_names(betagal: Project) -> None:
    graph = betagal.graph()
    there = [node for node in graph.nodes if (betagal.root / node).exists()]
    old = clean(betagal, "Class2D/job010/")
    assert {Path(name).name.split("_")[1] for name in old} == {"it000"}  # the last one stays
    moved = clean(betagal, "Extract/job009/", harsh=True)
    assert moved and all((betagal.root / "Trash" / name).exists() for name in moved)
    assert all((betagal.root / node).exists() for node in there)


@pytest.mark.real
def test_notes_and_aliases_join_relions(betagal: Project) -> None:
    folder = betagal.root / "Class2D/job010"
    old = read_note(folder)
    write_note(folder, old + "seen again\n")
    assert "relion_refine" in read_note(folder)
    set_alias(betagal, "Class2D/job010/", "second look")
    assert betagal.graph().processes["Class2D/job010/"].alias == "Class2D/second_look/"
    assert betagal.job_name("Class2D/second_look") == "Class2D/job010/"
