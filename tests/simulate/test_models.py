"""PDB and mmCIF to atoms: columns, alternates, waters, assemblies, and files that are none of this."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from verglas.jobs.simulate.model import load_model, packaged_model
from verglas.simulate.mmcif import expand_expression, parse_mmcif
from verglas.simulate.model import UnusableModel, cyclic_operators, dihedral_operators
from verglas.simulate.pdb import element_of_name, parse_pdb
from verglas.simulate.scattering import known_elements, scattering_factor

DATA = Path(os.environ.get("VERGLAS_TEST_DATA", "../shared/data"))

PDB = """\
REMARK 350 BIOMOLECULE: 1
REMARK 350 APPLY THE FOLLOWING TO CHAINS: A
REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000
REMARK 350   BIOMT2   1  0.000000  1.000000  0.000000        0.00000
REMARK 350   BIOMT3   1  0.000000  0.000000  1.000000        0.00000
REMARK 350   BIOMT1   2 -1.000000  0.000000  0.000000       10.00000
REMARK 350   BIOMT2   2  0.000000 -1.000000  0.000000        0.00000
REMARK 350   BIOMT3   2  0.000000  0.000000  1.000000        0.00000
REMARK 350 BIOMOLECULE: 2
REMARK 350 APPLY THE FOLLOWING TO CHAINS: B
REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000
REMARK 350   BIOMT2   1  0.000000  1.000000  0.000000        0.00000
REMARK 350   BIOMT3   1  0.000000  0.000000  1.000000        0.00000
ATOM      1  N   MET A   1       1.000   2.000   3.000  1.00 12.50           N
ATOM      2  CA AMET A   1       2.000   2.000   3.000  0.60 12.50           C
ATOM      3  CA BMET A   1       9.000   2.000   3.000  0.40 12.50           C
ATOM      4  CA  GLY B   2       4.000   5.000   6.000  1.00 30.00           C
HETATM    5 ZN    ZN A   3       5.000   5.000   5.000  1.00 20.00
HETATM    6  O   HOH A   4       7.000   7.000   7.000  1.00 20.00           O
END
"""

CIF = """\
data_TEST
loop_
_pdbx_struct_assembly_gen.assembly_id
_pdbx_struct_assembly_gen.oper_expression
_pdbx_struct_assembly_gen.asym_id_list
1 1,2 A
#
loop_
_pdbx_struct_oper_list.id
_pdbx_struct_oper_list.name
_pdbx_struct_oper_list.matrix[1][1]
_pdbx_struct_oper_list.matrix[1][2]
_pdbx_struct_oper_list.matrix[1][3]
_pdbx_struct_oper_list.vector[1]
_pdbx_struct_oper_list.matrix[2][1]
_pdbx_struct_oper_list.matrix[2][2]
_pdbx_struct_oper_list.matrix[2][3]
_pdbx_struct_oper_list.vector[2]
_pdbx_struct_oper_list.matrix[3][1]
_pdbx_struct_oper_list.matrix[3][2]
_pdbx_struct_oper_list.matrix[3][3]
_pdbx_struct_oper_list.vector[3]
1 'identity operation' 1 0 0 0 0 1 0 0 0 0 1 0
2 'two-fold'
-1 0 0 10 0 -1 0 0 0 0 1 0
#
loop_
_atom_site.group_PDB
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.B_iso_or_equiv
_atom_site.pdbx_PDB_model_num
ATOM N N . MET A 1.0 2.0 3.0 12.5 1
ATOM C "C1'" A MET A 2.0 2.0 3.0 12.5 1
ATOM C CA B MET A 9.0 2.0 3.0 12.5 1
HETATM ZN ZN . ZN A 5.0 5.0 5.0 ? 1
HETATM O O . HOH A 7.0 7.0 7.0 20 1
ATOM N N . MET A 1.0 2.0 3.0 12.5 2
#
"""


@pytest.mark.parametrize(("parse", "text"), [(parse_pdb, PDB), (parse_mmcif, CIF)])
def test_both_formats_give_the_same_assembly(parse, text):
    model = parse(text.splitlines(keepends=True), "test")
    unit = np.array([[1, 2, 3], [2, 2, 3], [5, 5, 5.0]])
    assert np.allclose(model.coordinates, np.concatenate([unit, unit * [-1, -1, 1] + [10, 0, 0]]))
    assert list(model.elements) == ["N", "C", "Zn"] * 2


def test_without_assembly_all_chains_are_taken_as_they_are():
    assert len(parse_pdb(PDB.splitlines(), assembly=False)) == 4
    assert len(parse_mmcif(CIF.splitlines(), assembly=False)) == 3


@pytest.mark.parametrize(
    ("name", "element"),
    [(" CA ", "C"), ("CA  ", "CA"), ("1HB ", "H"), ("HG11", "H"), (" N  ", "N"), ("ZN  ", "ZN")],
)
def test_elements_from_atom_names(name, element):
    assert element_of_name(name) == element


def test_expressions():
    assert expand_expression("1,3-5") == ["1", "3", "4", "5"]
    assert expand_expression("(1-3)") == ["1", "2", "3"]
    with pytest.raises(UnusableModel, match="products"):
        expand_expression("(1-60)(61-88)")


def test_lines_that_are_no_atoms_are_named():
    broken = PDB.replace("   1.000   2.000", "   x.000   2.000", 1)
    with pytest.raises(UnusableModel, match="line 14"):
        parse_pdb(broken.splitlines(), "broken.pdb")
    with pytest.raises(UnusableModel, match="no ATOM record"):
        parse_pdb(["HEADER nothing"], "empty.pdb")
    with pytest.raises(UnusableModel, match="Cartn_x"):
        parse_mmcif(["data_x", "_cell.length_a 1"], "empty.cif")
    with pytest.raises(UnusableModel, match="does not parse"):
        parse_mmcif(CIF.replace("1.0 2.0 3.0", "1.0 ? 3.0", 1).splitlines(), "bad.cif")


def test_files_zipped_or_not_and_files_of_other_kinds(tmp_path):
    plain, packed = tmp_path / "a.pdb", tmp_path / "a.cif.gz"
    plain.write_text(PDB)
    packed.write_bytes(gzip.compress(CIF.encode()))
    a, b = load_model(plain), load_model(packed)
    assert np.allclose(a.coordinates, b.coordinates)
    assert np.allclose(a.coordinates.mean(axis=0), 0)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UnusableModel, match=r"expected a \.pdb"):
        load_model(tmp_path / "a.txt")
    (tmp_path / "cut.cif.gz").write_bytes(packed.read_bytes()[:100])
    with pytest.raises(UnusableModel, match="cannot be read"):
        load_model(tmp_path / "cut.cif.gz")
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "missing.pdb")


def test_the_packaged_proteasome_is_exactly_d7_and_small():
    model = packaged_model()
    assert len(model) == 46578
    assert 180 < model.diameter_angst() < 185
    from scipy.spatial import cKDTree

    tree = cKDTree(model.coordinates)
    for operator in dihedral_operators(7):
        assert tree.query(model.coordinates[::97] @ operator.T)[0].max() < 1e-6
    package = Path(load_model.__code__.co_filename).parents[1] / "data"
    assert sum(file.stat().st_size for file in package.glob("*.npz")) < 400_000


def test_operators_agree_with_the_point_groups():
    from verglas.geometry.symmetry import PointGroup

    for name, ours in (("C5", cyclic_operators(5)), ("D7", dihedral_operators(7))):
        theirs = PointGroup.of(name).operators.numpy()
        for operator in ours:
            assert np.abs(theirs - operator).sum(axis=(1, 2)).min() < 1e-9


def test_factors_are_those_of_the_international_tables():
    gemmi = pytest.importorskip("gemmi")
    for element in known_elements():
        theirs = gemmi.Element(element).c4322
        for s in (0.0, 0.1, 0.5):
            value = sum(a * np.exp(-b * (s / 2) ** 2) for a, b in zip(theirs.a, theirs.b))
            assert scattering_factor(element, np.array(s)) == pytest.approx(value, rel=1e-6)


@pytest.mark.real
def test_the_deposited_proteasome_is_the_packaged_one():
    file = DATA / "models" / "3c91_proteasome20S_Tacidophilum_D7.pdb"
    if not file.exists():
        pytest.skip(f"no real data at {DATA}")
    from scipy.spatial import cKDTree

    deposited, packaged = load_model(file), packaged_model()
    assert len(deposited) == len(packaged)
    assert cKDTree(packaged.coordinates).query(deposited.coordinates)[0].max() < 1.6


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "atoms"), [("7a4m_apoferritin_mouse_heavy_O_1of24.cif", 24), ("4hhb_haemoglobin.cif.gz", 1)]
)
def test_real_mmcif_files_agree_with_gemmi(name, atoms):
    file = DATA / "models" / name
    if not file.exists():
        pytest.skip(f"no real data at {DATA}")
    gemmi = pytest.importorskip("gemmi")
    structure = gemmi.read_structure(str(file))
    structure.remove_waters()
    unit = [atom for site in structure[0].all() for atom in [site.atom] if atom.altloc in "\0A"]
    model = load_model(file)
    assert len(model) == atoms * len(unit)
