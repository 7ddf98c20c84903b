"""The pages of the demo: an address that answers while it runs, nothing left behind."""

from __future__ import annotations

import os
import urllib.error
import urllib.request

import pytest

from verglas.cli.demo.pages import DemoPages
from verglas.project.project import Project


def test_the_session_page_is_served_and_opened_while_the_demo_runs(tmp_path, capsys, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setitem(os.environ, "DISPLAY", ":0")
    project = Project.create(tmp_path / "project")
    with DemoPages(project.root):
        address = capsys.readouterr().out.split()[-1]
        assert opened == [address] and address.endswith("/session")
        base = address.partition("#")[0]
        with urllib.request.urlopen(f"{base}api/projects", timeout=20) as answer:
            assert b'"project"' in answer.read()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{base}api/projects", timeout=20)


def test_nothing_is_served_where_it_is_not_wanted(tmp_path, capsys):
    with DemoPages(tmp_path, wanted=False):
        assert capsys.readouterr().out == ""
