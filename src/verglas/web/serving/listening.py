"""Where a server listens: a port of an address, or a Unix socket that its owner alone can open.

Sockets are open before the address is printed: whoever reads it can connect at once.
"""

from __future__ import annotations

import errno
import socket
import stat
from pathlib import Path

BACKLOG = 128
PORTS_TRIED = 50


def unix_socket(path: Path, *, everybody: bool = False) -> socket.socket:
    """A listening socket at `path`, open to its owner alone, or to `everybody` (who needs a token then).

    The mode is set before anybody can connect and the process's umask is left alone: it belongs to the
    files of the project. What a dead server left is replaced. Raises OSError for a living server's
    socket and for anything that is no socket.
    """
    _clear(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(path))
        path.chmod(0o666 if everybody else 0o600)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _clear(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(f"{path} exists and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        try:
            trial.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise FileExistsError(f"another server answers at {path}")


def tcp_socket(host: str, first: int) -> socket.socket:
    """A listening socket at the first port from `first` on that is free at this address (0: any).

    Raises OSError if the address is not this machine's, or none of the ports is free.
    """
    family, _, _, _, address = socket.getaddrinfo(host, first, type=socket.SOCK_STREAM)[0]
    for port in range(first, first + PORTS_TRIED):
        try:
            place = (address[0], port)
            return socket.create_server(place, family=family, backlog=BACKLOG)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    last = first + PORTS_TRIED - 1
    raise OSError(f"no free port from {first} to {last}: give another --port")
