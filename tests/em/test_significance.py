"""The smallest set of weights that holds a fraction of their sum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from verglas.em.scoring.significance import RowWeights, mass_thresholds, thresholds_by_bisection


def sorted_threshold(row: np.ndarray, fraction: float) -> tuple[float, int]:
    ordered = np.sort(row)[::-1]
    running = np.cumsum(ordered, dtype=np.float64)
    over = running > fraction * running[-1]
    count = int(over.argmax()) + 1 if over.any() else len(row)
    return float(ordered[count - 1]), count


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spread", [0.1, 3.0, 40.0])
def test_threshold_is_that_of_sorting(dtype, spread):
    rng = np.random.default_rng(1)
    rows = np.exp(rng.normal(0, spread, (20, 501)))
    rows = (rows / rows.max(1, keepdims=True)).astype(dtype)
    found, counts = mass_thresholds(torch.from_numpy(rows), 0.999)
    expected = [sorted_threshold(row.astype(np.float64), 0.999) for row in rows]
    np.testing.assert_array_equal(counts, [count for _, count in expected])
    np.testing.assert_array_equal(found, np.array([value for value, _ in expected], dtype))


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, 30, elements=st.floats(0, 1)), st.floats(0.5, 0.9999))
def test_kept_weights_hold_the_fraction_and_none_too_many(row, fraction):
    threshold, count = mass_thresholds(torch.from_numpy(row)[None], fraction)
    if row.sum() == 0:
        assert float(threshold) == np.inf and int(count) == 0
        return
    kept = row >= float(threshold)
    assert row[kept].sum() >= fraction * row.sum() * (1 - 1e-12)
    larger = row[row > float(threshold)]
    assert larger.sum() <= fraction * row.sum() * (1 + 1e-12)


def test_bisection_agrees_with_sorting_closely():
    rng = np.random.default_rng(2)
    rows = torch.from_numpy(np.exp(rng.normal(0, 4, (50, 2000))).astype(np.float32))
    exact, counts = mass_thresholds(rows, 0.999)
    close, more = thresholds_by_bisection(rows, 0.999)
    assert (close <= exact).all() and (close >= exact * 0.99).all()
    assert (more >= counts).all() and (more <= counts + 20).all()


def test_at_most_so_many_are_kept():
    rows = torch.rand(5, 1000)
    _, counts = mass_thresholds(rows, 0.999, at_most=7)
    assert (counts == 7).all()
    threshold, _ = thresholds_by_bisection(rows, 0.999, at_most=7)
    assert ((rows >= threshold[:, None]).sum(1) <= 7).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("limit", [-1, 40])
def test_rows_on_a_gpu_are_weighed_as_on_a_cpu(limit):
    scores = torch.randn(300, 50_000, generator=torch.Generator().manual_seed(3)) * 3
    plain = RowWeights.of(scores.clone(), 0.999, limit)
    mine = RowWeights.of(scores.cuda(), 0.999, limit)
    assert torch.equal(mine.best.cpu(), plain.best)
    torch.testing.assert_close(mine.weights.cpu(), plain.weights, rtol=1e-5, atol=0)
    torch.testing.assert_close(mine.total.cpu(), plain.total, rtol=1e-5, atol=0)
    if limit > 0:
        assert (mine.count <= limit).all() and (mine.count.cpu() > limit - 3).all()
    else:  # sums of 50,000 weights in single precision: a few weights at the edge may change sides
        ratio = mine.threshold.cpu() / plain.threshold
        assert (ratio > 0.998).all() and (ratio < 1.0005).all()
        assert (mine.count.cpu() / plain.count - 1).abs().max() < 0.001
