"""How many more particles, and hours, a better map would take; in words, and where nothing can be said, why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from verglas.outlook.growth import Growth, Interval, fit_growth

LEAST_UPDATES, LEAST_GROWTH = 4, 1.5  # of the number of particles
FIRST_ANGST = 12.0  # a map has to be that good: before, proteins' spectra are no line at all
NEAR_NYQUIST = 1.06  # of Nyquist's resolution
STEP_ANGST, STEPS = 0.5, 4
VAGUE = 10.0  # an interval whose ends differ by that tells of the lower one only
BAND_POINTS, BAND_FACTOR = 40, 30.0  # how far beyond the last update the band is drawn
AHEAD_H = (1.0, 4.0, 12.0, 24.0)
OUT_OF_REACH, YEAR_H = 1e8, 8760.0  # particles; hours
SOON = 1.03  # times the particles of now
LITTLE_ANGST = 0.1  # a gain of a day's work below which it is hardly worth it


@dataclass(frozen=True)
class Update:
    """The map at one moment."""

    particles: float
    resolution_angst: float
    settled: bool = False  # poses found with a later map: a random subset of its particles


@dataclass(frozen=True)
class Target:
    """What a resolution would take; hours are None without a present rate."""

    resolution_angst: float
    particles: Interval
    hours: Interval | None
    words: str


@dataclass(frozen=True)
class Forecast:
    """`why` says why nothing can be said; then the rest is empty."""

    why: str = ""
    b_factor_angst2: float | None = None
    b_factor_error_angst2: float | None = None
    rate_per_hour: float | None = None  # good particles
    targets: tuple[Target, ...] = ()
    band: tuple[tuple[float, float, float, float], ...] = ()  # particles, resolution low, middle, high (Å)
    ahead: tuple[tuple[float, Interval], ...] = ()  # hours, resolution then
    limits: tuple[str, ...] = field(default=())  # what resolution cannot be reached at all, in words
    worth: str = ""  # whether more hours help


def forecast(updates: Sequence[Update], nyquist_angst: float, rate_per_hour: float | None = None) -> Forecast:
    """From the updates of one map, the last one being now; `rate_per_hour` of particles, while some come."""
    known = [each for each in updates if each.particles > 0 and math.isfinite(each.resolution_angst)]
    why = _why_not(known, nyquist_angst)
    if why:
        return Forecast(why)
    particles = np.array([each.particles for each in known], float)
    angst = np.array([each.resolution_angst for each in known])
    growth = fit_growth(particles, angst, np.array([each.settled for each in known]))
    series = [each for each in known if not each.settled]
    now = series[-1]
    rate = rate_per_hour if rate_per_hour and rate_per_hour > 0 else None
    steps = _steps(now.resolution_angst, nyquist_angst)
    ahead = (
        tuple((hours, growth.resolution_with(now.particles + rate * hours)) for hours in AHEAD_H)
        if rate
        else ()
    )
    return Forecast(
        "",
        growth.b_factor_angst2,
        growth.b_factor_error_angst2,
        rate,
        tuple(_target(growth, step, now, rate) for step in steps),
        _band(growth, now.particles, nyquist_angst),
        ahead,
        (f"beyond {nyquist_angst:.2f} Å (Nyquist) only smaller pixels show more",),
        _worth(now, ahead),
    )


def _why_not(known: Sequence[Update], nyquist_angst: float) -> str:
    """Why nothing can be said about maps to come; "" if something can."""
    series = [each for each in known if not each.settled]
    if series and series[-1].resolution_angst <= NEAR_NYQUIST * nyquist_angst:
        return (
            f"the map has reached what its pixels can hold ({nyquist_angst:.2f} Å): extract with smaller ones to "
            "see more"
        )
    if len(known) < LEAST_UPDATES or not series:
        return f"too few updates for a forecast: {len(known)} with a resolution, {LEAST_UPDATES} are needed"
    now = series[-1]
    if now.resolution_angst > FIRST_ANGST:
        return (
            f"{now.resolution_angst:.1f} Å is too coarse to tell from: a forecast begins at {FIRST_ANGST:g} Å"
        )
    sizes = [each.particles for each in known]
    if max(sizes) < LEAST_GROWTH * min(sizes):
        return (
            f"the map has not grown enough for a forecast: {min(sizes):,.0f} to {max(sizes):,.0f} particles"
        )
    best = min(each.resolution_angst for each in known)
    if now.resolution_angst > 1.1 * best:
        change = f"{best:.1f} to {now.resolution_angst:.1f} Å"
        return f"the map became worse ({change}): more particles are not what it lacks"
    return ""


def _steps(now_angst: float, nyquist_angst: float) -> list[float]:
    """The next half ångström steps, and Nyquist at the end."""
    step = math.floor(round(now_angst / STEP_ANGST, 6)) * STEP_ANGST
    step -= STEP_ANGST if now_angst - step < 0.05 else 0
    found = [step - n * STEP_ANGST for n in range(STEPS)]
    inside = [each for each in found if each > NEAR_NYQUIST * nyquist_angst]
    return [*inside, nyquist_angst] if len(inside) < STEPS else inside


def _target(growth: Growth, angst: float, now: Update, rate: float | None) -> Target:
    particles = growth.particles_for(angst)
    hours = None
    if rate:
        ends = (particles.low, particles.middle, particles.high)
        hours = Interval(*(max(0.0, each - now.particles) / rate for each in ends))
    return Target(angst, particles, hours, _words(angst, now.particles, particles, hours))


def _words(angst: float, now: float, particles: Interval, hours: Interval | None) -> str:
    shown = f"{angst:.1f} Å" if abs(angst * 10 - round(angst * 10)) < 1e-6 else f"{angst:.2f} Å"
    if particles.low > OUT_OF_REACH or (hours and hours.low > YEAR_H):
        return f"{shown} is out of reach{' at this rate' if hours else ''}: at least {_count(particles.low)} particles"
    if particles.high > VAGUE * particles.low:
        more = f", {_hours(hours.low)} or more at this rate" if hours else ""
        return f"{shown} with at least {_count(particles.low)} particles{more}; more cannot be said yet"
    soon = particles.low < SOON * now
    text = f"{shown} with {'at most ' if soon else _from(particles)}{_count(particles.high)} particles"
    if not hours:
        return text
    return f"{text}: {'within ' + _hours(hours.high) if soon else _span(hours)} at this rate"


def _worth(now: Update, ahead: Sequence[tuple[float, Interval]]) -> str:
    if not ahead:
        return ""
    hours, then = ahead[-1]
    gain = now.resolution_angst - then.middle
    text = (
        f"{hours:.0f} more hours at this rate would bring {now.resolution_angst:.2f} Å to {then.middle:.2f} Å"
    )
    if gain < LITTLE_ANGST:
        return f"{text}: hardly worth it"
    return f"{text} ({then.low:.2f}–{then.high:.2f})"


def _band(
    growth: Growth, particles: float, nyquist_angst: float
) -> tuple[tuple[float, float, float, float], ...]:
    found = []
    for each in np.geomspace(particles, BAND_FACTOR * particles, BAND_POINTS):
        then = growth.resolution_with(float(each))
        low, middle, high = (max(value, nyquist_angst) for value in (then.low, then.middle, then.high))
        found.append((float(each), low, middle, high))
        if then.high < nyquist_angst:
            break
    return tuple(found)


def _from(particles: Interval) -> str:
    """ "140,000–" before "190,000": what both ends share is said once."""
    low, high = _count(particles.low), _count(particles.high)
    return "" if low == high else f"{low.removesuffix(' million')}–"


def _count(number: float) -> str:
    """Two digits are all that is known: 140,000; 9.2 million."""
    if number >= 1e6:
        return f"{round(number / 1e6, 1 - int(math.log10(number / 1e6))):,g} million"
    digits = max(0, int(math.log10(max(number, 1))) - 1)
    return f"{round(number, -digits):,.0f}"


def _span(hours: Interval) -> str:
    low, high = _hours(hours.low), _hours(hours.high)
    if low == high:
        return f"about {high}"
    return f"{low.split()[0]}–{high}" if low.split()[1] == high.split()[1] else f"{low} to {high}"


def _hours(hours: float) -> str:
    minutes = max(1, round(hours * 60))
    if minutes < 90:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
