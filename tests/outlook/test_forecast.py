"""Forecasts of simulated sessions hold as often as they say; and they say when they can say nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from simulated import simulate

from verglas.outlook.curve import crossing_angst
from verglas.outlook.forecast import Update, forecast
from verglas.outlook.growth import fit_growth
from verglas.outlook.trend import stalled, worse

SESSIONS = 200
NYQUIST = 2.0


def updates(particles, angst) -> list[Update]:
    return [Update(float(n), float(d)) for n, d in zip(particles, angst)]


def line(b_factor: float, particles, level: float = 4.0):
    """Resolutions on Rosenthal & Henderson's line."""
    return 1 / np.sqrt(2 / b_factor * (np.log(particles) - level))


def test_the_interval_holds_in_four_of_five_cases():
    """Every session is looked at after 6, 10 and 16 updates, for the next two half ångströms."""
    held, errors = [], []
    for seed in range(SESSIONS):
        session = simulate(seed)
        for seen in (6, 10, 16):
            now = session.resolution_angst[seen - 1]
            if not 2.3 < now < 10:
                continue
            growth = fit_growth(session.particles[:seen], session.resolution_angst[:seen])
            errors.append((growth.b_factor_angst2 - session.b_factor_angst2) / growth.b_factor_error_angst2)
            step = np.floor(2 * now - 0.2) / 2
            for target in (step, step - 0.5):
                told, truth = growth.particles_for(target), session.reaches(target, seen)
                if np.isfinite(truth):
                    held.append(told.low <= truth <= told.high)
    assert len(held) > 800
    assert 0.75 <= np.mean(held) <= 0.9, f"{np.mean(held):.3f} of {len(held)}"
    assert 0.55 <= np.mean(np.abs(errors) < 1) <= 0.85  # 0.68 of a normal error


def test_a_line_without_scatter_is_found():
    particles = np.geomspace(5000, 80_000, 12)
    growth = fit_growth(particles, line(100.0, particles))
    assert growth.b_factor_angst2 == pytest.approx(100, rel=0.12)
    wanted = np.exp(4.0 + 100 / 2 / 2.4**2)
    told = growth.particles_for(2.4)
    assert told.low < wanted < told.high and told.high < 4 * told.low
    assert growth.resolution_with(80_000).middle == pytest.approx(line(100.0, 80_000), rel=0.03)


def test_subsets_of_the_last_map_tell_what_early_updates_hide():
    """Early maps were poor, so the updates alone make the line too steep; subsets have the last poses."""
    particles = np.geomspace(3000, 60_000, 10)
    true = 100.0 + 150 * particles[0] / particles
    angst = np.sqrt(true / 2 / (np.log(particles) - 4.0))
    subsets = 60_000 / np.array([8, 4, 2])
    alone = fit_growth(particles, angst)
    settled = np.array([True] * 3 + [False] * 10)
    helped = fit_growth(np.append(subsets, particles), np.append(line(107.0, subsets), angst), settled)
    assert abs(helped.b_factor_angst2 - 105) < abs(alone.b_factor_angst2 - 105) + 5
    assert helped.b_factor_error_angst2 < alone.b_factor_error_angst2 + 1


def test_words_hours_and_what_is_out_of_reach():
    particles = np.geomspace(5000, 90_000, 12)
    told = forecast(updates(particles, line(80.0, particles)), NYQUIST, 12_000.0)
    now = line(80.0, 90_000)
    assert told.why == "" and told.targets[0].resolution_angst < now
    for target in told.targets:
        assert target.hours is not None and target.hours.low <= target.hours.middle <= target.hours.high
        assert f"{target.resolution_angst:.1f} Å" in target.words
    assert "particles" in told.targets[0].words and "at this rate" in told.targets[0].words
    assert "more hours at this rate would bring" in told.worth
    assert told.band[0][0] == pytest.approx(90_000) and all(
        low <= mid <= high for _, low, mid, high in told.band
    )
    late = forecast(updates(particles, line(600.0, particles, 0.0)), NYQUIST, 500.0)
    assert "out of reach" in late.targets[-1].words and "hardly worth it" in late.worth
    resting = forecast(updates(particles, line(80.0, particles)), NYQUIST)
    assert resting.targets[0].hours is None and resting.worth == "" and "rate" not in resting.targets[0].words


@pytest.mark.parametrize(
    ("particles", "angst", "why"),
    [
        ([3000, 6000, 9000], [9, 8, 7.5], "too few updates"),
        ([3000, 6000, 9000, 20000], [5, 4.4, 4.2, 4.05], "smaller ones"),
        ([3000, 6000, 9000, 20000], [25, 22, 20, 18], "too coarse"),
        ([3000, 3100, 3200, 3300], [9, 8.9, 8.8, 8.7], "not grown enough"),
        ([3000, 6000, 9000, 20000], [9, 6, 6.4, 7.5], "became worse"),
        ([3000, 6000, 9000, 20000], [float("inf")] * 4, "too few updates"),
    ],
)
def test_where_nothing_can_be_said_the_reason_is(particles, angst, why):
    told = forecast(updates(particles, angst), 4.0)
    assert why in told.why and not told.targets


def test_a_map_that_gets_worse_or_stalls_is_told():
    good = [(3000, 9.0), (6000, 8.0), (12_000, 7.0)]
    assert worse(updates(*zip(*good))) == "" and stalled(updates(*zip(*good)), NYQUIST) == ""
    bad = [*good, (14_000, 7.8), (16_000, 8.2)]
    assert worse(updates(*zip(*bad))).startswith("the map got worse: 7.0 Å with 12,000 particles, 8.2 Å")
    assert worse(updates(*zip(*bad[:4]))) == ""  # one update is none
    still = [*good, (20_000, 7.0), (30_000, 7.02)]
    assert "stalls at 7.0 Å" in stalled(updates(*zip(*still)), NYQUIST)
    assert stalled(updates(*zip(*still)), 6.8) == ""  # there is nothing more to see in its pixels


def test_a_curve_is_read_between_its_shells():
    frequency = np.array([0.0, 0.1, 0.2, 0.3])
    assert crossing_angst(frequency, np.array([1, 0.9, 0.243, 0.043])) == pytest.approx(4.0)
    assert crossing_angst(frequency, np.array([1, 0.9, 0.5, 0.2])) == pytest.approx(1 / 0.3)
    assert crossing_angst(frequency, np.array([1, 0.1, 0.5, 0.2])) == float("inf")
