"""Schedule and Browse: chains of names before any file exists; editing, aliases, Trash, cleaning."""

from __future__ import annotations

import errno
import os
import subprocess
from contextlib import contextmanager
from dataclasses import replace

import pytest

from verglas.cli.main import main
from verglas.jobs.contract.nodes import MICROGRAPHS, PARTICLES
from verglas.project import project as project_module
from verglas.project.browse import browse, node_type_named
from verglas.project.dialect import DIALECT_5, Status
from verglas.project.editing import edit, mark, reorder, set_alias
from verglas.project.job_directory import RunRecord
from verglas.project.job_star import read_settings
from verglas.project.lock import lock_holder
from verglas.project.names import AliasError, decompose
from verglas.project.owner import Owner
from verglas.project.project import NotAProject, Project
from verglas.project.registration import RefusedJob, class_for, load_job, register
from verglas.project.trash import NotDeletable, clean, delete, deleted_jobs, undelete


def schedule(project, folder, **values):
    kind = class_for(folder)
    options, warnings = kind.Options.parse(values)
    assert not warnings
    return register(project, kind, options)


@pytest.fixture
def chain(project):
    names = [schedule(project, "Import")]
    names.append(schedule(project, "MotionCorr", input_star_mics=f"{names[0]}movies.star"))
    names.append(schedule(project, "Class2D", fn_img=f"{names[1]}corrected_micrographs.star"))
    return names


def test_a_chain_is_built_before_any_file_exists(project, chain):
    assert chain == ["Import/job001/", "MotionCorr/job002/", "Class2D/job003/"]
    graph = project.graph()
    assert graph.counter == 4
    assert [each.status for each in graph.processes.values()] == [Status.SCHEDULED] * 3
    assert graph.parents(chain[2]) == [chain[1]]
    offers = {offer.name: offer for offer in browse(project)}
    assert offers["Class2D/job003/run_it003_data.star"].expected
    assert (project.root / ".Nodes/3/Class2D/job003/run_it003_data.star").exists()
    assert [offer.name for offer in browse(project, MICROGRAPHS)] == [
        "MotionCorr/job002/corrected_micrographs.star"
    ]
    for name in chain:
        assert (project.root / name / "job.star").exists()
        assert (project.root / name / "job_pipeline.star").exists()
        assert (project.root / name / "default_pipeline.star").exists()


def test_editing_moves_the_expected_outputs(project, chain):
    edit(project, chain[2], {"nr_iter": "7"})
    assert [offer.name for offer in browse(project, PARTICLES)] == ["Class2D/job003/run_it007_data.star"]
    assert not (project.root / ".Nodes/3/Class2D/job003/run_it003_data.star").exists()
    assert project.graph().counter == 4
    assert read_settings(project.root / chain[2]).options["nr_iter"] == "7"
    with pytest.raises(KeyError, match="no option nr_itre"):
        edit(project, chain[2], {"nr_itre": "7"})


def test_unknown_options_of_a_job_star_are_reported_and_ignored(project, chain):
    path = project.root / chain[2] / "job.star"
    path.write_text(path.read_text().replace("nr_iter ", "nr_itre "))
    loaded = load_job(project, chain[2])
    assert loaded.options.nr_iter == 3
    assert "nr_itre" in loaded.warnings[0]


def test_an_input_from_outside_the_pipeline_becomes_a_node(project):
    name = schedule(project, "Class2D", fn_img="elsewhere/mics.star")
    graph = project.graph()
    assert graph.inputs_of(name) == ["elsewhere/mics.star"]
    assert graph.producer_of("elsewhere/mics.star") is None
    assert not (project.root / ".Nodes/1/elsewhere/mics.star").exists()


def test_refused_settings_register_nothing(project, monkeypatch):
    kind = class_for("Class2D")
    monkeypatch.setattr(kind, "check", classmethod(lambda cls, options: ["the input field is empty"]))
    with pytest.raises(RefusedJob, match="input field is empty"):
        register(project, kind, kind.Options())
    assert project.graph().counter == 1


