"""3D auto-refine: RELION 3.1.3 goes on from our files and we from RELION's, in global and in local searches."""

from __future__ import annotations

import os
import shutil
import subprocess

import numpy as np
import pytest

from maps_runs import AUTO, refine, simulate
from verglas.formats.mrc import read_mrc
from verglas.formats.star import read_star

pytestmark = [
    pytest.mark.relion,
    pytest.mark.skipif(
        shutil.which("relion_refine_mpi") is None, reason="relion_refine_mpi is not installed"
    ),
]
N = 40
GLOBAL, LOCAL = 3, 10  # iterations of ours


def relion_goes_on(optimiser: str, root: str) -> str:
    words = [
        "--continue",
        optimiser,
        "--o",
        root,
        "--dont_combine_weights_via_disc",
        "--pool",
        "30",
        "--j",
        "1",
    ]
    mpi = ["mpirun", "-n", "3", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]
    done = subprocess.run(
        [*mpi, "relion_refine_mpi", *words, "--skip_gridding"],
        capture_output=True,
        text=True,
        timeout=200,
        env=dict(os.environ, OMP_NUM_THREADS="1"),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A run of ours, and RELION's from two of its iterations to the end."""
    folder = tmp_path_factory.mktemp("both")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        simulate(N, noise=0.3)
        assert refine(*AUTO, "--o", "ours/run") == 0
        os.makedirs("relion")
        said = {
            number: relion_goes_on(f"ours/run_it{number:03d}_optimiser.star", f"relion/run_ct{number}")
            for number in (GLOBAL, LOCAL)
        }
    return folder, said


@pytest.fixture(autouse=True)
def here(both, monkeypatch):
    monkeypatch.chdir(both[0])


def alike(first: str, second: str) -> float:
    a, b = (read_mrc(name).data.ravel() for name in (first, second))
    return float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize("number", [GLOBAL, LOCAL])
def test_relion_goes_on_from_our_files(both, number):
    """It finds the half-sets, counters and sampling of our run, and ends with the same map."""
    said = both[1][number]
    assert f"Auto-refine: Iteration= {number + 1}" in said
    assert ("local searches= true" in said.split("Iteration= ")[1]) == (number == LOCAL)
    ours, theirs = (
        read_star(f"{name}_data.star")["particles"] for name in ("ours/run", f"relion/run_ct{number}")
    )
    half = dict(zip(theirs.strings("rlnImageName"), theirs.ints("rlnRandomSubset")))
    assert half == dict(zip(ours.strings("rlnImageName"), ours.ints("rlnRandomSubset")))
    assert alike("ours/run_class001.mrc", f"relion/run_ct{number}_class001.mrc") > 0.8


@pytest.mark.parametrize(
    "optimiser", [f"run_ct{GLOBAL}_it{GLOBAL + 1:03d}", f"run_ct{LOCAL}_it{LOCAL + 1:03d}"]
)
def test_we_go_on_from_relions_files(optimiser):
    assert refine("--continue", f"relion/{optimiser}_optimiser.star", "--o", f"back/{optimiser}") == 0
    assert alike(f"back/{optimiser}_class001.mrc", "ours/run_class001.mrc") > 0.8
    number = int(optimiser[-3:])
    first = read_star(f"back/{optimiser}_it{number + 1:03d}_optimiser.star")["optimiser_general"]
    saved = read_star(f"relion/{optimiser}_optimiser.star")["optimiser_general"]
    for label in (
        "rlnIncrementImageSize",
        "rlnAutoLocalSearchesHealpixOrder",
        "rlnJoinHalvesUntilThisResolution",
    ):
        assert first.number(label) >= saved.number(label)
    assert first.integer("rlnRandomSeed") == saved.integer("rlnRandomSeed")
