"""PDB text to atoms (format 3.3): coordinates, elements, B-factors, biological assembly 1."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from verglas.simulate.model import AtomicModel, UnusableModel

WATERS = frozenset({"HOH", "WAT", "DOD", "H2O", "TIP", "TIP3", "SOL"})


def parse_pdb(lines: Iterable[str], name: str = "model", *, assembly: bool = True) -> AtomicModel:
    """Atoms of the first model of a PDB file, waters and second conformations left out.

    With `assembly` the operators of REMARK 350, biomolecule 1, are applied if there are any. Raises
    UnusableModel naming the line that does not parse.
    """
    rows: list[tuple[float, float, float, str, float]] = []
    chains: list[str] = []
    remark: list[str] = []
    for number, line in enumerate(lines, 1):
        if line.startswith(("ATOM  ", "HETATM")):
            if line[17:20].strip() in WATERS or line[16:17] not in " A1":
                continue
            rows.append(_atom(line, name, number))
            chains.append(line[21:22])
        elif line.startswith("REMARK 350"):
            remark.append(line)
        elif line.startswith("ENDMDL"):
            break
    if not rows:
        raise UnusableModel(f"{name}: no ATOM record (is it a PDB file?)")
    model = AtomicModel(
        np.array([row[:3] for row in rows]),
        np.array([row[3] for row in rows]),
        np.array([row[4] for row in rows]),
        name,
    )
    groups = _assembly(remark) if assembly else []
    return _apply(model, np.array(chains), groups) if groups else model


def _atom(line: str, name: str, number: int) -> tuple[float, float, float, str, float]:
    try:
        x, y, z = float(line[30:38]), float(line[38:46]), float(line[46:54])
        b_factor = float(line[60:66].strip() or 0)
    except ValueError:
        raise UnusableModel(f"{name}: line {number} is no atom: {line.rstrip()!r}") from None
    element = line[76:78].strip() or element_of_name(line[12:16])
    return x, y, z, element.capitalize(), b_factor


def element_of_name(atom_name: str) -> str:
    """Element from the four columns of an atom name, for files without an element column.

    Two-letter elements start in the first column ("ZN  "), one-letter ones in the second (" CA ").
    """
    padded = atom_name.ljust(4)
    if padded[0] == " " or padded[0].isdigit() or padded[0] == "H":
        return padded.strip().lstrip("0123456789")[:1]
    first_two = padded[:2].strip()
    return first_two if first_two.isalpha() else first_two[:1]


Group = tuple[list[str], list[np.ndarray], list[np.ndarray]]


def _assembly(remark: list[str]) -> list[Group]:
    """(chains, matrices, vectors) of biomolecule 1."""
    groups: list[Group] = []
    pending: list[list[float]] = []
    for line in remark:
        text = line[10:].strip()
        if text.startswith("BIOMOLECULE:") and groups:
            break
        if "CHAINS:" in text:
            names = [word.strip() for word in text.split("CHAINS:")[1].split(",") if word.strip()]
            if text.startswith("AND") and groups and not groups[-1][1]:
                groups[-1][0].extend(names)
            else:
                groups.append((names, [], []))
        elif text.startswith("BIOMT") and groups:
            pending.append([float(word) for word in text.split()[2:6]])
            if len(pending) == 3:
                block = np.array(pending)
                groups[-1][1].append(block[:, :3])
                groups[-1][2].append(block[:, 3])
                pending = []
    return [group for group in groups if group[1]]


def _apply(model: AtomicModel, chains: np.ndarray, groups: list[Group]) -> AtomicModel:
    parts = []
    for names, matrices, vectors in groups:
        keep = np.isin(chains, names)
        if keep.any():
            part = AtomicModel(
                model.coordinates[keep], model.elements[keep], model.b_factors[keep], model.name
            )
            parts.append(part.assembled(matrices, vectors))
    if not parts:
        return model
    return AtomicModel(
        np.concatenate([part.coordinates for part in parts]),
        np.concatenate([part.elements for part in parts]),
        np.concatenate([part.b_factors for part in parts]),
        model.name,
    )
