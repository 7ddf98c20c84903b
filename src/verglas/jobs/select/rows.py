"""Ways of keeping rows of a table: by value, by image statistics, without duplicates, in parts."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from verglas.formats.stack import parse_image_name, read_images
from verglas.formats.star import StarFile, StarTable
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.tables import optics_by_group


def select_values(table: StarTable, label: str, low: float, high: float) -> StarTable:
    """Rows whose value lies in [low, high]. Raises JobFailed naming a missing column."""
    values = _column(table, label)
    return table.take(np.flatnonzero((values >= low) & (values <= high)))


def select_by_axis(table: StarTable, axis: str, low_deg: float, high_deg: float) -> StarTable:
    """Particles whose viewing direction is within an angle of an axis "x,y,z" of the map.

    0: seen along the axis, from either end; 90: from the side.
    """
    from verglas.geometry import view_vectors

    try:
        direction = np.array([float(word) for word in axis.split(",")])
    except ValueError:
        direction = np.zeros(0)
    if len(direction) != 3 or not np.linalg.norm(direction) > 0:
        raise JobFailed(f"an axis is given as x,y,z, for example 0,0,1; got {axis!r}")
    labels = ("rlnAngleRot", "rlnAngleTilt")
    missing = [label for label in labels if label not in table]
    if missing:
        raise JobFailed(f"{table.name} has no {', '.join(missing)}")
    import torch

    angles = torch.from_numpy(np.stack([table.floats(label) for label in labels], 1))
    cosine = view_vectors(angles).numpy() @ (direction / np.linalg.norm(direction))
    angle = np.degrees(np.arccos(np.clip(np.abs(cosine), 0, 1)))
    return table.take(np.flatnonzero((angle >= low_deg) & (angle <= high_deg)))


def select_text(table: StarTable, label: str, include: str, exclude: str) -> StarTable:
    """Rows whose text contains `include`, or those that do not contain `exclude`: one of the two."""
    if bool(include) == bool(exclude):
        raise JobFailed("give one of --select_include and --select_exclude")
    if label not in table:
        raise JobFailed(f"table {table.name} has no column {label}")
    hits = np.array([(include or exclude) in text for text in table.strings(label)], bool)
    return table.take(hits if include else ~hits)


def without_repeats(table: StarTable, label: str) -> StarTable:
    """Rows whose value of a column did not occur in an earlier row."""
    if label not in table:
        raise JobFailed(f"table {table.name} has no column {label}")
    names = table.strings(label)
    first = {name: index for index, name in reversed(list(enumerate(names)))}
    return table if len(first) == len(names) else table.take(sorted(first.values()))


def without_outliers(table: StarTable, label: str, sigmas: float) -> StarTable:
    """Drop images whose mean or standard deviation is further than `sigmas` from the average."""
    if label not in table:
        raise JobFailed(f"table {table.name} has no column {label}")
    statistics = np.array([_mean_and_deviation(name) for name in table.strings(label)])
    keep = np.ones(len(table), bool)
    for values in statistics.T:
        spread = values.std()
        keep &= np.abs(values - values.mean()) <= sigmas * spread if spread > 0 else True
    return table.take(np.flatnonzero(keep))


def split(table: StarTable, size: int, number: int | None, seed: int | None) -> Iterator[StarTable]:
    """Parts of `size` rows, or `number` nearly equal parts; shuffled first when a seed is given."""
    order = np.arange(len(table))
    if seed is not None:
        np.random.default_rng(seed).shuffle(order)
    if number is None:
        number = max(1, -(-len(order) // size))
        bounds = [min(len(order), index * size) for index in range(number + 1)]
    else:
        bounds = np.linspace(0, len(order), number + 1).round().astype(int).tolist()
    for first, last in itertools.pairwise(bounds):
        yield table.take(order[first:last])


def remove_duplicates(
    star: StarFile, table: StarTable, distance_angst: float, micrograph_pixel_angst: float
) -> StarTable:
    """Of particles of one micrograph closer than the distance keep the most probable."""
    from verglas.particles.duplicates import without_duplicates

    positions = positions_angst(star, table, micrograph_pixel_angst)
    rank = np.zeros(len(table))
    for label in ("rlnMaxValueProbDistribution", "rlnAutopickFigureOfMerit"):
        if label in table:
            rank = _column(table, label)
            break
    members: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(table.strings("rlnMicrographName")):
        members[name].append(index)
    kept: list[int] = []
    for indices in members.values():
        rows = np.array(indices)
        chosen = without_duplicates(positions[rows], distance_angst, rank[rows])
        kept.extend(rows[chosen].tolist())
    return table.take(sorted(kept))


def positions_angst(star: StarFile, table: StarTable, pixel_angst: float) -> np.ndarray:
    """True particle centres: coordinate times micrograph pixel minus origin (refinement.md §1.5)."""
    pixels = np.full(len(table), pixel_angst)
    if pixel_angst <= 0:
        optics = optics_by_group(star)
        try:
            pixels = np.array(
                [
                    float(optics[group]["rlnMicrographOriginalPixelSize"])
                    for group in table.ints("rlnOpticsGroup").tolist()
                ]
            )
        except KeyError as missing:
            raise JobFailed(
                f"the micrograph pixel size is not known ({missing}); give --image_angpix"
            ) from missing
    columns = []
    for axis in "XY":
        centre = _column(table, f"rlnCoordinate{axis}") * pixels
        if f"rlnOrigin{axis}Angst" in table:
            centre = centre - _column(table, f"rlnOrigin{axis}Angst")
        columns.append(centre)
    return np.stack(columns, axis=1)


def _column(table: StarTable, label: str) -> np.ndarray:
    if label not in table:
        raise JobFailed(f"table {table.name} has no column {label}; it has {', '.join(table.labels)}")
    return table.floats(label)


def _mean_and_deviation(image_name: str) -> tuple[float, float]:
    path, index = parse_image_name(image_name)
    image = read_images([(path, index or 0)])[0]
    return float(image.mean()), float(image.std())
