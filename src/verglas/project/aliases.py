"""The links `Type/alias -> ../Type/jobNNN/` by which an alias can be used as a path."""

from __future__ import annotations

import os
from pathlib import Path

from verglas.project.graph import NO_ALIAS


def relink(root: Path, name: str, old: str, new: str) -> None:
    """Take the link of the old alias away and make that of the new one; NO_ALIAS stands for none."""
    if old not in (NO_ALIAS, new):
        link = root / old.rstrip("/")
        if link.is_symlink():
            link.unlink()
    if new != NO_ALIAS:
        link = root / new.rstrip("/")
        if not os.path.lexists(link):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(f"../{name}")
