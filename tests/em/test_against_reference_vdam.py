"""Mini-batches against the plain float64 implementation: residual sums, moments and the step (§7)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from plain.gradient import Moments, descend
from two_sides import SECOND_PASSES, assert_agrees, choose_second_pass, expected_by, stated_twice

from verglas.em.maximise.descent import descend as engine_descends
from verglas.em.maximise.descent import gradient_step, start_moments
from verglas.em.state.settings import GradientSettings

CASES = {
    "averages": {"box": 24, "pixel": 3.0, "size": 18, "n": 6},
    "maps": {"box": 16, "pixel": 4.0, "size": 12, "n": 3, "dims": 3, "fold": 2},
}
NUMBER, MU = 30, 0.9


@pytest.fixture(scope="module", params=CASES)
def problem(request):
    """A problem, and what the plain implementation makes of it in two steps of growing size."""
    run, stated = stated_twice(**CASES[request.param], gradient=GradientSettings())
    step = replace(gradient_step(run.settings, run.settings.gradient, 10_000, NUMBER), momentum=MU)
    moments = Moments.start(stated)
    small = replace(stated, current_size=stated.current_size - 2)
    results = [descend(each, moments, step.step_size, step.tau2_fudge, MU) for each in (small, stated)]
    return run, step, results, moments


def half(lattices):
    """What the engine stores of full lattices: x >= 0."""
    return lattices[..., lattices.shape[-1] // 2 :]


@pytest.mark.parametrize("second_pass", SECOND_PASSES)
def test_steps_of_mini_batches_agree_with_the_plain_implementation(problem, second_pass, monkeypatch):
    choose_second_pass(monkeypatch, second_pass)
    run, step, results, moments = problem
    model, found = run.state.model, start_moments(run.settings, run.state.model, run.devices[0])
    for expected, less in zip(results, (2, 0)):
        at = replace(model, current_size=model.current_size - less)
        estep, ran = expected_by(replace(run, state=run.state.with_models(at)))
        assert estep.gradient
        after, found = engine_descends(estep, ran.sums, step, found)
        assert_agrees(ran, after, expected, at.current_size // 2)
    first, second = found.first.numpy(), found.second.numpy()
    scale = np.abs(moments.first).max()
    np.testing.assert_allclose(first, half(moments.first), atol=1e-8 * scale)
    np.testing.assert_allclose(second, half(moments.second), rtol=1e-6)
    assert (found.age == 2).all()
