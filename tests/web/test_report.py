"""The report: what it tells, that it is good on paper, that it holds nothing foreign."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from verglas.formats.star import StarTable, write_star
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.report.html import report_html
from verglas.jobs.report.pdf import report_pdf
from verglas.project.report.facts import Series, pauses_of, report_facts
from verglas.project.report.sections import project_report
from verglas.project.results.accepted import acceptance, reason_kind
from verglas.project.results.taken import times_taken_s

MOVIES, MOST_SHEETS = 10_000, 3


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@pytest.fixture
def session(project):
    """Six movies were imported; motion failed on one, CTF on another, two more were too poor."""
    names = [f"Movies/{letter}.tif" for letter in "abcdef"]
    write_star(
        project.root / "Import/job001/movies.star",
        [StarTable.from_columns("movies", {"rlnMicrographMovieName": names})],
    )
    for job, entries in {
        "MotionCorr/job002": {"Movies/f.tif": "Movies/f.tif is cut off: 12 of 40 frames"},
        "CtfFind/job003": {
            "MotionCorr/job002/Movies/c.mrc": "CTF fit 7.2 Å, accepted is at most 6 Å",
            "MotionCorr/job002/Movies/d.mrc": "CTF fit 9.13 Å, accepted is at most 6 Å",
            "MotionCorr/job002/Movies/f.mrc": "there is no such file",
        },
    }.items():
        aside = SetAsideList(project.root / job, {})
        for name, why in entries.items():
            aside.add(name, None, why)
        aside.write()
    return project


@pytest.fixture
def full(session):
    """Facts of a long session: as much of everything as there can be."""
    facts = report_facts(session, "sample " * 12, "microscope " * 8)
    rng = np.random.default_rng(5)
    times = np.sort(rng.uniform(1.7e9, 1.7e9 + 40_000, MOVIES))
    times[MOVIES // 2 :] += 7200
    series = [Series(f"Figure {n}", "Å", rng.gamma(5, 2, MOVIES)) for n in range(6)]
    reasons = tuple((f"reason {n} " + "words " * 30, 100 - n) for n in range(20))
    return dataclasses.replace(
        facts,
        times_s=times,
        series=series,
        pauses=pauses_of(times),
        jobs=facts.jobs * 4,
        accepted=dataclasses.replace(facts.accepted, found=MOVIES, reasons=reasons),
        best=[f"movie_{n}_" + "x" * 40 for n in range(5)],
        worst=["y" * 50] * 5,
        classes=dataclasses.replace(facts.classes, images=rng.normal(0, 1, (40, 128, 128))),
        problems=[("Class2D/job009/", "out of memory " * 20)] * 6,
        methods="A sentence of it. " * 70,
    )


def test_movies_are_accepted_or_counted_by_reason(session):
    found = acceptance(session)
    assert (found.found, found.accepted) == (6, 2)
    assert dict(found.reasons) == {"CTF fit, accepted is at most 6 Å": 2, "… is cut off: 12 of 40 frames": 1}
    assert found.unexplained == 1
    assert found.list == "CtfFind/job003/micrographs_ctf.star"


def test_a_project_without_lists_has_nothing_to_accept(tmp_path):
    from verglas.project.project import Project

    assert acceptance(Project.create(tmp_path / "new")) is None


def test_reasons_lose_only_what_is_one_micrographs():
    assert reason_kind("Raw/x.tif: 3 frames, expected 40") == "… 3 frames, expected 40"
    assert reason_kind("ice 0.31, accepted is at most 0.2") == "ice, accepted is at most 0.2"


def test_a_micrograph_was_taken_when_its_movie_was(session):
    movies = session.root / "Movies"
    movies.mkdir()
    (movies / "a.tif").touch()
    os.utime(movies / "a.tif", (1e9, 1e9))
    names = ["MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/b.mrc", "no/such.mrc"]
    own = (session.root / names[1]).stat().st_mtime  # its movie is gone
    found = times_taken_s(session, names)
    assert found[:2].tolist() == [1e9, own] and np.isnan(found[2])


def test_pauses_are_long_beside_the_usual_distance():
    times = np.array([0.0, 30, 60, 90, 120, 5000, 5030, np.nan])
    assert pauses_of(times) == [(120.0, 5000.0)]
    assert pauses_of(np.array([0.0, 30])) == []


DAMAGE = {
    "a list that is cut off": (
        "CtfFind/job003/micrographs_ctf.star",
        "\ndata_micrographs\n\nloop_\n_rlnX #1\n1 2\n",
    ),
    "an empty list": ("CtfFind/job003/micrographs_ctf.star", ""),
    "no reasons": ("CtfFind/job003/set_aside.star", ""),
    "reasons of another program": ("CtfFind/job003/set_aside.star", "data_x\n\n_rlnA 1\n"),
    "a model without classes": ("Class2D/job006/run_it002_model.star", "data_model_general\n\n_rlnA 1\n"),
    "class averages cut off": ("Class2D/job006/run_it002_classes.mrcs", "nothing"),
    "a log for a movie list": ("Import/job001/movies.star", "no STAR file at all"),
    "settings cut off": ("Class2D/job006/job.star", "data_job\n\n_rlnJobTypeLab"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_costs_its_part_of_the_report_only(session, name):
    path, text = DAMAGE[name]
    (session.root / path).write_text(text)
    facts = report_facts(session)
    report = project_report(facts)
    assert pages(report_pdf(report)) <= 2 and facts.title in report_html(report)


def test_the_report_tells_what_a_session_needs(served, session):
    text = served.get("report", sample="<b>ribosome</b>", microscope="Krios").text
    for told in (
        "&lt;b&gt;ribosome",
        "Krios",
        "e/Å² per frame",
        "accepted",
        "CTF fit, accepted is",
        "Best by CTF fit",
        "Class averages",
        "fn_in_raw Movies/*.tif",
        "torch 2",
        "They were classified in two dimensions",
        "verglas",
    ):
        assert told in text, told
    assert "<script" not in text and "http:" not in text and "https:" not in text


def test_the_pdf_is_a_few_sheets_of_a4_however_long_the_session(full, served):
    data = report_pdf(project_report(full))
    assert data.startswith(b"%PDF") and 1 <= pages(data) <= MOST_SHEETS
    boxes = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", data)
    assert all([round(float(edge)) for edge in box] == [595, 842] for box in boxes)
    assert len(data) < 3_000_000
    answer = served.get("report.pdf")
    assert answer.headers["content-type"] == "application/pdf" and pages(answer.content) <= MOST_SHEETS


def test_nothing_of_a_long_report_falls_off_a_sheet(full):
    from verglas.jobs.report import pdf as module

    sheets = module._Sheets()
    module._write(sheets, project_report(full))
    assert sheets.y > 0.01
    for figure in sheets.figures:
        assert all(0 < text.get_position()[1] < 1 for text in figure.texts)
        assert all(axes.get_position().y0 > 0 for axes in figure.axes)


@pytest.mark.browser
def test_the_page_prints_on_a_few_sheets(full, tmp_path):
    (tmp_path / "report.html").write_text(report_html(project_report(full)))
    out = tmp_path / "printed.pdf"
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    subprocess.run(
        [shutil.which("chromium"), *words, f"--print-to-pdf={out}", str(tmp_path / "report.html")],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert pages(out.read_bytes()) <= MOST_SHEETS
