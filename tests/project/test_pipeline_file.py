"""Pipelines of every dialect: read, changed and written without losing anything."""

# ruff: noqa: W291, W293
from __future__ import annotations

import os
from pathlib import Path

import pytest

from verglas.project.dialect import DIALECT_31, Status, node_type, process_code
from verglas.project.pipeline_file import pipeline_bytes, read_pipeline
from verglas.project.project import Project

DATA = Path(os.environ.get("VERGLAS_TEST_DATA", Path(__file__).parents[3] / "shared/data"))
BETAGAL = DATA / "empiar10204_betagal/project"
TOMO = DATA / "formats/relion5_tomo_skeleton"

RELION_313 = b"""
# version 30001

data_pipeline_general

_rlnPipeLineJobCounter                       3
 

# version 30001

data_pipeline_processes

loop_ 
_rlnPipeLineProcessName #1 
_rlnPipeLineProcessAlias #2 
_rlnPipeLineProcessType #3 
_rlnPipeLineProcessStatus #4 
Import/job001/       None            0            1 
MotionCorr/job002/       None            1            1 
 

# version 30001

data_pipeline_nodes

loop_ 
_rlnPipeLineNodeName #1 
_rlnPipeLineNodeType #2 
Import/job001/movies.star            0 
MotionCorr/job002/logfile.pdf           13 
 
"""


def test_a_file_of_relion_3_comes_back_to_the_byte(tmp_path):
    path = tmp_path / "default_pipeline.star"
    path.write_bytes(RELION_313)
    graph = read_pipeline(path)
    assert graph.dialect == DIALECT_31
    assert graph.counter == 3
    assert graph.processes["Import/job001/"].status is Status.SCHEDULED
    assert pipeline_bytes(graph) == RELION_313


def test_a_file_of_relion_2_stays_without_version_comment(tmp_path):
    path = tmp_path / "default_pipeline.star"
    old = RELION_313.replace(b"\n# version 30001\n", b"")
    path.write_bytes(old)
    graph = read_pipeline(path)
    assert graph.dialect.name == "2"
    assert pipeline_bytes(graph) == old
    graph.set_status("Import/job001/", Status.FAILED)
    assert graph.processes["Import/job001/"].status is Status.RUNNING  # 2.x knows no failure


def test_unknown_types_and_columns_survive(tmp_path):
    path = tmp_path / "default_pipeline.star"
    text = RELION_313.decode().replace("#2 \nImport/job001/movies.star            0", "#2 \nX/job009/a.b 77")
    text = text.replace("_rlnPipeLineProcessStatus #4 ", "_rlnPipeLineProcessStatus #4 \n_labColour #5 ")
    text = text.replace("None            0            1 ", "None 0 1 blue ")
    text = text.replace("None            1            1 ", "None 88 1 red ")
    path.write_text(text)
    graph = read_pipeline(path)
    assert graph.nodes["X/job009/a.b"].type is None
    again = tmp_path / "again.star"
    again.write_bytes(pipeline_bytes(graph))
    assert read_pipeline(again) == graph
    assert graph.processes["MotionCorr/job002/"].other == {"_labColour".removeprefix("_"): "red"}


def test_dangling_edges_are_dropped(tmp_path):
    path = tmp_path / "default_pipeline.star"
    edge = b"\n# version 30001\n\ndata_pipeline_input_edges\n\nloop_ \n_rlnPipeLineEdgeFromNode #1 \n"
    edge += b"_rlnPipeLineEdgeProcess #2 \nGone/job007/x.star Import/job001/ \n \n"
    path.write_bytes(RELION_313 + edge)
    assert read_pipeline(path).inputs == []


@pytest.mark.real
@pytest.mark.parametrize("path", sorted(BETAGAL.rglob("*pipeline.star")), ids=lambda path: path.parent.name)
def test_a_real_relion_5_project_comes_back_to_the_byte(path):
    graph = read_pipeline(path)
    assert graph.dialect.name == "5"
    assert pipeline_bytes(graph) == path.read_bytes()
    assert all(node.type is not None for node in graph.nodes.values())
    assert all(process.type_code is not None for process in graph.processes.values())


@pytest.mark.real
def test_a_tomography_project_is_listed_and_survives_a_change(tmp_path):
    from verglas.project.summary import job_summaries

    source = TOMO / "pipelines/default_pipeline.star"
    (tmp_path / "default_pipeline.star").write_bytes(source.read_bytes())
    before = read_pipeline(source)
    project = Project.open(tmp_path)
    assert (tmp_path / "default_pipeline.star").read_bytes() == source.read_bytes()  # opening writes nothing
    foreign = {each.folder for each in job_summaries(project) if each.foreign}
    assert {"AlignTiltSeries", "Tomograms", "Denoise", "Picks"} <= foreign
    job = next(iter(before.processes))
    with project.change("test") as change:
        change.graph.processes[job].alias = "Import/first/"
    after = project.graph()
    assert after.dialect.name == "5"
    after.processes[job].alias = before.processes[job].alias
    assert after == before


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("8", 8),
        ("relion.class2d", 8),
        ("relion.select.interactive", 7),
        ("MotionCorr", 1),
        ("nonsense", None),
    ],
)
def test_process_types(text, code):
    assert process_code(text) == code


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("3", "particles"),
        ("ParticleGroupMetadata.star.relion.class2d", "particles"),
        ("ParticlesData.star.relion", "particles"),
        ("DensityMap.mrc.halfmap", "half-map"),
        ("DensityMap.mrc.relion.postprocess.masked", "final map"),
        ("DensityMap.mrc.relion.class3d", "3D map"),
        ("MicrographsCoords.star.relion.autopick", "coordinates"),
    ],
)
def test_node_types(text, name):
    kind = node_type(text)
    assert kind is not None
    assert kind.name == name
