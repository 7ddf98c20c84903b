"""Made-up sessions: half maps' curves that grow with the particles as those of real maps do.

SSNR per shell = particles x power of the molecule x exp(-B k²/2). Beside the line of Rosenthal and Henderson a session
has what makes forecasts hard: a molecular spectrum that is no line, poses of the first maps that are worse (one more
B-factor, or a share of wrong ones, that fade), lots of better and worse particles, and noise that updates share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verglas.outlook.curve import crossing_angst

Floats = NDArray[np.float64]
BOX_ANGST, PIXEL_ANGST = 300.0, 1.0
LONGEST = 30  # updates of a session; the rest only tells what would have come


@dataclass(frozen=True)
class Session:
    """Numbers of particles, curves (updates, shells) and resolutions of all updates, and the true B-factor."""

    particles: Floats
    frequency: Floats
    curves: Floats
    resolution_angst: Floats
    b_factor_angst2: float

    def reaches(self, resolution_angst: float, after: int) -> float:
        """With how many particles the map first has a resolution, looking from update `after` on; nan if never."""
        reached = np.flatnonzero(self.resolution_angst[after:] <= resolution_angst)
        if not len(reached):
            return float("nan")
        at = int(reached[0]) + after
        return float(np.sqrt(self.particles[at] * self.particles[at - 1]))


def simulate(seed: int) -> Session:
    rng = np.random.default_rng(seed)
    shells = np.arange(1, int(BOX_ANGST / 2 / PIXEL_ANGST) + 1)
    k = shells / BOX_ANGST
    b_factor = float(np.exp(rng.normal(np.log(110), 0.4)))
    particles = _sizes(rng)
    good = np.cumsum(np.diff(particles, prepend=0) * np.exp(rng.normal(0, 0.25, len(particles))))
    fading = (particles[0] / particles) ** rng.uniform(0.4, 1)
    of_poses = b_factor + rng.uniform(0, 120) * fading
    wrong = rng.uniform(0, 0.4) * (rng.random() < 0.5) * fading
    power, first_angst = _molecule(k), rng.uniform(6, 10)
    level = np.exp(b_factor / 2 / first_angst**2) / 6 / particles[0] / np.interp(1 / first_angst, k, power)
    ssnr = level * (good * (1 - wrong) ** 2)[:, None] * power * np.exp(-of_poses[:, None] / 2 * k**2)
    curves = ssnr / (1 + ssnr)
    modes = 2 * np.pi * shells**2 / rng.uniform(2, 6)  # a mask makes neighbours alike
    curves += (1 - curves**2) * _shared_noise(rng, particles, len(k)) / np.sqrt(modes)
    found = np.array([crossing_angst(k, curve) for curve in curves])
    return Session(particles, k, curves, found, b_factor)


def _sizes(rng: np.random.Generator) -> Floats:
    """Numbers of particles of the updates, up to many more than anybody collects."""
    found, growth = [rng.uniform(2000, 5000)], np.exp(rng.uniform(0.05, 0.35))
    while found[-1] < 1e8:
        factor = max(1.02, growth * np.exp(rng.normal(0, 0.05))) if len(found) < LONGEST else 1.15
        found.append(found[-1] * factor)
    return np.array(found)


def _molecule(k: Floats) -> Floats:
    """Power spectrum: shape, then Wilson's plateau with the peaks of secondary structure."""
    shape = 30 * np.exp(-((k / 0.03) ** 2))
    return shape + 1 + 0.6 * np.exp(-(((k - 0.1) / 0.02) ** 2)) + 0.3 * np.exp(-(((k - 0.21) / 0.03) ** 2))


def _shared_noise(rng: np.random.Generator, particles: Floats, shells: int) -> Floats:
    """Noise of unit variance (updates, shells); that of N and of more particles N' correlates by N/N'."""
    found = np.zeros((len(particles), shells))
    now = rng.standard_normal(shells)
    for n in range(len(particles)):
        shared = particles[n - 1] / particles[n] if n else 1.0
        now = shared * now + np.sqrt(1 - shared**2) * rng.standard_normal(shells)
        found[n] = now
    return found
