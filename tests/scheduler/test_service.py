"""Schedules go on after a reboot: what systemd and cron are given, whatever the project is called."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess

import pytest

from verglas.scheduler.service import Service


def test_the_unit_and_the_cron_line(tmp_path, monkeypatch):
    folder = tmp_path / "my 100% project"
    folder.mkdir()
    service = Service(folder)
    unit = service.unit_text()
    assert "Restart=always" in unit  # also when it was killed together with what it looks after
    assert "KillMode=process" in unit  # jobs outlive the supervisor
    assert '100%% project"' in unit
    assert service.cron_line().startswith("*/5 * * * * ")
    assert "100\\% project'" in service.cron_line()


ODD_NAMES = [
    "a b",
    "Überfluß",
    "it's",
    'say "go"',
    "100%i",
    "a$HOME",
    "back\\slash",
    " blanks ",
    "a\nb",
    "#1;2",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_systemd_reads_back_any_name(tmp_path, monkeypatch, name):
    """The command line of the unit, as systemd itself takes it apart."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / name).mkdir()
    service = Service(tmp_path / name)
    path = tmp_path / f"{service.name}.service"
    path.write_text(service.unit_text())
    words = ["systemd-analyze", "--user", "--man=no", "verify", str(path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    line = next(each for each in service.unit_text().splitlines() if each.startswith("ExecStart="))
    assert _as_systemd_reads(line.removeprefix("ExecStart="))[-1] == str(tmp_path / name)
    assert re.fullmatch(r"[A-Za-z0-9_.\-]+", service.name)


def _as_systemd_reads(line):
    """Words in double quotes with C escapes; %% and $$ stand for one (systemd.service(5))."""
    words = [ast.literal_eval(f'"{word}"') for word in re.findall(r'"((?:[^"\\]|\\.)*)"', line)]
    return [word.replace("%%", "%").replace("$$", "$") for word in words]


@pytest.mark.parametrize("name", [each for each in ODD_NAMES if "\n" not in each])
def test_cron_reads_back_any_name(tmp_path, name):
    command = Service(tmp_path / name).cron_line().split(" ", 5)[5]
    shell = re.sub(r"\\%", "%", command)  # what cron makes of it before the shell sees it
    assert shlex.split(shell, comments=True)[-1] == str(tmp_path / name)


def test_cron_lines_are_added_once_and_removed(tmp_path, monkeypatch):
    table = tmp_path / "table"
    table.write_text("0 1 * * * backup\n")
    script = tmp_path / "crontab"
    script.write_text(f'#!/bin/sh\nif [ "$1" = -l ]; then cat {table}; else cat > {table}; fi\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("verglas.scheduler.service.has_systemd", lambda: False)
    service = Service(tmp_path)
    service.install()
    service.install()
    assert table.read_text().splitlines() == ["0 1 * * * backup", service.cron_line()]
    service.remove()
    assert table.read_text() == "0 1 * * * backup\n"
