"""`verglas service install|remove|show`: schedules go on after a reboot."""

from __future__ import annotations

from collections.abc import Sequence

from verglas.cli.arguments import CommandError, obey
from verglas.project.project import Project
from verglas.scheduler.service import Service, has_systemd

_HELP = """verglas service install   start this project's schedules again after a reboot (systemd or cron)
verglas service remove    undo that
verglas service show      what would be installed"""


def main(words: Sequence[str]) -> int:
    """Returns 0 good, 1 it could not be done."""
    return obey("service", words, _HELP, _do, (OSError,))


def _do(words: list[str]) -> int:
    service = Service(Project.open().root)
    if words[0] == "install":
        print(service.install())
    elif words[0] == "remove":
        print(service.remove())
    elif words[0] == "show":
        print(service.unit_text() if has_systemd() else service.cron_line())
    else:
        raise CommandError(f"no command {words[0]!r}; verglas service --help lists them")
    return 0
