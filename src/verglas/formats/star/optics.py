"""Optics groups: checking them, and making them for files of 2.x and 3.0 (pipeline.md §5.9)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from verglas.formats.star.errors import StarError
from verglas.formats.star.file import StarFile, read_star
from verglas.formats.star.table import StarTable

GROUP_LABELS = (
    "rlnAmplitudeContrast",
    "rlnBeamTiltX",
    "rlnBeamTiltY",
    "rlnSphericalAberration",
    "rlnVoltage",
)
"""Columns that moved into the optics table, in the order relion_convert_star writes them."""

_NEEDED = ("rlnAmplitudeContrast", "rlnSphericalAberration", "rlnVoltage")
_IN_PIXELS = {
    "rlnOriginX": "rlnOriginXAngst",
    "rlnOriginY": "rlnOriginYAngst",
    "rlnOriginZ": "rlnOriginZAngst",
    "rlnOriginXPrior": "rlnOriginXPriorAngst",
    "rlnOriginYPrior": "rlnOriginYPriorAngst",
    "rlnOriginZPrior": "rlnOriginZPriorAngst",
    "rlnHelicalTrackLength": "rlnHelicalTrackLengthAngst",
}
_KINDS = {"rlnImageName": "particles", "rlnMicrographMovieName": "movies", "rlnMicrographName": "micrographs"}

ImageShape = Callable[[str], Sequence[int] | None]
"""From an image name (`000001@stack.mrcs`) to the shape of that image, (y, x) or (z, y, x); None: unknown."""


@dataclass(frozen=True)
class OpticsTables:
    """An optics table and the table whose rows refer to it, groups numbered 1..n."""

    optics: StarTable
    items: StarTable  # named particles, micrographs or movies
    warnings: tuple[str, ...] = ()


def upgrade_optics(
    star: StarFile,
    *,
    known: Mapping[str, float] | None = None,
    folder: str | os.PathLike[str] = ".",
    image_shape: ImageShape | None = None,
) -> OpticsTables:
    """Optics and items of any file: 3.1 and later as they are, older ones converted in memory.

    `known` gives what an old file does not say (rlnVoltage, rlnSphericalAberration,
    rlnAmplitudeContrast, rlnImagePixelSize or rlnMicrographPixelSize); values in the file win.
    `folder` is the project, where the metadata files of a MotionCorr list are looked up.
    `image_shape` reads the header of a group's first image; without it, or where it knows none, the box size
    stays out (with a warning), unless the file has it.
    Raises StarError if a group is used but not defined, or if a value is nowhere to be found.
    """
    if "optics" in star:
        return _with_sizes(_checked(star["optics"], _items_beside_optics(star)), image_shape)
    items = star.first
    kind = next((name for label, name in _KINDS.items() if label in items), None)
    if kind is None:
        raise StarError(f"table data_{items.name} lists neither images, micrographs nor movies", star.path)
    given = dict(known or {})
    if kind == "micrographs" and "rlnMicrographMetadata" in items and "rlnVoltage" not in items:
        given = {**_from_metadata(Path(folder) / items.string("rlnMicrographMetadata")), **given}
    return _with_sizes(_converted(items.named(kind), given), image_shape)


def _items_beside_optics(star: StarFile) -> StarTable:
    for name in _KINDS.values():
        if name in star:
            return star[name]
    others = [table for name, table in star.items() if name != "optics"]
    if not others:
        raise StarError("there is an optics table but nothing that refers to it", star.path)
    return others[0]


def _checked(optics: StarTable, items: StarTable) -> OpticsTables:
    """Every group used is defined; groups are numbered 1..n; what 3.1.0 misplaced is put right."""
    groups, used = optics.ints("rlnOpticsGroup").tolist(), items.ints("rlnOpticsGroup").tolist()
    missing = sorted(set(used) - set(groups))
    if missing:
        raise StarError(f"optics groups {missing} are used but not in table data_optics", items.origin.path)
    if len(set(groups)) < len(groups):
        raise StarError(f"an optics group is defined twice: {groups}", optics.origin.path)
    warnings = []
    if groups != list(range(1, len(groups) + 1)):
        number = {group: n for n, group in enumerate(groups, 1)}
        warnings.append(f"optics groups {groups} renumbered 1 to {len(groups)}")
        optics = optics.with_columns({"rlnOpticsGroup": list(number.values())})
        items = items.with_columns({"rlnOpticsGroup": [number[group] for group in used]})
    misplaced = "rlnImagePixelSize" in optics and "rlnMicrographPixelSize" not in optics
    if misplaced and "rlnImageName" not in items:
        warnings.append("rlnImagePixelSize copied to rlnMicrographPixelSize")
        optics = optics.with_columns({"rlnMicrographPixelSize": optics.strings("rlnImagePixelSize")})
    return OpticsTables(optics, items, tuple(warnings))


def _from_metadata(path: Path) -> dict[str, float]:
    """Voltage and pixel size of the micrographs, from the first movie's own file."""
    general = read_star(path)["general"]
    pixel_size = general.number("rlnMicrographOriginalPixelSize") * general.number("rlnMicrographBinning")
    return {"rlnVoltage": general.number("rlnVoltage"), "rlnMicrographPixelSize": pixel_size}


