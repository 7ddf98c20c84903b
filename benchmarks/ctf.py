"""CTF estimation: accuracy on published and simulated micrographs, CPU seconds per micrograph.

    python benchmarks/ctf.py [--data ../shared/data] [--micrographs 8] [--size 4096]

Prints one table for the twelve real spectra with published defocus (skipped without data) and one for
simulated micrographs at 0.8-3 µm. Set OMP_NUM_THREADS=1 for the CPU seconds of one core.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from verglas.ctf import CtfSettings, Microscope, centred_spectrum, estimate_ctf, micrograph_spectrum
from verglas.ctf.model import CtfTrial
from verglas.ctf.quality import ctf_phase
from verglas.formats.mrc import read_mrc


def real(data: Path) -> tuple[float, float]:
    """Largest |dU|, |dV| (Å) against lineage A of the published values."""
    base = data / "empiar10204_betagal"
    lines = (base / "truth" / "ctf_truth.tsv").read_text().splitlines()
    truth = {line.split("\t")[0]: line.split("\t") for line in lines if line[0] != "#"}
    errors = []
    for path in sorted((base / "project/MotionCorr/job002/Movies").glob("*_PS.mrc")):
        row = next(row for name, row in truth.items() if path.name[:-7] in name)
        image = read_mrc(path)
        spectrum = centred_spectrum(image.data, image.pixel_size_angst, 30)
        fit = estimate_ctf(spectrum, Microscope(200, 1.4, 0.1), CtfSettings()).fit
        errors.append((fit.defocus_u_angst - float(row[1]), fit.defocus_v_angst - float(row[2])))
        print(f"  {path.name[:-7]:<28} dU {errors[-1][0]:6.0f}  dV {errors[-1][1]:6.0f} Å")
    worst = np.abs(errors).max(axis=0)
    print(f"real spectra: largest |dU| {worst[0]:.0f}, |dV| {worst[1]:.0f} Å (bound 100)")
    return float(worst[0]), float(worst[1])


def simulated(count: int, size: int) -> tuple[float, float, float, float]:
    """White scatterers behind a CTF, 300 kV, 1 Å/px: median |dU|, |dV|, |dA| (Å), CPU seconds."""
    microscope, pixel = Microscope(300, 2.7, 0.1), 1.0
    errors, seconds = [], []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        mean, half, angle = rng.uniform(8000, 30000), rng.uniform(20, 400), rng.uniform(0, np.pi)
        trial = CtfTrial(mean, half * np.cos(2 * angle), half * np.sin(2 * angle))
        image = _micrograph(trial, microscope, pixel, size, rng)
        begin = time.process_time()
        fit = estimate_ctf(micrograph_spectrum(image, pixel), microscope, CtfSettings()).fit
        seconds.append(time.process_time() - begin)
        errors.append(
            (
                fit.defocus_u_angst - mean - half,
                fit.defocus_v_angst - mean + half,
                fit.astigmatism_angst - 2 * half,
            )
        )
    median = np.median(np.abs(errors), axis=0)
    print(
        f"simulated, {count} x {size}²: median |dU| {median[0]:.0f}, |dV| {median[1]:.0f} (bound 30), "
        f"|dA| {median[2]:.0f} Å (bound 60); {np.median(seconds):.2f} CPU s each (bound 1.5)"
    )
    return float(median[0]), float(median[1]), float(median[2]), float(np.median(seconds))


def _micrograph(
    trial: CtfTrial, microscope: Microscope, pixel: float, size: int, rng: np.random.Generator
) -> np.ndarray:
    kx, ky = np.meshgrid(np.fft.rfftfreq(size, pixel), np.fft.fftfreq(size, pixel))
    radius2 = kx**2 + ky**2
    specimen = np.fft.rfft2(rng.normal(size=(size, size))) / (1 + radius2 * 400)
    transfer = np.sin(ctf_phase(trial, microscope, kx, ky)) * np.exp(-25 * radius2)
    noise = rng.normal(scale=0.25, size=(size, size))
    image = np.fft.irfft2(specimen * transfer * 4, s=(size, size)) + noise
    return np.asarray(image, np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--micrographs", type=int, default=8)
    parser.add_argument("--size", type=int, default=4096)
    parsed = parser.parse_args()
    if parsed.data.is_dir():
        real(parsed.data)
    simulated(parsed.micrographs, parsed.size)


if __name__ == "__main__":
    main()
