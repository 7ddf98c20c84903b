"""What a job took from a growing list is written down; too short a list is waited for."""

from __future__ import annotations

import json

import pytest

from verglas.formats.star import StarTable, format_star
from verglas.project.job_star import read_settings
from verglas.scheduler.input_lists import count_rows


def star(rows: int) -> bytes:
    optics = StarTable.from_columns("optics", {"rlnOpticsGroup": [1, 2]})
    particles = StarTable.from_columns("particles", {"rlnImageName": [f"{n}@a.mrcs" for n in range(rows)]})
    return format_star([optics, particles])


@pytest.mark.parametrize("rows", [0, 1, 2, 57])  # without rows RELION writes the optics alone
def test_rows_are_those_of_the_last_table(rows):
    assert count_rows(star(rows)) == rows


def test_rows_of_odd_files():
    assert count_rows(b"") == 0
    assert count_rows(b"data_\n\nloop_\n_rlnX #1\n1\n2") == 2
    assert count_rows(b"data_\n\nloop_\n_rlnX #1\n1\n2\n\n\ndata_other\n\n_rlnY 5\n") == 2


def test_inputs_are_recorded_and_short_lists_waited_for(project, chain, movie, autorun):
    from verglas.project.editing import edit

    movie("a", "5")
    edit(project, chain[2], {"min_inputs": "2"})
    code, progress, _ = autorun(chain)
    assert code == 0
    assert progress.results[chain[2]].kind == "waiting"
    assert "has 1 rows, it starts with 2" in progress.results[chain[2]].reason
    movie("b", "6")
    code, progress, _ = autorun(chain)
    assert progress.results[chain[2]].kind == "succeeded"
    (record,) = json.loads((project.root / chain[2] / ".verglas_inputs.json").read_text())
    assert record["rows"] == 2
    assert len(record["digest"]) == 16
    assert f"xxh3 {record['digest']}" in (project.root / chain[2] / "run.out").read_text()


def test_our_own_options_are_left_out_while_at_their_default(project, chain):
    from verglas.project.editing import edit

    assert "min_inputs" not in read_settings(project.root / chain[2]).options  # RELION would warn
    edit(project, chain[2], {"min_inputs": "7"})
    assert read_settings(project.root / chain[2]).options["min_inputs"] == "7"
