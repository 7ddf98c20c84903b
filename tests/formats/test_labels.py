"""The registry of labels: types as RELION has them, everything the formats name is there."""

import re
import subprocess

import pytest

from verglas.formats.labels import LabelType, known_labels, label, label_type
from verglas.formats.star import read_star


def test_a_label_says_type_unit_and_meaning():
    defocus = label("rlnDefocusU")
    assert defocus is not None and defocus.type is LabelType.DOUBLE and defocus.unit == "Å"
    assert "underfocus positive" in defocus.meaning
    assert label_type("rlnEvenZernike") is LabelType.VECTOR
    assert label_type("rlnPipeLineProcessType") is LabelType.INT
    assert label_type("mine") is None and label("mine") is None


def test_the_table_is_sound():
    labels = known_labels()
    names = [one.name for one in labels]
    assert len(names) > 480
    assert all(one.meaning for one in labels)
    for one in labels:
        if one.replaced_by:
            newer = label(one.replaced_by)
            assert newer is not None and not newer.replaced_by, one
    assert label("rlnOriginX").replaced_by == "rlnOriginXAngst"


@pytest.mark.relion
def test_types_are_relions():
    shown = subprocess.run(
        ["relion_refine", "--print_metadata_labels"], capture_output=True, text=True
    ).stdout
    found = re.findall(r"^ *(rln\w+) +\((double|int|bool|string|vector<double>)\)", shown, re.M)
    assert len(found) > 400
    for name, kind in found:
        assert label_type(name) is LabelType(kind.replace("vector<double>", "vector")), name


@pytest.mark.real
def test_every_label_of_real_projects_is_known(real_data):
    unknown = set()
    for folder in ("empiar10204_betagal/project", "formats/relion5_tomo_skeleton"):
        for path in (real_data / folder).rglob("*.star"):
            tables = read_star(path).values()
            unknown |= {name for table in tables for name in table.labels if name.startswith("rln")}
    unknown -= {one.name for one in known_labels()}
    assert unknown == set()
