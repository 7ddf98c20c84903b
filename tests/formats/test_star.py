"""STAR files in memory: what is written, what is read, what comes back."""

import numpy as np
import pytest

from verglas.formats.star import StarError, StarTable, format_star, read_star, write_star

PIPELINE = b"""
# version 30001

data_pipeline_general

_rlnPipeLineJobCounter                       7
@

# version 30001

data_pipeline_processes

loop_@
_rlnPipeLineProcessName #1@
_rlnPipeLineProcessAlias #2@
_rlnPipeLineProcessType #3@
_rlnPipeLineProcessStatus #4@
Import/job001/       None            0            1@
MotionCorr/job002/       None            1            1@
@
""".replace(b"@", b" ")


def test_tables_are_laid_out_as_relion_does():
    general = StarTable.from_columns("pipeline_general", {"rlnPipeLineJobCounter": 7}, is_list=True)
    processes = StarTable.from_columns(
        "pipeline_processes",
        {
            "rlnPipeLineProcessName": ["Import/job001/", "MotionCorr/job002/"],
            "rlnPipeLineProcessAlias": ["None", "None"],
            "rlnPipeLineProcessType": [0, 1],
            "rlnPipeLineProcessStatus": [1, 1],
        },
    )
    assert format_star([general, processes]) == PIPELINE


def test_a_file_comes_back_to_the_byte(tmp_path):
    path = tmp_path / "default_pipeline.star"
    path.write_bytes(PIPELINE)
    star = read_star(path)
    assert list(star) == ["pipeline_general", "pipeline_processes"]
    assert star["pipeline_general"].integer("rlnPipeLineJobCounter") == 7
    assert star.get("pipeline_nodes") is None
    assert star.first.is_list and star.version == 30001 and star.problems == ()
    write_star(path, star)
    assert path.read_bytes() == PIPELINE


def test_a_missing_table_or_column_is_named(tmp_path):
    path = tmp_path / "default_pipeline.star"
    path.write_bytes(PIPELINE)
    with pytest.raises(StarError, match=r"no table data_particles; tables: data_pipeline_general"):
        read_star(path)["particles"]
    with pytest.raises(StarError, match="has no column rlnNo; it has: rlnPipeLineJobCounter"):
        read_star(path).first.strings("rlnNo")


def test_numbers_follow_the_label(tmp_path):
    table = StarTable.from_columns(
        "particles", {"rlnDefocusU": [1, 2], "rlnClassNumber": np.array([1.0, 2.0])}
    )
    write_star(tmp_path / "p.star", table)
    back = read_star(tmp_path / "p.star")["particles"]
    assert back.strings("rlnDefocusU") == ["1.000000", "2.000000"]
    assert back.strings("rlnClassNumber") == ["1", "2"]
    np.testing.assert_array_equal(back.floats("rlnDefocusU"), [1, 2])
    np.testing.assert_array_equal(back.take([1]).ints("rlnClassNumber"), [2])