def test_aliases(project, chain):
    set_alias(project, chain[2], "first try")
    assert (project.root / "Class2D/first_try").resolve() == (project.root / "Class2D/job003").resolve()
    assert project.job_name("Class2D/first_try") == chain[2]
    assert (project.root / ".Nodes/3/Class2D/first_try/run_it003_data.star").exists()
    assert not (project.root / ".Nodes/3/Class2D/job003").exists()
    name = schedule(project, "Select", fn_img="Class2D/first_try/run_it003_data.star")
    assert project.graph().inputs_of(name) == ["Class2D/job003/run_it003_data.star"]
    set_alias(project, chain[2], "")
    assert not (project.root / "Class2D/first_try").exists()
    assert (project.root / ".Nodes/3/Class2D/job003/run_it003_data.star").exists()


@pytest.mark.parametrize("alias", ["x", "job5", "a/b", "what?"])
def test_forbidden_aliases(project, chain, alias):
    with pytest.raises(AliasError):
        set_alias(project, chain[0], alias)


def test_names():
    assert decompose("MotionCorr/job002/Movies/a.mrc") == ("MotionCorr/", "job002/", "Movies/a.mrc")
    assert decompose("Class2D/job1234/run.star") == ("Class2D/", "job1234/", "run.star")
    assert decompose("Movies/a.mrc") == ("", "", "Movies/a.mrc")


def test_delete_takes_dependants_along_and_undelete_brings_them_back(project, chain):
    before = project.graph()
    (project.root / chain[1] / "result.txt").write_text("precious")
    assert delete(project, chain[1]) == chain[1:]
    assert list(project.graph().processes) == chain[:1]
    assert (project.root / "Trash/MotionCorr/job002/deleted_pipeline.star").exists()
    assert not (project.root / ".Nodes/1").exists()
    assert deleted_jobs(project) == ["Class2D/job003/", "MotionCorr/job002/"]
    assert project.graph().counter == 4  # numbers are never given back
    for name in chain[1:]:
        undelete(project, name)
    after = project.graph()
    assert after.processes == before.processes
    assert sorted(after.inputs) == sorted(before.inputs)
    assert sorted(after.outputs) == sorted(before.outputs)
    assert (project.root / chain[1] / "result.txt").read_text() == "precious"


def test_undelete_brings_alias_and_later_edges_back(project, chain):
    """What a job was called, and where it was linked, since it was registered."""
    set_alias(project, chain[2], "first try")
    delete(project, chain[2])
    assert not (project.root / "Class2D/first_try").is_symlink()
    undelete(project, chain[2])
    assert project.graph().processes[chain[2]].alias == "Class2D/first_try/"
    assert (project.root / "Class2D/first_try").resolve().name == "job003"
    delete(project, chain[2])
    other = schedule(project, "Class2D", fn_img="MotionCorr/job002/corrected_micrographs.star")
    set_alias(project, other, "first try")
    undelete(project, chain[2])  # the name is taken: it comes back without
    assert project.graph().processes[chain[2]].alias == "None"
    assert (project.root / "Class2D/first_try").resolve().name == other.rstrip("/").rsplit("/")[-1]


def test_a_running_job_is_not_deleted(project, chain):
    project.set_status(chain[2], Status.RUNNING)
    with pytest.raises(NotDeletable, match="abort it first"):
        delete(project, chain[0])


def test_cleaning_keeps_the_last_iteration_and_outputs(project, chain):
    base = project.root / chain[2]
    for iteration in (0, 1, 2, 3, 4):
        (base / f"run_it{iteration:03d}_data.star").touch()
    with pytest.raises(NotDeletable, match="not finished"):
        clean(project, chain[2])
    project.set_status(chain[2], Status.SUCCEEDED)
    clean(project, chain[2])
    assert sorted(path.name for path in base.glob("run_it*")) == [
        "run_it003_data.star",  # an output of the pipeline
        "run_it004_data.star",
    ]
    assert (project.root / "Trash" / chain[2] / "run_it001_data.star").exists()


def test_marking_a_refinement_finished_takes_its_newest_iteration(project, chain):
    base = project.root / chain[2]
    with pytest.raises(ValueError, match="nothing to finish"):
        mark(project, chain[2], Status.SUCCEEDED)
    for suffix in ("optimiser", "data", "model"):
        (base / f"run_it002_{suffix}.star").touch()
    mark(project, chain[2], Status.SUCCEEDED)
    graph = project.graph()
    assert graph.outputs_of(chain[2]) == [f"{chain[2]}run_it002_data.star", f"{chain[2]}run_it002_model.star"]
    assert (base / "RELION_JOB_EXIT_SUCCESS").exists()


