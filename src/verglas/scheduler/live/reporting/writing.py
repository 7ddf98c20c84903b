"""The report of a project with its newest session, and the file that a session leaves at its end."""

from __future__ import annotations

from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.jobs.report.document import Report
from verglas.jobs.report.html import report_html
from verglas.project.project import Project
from verglas.project.report.facts import report_facts
from verglas.project.report.sections import project_report
from verglas.scheduler.live.record.order import LiveFolder, all_sessions
from verglas.scheduler.live.reporting.map import map_sections
from verglas.scheduler.live.reporting.session import session_sections


def report_of(project: Project, sample: str = "", microscope: str = "") -> Report:
    """Of a project; with its newest live session, if there is one."""
    sessions = all_sessions(project.root)
    newest = max(
        sessions,
        key=lambda each: each.journal.stat().st_mtime if each.journal.exists() else 0.0,
        default=None,
    )
    return session_report(project, newest, sample, microscope)


def session_report(
    project: Project, folder: LiveFolder | None, sample: str = "", microscope: str = ""
) -> Report:
    """Of a project and one of its sessions."""
    facts = report_facts(project, sample, microscope)
    if folder is None:
        return project_report(facts)
    more = [*session_sections(project, folder), *map_sections(project, folder)]
    return project_report(facts, more, f"{facts.title}: live session {folder.name}")


def write_report(project: Project, folder: LiveFolder) -> Path:
    """Write the session's page; returns its path."""
    write_text(folder.report_file, report_html(session_report(project, folder)))
    return folder.report_file
