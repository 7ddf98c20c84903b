"""Printing and plotting tables (relion_star_printtable, relion_star_plottable), old files made new."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from verglas.formats.atomic import atomic_write
from verglas.formats.mrc import read_mrc_header
from verglas.formats.stack import parse_image_name
from verglas.formats.star import StarTable, read_star, upgrade_optics, write_star
from verglas.jobs.contract.base import JobFailed


def table_named(path: str, name: str) -> StarTable:
    """A table by its name, with or without `data_`. Raises StarError listing the tables there are."""
    return read_star(path)[name.removeprefix("data_")]


def table_text(table: StarTable, labels: Sequence[str] = ()) -> str:
    """Rows as text, columns aligned by one blank; all columns unless labels are given."""
    chosen = [label.removeprefix("_") for label in labels] or list(table.labels)
    columns = [table.strings(label) for label in chosen]
    return "\n".join(" ".join(row) for row in zip(*columns))


def plot_table(table: StarTable, labels: Sequence[str], output: Path) -> None:
    """`labels`: y, or y and x. The extension of `output` says the format (png, pdf, eps, svg)."""
    from matplotlib.figure import Figure

    if not 1 <= len(labels) <= 2:
        raise JobFailed(f"plot needs the label of y, or those of y and x, got {list(labels)}")
    y, *x = (label.removeprefix("_") for label in labels)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axis = figure.subplots()
    axis.plot(table.floats(x[0]) if x else range(1, len(table) + 1), table.floats(y), ".-")
    axis.set_ylabel(y)
    axis.set_xlabel(x[0] if x else "row")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=output.suffix.removeprefix(".") or "png")
    with atomic_write(output) as out:
        out.write(buffer.getvalue())


def convert(path: str, output: str, known: dict[str, float], box_px: int = 0) -> list[str]:
    """A file of 2.x or 3.0 with optics groups (pipeline.md §5.9). Returns warnings.

    `box_px` is taken for images that are not at hand.
    """
    absent: list[str] = []

    def shape_of(name: str) -> tuple[int, ...] | None:
        found = _image_shape(name)
        if found is None and not box_px:
            absent.append(name)
        return found or ((box_px, box_px) if box_px else None)

    made = upgrade_optics(read_star(path), known=known, image_shape=shape_of)
    write_star(output, [made.optics, made.items])
    hints = [f"{name} is not at hand: --box gives the size of its images" for name in absent]
    return [*hints, *made.warnings]


def _image_shape(name: str) -> tuple[int, ...] | None:
    """The shape of an image; None if its file is missing."""
    path, index = parse_image_name(name)
    try:
        header = read_mrc_header(path)
    except FileNotFoundError:
        return None
    shape = tuple(header.shape_yx)
    return shape if index is not None or header.n_images == 1 else (header.n_images, *shape)
