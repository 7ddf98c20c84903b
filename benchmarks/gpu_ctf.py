"""CTF estimation on a GPU: is it equal to the CPU's, and how long does a micrograph take?

    PYTHONPATH=src python benchmarks/gpu_ctf.py [--device cuda:0] [--size 4096] [--micrographs 6]

Needs torch, numpy and scipy. Makes micrographs (300 kV, 1 A/px, scattering noise behind a CTF at 0.8-3 um
with astigmatism; the last one with a phase shift that is searched), estimates each on both and compares; then
times the device: from a micrograph in the host's memory to a fit, after one run that warms up. The CPU has
as many threads as numpy and scipy take (set OMP_NUM_THREADS=1 for one core).
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from verglas.ctf import CtfFit, CtfSettings, Microscope, estimate_ctf, micrograph_spectrum
from verglas.ctf.model import CtfTrial
from verglas.ctf.quality import ctf_phase

MICROSCOPE = Microscope(voltage_kv=300, cs_mm=2.7, amplitude_contrast=0.1)
PIXEL_ANGST = 1.0
DEFOCUS_TOLERANCE_ANGST = 5.0
SCORE_TOLERANCE = 1e-3
SHELLS = 1.01


def micrograph(trial: CtfTrial, size: int, seed: int) -> np.ndarray:  # (size, size) float32
    rng = np.random.default_rng(seed)
    kx, ky = np.meshgrid(np.fft.rfftfreq(size, PIXEL_ANGST), np.fft.fftfreq(size, PIXEL_ANGST))
    radius2 = kx**2 + ky**2
    specimen = np.fft.rfft2(rng.normal(size=(size, size))) / (1 + radius2 * 400)
    transfer = np.sin(ctf_phase(trial, MICROSCOPE, kx, ky)) * np.exp(-25 * radius2)
    image = np.fft.irfft2(specimen * transfer * 4, s=(size, size))
    return (image + rng.normal(scale=0.25, size=(size, size))).astype(np.float32)


def random_trial(seed: int, phase_rad: float) -> CtfTrial:
    rng = np.random.default_rng(1000 + seed)
    mean, half, angle = rng.uniform(8000, 30000), rng.uniform(20, 400), rng.uniform(0, np.pi)
    return CtfTrial(mean, half * np.cos(2 * angle), half * np.sin(2 * angle), phase_rad)


def fit(image: np.ndarray, settings: CtfSettings, device: str) -> tuple[CtfFit, float, float]:
    """The fit, one shell (1/A), and the seconds taken."""
    begin = time.perf_counter()
    spectrum = micrograph_spectrum(image, PIXEL_ANGST, device=device)
    found = estimate_ctf(spectrum, MICROSCOPE, settings, device).fit
    wall = time.perf_counter() - begin
    return found, 1 / (spectrum.box * spectrum.pixel_size_angst), wall


def differences(a: CtfFit, b: CtfFit, shell: float) -> tuple[float, float, float]:
    """Largest of defocus U, V (A), of scores, and of the resolution (shells)."""
    defocus = max(abs(a.defocus_u_angst - b.defocus_u_angst), abs(a.defocus_v_angst - b.defocus_v_angst))
    names = ("figure_of_merit", "reliability", "ice_ring")
    scores = max(abs(getattr(a, name) - getattr(b, name)) for name in names)
    return defocus, scores, abs(1 / a.resolution_angst - 1 / b.resolution_angst) / shell


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "torch-cpu")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--micrographs", type=int, default=6)
    given = parser.parse_args()
    cases = []
    for seed in range(given.micrographs):
        searched = seed == given.micrographs - 1
        trial = random_trial(seed, 1.2 if searched else 0.0)
        image = micrograph(trial, given.size, seed)
        cases.append((trial, image, CtfSettings(search_phase_shift=searched)))
    _, image, settings = cases[0]
    for device in ("cpu", given.device):
        fit(image, settings, device)
    equal = True
    print(f"{given.size} x {given.size}, {given.device} beside the CPU")
    print(f"{'defocus A':>10}{'error':>8}{'d U,V A':>9}{'d scores':>10}{'d shells':>9}", end="")
    print(f"{'CPU s':>8}{'device s':>10}   search")
    for trial, image, settings in cases:
        cpu, shell, cpu_seconds = fit(image, settings, "cpu")
        runs = [fit(image, settings, given.device) for _ in range(3)]
        found, seconds = runs[0][0], min(run[2] for run in runs)
        defocus, scores, shells = differences(cpu, found, shell)
        equal &= defocus <= DEFOCUS_TOLERANCE_ANGST
        equal &= scores <= SCORE_TOLERANCE and shells <= SHELLS
        error = (found.defocus_u_angst + found.defocus_v_angst) / 2 - trial.mean_angst
        print(
            f"{trial.mean_angst:10.0f}{error:8.1f}{defocus:9.3f}{scores:10.1e}{shells:9.2f}"
            f"{cpu_seconds:8.2f}{seconds:10.3f}"
            f"   {'defocus and phase' if settings.search_phase_shift else 'defocus'}",
            flush=True,
        )
    print("equal within tolerance" if equal else "NOT EQUAL")
    return 0 if equal else 1


if __name__ == "__main__":
    raise SystemExit(main())
