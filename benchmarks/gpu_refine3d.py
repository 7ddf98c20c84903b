"""3D refinement of a large simulated stack on GPUs: seconds per iteration, GPU load, errors against the truth.

    python benchmarks/gpu_refine3d.py [--n 100000] [--box 256] [--pixel 1.0] [--classes 0] [--iterations 999]
                                      [--order 2] [--gpus 1] [--cap-gb 24] [--check] [--profile 3,9]
                                      [--out results.json]

`--classes 0` is an auto-refine of two half-sets to convergence; K > 0 a classification of K maps over
`--iterations`. The particles are made on the device: central slices of a random specimen at uniform
orientations, CTF, shifts of up to 3 px, noise (SNR 0.05 inside the particle); the reference is the specimen
at 40 Å. `--check` compares one iteration each of a global and of a local search with the CPU's.
`--profile` prints the kernels of some iterations. Needs torch, numpy, scipy and numba.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from gpu_class2d import Load

from verglas.em.run.refinement import Refinement
from verglas.em.run.watcher import SilentWatcher
from verglas.em.state.particles import ArraySource, OpticsGroup, Particles, ResidentSource
from verglas.em.state.settings import EmSettings, HalvesSettings
from verglas.fourier import (
    Projector,
    centre_signs,
    forward,
    frequency_grid,
    inverse,
    shift_in_fourier,
    squared_radius,
)
from verglas.geometry.euler import euler_matrices
from verglas.maps.shell_correlation import fsc
from verglas.optics.contrast_transfer import CtfParameters, ctf

ATOMS, DIAMETER_SHARE, SNR = 3000, 0.6, 0.05


def specimen(box: int, pixel: float, generator: torch.Generator, device: torch.device) -> torch.Tensor:
    """A map of atoms in random coils within a sphere of 0.3 boxes, B = 60 Å²."""
    steps = torch.randn(ATOMS // 50, 50, 3, generator=generator, device=device) * 2.2
    starts = torch.randn(ATOMS // 50, 1, 3, generator=generator, device=device)
    starts = (
        starts
        / starts.norm(dim=-1, keepdim=True)
        * torch.rand(ATOMS // 50, 1, 1, generator=generator, device=device) ** (1 / 3)
    )
    reach = DIAMETER_SHARE / 2 * box * pixel
    atoms = (starts * reach * 0.75 + steps.cumsum(1)).reshape(-1, 3)
    atoms = atoms * (reach * 0.95 / atoms.norm(dim=-1, keepdim=True).clamp_min(reach * 0.95))
    atoms = (atoms + torch.tensor([0.05, -0.03, 0.02], device=device) * reach) / pixel + box // 2
    grid = torch.zeros(box**3, device=device)
    cell, part = atoms.floor().long(), atoms - atoms.floor()
    for corner in range(8):
        bits = torch.tensor([corner >> 2 & 1, corner >> 1 & 1, corner & 1], device=device)
        weight = torch.where(bits.bool(), part, 1 - part).prod(1)
        z, y, x = (cell + bits).unbind(1)
        grid.index_add_(0, (z * box + y) * box + x, weight)
    spectrum = forward(grid.view(box, box, box), 3)
    squared = squared_radius(box, 3, device) / (box * pixel) ** 2
    return inverse(spectrum * torch.exp(-60 / 4 * squared), box, 3)


def make_particles(n: int, box: int, pixel: float, device: torch.device, seed: int = 1):
    """Images (n, N, N) float16 on the device, particles in two halves, true angles, the specimen's map."""
    generator = torch.Generator(device=device).manual_seed(seed)
    rng = np.random.default_rng(seed)
    truth = specimen(box, pixel, generator, device)
    angles = np.stack(
        [rng.uniform(-180, 180, n), np.rad2deg(np.arccos(rng.uniform(-1, 1, n))), rng.uniform(-180, 180, n)],
        1,
    )
    shifts = rng.uniform(-3, 3, (n, 2))
    defocus = rng.uniform(8000, 25000, n)
    projector = Projector.of(truth)
    grid = frequency_grid(box, pixel, device=device)
    signs = centre_signs(box, device=device)
    images = torch.empty((n, box, box), dtype=torch.float16, device=device)
    scale = 0.0
    for start in range(0, n, 256):
        rows = slice(start, min(n, start + 256))
        slices = projector.slices(euler_matrices(angles[rows]).to(device), box) * signs
        wave = ctf(
            CtfParameters.of(
                defocus[rows],
                defocus[rows],
                np.zeros(len(defocus[rows])),
                voltage_kv=300.0,
                cs_mm=2.7,
                amplitude_contrast=0.1,
            ),
            grid,
        )
        moved = shift_in_fourier(slices * wave, -torch.from_numpy(shifts[rows]).to(device).float())
        signal = inverse(moved, box)
        if not scale:
            reach = int(0.3 * box / 1.4)
            middle = slice(box // 2 - reach, box // 2 + reach)
            scale = math.sqrt(SNR) / float(signal[:, middle, middle].std())
        noise = torch.randn(signal.shape, generator=generator, device=device)
        images[rows] = (signal * scale + noise).half()
    zeros = np.zeros(n)
    particles = Particles(
        names=tuple(map(str, range(n))),
        optics=(OpticsGroup("simulated", box, pixel),),
        optics_group=np.zeros(n, np.int64),
        scale_group=np.arange(n) * max(1, n // 500) // n,
        group_names=tuple(f"mic{g}" for g in range(max(1, n // 500))),
        defocus_u_angst=defocus,
        defocus_v_angst=defocus,
        defocus_angle_deg=zeros,
        phase_shift_deg=zeros,
        b_factor_a2=zeros,
        ctf_scale=np.ones(n),
        half=np.arange(n) % 2,
    )
    return images, particles, angles, truth * scale


def settings(box: int, pixel: float, classes: int, iterations: int, order: int, **changes) -> EmSettings:
    """Those of the forms of auto-refine and of 3D classification."""
    halves = HalvesSettings() if classes == 0 else None
    return EmSettings(
        dims=3,
        n_classes=max(1, classes),
        n_iterations=iterations,
        halves=halves,
        tau2_fudge=1.0 if classes == 0 else 4.0,
        particle_diameter_angst=0.7 * box * pixel,
        zero_mask=True,
        flatten_solvent=True,
        healpix_order=order,
        offset_range_px=5.0,
        offset_step_px=2.0,
        ini_high_angst=40.0,
        ctf=True,
        correct_norm=True,
        correct_scale=True,
        **changes,
    )


def angular_errors(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Angles between orientations (n, 3), after the rotation that brings most of them together."""
    a, b = euler_matrices(truth).numpy(), euler_matrices(found).numpy()
    relative, frame = np.transpose(a, (0, 2, 1)) @ b, np.eye(3)
    for limit in (30, 10, 180):
        cosine = (np.einsum("nij,ij->n", relative, frame) - 1) / 2
        errors = np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))
        near = errors < limit
        if near.sum() < 10 or limit == 180:
            break
        u, _, vt = np.linalg.svd(relative[near].sum(0))
        frame = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    return errors


def angles_of(assignments) -> np.ndarray:
    return np.stack([assignments.rot_deg, assignments.tilt_deg, assignments.psi_deg], 1)


class Told(SilentWatcher):
    def say(self, line: str) -> None:
        if line.startswith(("Auto", "Resolution and", "Searches", "memory", "The angular")):
            print("   ", line, flush=True)


def run(options: EmSettings, particles, source, devices, truth, angles, profiled: set[int]) -> dict:
    """One run; seconds include the start and everything else."""
    sync = torch.cuda.synchronize if devices[0].type == "cuda" else lambda: None
    load, rows = Load(), []
    load.start()
    begin = time.perf_counter()
    reference = truth.float().cpu()[None]
    refinement = Refinement.start(
        options, particles, source, references=reference, devices=devices, watcher=Told()
    )
    sync()
    started = time.perf_counter() - begin
    while not refinement.is_over:
        tick, first_sample = time.perf_counter(), len(load.samples)
        if refinement.state.iteration + 1 in profiled:
            profile(refinement)
        else:
            refinement.iterate()
        sync()
        state, seconds = refinement.state, time.perf_counter() - tick
        model, samples = state.model, load.samples[first_sample:]
        busy = float(np.mean(samples)) if samples else -1
        errors = angular_errors(angles_of(state.assignments), angles)
        rows.append(
            {
                "iteration": state.iteration,
                "seconds": round(seconds, 2),
                "size": model.current_size,
                "resolution": round(1 / model.current_resolution, 2),
                "order": state.sampling.healpix_order,
                "local": state.sampling.is_local,
                "p_max": round(model.average_p_max, 3),
                "busy": round(busy),
                "significant": float(np.mean(state.assignments.n_significant)),
                "median_error_deg": round(float(np.median(errors)), 2),
            }
        )
        print(
            "  "
            + ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in rows[-1].items()),
            flush=True,
        )
    total = time.perf_counter() - begin
    curve = fsc(refinement.state.model.references[0].float().cpu(), truth.float().cpu()).numpy()
    below = np.nonzero(curve[1:] < 0.5)[0]
    model = refinement.state.model
    result = {
        "seconds": round(total, 2),
        "start_seconds": round(started, 2),
        "iterations": rows,
        "gpu_busy_percent": load.finish(),
        "fsc_half_with_truth_angst": model.extent_angst / (below[0] + 1)
        if below.size
        else 2 * model.pixel_size_angst,
    }
    if devices[0].type == "cuda":
        result["peak_gb"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return result


def profile(refinement: Refinement) -> None:
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as recorded

    with recorded(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as seen:
        refinement.iterate()
    table = seen.key_averages().table(sort_by="self_cuda_time_total", row_limit=18, max_name_column_width=50)
    kept = [line[:52] + line[-75:] for line in table.splitlines()]
    print("\n".join(kept), flush=True)


def check(device: torch.device) -> dict:
    """One iteration of a global and of a local search on the GPU and on the CPU, in float32 products."""
    found = {}
    for name, order, sigma in (("global", 1, -1.0), ("local", 3, 8.0)):
        images, particles, angles, truth = make_particles(600, 48, 4.0, device)
        options = settings(
            48,
            4.0,
            0,
            1,
            order,
            precision="single",
            sigma_rot_deg=sigma,
            sigma_tilt_deg=sigma,
            sigma_psi_deg=sigma,
        )
        states = []
        for where in (torch.device("cpu"), device):
            source = ArraySource(images.float().cpu().numpy())
            refinement = Refinement.start(
                options, particles, source, references=truth.float().cpu()[None], devices=(where,)
            )
            start = refinement.state.assignments
            start.rot_deg[:], start.tilt_deg[:], start.psi_deg[:] = (angles + 3).T
            refinement.iterate()
            states.append(refinement.state)
        cpu, gpu = states
        a, b = cpu.assignments, gpu.assignments
        same = np.abs(angles_of(a) - angles_of(b)).max(1) < 1e-3
        x, y = cpu.model.references, gpu.model.references.cpu()
        found[name] = {
            "same_pose": float(same.mean()),
            "same_count": float((a.n_significant == b.n_significant).mean()),
            "p_max_rms": float(np.sqrt(((a.p_max - b.p_max) ** 2).mean())),
            "map_rms_ratio": float((x - y).square().mean().sqrt() / x.square().mean().sqrt()),
            "sigma2_max_ratio": float(np.abs(cpu.model.sigma2_noise / gpu.model.sigma2_noise - 1).max()),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--box", type=int, default=256)
    parser.add_argument("--pixel", type=float, default=1.0)
    parser.add_argument("--classes", type=int, default=0)
    parser.add_argument("--iterations", type=int, default=999)
    parser.add_argument("--order", type=int, default=2)
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--cap-gb", type=float, default=0.0)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--profile", default="")
    parser.add_argument("--out", default="")
    options = parser.parse_args()
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    devices: tuple[torch.device, ...] = (device,)
    if device.type == "cuda":
        devices = tuple(torch.device("cuda", number) for number in range(options.gpus))
        print(torch.cuda.get_device_name(), options.gpus, flush=True)
    if options.check:
        print("check", json.dumps(check(device), indent=1), flush=True)
    if options.n <= 0:
        return
    begin = time.perf_counter()
    images, particles, angles, truth = make_particles(options.n, options.box, options.pixel, device)
    if options.classes:
        particles = replace(particles, half=None)
    print(f"simulated in {time.perf_counter() - begin:.1f} s", flush=True)
    if device.type == "cuda" and options.cap_gb > 0:
        whole = torch.cuda.get_device_properties(0).total_memory / 2**30
        torch.cuda.set_per_process_memory_fraction(options.cap_gb / whole)
    asked = settings(options.box, options.pixel, options.classes, options.iterations, options.order)
    profiled = {int(number) for number in options.profile.split(",") if number}
    source = ResidentSource(images) if device.type == "cuda" else ArraySource(images.float().numpy())
    result = run(asked, particles, source, devices, truth, angles, profiled)
    print({key: value for key, value in result.items() if key != "iterations"}, flush=True)
    if options.out:
        Path(options.out).write_text(json.dumps(result | vars(options), indent=1))


if __name__ == "__main__":
    main()
