"""Figures of matplotlib as files: PNG, EPS or PDF by the name, written atomically."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.formats.atomic import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure; the same figure gives the same bytes, whenever it is written."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    kind = path.suffix.removeprefix(".")
    metadata: dict[str, Any] | None = {"CreationDate": None} if kind == "pdf" else None
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # EPS knows no transparency, and says so
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    with atomic_write(path) as out:
        out.write(buffer.getvalue())
