"""Starting the supervisor again after a reboot: a systemd user unit, or cron's @reboot."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


class ServiceUnavailable(OSError):
    """Neither systemd nor cron can be used; the message says what to do by hand."""


@dataclass(frozen=True)
class Service:
    """The service of one project."""

    root: Path

    @property
    def name(self) -> str:
        digest = hashlib.sha256(str(self.root).encode()).hexdigest()[:8]
        return f"verglas-{self.root.name}-{digest}"

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "verglas.cli.main", "autorun", "supervise"]

    @property
    def unit_path(self) -> Path:
        return Path.home() / ".config/systemd/user" / f"{self.name}.service"

    def unit_text(self) -> str:
        """The systemd unit: starts at boot, comes back after a crash, leaves jobs alone when stopped."""
        return "\n".join(
            [
                "[Unit]",
                f"Description=verglas schedules of {self.root}",
                "",
                "[Service]",
                f"WorkingDirectory={_escaped(str(self.root))}",
                f"ExecStart={' '.join(_escaped(word) for word in self.command)}",
                "Restart=on-failure",
                "RestartSec=5",
                "KillMode=process",
                "",
                "[Install]",
                "WantedBy=default.target",
                "",
            ]
        )

    def cron_line(self) -> str:
        """The crontab line; its comment tells our lines from others."""
        command = f"cd {shlex.quote(str(self.root))} && {shlex.join(self.command)}"
        return f"@reboot {command.replace('%', chr(92) + '%')} # {self.name}"

    def install(self) -> str:
        """Install in the best way there is; returns what was done. Raises ServiceUnavailable."""
        if has_systemd():
            self.unit_path.parent.mkdir(parents=True, exist_ok=True)
            self.unit_path.write_text(self.unit_text())
            _run(["systemctl", "--user", "daemon-reload"])
            _run(["systemctl", "--user", "enable", self.unit_path.name])
            return f"{self.unit_path} (for boots without login: loginctl enable-linger)"
        if shutil.which("crontab"):
            self._write_crontab([*self._other_lines(), self.cron_line()])
            return f"crontab: {self.cron_line()}"
        raise ServiceUnavailable(
            0,
            f"there is neither systemd nor cron; have this run at boot:\n  {self.cron_line()[8:]}",
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
        done = subprocess.run(["crontab", "-l"], capture_output=True, text=True)
        lines = done.stdout.splitlines() if done.returncode == 0 else []
        return [line for line in lines if not line.endswith(f"# {self.name}")]

    def _write_crontab(self, lines: list[str]) -> None:
        text = "\n".join(lines) + "\n" if lines else ""
        subprocess.run(["crontab", "-"], input=text, text=True, check=True)


def has_systemd() -> bool:
    """Whether systemd runs this machine (and not merely lies on its disc)."""
    return Path("/run/systemd/system").exists() and shutil.which("systemctl") is not None


def _run(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise ServiceUnavailable(0, f"{shlex.join(words)}: {done.stderr.strip()}")


def _escaped(word: str) -> str:
    text = word.replace("\\", "\\\\").replace("%", "%%")
    return f'"{text}"' if " " in text else text
