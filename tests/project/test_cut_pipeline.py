"""A pipeline file cut between rows: read with what others know, never written back without it."""

from __future__ import annotations

import pytest

from verglas.cli.main import main
from verglas.project import pipeline_file
from verglas.project.cut_pipeline import CutPipeline
from verglas.project.editing import set_alias
from verglas.project.project import Project
from verglas.project.registration import class_for, register
from verglas.project.trash import delete


@pytest.fixture
def path(project, monkeypatch):
    monkeypatch.setattr(pipeline_file, "READ_ATTEMPTS", 1)  # nobody is writing
    names = []
    for folder, key in (("Import", ""), ("MotionCorr", "movies"), ("Class2D", "corrected_micrographs")):
        kind = class_for(folder)
        field = {"MotionCorr": "input_star_mics", "Class2D": "fn_img"}.get(folder)
        values = {field: f"{names[-1]}{key}.star"} if field else {}
        names.append(register(project, kind, kind.Options.parse(values)[0]))
    return project.root / "default_pipeline.star"


def lines_of(path):
    return path.read_bytes().splitlines(keepends=True)


def essence(graph):
    return set(graph.processes), set(graph.nodes), set(graph.inputs), set(graph.outputs)


def test_a_file_cut_between_any_rows_loses_nothing(project, path):
    whole, lines = essence(project.graph()), lines_of(path)
    first = next(number for number, line in enumerate(lines) if line.startswith(b"Import/job001/"))
    refused = 0
    for end in range(first + 1, len(lines) - 1):
        path.write_bytes(b"".join(lines[:end]))
        assert essence(project.graph()) == whole, end
        try:
            set_alias(project, "Import/job001/", "")
        except CutPipeline as error:
            refused += 1
            assert "verglas repair" in str(error)
            assert path.read_bytes() == b"".join(lines[:end])
    assert refused >= 10


def test_repair_brings_back_what_is_lacking(project, path, capsys):
    whole, lines = essence(project.graph()), lines_of(path)
    cut = b"".join(lines[: next(n for n, line in enumerate(lines) if line.startswith(b"Import/")) + 1])
    path.write_bytes(cut)
    assert main(["job", "note", "1", "fine"]) == 0  # touches no graph
    assert main(["job", "alias", "1", "first"]) == 1
    assert main(["repair"]) == 0
    assert "Class2D/job003/: brought back" in capsys.readouterr().out
    assert essence(Project(project.root).graph()) == whole
    assert (project.root / "default_pipeline.star.cut").read_bytes() == cut
    assert main(["job", "alias", "1", "first"]) == 0


def test_a_cut_file_can_be_taken_as_it_is(project, path):
    lines = lines_of(path)
    end = next(n for n, line in enumerate(lines) if line.startswith(b"Import/")) + 1
    path.write_bytes(b"".join(lines[:end]))
    assert main(["repair", "--as-it-is"]) == 0
    assert list(read_processes(path)) == ["Import/job001/"]


def read_processes(path):
    from verglas.project.pipeline_file import read_pipeline

    return read_pipeline(path).processes


def test_what_was_deleted_stays_deleted(project, path):
    """A file that only lost its last, empty line, as some editors save it."""
    delete(project, "MotionCorr/job002/")
    path.write_bytes(path.read_bytes().rstrip() + b"\n")
    assert list(project.graph().processes) == ["Import/job001/"]
    set_alias(project, "Import/job001/", "first")
    assert list(project.graph().processes) == ["Import/job001/"]
