"""Real β-galactosidase particles: class averages against the atomic model (benchmarks/real_class2d.py)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.fourier import forward, inverse, shift_in_fourier

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import real_class2d as real

pytestmark = pytest.mark.real


def test_an_average_finds_the_view_it_shows(real_data: Path):
    views = real.projections(real_data)[[3, 60, 150]]
    turned = real.Views.of(views)
    shown = real.shown(turned, 1, 33.0, torch.tensor([2.3, -1.4], dtype=torch.float64))
    noise = np.random.default_rng(0).normal(scale=shown.std(), size=shown.shape)
    judged = real.judge(np.stack([noise, shown, 0 * shown]), np.array([5, 40, 0]), turned)
    assert judged.counts.tolist() == [40, 5]
    assert judged.correlations[0] > 0.98 > 0.5 > judged.correlations[1]
    assert np.corrcoef(judged.matches[0].ravel(), shown.ravel())[0, 1] > 0.98
    moved = inverse(shift_in_fourier(forward(views[:1]), torch.tensor([[3.0, 4.0]])), real.BOX)
    assert real.judge(moved.numpy(), np.array([1]), turned).mean > 0.98


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_averages_of_real_picks_are_better_than_those_of_the_tutorial_project(
    real_data: Path, tmp_path: Path
):
    views = real.Views.of(real.projections(real_data))
    theirs = real.judge_run(real_data / "empiar10204_betagal/project/Class2D/job010/run_it025", views)
    real.prepare(real_data, tmp_path)
    (tmp_path / "run").mkdir()
    real.classify(tmp_path, tmp_path / "run", seed=1)
    ours = real.judge_run(tmp_path / "run/run_it025", views)
    assert ours.counts.sum() == 1655
    assert ours.mean > theirs.mean + 0.03
