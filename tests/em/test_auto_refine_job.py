"""3D auto-refine as a job: its files, going on at any iteration, half-sets of the list."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from maps_runs import AUTO, refine, same_bytes, simulate
from refine_runs import refine_over_ranks
from verglas.formats.mrc import read_mrc
from verglas.formats.star import read_star
from verglas.project.project import Project
from verglas.web.progress import refinement_progress

N = 40


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run from its start to the joined map; iterations by their optimiser files."""
    folder = tmp_path_factory.mktemp("auto")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        simulate(N)
        assert refine(*AUTO, "--o", "whole/run") == 0
    return folder


@pytest.fixture
def project(whole, monkeypatch):
    monkeypatch.chdir(whole)
    shutil.rmtree("again", ignore_errors=True)
    return whole


def iterations(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("run_it???_optimiser.star"))


def test_an_iteration_has_files_of_both_halves_and_the_last_one_files_without_a_number(project):
    done = iterations(project / "whole")
    names = {path.name for path in (project / "whole").glob("*")}
    for optimiser in done:
        base = optimiser.removesuffix("_optimiser.star")
        assert names >= {f"{base}_{what}.star" for what in ("data", "sampling", "half1_model", "half2_model")}
        assert names >= {f"{base}_half{half}_class001.mrc" for half in (1, 2)}
        assert names >= {f"{base}_half{half}_class001_angdist.bild" for half in (1, 2)}
    last = {name for name in names if "_it" not in name}
    assert last == {
        "run_class001.mrc",
        "run_class001_angdist.bild",
        "run_data.star",
        "run_model.star",
        "run_optimiser.star",
        "run_sampling.star",
        "run_half1_class001_unfil.mrc",
        "run_half2_class001_unfil.mrc",
        "run_progress.jsonl",
    }
    table = read_star("whole/run_optimiser.star")["optimiser_general"]
    assert table.integer("rlnCurrentIteration") == -1 and table.flag("rlnHasConverged")
    assert not table.flag("rlnDoSplitRandomHalves") and table.flag("rlnDoAutoRefine")
    before = read_star(f"whole/{done[-1]}")["optimiser_general"]
    assert before.flag("rlnDoSplitRandomHalves") and not before.flag("rlnHasConverged")
    halves = read_star("whole/run_data.star")["particles"].ints("rlnRandomSubset")
    assert sorted(np.bincount(halves)[1:]) == [N // 2, N // 2]


def test_the_joined_map_is_closer_to_each_half_map_than_they_are_to_each_other(project):
    one, two, joined = (
        read_mrc(f"whole/run_{name}.mrc").data
        for name in ("half1_class001_unfil", "half2_class001_unfil", "class001")
    )
    alike = lambda a, b: np.corrcoef(a.ravel(), b.ravel())[0, 1]  # noqa: E731
    assert min(alike(one, joined), alike(two, joined)) > alike(one, two) > 0.2


def test_a_run_killed_after_any_iteration_goes_on_to_the_same_bytes(project):
    done = iterations(project / "whole")
    for optimiser in (done[0], done[1], done[len(done) // 2], done[-1]):
        shutil.rmtree("again", ignore_errors=True)
        assert refine("--continue", f"whole/{optimiser}", "--o", "again/run") == 0
        names = same_bytes("whole", "again")
        assert "run_class001.mrc" in names and "run_half2_class001_unfil.mrc" in names


def test_a_run_goes_on_by_itself_from_its_newest_iteration(project):
    shutil.copytree("whole", "again")
    for path in Path("again").glob("run*"):
        if "_it" not in path.name or path.name > "run_it005":
            path.unlink()
    for path in Path("again").glob("*.star"):
        path.write_text(path.read_text().replace("whole/", "again/"))
    assert refine(*AUTO, "--o", "again/run", "--only_do_unfinished") == 0
    assert "run_class001.mrc" in same_bytes("whole", "again")
    assert refine(*AUTO, "--o", "again/run", "--only_do_unfinished") == 0  # nothing is left to do
    assert refine("--continue", "again/run_optimiser.star", "--o", "again/more") == 1


@pytest.mark.slow
@pytest.mark.parametrize("n_ranks", [2, 3])
def test_ranks_share_the_halves_and_go_on_through_disc_to_the_bits_of_the_network(n_ranks, project):
    """A run over the network; one that goes on from its iteration 4 through the disc."""
    shutil.rmtree("ranks", ignore_errors=True)
    said = refine_over_ranks(n_ranks, [*AUTO, "--o", "ranks/run", "--dont_combine_weights_via_disc"])
    assert "Combining through network" in said
    start = ["--continue", "ranks/run_it004_optimiser.star", "--o", "again/run"]
    said = refine_over_ranks(n_ranks, [*start, "--combine_weights_via_disc"])
    assert "Combining through disc" in said and not list(Path("again").glob("*.tmp"))
    assert "run_half2_class001_unfil.mrc" in same_bytes("ranks", "again")
    a, b = (read_mrc(f"{name}/run_class001.mrc").data for name in ("ranks", "whole"))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9


def test_the_stream_for_the_page_has_the_figures_of_every_iteration(project):
    found = refinement_progress(Project(Path()), "whole")["iterations"]
    done = len(iterations(project / "whole")) - 1  # those with a number, without the begin
    assert [each["iteration"] for each in found] == [*range(1, done + 2)]
    last = found[-1]
    assert last["converged"] and last["iterations_left"] == 0 and not found[-2]["converged"]
    assert found[-2]["iterations_left"] > 0 and all(each["seconds"] > 0 for each in found)
    model = read_star("whole/run_model.star")["model_class_1"]
    np.testing.assert_allclose(last["fsc"], model.floats("rlnGoldStandardFsc"), atol=1e-4)
    assert [each["local_searches"] for each in found] == sorted(each["local_searches"] for each in found)
