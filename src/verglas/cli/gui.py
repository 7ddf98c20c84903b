"""`verglas gui`: the pages of projects, served from this machine."""

from __future__ import annotations

import getpass
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.cli.arguments import CommandError, Words, complain, split_words
from verglas.project.data_roots import BadDataRoot

if TYPE_CHECKING:
    from fastapi import FastAPI

_HELP = """verglas gui [PROJECT ...]     serve the pages of these projects (this directory)
  --port N                   (8765; the next free one if it is taken)
  --host ADDRESS             other than this machine: needs tokens (127.0.0.1)
  --require-token            a token on this machine too (it has other users)
  --unix-socket PATH         instead of a port
  --root-path /PREFIX        behind a proxy that serves it there
  --allow-host NAME          also answer for this host name without tokens (comma-separated)
  --data-root DIR            movies and micrographs outside the project may be shown
  --read-only                nobody may change anything
verglas gui token NAME [--role viewer|worker|operator] [--days N]   let somebody in; prints the token
  viewer    looks (what a token is for unless you say otherwise)
  worker    runs jobs and steers sessions, without commands, programs or files of their own
  operator  everything, which is as much as your shell: jobs can be told to run any command
verglas gui people                                           who may come in
verglas gui revoke NAME                                      take tokens back"""
_FLAGS = {
    "--port": True,
    "--host": True,
    "--require-token": False,
    "--unix-socket": True,
    "--root-path": True,
    "--allow-host": True,
    "--data-root": True,
    "--read-only": False,
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORT = 8765


def main(words: Sequence[str]) -> int:
    """Serves until Ctrl-C; returns the exit code."""
    rest = list(words[1:])
    if "--help" in rest or "-h" in rest:
        print(_HELP)
        return 0
    try:
        if rest and rest[0] in _COMMANDS:
            return _COMMANDS[rest[0]](rest[1:])
        return _serve(split_words(rest, _FLAGS))
    except ModuleNotFoundError as error:
        return complain("gui", CommandError(f"{error}; install it with: pip install 'verglas[gui]'"))
    except (CommandError, BadDataRoot, ValueError, OSError) as error:
        return complain("gui", error)


def _serve(parsed: Words) -> int:
    from verglas.project.data_roots import add_data_root
    from verglas.project.project import Project
    from verglas.web.app import create_app
    from verglas.web.door.access import default_book
    from verglas.web.serving.listening import tcp_socket as open_port
    from verglas.web.serving.listening import unix_socket as open_unix_socket
    from verglas.web.settings import WebSettings

    roots = [Project.open(each).root for each in parsed.positional or ["."]]
    if parsed.has("--data-root"):
        for root in roots:
            add_data_root(Project(root), parsed.text("--data-root"))
    host = parsed.text("--host", "127.0.0.1")
    unix_socket = parsed.text("--unix-socket")
    needs_token = parsed.has("--require-token") or (host not in LOOPBACK and not unix_socket)
    names = frozenset(each.strip() for each in parsed.text("--allow-host").split(",") if each.strip())
    book = default_book()
    root_path = f"/{parsed.text('--root-path').strip('/')}".rstrip("/")
    settings = WebSettings(
        tuple(roots),
        needs_token,
        book,
        WebSettings(()).allowed_hosts | names,
        root_path,
        read_only=parsed.has("--read-only"),
    )
    app = create_app(settings)
    token = book.add(getpass.getuser(), "operator", days=30) if needs_token else ""
    if unix_socket:
        listening = open_unix_socket(Path(unix_socket), everybody=needs_token)
    else:
        listening = open_port(host, parsed.count("--port", PORT))
    port = 0 if unix_socket else listening.getsockname()[1]
    _tell(host, port, unix_socket, root_path, token)
    return _run(app, listening, unix_socket)


def _run(app: FastAPI, listening: socket.socket, unix_socket: str) -> int:
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        ws_max_size=1 << 16,
        h11_max_incomplete_event_size=1 << 16,
        timeout_graceful_shutdown=2,
    )
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, _end)  # uvicorn hands the signal on once it has shut down
    with listening:
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            if unix_socket:
                Path(unix_socket).unlink(missing_ok=True)
    return 0


def _end(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def _tell(host: str, port: int, unix_socket: str, root_path: str, token: str) -> None:
    here = socket.gethostname()
    tail = f"{root_path}/" + (f"#/?token={token}" if token else "")
    if unix_socket:
        print(f"serving at the socket {unix_socket}")
        print(f"  from elsewhere:  ssh -L {PORT}:{Path(unix_socket).resolve()} {here}")
        print(f"  then open        http://localhost:{PORT}{tail}", flush=True)
        return
    shown = f"[{host}]" if ":" in host else host
    print(f"open             http://{shown if host != '0.0.0.0' else here}:{port}{tail}")
    if host in LOOPBACK:
        print(f"from elsewhere:  ssh -L {port}:localhost:{port} {here}   then http://localhost:{port}{tail}")
    print("Ctrl-C ends the pages; jobs and schedules go on", flush=True)


def _token(words: list[str]) -> int:
    from verglas.web.door.access import ROLES, default_book

    parsed = split_words(words, {"--role": True, "--days": True})
    if len(parsed.positional) != 1:
        raise CommandError("name one person: verglas gui token NAME")
    role = parsed.text("--role", "viewer")
    if role not in ROLES:
        raise CommandError(f"--role {role}: {', '.join(ROLES)}")
    days = parsed.number("--days", 0) or None
    print(default_book().add(parsed.positional[0], role, days=days))
    if role == "operator":
        print(
            "an operator can have jobs run any command as you: hand this on as you would a shell",
            file=sys.stderr,
        )
    return 0


def _people(_words: list[str]) -> int:
    import time

    from verglas.web.door.access import default_book

    for person in default_book().people:
        left = f", {(person.expires_s - time.time()) / 86400:.1f} days left" if person.expires_s else ""
        only = f", only {person.project}" if person.project else ""
        print(f"{person.name:<20} {person.role}{only}{left}")
    return 0


def _revoke(words: list[str]) -> int:
    from verglas.web.door.access import default_book

    if len(words) != 1:
        raise CommandError("name one person: verglas gui revoke NAME")
    count = default_book().remove(words[0])
    print(f"{count} tokens of {words[0]} were taken back")
    return 0 if count else 1


_COMMANDS = {"token": _token, "people": _people, "revoke": _revoke}

if __name__ == "__main__":
    sys.exit(main(sys.argv))
