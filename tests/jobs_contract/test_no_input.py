"""A program without its input says what is missing, in one line."""

import pytest

from verglas.cli.program import run_program


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("motioncorr", ["--o", "job/"]),
        ("ctffind", ["--o", "job/"]),
        ("autopick", ["--odir", "job/"]),
        ("extract", ["--part_dir", "job/", "--extract", "--extract_size", "32"]),
        ("select", ["--o", "job/"]),
        ("motion_refine", ["--o", "job/"]),
        ("movie_refine", ["--o", "job/"]),
        ("particle_polish", ["--o", "job/"]),
    ],
)
def test_an_input_that_is_not_named_is_asked_for(program, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_program(program, words) == 1
    told = [line for line in capsys.readouterr().err.splitlines() if "ERROR" in line]
    assert len(told) == 1 and ("--i" in told[0] or "--continue" in told[0]), told
