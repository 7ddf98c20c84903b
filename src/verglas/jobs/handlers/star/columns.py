"""Changing columns of a table: values, new columns, origins moved to another centre."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verglas.formats.labels import LabelType, label_type
from verglas.formats.star import StarFile, StarTable
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.tables import optics_by_group

_AXES = "XYZ"


def operated(table: StarTable, label: str, set_to: str, multiply_by: float, add_to: float) -> StarTable:
    """The column set to a value, or multiplied and then added to.

    Whole-number columns stay whole: fractions are cut off, as RELION cuts them.
    """
    if label not in table:
        raise JobFailed(f"table {table.name} has no column {label}; it has {', '.join(table.labels)}")
    if set_to:
        return with_constant(table, label, set_to)
    if label_type(label) in (LabelType.STRING, LabelType.VECTOR):
        raise JobFailed(f"{label} holds text: only --set_to can change it")
    values = table.floats(label) * multiply_by + add_to
    whole = label_type(label) in (LabelType.INT, LabelType.BOOL)
    return table.with_columns({label: np.trunc(values).astype(int) if whole else values})


def with_constant(table: StarTable, label: str, text: str) -> StarTable:
    """The table with one value in all rows of a column, in the column's own type."""
    kind = label_type(label)
    try:
        if kind is LabelType.DOUBLE:
            return table.with_columns({label: [float(text)] * len(table)})
        if kind in (LabelType.INT, LabelType.BOOL):
            return table.with_columns({label: [int(float(text))] * len(table)})
    except ValueError:
        raise JobFailed(f"{label} holds numbers: {text!r} is none") from None
    return table.with_columns({label: [text] * len(table)})


def with_column(table: StarTable, label: str, value: str, copy_from: str) -> StarTable:
    """A new column: one value, or a copy of another column. Raises JobFailed if it exists."""
    if bool(value) == bool(copy_from):
        raise JobFailed("give one of --add_column_value and --copy_column_from with --add_column")
    if label in table:
        raise JobFailed(f"table {table.name} has a column {label} already; --operate changes it")
    if value:
        return with_constant(table, label, value)
    if copy_from not in table:
        raise JobFailed(f"table {table.name} has no column {copy_from}")
    if label_type(label) in (LabelType.INT, LabelType.BOOL):
        return table.with_columns({label: np.trunc(table.floats(copy_from)).astype(int)})
    if label_type(label) is LabelType.DOUBLE:
        return table.with_columns({label: table.floats(copy_from)})
    return table.with_columns({label: table.strings(copy_from)})


def centred(
    star: StarFile, table: StarTable, centre_xyz_px: Sequence[float], pixel_angst: float
) -> StarTable:
    """Origins such that a position of the reference (pixels from its centre) becomes the new centre.

    The position as seen by each image, A·c, is taken off the origin (refinement.md §1.5). Files of 3.0
    and before hold origins in pixels; later ones in Å, by the pixel size of the optics group, or by
    `pixel_angst` where there are no groups.
    """
    import torch

    from verglas.geometry import euler_matrices

    angles = np.zeros((len(table), 3))
    for column, name in enumerate(("Rot", "Tilt", "Psi")):
        if f"rlnAngle{name}" in table:
            angles[:, column] = table.floats(f"rlnAngle{name}")
    matrices = euler_matrices(torch.from_numpy(angles)).numpy()
    seen = matrices @ np.asarray(centre_xyz_px, float)
    in_pixels = "rlnOriginX" in table and "rlnOriginXAngst" not in table
    unit = "" if in_pixels else "Angst"
    scale = np.ones(len(table)) if in_pixels else _image_pixels(star, table, pixel_angst)
    labels = {axis: f"rlnOrigin{axis}{unit}" for axis in _AXES}
    if labels["Z"] not in table:
        del labels["Z"]
    moved = {}
    for column, label in enumerate(labels.values()):
        old = table.floats(label) if label in table else 0.0
        moved[label] = old - seen[:, column] * scale
    return table.with_columns(moved)


def _image_pixels(star: StarFile, table: StarTable, given: float) -> np.ndarray:
    if "optics" not in star:
        return np.full(len(table), given)
    optics = optics_by_group(star)
    try:
        return np.array(
            [float(optics[group]["rlnImagePixelSize"]) for group in table.ints("rlnOpticsGroup").tolist()]
        )
    except KeyError as missing:
        raise JobFailed(f"the pixel size of the images is not known: no {missing}") from missing
