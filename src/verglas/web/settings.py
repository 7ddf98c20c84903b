"""How a server is to run: which projects, who may come in, how much it takes at most."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from verglas.web.door.access import AccessBook


@dataclass(frozen=True)
class WebSettings:
    """Everything `create_app` needs. `needs_token`: False only on loopback or a private socket."""

    projects: tuple[Path, ...]
    needs_token: bool = True
    access: AccessBook = field(default_factory=AccessBook)
    allowed_hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1", "::1"})
    root_path: str = ""
    max_body_bytes: int = 4 << 20
    read_only: bool = False
