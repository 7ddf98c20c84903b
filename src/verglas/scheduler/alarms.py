"""Alarms: once per cause, and a message when the cause is gone. Off until a destination is given."""

from __future__ import annotations

import json
import shlex
import smtplib
import subprocess
import urllib.error
import urllib.request
from email.message import EmailMessage
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.project.project import OWN_FOLDER
from verglas.scheduler.events import record_event
from verglas.scheduler.settings import WatchSettings, load_settings

TIMEOUT_S = 20


def raise_alarm(root: Path, cause: str, text: str) -> bool:
    """Tell people, unless they were told of this cause already; returns whether they were told now."""
    active = _active(root)
    if cause in active:
        return False
    _save(root, {**active, cause: text})
    record_event(root, "alarm", text, cause=cause)
    deliver(root, load_settings(root), f"verglas: {text} ({root})")
    return True


def clear_alarm(root: Path, cause: str, text: str) -> bool:
    """The cause is gone: tell people so, if they had been told of it."""
    active = _active(root)
    if active.pop(cause, None) is None:
        return False
    _save(root, active)
    record_event(root, "alarm-over", text, cause=cause)
    deliver(root, load_settings(root), f"verglas: {text} ({root})")
    return True


def deliver(root: Path, settings: WatchSettings, message: str) -> list[str]:
    """Send by every configured way; returns what went wrong (also recorded), never raises."""
    problems = []
    for name, wanted, send in (
        ("command", settings.alarm_command, _by_command),
        ("webhook", settings.alarm_webhook, _by_webhook),
        ("mail", settings.smtp_host and settings.smtp_to, _by_mail),
    ):
        if not wanted:
            continue
        try:
            send(settings, message)
        except (OSError, subprocess.SubprocessError, smtplib.SMTPException, ValueError) as error:
            problems.append(f"alarm by {name}: {error}")
    for problem in problems:
        record_event(root, "alarm-failed", problem)
    return problems


def _by_command(settings: WatchSettings, message: str) -> None:
    words = [*shlex.split(settings.alarm_command), message]
    subprocess.run(words, check=True, timeout=TIMEOUT_S, capture_output=True)


def _by_webhook(settings: WatchSettings, message: str) -> None:
    if not settings.alarm_webhook.startswith(("http://", "https://")):
        raise ValueError(f"{settings.alarm_webhook!r} is not a web address")
    body = json.dumps({"text": message}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(settings.alarm_webhook, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        answer.read()


def _by_mail(settings: WatchSettings, message: str) -> None:
    mail = EmailMessage()
    mail["Subject"] = message.splitlines()[0][:150]
    mail["From"] = settings.smtp_from or settings.smtp_to
    mail["To"] = settings.smtp_to
    mail.set_content(message)
    host, _, port = settings.smtp_host.partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=TIMEOUT_S) as server:
        server.send_message(mail)


def _active(root: Path) -> dict[str, str]:
    try:
        known = json.loads((root / OWN_FOLDER / "alarms.json").read_text())
    except (OSError, ValueError):
        return {}
    return dict(known)


def _save(root: Path, active: dict[str, str]) -> None:
    (root / OWN_FOLDER).mkdir(exist_ok=True)
    write_text(root / OWN_FOLDER / "alarms.json", json.dumps(active))
