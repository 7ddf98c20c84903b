"""The pages of a demo while it runs, opened in a browser where there is a screen."""

from __future__ import annotations

import os
import subprocess
import sys
import webbrowser
from pathlib import Path
from typing import Self

WAIT_S = 10.0


class DemoPages:
    """`verglas gui` on the demo's project while a block runs; nothing where the web parts are missing."""

    def __init__(self, project: Path, *, wanted: bool = True) -> None:
        self.project = project
        self.wanted = wanted
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if self.wanted:
            words = [sys.executable, "-m", "verglas.cli.main", "gui", str(self.project)]
            self._server = subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            self._open(self._server)
        return self

    def __exit__(self, *error: object) -> None:
        if self._server is None:
            return
        self._server.terminate()
        try:
            self._server.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        if self._server.stdout is not None:
            self._server.stdout.close()

    def _open(self, server: subprocess.Popen[str]) -> None:
        from verglas.web.projects import project_id

        line = server.stdout.readline() if server.stdout is not None else ""
        if not line.startswith("open"):
            print("no pages: install them with: pip install 'verglas[gui]'")
            return
        base = line.split()[1].rstrip("/")
        address = f"{base}/#/p/{project_id(self.project)}/session"
        print(f"the session page:  {address}", flush=True)
        if _has_screen():
            webbrowser.open(address)


def _has_screen() -> bool:
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
