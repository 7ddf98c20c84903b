"""Starting the supervisor again, after a reboot or when all was killed: a systemd user unit, or cron.

Both start it every few minutes; where nothing is to be done, or another one is at work, it ends at once.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from verglas.scheduler.supervisor import SUPERVISE

EVERY_MIN = 5


class ServiceUnavailable(OSError):
    """Neither systemd nor cron can be used; the message says what to do by hand."""


@dataclass(frozen=True)
class Service:
    """The service of one project."""

    root: Path

    @property
    def name(self) -> str:
        digest = hashlib.sha256(str(self.root).encode()).hexdigest()[:8]
        return f"verglas-{re.sub('[^A-Za-z0-9_.-]', '_', self.root.name)}-{digest}"

    @property
    def command(self) -> list[str]:
        return [*SUPERVISE, str(self.root)]

    @property
    def unit_path(self) -> Path:
        return Path.home() / ".config/systemd/user" / f"{self.name}.service"

    def unit_text(self) -> str:
        """The systemd unit: starts at boot, comes back whenever it ended, leaves jobs alone when stopped."""
        return "\n".join(
            [
                "[Unit]",
                f"Description=verglas schedules of {_quoted(str(self.root))}",
                "",
                "[Service]",
                f"ExecStart={' '.join(_quoted(word).replace('$', '$$') for word in self.command)}",
                "Restart=always",
                f"RestartSec={EVERY_MIN * 60}",
                "KillMode=process",
                "",
                "[Install]",
                "WantedBy=default.target",
                "",
            ]
        )

    def cron_line(self) -> str:
        """The crontab line; its comment tells our lines from others. Raises ServiceUnavailable."""
        command = shlex.join(self.command)
        if "\n" in command:
            raise ServiceUnavailable(0, f"cron cannot name {str(self.root)!r}: it has a line end in it")
        return f"*/{EVERY_MIN} * * * * {command.replace('%', chr(92) + '%')} # {self.name}"

    def install(self) -> str:
        """Install in the best way there is; returns what was done. Raises ServiceUnavailable."""
        if has_systemd():
            self.unit_path.parent.mkdir(parents=True, exist_ok=True)
            self.unit_path.write_bytes(os.fsencode(self.unit_text()))
            _run(["systemctl", "--user", "daemon-reload"])
            _run(["systemctl", "--user", "enable", self.unit_path.name])
            return f"{self.unit_path} (for boots without login: loginctl enable-linger)"
        if shutil.which("crontab"):
            self._write_crontab([*self._other_lines(), self.cron_line()])
            return f"crontab: {self.cron_line()}"
        raise ServiceUnavailable(
            0,
            "there is neither systemd nor cron; have this run at boot and every few minutes:\n  "
            f"{shlex.join(self.command)}",
        )

    def remove(self) -> str:
        """Undo `install`."""
        if self.unit_path.exists():
            if has_systemd():
                _run(["systemctl", "--user", "disable", self.unit_path.name])
            self.unit_path.unlink()
            return f"{self.unit_path} removed"
        if shutil.which("crontab"):
            self._write_crontab(self._other_lines())
            return "crontab line removed"
        return "there was nothing to remove"

    def _other_lines(self) -> list[str]:
        done = subprocess.run(["crontab", "-l"], capture_output=True, text=True, errors="surrogateescape")
        lines = done.stdout.splitlines() if done.returncode == 0 else []
        return [line for line in lines if not line.endswith(f"# {self.name}")]

    def _write_crontab(self, lines: list[str]) -> None:
        text = "\n".join(lines) + "\n" if lines else ""
        subprocess.run(["crontab", "-"], input=text, text=True, errors="surrogateescape", check=True)


def has_systemd() -> bool:
    """Whether systemd runs this machine (and not merely lies on its disc)."""
    return Path("/run/systemd/system").exists() and shutil.which("systemctl") is not None


def _run(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise ServiceUnavailable(0, f"{shlex.join(words)}: {done.stderr.strip()}")


def _quoted(word: str) -> str:
    """As systemd reads it: C escapes between double quotes, and no specifiers."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    text = re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", text)
    return f'"{text}"'
