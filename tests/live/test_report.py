"""The report of a live session: words and units, names and reasons, who changed what, the map and its answers."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from answers_scene import BAD, JOB
from answers_scene import make_session as make_session_with_map

from verglas.formats.mrc import write_mrc
from verglas.jobs.report.html import report_html
from verglas.jobs.report.pdf import report_pdf
from verglas.project.project import Project
from verglas.scheduler.events import record_event
from verglas.scheduler.live import answers
from verglas.scheduler.live.reporting.writing import report_of, session_report


def test_limits_are_words_and_movies_set_aside_have_names(project, movies, write_movie, make_session, finish):
    for name in ("a", "b_bad", "c"):
        write_movie(movies / f"{name}.mrc")
    record_event(project.root, "person", "live thresholds: rlnCtfMaxResolution <= 8", person="ada")
    finish(folder := make_session("rlnCtfMaxResolution <= 8"))
    text = folder.report_file.read_text()
    for told in (
        "CTF fit at most 8 Å",
        "Movies/b_bad.mrc",
        "bad on purpose",
        "could not be processed",
        "<td class=k>ada",
        "A paragraph for Methods",
    ):
        assert told in text, told
    assert "<script" not in text and "http:" not in text
    limits = re.search(r"<b>Limits</b><td>(.*?)<tr>", text)
    assert limits is not None and "rln" not in limits[1]


def test_the_map_and_its_answers_are_in_it(tmp_path):
    folder = make_session_with_map(tmp_path)
    write_mrc(
        tmp_path / JOB / "run_class001.mrc",
        np.random.default_rng(1).normal(size=(16,) * 3).astype(np.float32),
        4.0,
    )
    project = Project(tmp_path)
    before = report_html(session_report(project, folder))
    assert "central sections" in before and "Fourier shell" not in before
    answers.write(project, folder)
    report = report_of(project)
    text = report_html(report)
    for told in (
        "Fourier shell correlation",
        "resolution (Å)",
        "80 % interval",
        "B-factor",
        "Tilting the stage",
    ):
        assert told in text, told
    assert re.search(rf"<tr class=marked><td class=k>{1000 + BAD}<.*?adds nothing", text)
    data = report_pdf(report)
    assert data.startswith(b"%PDF") and len(data) < 1_000_000
