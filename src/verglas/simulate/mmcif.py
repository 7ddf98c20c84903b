"""mmCIF text to atoms: the atom_site loop and biological assembly 1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np

from verglas.simulate.model import AtomicModel, UnusableModel
from verglas.simulate.pdb import WATERS

_TOKEN = re.compile(r"'(?:[^']|'(?=\S))*'|\"(?:[^\"]|\"(?=\S))*\"|\S+")
Categories = dict[str, dict[str, list[str]]]  # category -> item -> values
_WANTED = ("_atom_site", "_pdbx_struct_assembly_gen", "_pdbx_struct_oper_list")


def parse_mmcif(lines: Iterable[str], name: str = "model", *, assembly: bool = True) -> AtomicModel:
    """Atoms of the first model of an mmCIF file, waters and second conformations left out.

    With `assembly` the first biological assembly is built. Raises UnusableModel if there is no
    atom_site loop or it does not parse.
    """
    categories = _read(lines)
    site = categories.get("_atom_site", {})
    needed = ("Cartn_x", "Cartn_y", "Cartn_z", "type_symbol")
    missing = [item for item in needed if item not in site]
    if missing:
        raise UnusableModel(f"{name}: no _atom_site.{missing[0]} (is it an mmCIF file?)")
    keep = _kept(site)
    try:
        columns = [np.array(site[item])[keep].astype(float) for item in needed[:3]]
        b_text = np.array(site.get("B_iso_or_equiv", ["0"] * len(keep)))[keep]
        b_factors = np.where(np.isin(b_text, ["?", "."]), "0", b_text).astype(float)
    except (ValueError, IndexError) as reason:
        raise UnusableModel(f"{name}: atom_site does not parse: {reason}") from None
    elements = np.array([symbol.capitalize() for symbol in np.array(site["type_symbol"])[keep]])
    model = AtomicModel(np.stack(columns, axis=1), elements, b_factors, name)
    chains = np.array(site.get("label_asym_id", ["A"] * len(keep)))[keep]
    return _assemble(model, chains, categories) if assembly else model


def _kept(site: dict[str, list[str]]) -> np.ndarray:
    count = len(site["Cartn_x"])
    keep = np.ones(count, bool)
    for item in ("label_comp_id", "auth_comp_id"):
        if item in site:
            keep &= ~np.isin(np.array(site[item]), list(WATERS))
    if "label_alt_id" in site:
        keep &= np.isin(np.array(site["label_alt_id"]), [".", "?", "A", "1"])
    if "pdbx_PDB_model_num" in site:
        model = np.array(site["pdbx_PDB_model_num"])
        keep &= model == model[0]
    return keep


def _tokens(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """(word, quoted) of a CIF; semicolon text blocks come as one word."""
    block: list[str] | None = None
    for line in lines:
        if block is not None:
            if line.startswith(";"):
                yield "\n".join(block), True
                block = None
            else:
                block.append(line.rstrip("\n"))
        elif line.startswith(";"):
            block = [line[1:].rstrip("\n")]
        elif not line.startswith("#"):
            for word in _TOKEN.findall(line):
                quoted = word[0] in "'\"" and len(word) > 1
                yield (word[1:-1] if quoted else word), quoted


def _read(lines: Iterable[str]) -> Categories:
    """The wanted categories of the first data block."""
    found: Categories = {}
    header: list[str] = []
    in_loop = reading_header = False
    position = 0
    single = ""
    for word, quoted in _tokens(lines):
        if not quoted and word.lower() == "loop_":
            header, in_loop, reading_header, position, single = [], True, True, 0, ""
        elif not quoted and word.lower().startswith("data_"):
            if found.get("_atom_site"):
                break
        elif not quoted and word.startswith("_") and (reading_header or not in_loop or not header):
            if reading_header:
                header.append(word)
            else:
                single = word
        elif not quoted and word.startswith("_"):  # a single item ends the loop before it
            in_loop, header, single = False, [], word
        elif in_loop:
            reading_header = False
            _keep(found, header[position % len(header)], word)
            position += 1
        elif single:
            _keep(found, single, word)
            single = ""
    return found


def _keep(found: Categories, label: str, value: str) -> None:
    category, _, item = label.partition(".")
    if category in _WANTED:
        found.setdefault(category, {}).setdefault(item, []).append(value)


def _assemble(model: AtomicModel, chains: np.ndarray, categories: Categories) -> AtomicModel:
    generator = categories.get("_pdbx_struct_assembly_gen", {})
    operators = _operators(categories.get("_pdbx_struct_oper_list", {}))
    parts: list[AtomicModel] = []
    for which, expression, names in zip(
        generator.get("assembly_id", []),
        generator.get("oper_expression", []),
        generator.get("asym_id_list", []),
    ):
        keep = np.isin(chains, names.split(","))
        if which != generator["assembly_id"][0] or not keep.any():
            continue
        chosen = [operators[key] for key in expand_expression(expression) if key in operators]
        part = AtomicModel(model.coordinates[keep], model.elements[keep], model.b_factors[keep], model.name)
        if chosen:
            parts.append(part.assembled([m for m, _ in chosen], [t for _, t in chosen]))
    if not parts:
        return model
    return AtomicModel(
        np.concatenate([part.coordinates for part in parts]),
        np.concatenate([part.elements for part in parts]),
        np.concatenate([part.b_factors for part in parts]),
        model.name,
    )


def _operators(table: dict[str, list[str]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    found = {}
    for row, key in enumerate(table.get("id", [])):
        matrix = [[float(table[f"matrix[{i}][{j}]"][row]) for j in (1, 2, 3)] for i in (1, 2, 3)]
        vector = [float(table[f"vector[{i}]"][row]) for i in (1, 2, 3)]
        found[key] = (np.array(matrix), np.array(vector))
    return found


def expand_expression(expression: str) -> list[str]:
    """Operator names of an oper_expression: "1,2,5-8" or "(1-60)"; products "(..)(..)" are refused."""
    if ")(" in expression:
        raise UnusableModel(f"assembly by products of operators is not supported: {expression!r}")
    names: list[str] = []
    for word in expression.strip("()").split(","):
        first, dash, last = word.strip().partition("-")
        if dash and first.isdigit() and last.isdigit():
            names += [str(number) for number in range(int(first), int(last) + 1)]
        else:
            names.append(word.strip())
    return names