def test_order_follows_the_graph_and_wishes(project, chain):
    graph = project.graph()
    assert graph.in_order(chain[::-1]) == chain
    other = schedule(project, "Import")
    reorder(project, [other, *chain])
    assert list(project.graph().processes) == [other, *chain]
    graph = project.graph()
    graph.inputs.append((f"{chain[2]}run_it003_data.star", chain[0]))
    with pytest.raises(ValueError, match="wait for each other"):
        graph.in_order(chain)


def test_labels_where_the_project_has_labels(tmp_path, project):
    project = Project.create(tmp_path / "new", DIALECT_5)
    name = schedule(project, "Class2D", fn_img="Extract/job001/particles.star")
    text = (project.root / "default_pipeline.star").read_text()
    assert "# version 50001" in text
    assert "relion.class2d" in text
    assert "Scheduled" in text
    assert "OptimiserData" not in text
    assert "rlnJobTypeLabel" in (project.root / name / "job.star").read_text()
    assert (project.root / ".Nodes/ParticleGroupMetadata/Class2D/job001/run_it003_data.star").exists()


def test_a_directory_without_pipeline_is_not_opened(tmp_path):
    with pytest.raises(NotAProject, match="verglas new"):
        Project.open(tmp_path)


def test_node_types_by_any_name():
    assert node_type_named("particles") is PARTICLES
    assert node_type_named("3") is PARTICLES
    with pytest.raises(KeyError, match="known:"):
        node_type_named("partikel")


@pytest.mark.relion
def test_relion_adds_to_our_project_and_we_go_on(project, chain):
    words = ["relion_pipeliner", "--addJob", "Import", "--addJobOptions", "Raw input files: == Movies/*.mrc"]
    subprocess.run(words, cwd=project.root, check=True, capture_output=True)
    graph = project.graph()
    assert list(graph.processes) == [*chain, "Import/job004/"]
    assert graph.counter == 5
    assert graph.parents(chain[2]) == [chain[1]]  # nothing of ours was lost
    assert lock_holder(project.root) is None
    assert schedule(project, "Import") == "Import/job005/"
    settings = read_settings(project.root / "Import/job004/")
    assert settings.options["fn_in_raw"] == "Movies/*.mrc"
    subprocess.run(["relion_pipeliner", "--check_job_completion"], cwd=project.root, check=True)
    ours = (project.root / "default_pipeline.star").read_bytes()
    subprocess.run(words, cwd=project.root, check=True, capture_output=True)
    assert b"Import/job006/" in (project.root / "default_pipeline.star").read_bytes()
    assert b"Import/job005/" in ours


@pytest.mark.relion
def test_relion_reads_our_job_star(project, chain, tmp_path):
    job_star = project.root / chain[0] / "job.star"
    done = subprocess.run(
        ["relion_pipeliner", "--addJobFromStar", str(job_star)],
        cwd=project.root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    theirs = read_settings(project.root / "Import/job004/")
    assert theirs.options["fn_in_raw"] == "Movies/*.txt"


def test_settings_of_a_job_that_begins_at_this_moment_are_stored(project, chain, monkeypatch):
    """The state was read before the lock was held: a job that began meanwhile refused its new settings."""
    name = chain[0]
    project.set_status(name, Status.SCHEDULED)

    def begins_meanwhile(job, options):
        project.directory(name).write_record(RunRecord(Owner.of_pid(os.getppid())))
        project.set_status(name, Status.RUNNING)

    monkeypatch.setattr("verglas.project.editing.check_options", begins_meanwhile)
    edit(project, name, {"min_inputs": "7"})
    assert project.graph().processes[name].status is Status.RUNNING
    assert load_job(project, name).options.min_inputs == 7


def test_jobs_are_listed_on_a_disc_that_cannot_be_written(project, chain, monkeypatch, capsys):
    """What a dead job came to is told, also where it cannot be recorded."""
    with project.change("a job at work") as change:
        dead = replace(Owner.this_process(), started="0")
        change.hand_to(chain[2], RunRecord(dead, begun=True))

    @contextmanager
    def read_only(root, reason, **named):
        raise OSError(errno.EROFS, "Read-only file system", str(root))
        yield

    monkeypatch.setattr(project_module, "project_lock", read_only)
    assert main(["job", "list"]) == 0
    assert "Class2D/job003/                  Failed: killed: process" in capsys.readouterr().out
    assert project.graph().processes[chain[2]].status is Status.RUNNING
