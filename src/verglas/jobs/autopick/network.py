"""Files of the small picking network: trained from a list of micrographs and a person's picks."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.formats.atomic import atomic_write
from verglas.formats.mrc import read_mrc
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.tables import optics_by_group, read_list, rows_of
from verglas.jobs.coordinates.reading import X, Y
from verglas.jobs.coordinates.source import CoordinateSource, flags_of

if TYPE_CHECKING:
    from verglas.picking.network import PickingNetwork
    from verglas.picking.training import Example, TrainingSettings


def write_network(path: Path, network: PickingNetwork) -> None:
    """Write a trained network (a NumPy archive)."""
    buffer = io.BytesIO()
    np.savez(buffer, **network.state())
    with atomic_write(path) as out:
        out.write(buffer.getvalue())


def read_network(path: str | Path) -> PickingNetwork:
    """Read a trained network. Raises ValueError for a file that is none, OSError where it is missing."""
    from verglas.picking.network import PickingNetwork

    try:
        with np.load(path, allow_pickle=False) as archive:
            state = {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, ValueError, EOFError, AttributeError) as error:
        raise ValueError(f"{path} is not a picking network: {error}") from error
    try:
        return PickingNetwork.of_state(state)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path}: {error}") from error


def training_examples(micrographs: str, coordinates: str, warn: Callable[[str], None]) -> list[Example]:
    """Micrographs of a list that have picks. Raises JobFailed if there are none."""
    import torch

    from verglas.picking.training import Example

    star, table = read_list(micrographs, "micrographs")
    optics = optics_by_group(star)
    rows = rows_of(table)
    source = _source(coordinates).of_micrographs([row["rlnMicrographName"] for row in rows], warn)
    examples = []
    for row in rows:
        name = row["rlnMicrographName"]
        path = source.path_of(name)
        if path is None or not path.exists():
            continue
        try:
            image = read_mrc(name).data
            picks = source.read(name, (image.shape[0], image.shape[1]), warn)
        except (OSError, ValueError) as error:
            warn(f" WARNING: {name} is not used for training: {error}")
            continue
        if picks is not None:
            pixel = float(optics[int(row.get("rlnOpticsGroup", 1))]["rlnMicrographPixelSize"])
            xy = np.stack([picks.floats(X), picks.floats(Y)], 1)
            examples.append(Example(torch.from_numpy(image), pixel, xy))
    if not examples:
        raise JobFailed(f"no micrograph of {micrographs} has picks in {coordinates}")
    return examples


def train(
    micrographs: str,
    coordinates: str,
    output: Path,
    settings: TrainingSettings,
    progress: Callable[[int, float], None],
    warn: Callable[[str], None],
) -> int:
    """Train on a list and write the network; how many picks it was trained on."""
    from verglas.picking.training import train_network

    examples = training_examples(micrographs, coordinates, warn)
    network = train_network(examples, settings, progress)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_network(output, network)
    return sum(len(example.xy) for example in examples)


def _source(coordinates: str) -> CoordinateSource:
    words = flags_of(coordinates)
    if words[0] == "--coord_list":
        return CoordinateSource.of_list(coordinates)
    return CoordinateSource.of_suffix(words[1], words[3])