def _with_sizes(tables: OpticsTables, image_shape: ImageShape | None) -> OpticsTables:
    """Box and dimensions of each group's images, where the optics table has none."""
    optics, items = tables.optics, tables.items
    if image_shape is None or "rlnImageName" not in items or "rlnImageSize" in optics:
        return tables
    used = items.ints("rlnOpticsGroup").tolist()
    groups = [group for group in optics.ints("rlnOpticsGroup").tolist() if group in set(used)]
    shapes = [image_shape(items.string("rlnImageName", used.index(group))) for group in groups]
    found = [shape for shape in shapes if shape is not None]
    if len(found) < len(optics):
        missing = "box sizes are not known and stay out: without them re-extraction and others fail"
        return replace(tables, warnings=(*tables.warnings, missing))
    columns = {
        "rlnImageSize": [shape[-1] for shape in found],
        "rlnImageDimensionality": [len(shape) for shape in found],
    }
    return replace(tables, optics=optics.with_columns(columns))


def _converted(items: StarTable, given: dict[str, float]) -> OpticsTables:
    n_rows = len(items)
    values: dict[str, list[float]] = {}
    for label in GROUP_LABELS:
        if label in items:
            values[label] = items.floats(label).tolist()
        elif label in given or label in _NEEDED:
            values[label] = [_given(given, label, items)] * n_rows
    values.update(_pixel_sizes(items, given))
    keys = list(zip(*values.values()))
    group_of = {key: n for n, key in enumerate(dict.fromkeys(keys), 1)}
    firsts = [keys.index(key) for key in group_of]
    optics = {
        "rlnOpticsGroup": list(group_of.values()),
        "rlnOpticsGroupName": [f"opticsGroup{n}" for n in group_of.values()],
        **{label: [column[row] for row in firsts] for label, column in values.items()},
    }
    groups = [group_of[key] for key in keys]
    pixel_size = next(iter(_pixel_sizes(items, given).values()))
    table = StarTable.from_columns("optics", optics)
    return OpticsTables(table, _new_style(items, groups, pixel_size))


def _pixel_sizes(items: StarTable, given: dict[str, float]) -> dict[str, list[float]]:
    """The pixel size columns of the optics table, Å per row; 10000 * detector step / magnification."""
    label = "rlnImagePixelSize" if "rlnImageName" in items else "rlnMicrographPixelSize"
    if "rlnMagnification" in items and "rlnDetectorPixelSize" in items:
        sizes = (10000 * items.floats("rlnDetectorPixelSize") / items.floats("rlnMagnification")).tolist()
        original = {} if label == "rlnImagePixelSize" else {"rlnMicrographOriginalPixelSize": sizes}
        return {label: sizes, **original}
    return {label: [_given(given, label, items)] * len(items)}


def _given(given: dict[str, float], label: str, items: StarTable) -> float:
    try:
        return given[label]
    except KeyError:
        what = f"{label} is neither in this file of RELION 3.0 or older nor given: give its value"
        raise StarError(what, items.origin.path) from None


def _new_style(items: StarTable, groups: list[int], pixel_size: list[float]) -> StarTable:
    moved = {*GROUP_LABELS, "rlnMagnification", "rlnDetectorPixelSize", *_IN_PIXELS}
    columns: dict[str, object] = {"rlnOpticsGroup": groups}
    for old, new in _IN_PIXELS.items():
        if old in items:
            columns[new] = items.floats(old) * pixel_size
    table = items.without(moved).with_columns(columns)
    return replace(table, version=30001, row_comments=())
