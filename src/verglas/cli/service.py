"""`verglas service install|remove|show`: schedules go on after a reboot."""

from __future__ import annotations

from collections.abc import Sequence

from verglas.cli.arguments import CommandError, complain
from verglas.project.project import Project
from verglas.scheduler.service import Service, has_systemd

_HELP = """verglas service install   start this project's schedules again after a reboot (systemd or cron)
verglas service remove    undo that
verglas service show      what would be installed"""


def main(words: Sequence[str]) -> int:
    rest = list(words[1:])
    if not rest or rest[0] in ("-h", "--help"):
        print(_HELP)
        return 0
    try:
        service = Service(Project.open().root)
        if rest[0] == "install":
            print(service.install())
        elif rest[0] == "remove":
            print(service.remove())
        elif rest[0] == "show":
            print(service.unit_text() if has_systemd() else service.cron_line())
        else:
            raise CommandError(f"no command {rest[0]!r}; verglas service --help lists them")
    except (CommandError, OSError) as error:
        return complain("service", error)
    return 0
