"""Specimens from files: a user's PDB or mmCIF, or the proteasome that ships with the package."""

from __future__ import annotations

import gzip
import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from verglas.simulate.model import AtomicModel

PACKAGED = "proteasome20s_d7.npz"
PACKAGED_SYMMETRY = "D7"


def load_model(
    path: str | os.PathLike[str] | None = None, *, assembly: bool = True, centred: bool = True
) -> AtomicModel:
    """Atoms of a PDB or mmCIF file (.pdb .ent .cif .mmcif, also .gz); of the 20S proteasome for None.

    Raises UnusableModel, with the file's name in it, if there is nothing to simulate from.
    """
    if path is None:
        return packaged_model()
    from verglas.simulate.mmcif import parse_mmcif
    from verglas.simulate.model import UnusableModel
    from verglas.simulate.pdb import parse_pdb

    file = Path(path)
    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
    kind = suffixes[-1] if suffixes else ""
    parsers = {".pdb": parse_pdb, ".ent": parse_pdb, ".cif": parse_mmcif, ".mmcif": parse_mmcif}
    if kind not in parsers:
        raise UnusableModel(f"{file}: expected a .pdb, .ent, .cif or .mmcif file (.gz too)")
    try:
        with _open(file) as lines:
            model = parsers[kind](lines, file.name, assembly=assembly)
    except (gzip.BadGzipFile, EOFError, UnicodeDecodeError) as reason:
        raise UnusableModel(f"{file}: cannot be read: {reason}") from None
    return model.centred() if centred else model


def _open(file: Path) -> TextIO:
    if file.name.lower().endswith(".gz"):
        return gzip.open(file, "rt", encoding="utf-8")
    return open(file, encoding="utf-8")


def packaged_model() -> AtomicModel:
    """The 20S proteasome of T. acidophilum, exact D7: sevenfold axis along z, twofold along x."""
    import numpy as np

    from verglas.simulate.model import AtomicModel, dihedral_operators

    place = resources.files("verglas.data").joinpath(PACKAGED)
    with resources.as_file(place) as file, np.load(file) as arrays:
        coordinates = arrays["coordinates"].astype(float)
        elements = arrays["elements"]
    unit = AtomicModel(coordinates, elements, np.zeros(len(coordinates)), "20S proteasome (3C91)")
    operators = dihedral_operators(7)
    return unit.assembled(operators, [np.zeros(3)] * len(operators))
