"""2D classification of a large simulated stack on one GPU: EM and VDAM, seconds, GPU load, TFLOP/s per stage.

    python benchmarks/gpu_class2d.py [--n 100000] [--box 128] [--classes 100] [--iterations 25]
                                     [--cap-gb 24] [--gpus 1] [--threads 1]
                                     [--only check,gemm,em,vdam] [--out results.json]

Needs torch, numpy, scipy and numba; uses the engine directly (no STAR files). The particles are made on the
device: projections of a random blob specimen along as many views as there are classes, CTF, shifts of up to
3 px, noise (SNR 0.05 inside the particle). `check` compares the GPU with the CPU on 400 particles.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from verglas.em.run.refinement import Refinement
from verglas.em.scoring import coarse
from verglas.em.scoring import tile as fine
from verglas.em.scoring import tile_sums as accumulate
from verglas.em.state.particles import ArraySource, OpticsGroup, Particles, ResidentSource
from verglas.em.state.settings import EmSettings, GradientSettings

PIXEL, DIAMETER = 2.0, 170.0


def make_particles(n: int, views: int, box: int, device: torch.device, seed: int = 1):
    """Images (n, N, N) float16 on the device, the particles, and the true view of each."""
    generator = torch.Generator(device=device).manual_seed(seed)
    rand = lambda *shape: torch.rand(*shape, generator=generator, device=device)  # noqa: E731
    randn = lambda *shape: torch.randn(*shape, generator=generator, device=device)  # noqa: E731
    blobs = randn(60, 3)
    blobs = blobs / blobs.norm(dim=1, keepdim=True) * rand(60, 1) ** 0.4 * DIAMETER * 0.38
    weights = 0.5 + rand(60)
    k = torch.arange(views, device=device) + 0.5
    tilt, rot = torch.arccos(1 - 2 * k / views), math.pi * (1 + 5**0.5) * k
    view = torch.randint(views, (n,), generator=generator, device=device)
    psi, shift = 2 * math.pi * rand(n), (2 * rand(n, 2) - 1) * 3 * PIXEL
    defocus = 8000 + 17000 * rand(n)
    fy = torch.fft.fftfreq(box, PIXEL, device=device)[:, None]
    fx = torch.fft.rfftfreq(box, PIXEL, device=device)[None]
    f2 = fy**2 + fx**2
    envelope = torch.exp(-f2 * (2 * math.pi * 3.5) ** 2 / 2 - 30 * f2)
    images = torch.empty((n, box, box), dtype=torch.float16, device=device)
    scale = None
    for start in range(0, n, 512):
        rows = slice(start, min(n, start + 512))
        c, s = torch.cos(psi[rows]), torch.sin(psi[rows])
        v = view[rows]
        jitter = 0.05 * randn(len(v), 2)
        a, b = rot[v] + jitter[:, 0], tilt[v] + jitter[:, 1]
        x0 = blobs[:, 0] * torch.cos(a)[:, None] + blobs[:, 1] * torch.sin(a)[:, None]
        y = -blobs[:, 0] * torch.sin(a)[:, None] + blobs[:, 1] * torch.cos(a)[:, None]
        x = x0 * torch.cos(b)[:, None] - blobs[:, 2] * torch.sin(b)[:, None]
        px = c[:, None] * x + s[:, None] * y + shift[rows, 1:2]
        py = -s[:, None] * x + c[:, None] * y + shift[rows, :1]
        ey = torch.exp(-2j * math.pi * fy[:, 0] * py[..., None])  # (b, atoms, N)
        ex = torch.exp(-2j * math.pi * fx[0] * px[..., None]) * weights[:, None]
        spectrum = torch.einsum("bay,bax->byx", ey, ex) * envelope
        gamma = math.pi * 0.0196875 * defocus[rows, None, None] * f2
        gamma = gamma - math.pi / 2 * 2.7e7 * 0.0196875**3 * f2**2 + math.asin(0.1)
        signal = torch.fft.fftshift(torch.fft.irfft2(spectrum * torch.sin(gamma), s=(box, box)), dim=(1, 2))
        if scale is None:
            middle = box // 2
            reach = int(DIAMETER / PIXEL / 2.8)
            core = signal[:, middle - reach : middle + reach, middle - reach : middle + reach]
            scale = math.sqrt(0.05) / core.std()
        images[rows] = (signal * scale + randn(*signal.shape)).half()
    d = defocus.double().cpu().numpy()
    zeros = np.zeros(n)
    particles = Particles(
        names=tuple(map(str, range(n))),
        optics=(OpticsGroup("simulated", box, PIXEL),),
        optics_group=np.zeros(n, np.int64),
        scale_group=np.arange(n) % 50,
        group_names=tuple(f"mic{g}" for g in range(50)),
        defocus_u_angst=d,
        defocus_v_angst=d,
        defocus_angle_deg=zeros,
        phase_shift_deg=zeros,
        b_factor_a2=zeros,
        ctf_scale=np.ones(n),
    )
    return images, particles, view.cpu().numpy()


def settings(classes: int, iterations: int, **changes) -> EmSettings:
    return EmSettings(
        n_classes=classes,
        n_iterations=iterations,
        tau2_fudge=2.0,
        particle_diameter_angst=DIAMETER,
        zero_mask=True,
        flatten_solvent=True,
        psi_step_deg=12.0,
        offset_range_px=5.0,
        offset_step_px=2.0,
        center_classes=True,
        ctf=True,
        correct_norm=True,
        correct_scale=True,
        **changes,
    )


class Stages:
    """Floating-point operations and device seconds of the matrix products, by stage."""

    def __init__(self, device: torch.device) -> None:
        self.flops: dict[str, float] = {}
        self.events: dict[str, list] = {}
        self._cuda = device.type == "cuda"

    def watch(self, module, stage: str) -> None:
        original = module.product

        def counted(a, b):
            work = 2.0 * a.shape[-2] * a.shape[-1] * b.shape[-2]
            self.flops[stage] = self.flops.get(stage, 0.0) + work
            if not self._cuda:
                return original(a, b)
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            result = original(a, b)
            end.record()
            self.events.setdefault(stage, []).append((begin, end))
            return result

        module.product = counted

    def report(self) -> dict:
        if self._cuda:
            torch.cuda.synchronize()
        found = {}
        for stage, flops in self.flops.items():
            seconds = sum(a.elapsed_time(b) for a, b in self.events.get(stage, ())) / 1e3
            found[stage] = {"tflop": flops / 1e12, "seconds": seconds}
            if seconds:
                found[stage]["tflop_per_s"] = flops / 1e12 / seconds
        self.flops.clear()
        self.events.clear()
        return found


class Load(threading.Thread):
    """Samples the GPU's utilisation ten times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[int] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.1):
            try:
                self.samples.append(int(torch.cuda.utilization()))
            except Exception:  # no NVML here: the figure is left out
                return

    def finish(self) -> float | None:
        self.stopped.set()
        return float(np.mean(self.samples)) if self.samples else None


def nmi(found: np.ndarray, truth: np.ndarray) -> float:
    """Normalised mutual information of two labelings."""
    table = np.zeros((found.max() + 1, truth.max() + 1))
    np.add.at(table, (found, truth), 1)
    p = table / table.sum()
    px, py = p.sum(1), p.sum(0)
    nz = p > 0
    mutual = (p[nz] * np.log(p[nz] / np.outer(px, py)[nz])).sum()
    entropy = lambda q: -(q[q > 0] * np.log(q[q > 0])).sum()  # noqa: E731
    return float(mutual / (0.5 * (entropy(px) + entropy(py))))


def gemm_ceiling(device: torch.device) -> dict:
    """Rates of square products in the precisions the engine uses."""
    found = {}
    for name, dtype, tf32 in (
        ("tf32", torch.float32, True),
        ("fp32", torch.float32, False),
        ("bf16", torch.bfloat16, True),
    ):
        torch.backends.cuda.matmul.fp32_precision = "tf32" if tf32 else "ieee"
        a = torch.randn(8192, 8192, device=device, dtype=dtype)
        for _ in range(3):
            a @ a
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(10):
            a @ a
        torch.cuda.synchronize()
        found[name] = 10 * 2 * 8192**3 / (time.perf_counter() - begin) / 1e12
    return found


def run(options: EmSettings, particles, source, devices, truth, stages: Stages) -> dict:
    """One run; seconds include the start and everything else."""
    device = devices[0]
    sync = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    load = Load()
    if device.type == "cuda":
        load.start()
        torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    refinement = Refinement.start(options, particles, source, devices=devices)
    sync()
    started = time.perf_counter() - begin
    per_iteration = []
    for number in range(options.n_iterations):
        tick = time.perf_counter()
        refinement.iterate()
        sync()
        per_iteration.append(round(time.perf_counter() - tick, 3))
        if number % 5 == 0 or number == options.n_iterations - 1:
            model = refinement.state.model
            significant = refinement.state.assignments.n_significant.mean()
            print(
                f"  {number + 1}: {per_iteration[-1]:.2f} s, size {model.current_size}, "
                f"Pmax {model.average_p_max:.3f}, significant {significant:.0f}",
                flush=True,
            )
    total = time.perf_counter() - begin
    result = {
        "seconds": round(total, 2),
        "start_seconds": round(started, 2),
        "per_iteration": per_iteration,
        "gpu_busy_percent": load.finish(),
        "stages": stages.report(),
        "nmi": nmi(refinement.state.assignments.class_index, truth),
    }
    if device.type == "cuda":
        result["peak_gb"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return result


def check(device: torch.device) -> dict:
    """Three iterations of 400 particles on the GPU and on the CPU, in float32 products."""
    images, particles, _ = make_particles(400, 8, 64, device)
    options = settings(8, 3, precision="single")
    runs = []
    for where in (torch.device("cpu"), device):
        source = ArraySource(images.float().cpu().numpy())
        refinement = Refinement.start(options, particles, source, devices=(where,))
        for _ in range(options.n_iterations):
            refinement.iterate()
        runs.append(refinement.state)
    cpu, gpu = runs
    a, b = cpu.assignments, gpu.assignments
    turn = np.abs(np.remainder(a.psi_deg - b.psi_deg + 180, 360) - 180)
    same = (a.class_index == b.class_index) & (turn < 0.1)
    x, y = cpu.model.references, gpu.model.references
    return {
        "same_class_and_angle": float(same.mean()),
        "p_max_rms": float(np.sqrt(((a.p_max - b.p_max) ** 2).mean())),
        "reference_rms_ratio": float((x - y).square().mean().sqrt() / x.square().mean().sqrt()),
        "sigma2_max_ratio": float(np.abs(cpu.model.sigma2_noise / gpu.model.sigma2_noise - 1).max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--box", type=int, default=128)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--iterations", type=int, default=25)
    parser.add_argument("--vdam-iterations", type=int, default=200)
    parser.add_argument("--cap-gb", type=float, default=0.0)
    parser.add_argument("--gpus", type=int, default=1, help="GPUs of this machine to use")
    parser.add_argument("--threads", type=int, default=1, help="of torch on the host, as --j")
    parser.add_argument("--only", default="check,gemm,em,vdam")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", default="")
    options = parser.parse_args()
    device, wanted = torch.device(options.device), options.only.split(",")
    torch.set_num_threads(options.threads)
    devices: tuple[torch.device, ...] = (device,)
    if device.type == "cuda":
        device = torch.device("cuda", 0)
        devices = tuple(torch.device("cuda", number) for number in range(options.gpus))
    results: dict = {"n": options.n, "box": options.box, "classes": options.classes}
    if device.type == "cuda":
        results["device"], results["gpus"] = torch.cuda.get_device_name(), options.gpus
        if options.cap_gb > 0:
            whole = torch.cuda.get_device_properties(0).total_memory / 2**30
            torch.cuda.set_per_process_memory_fraction(options.cap_gb / whole)

    def note(name: str, value) -> None:
        results[name] = value
        print(name, json.dumps(value), flush=True)
        if options.out:
            Path(options.out).write_text(json.dumps(results, indent=1))

    if "check" in wanted:
        note("check", check(device))
    if "gemm" in wanted and device.type == "cuda":
        note("gemm_ceiling_tflop_per_s", gemm_ceiling(device))
    if not {"em", "vdam"} & set(wanted):
        return
    begin = time.perf_counter()
    images, particles, truth = make_particles(options.n, options.classes, options.box, device)
    print(f"simulated in {time.perf_counter() - begin:.1f} s", flush=True)
    stages = Stages(device)
    for module, name in ((coarse, "coarse"), (fine, "fine"), (accumulate, "sums")):
        stages.watch(module, name)
    source = ResidentSource(images)
    base = settings(options.classes, options.iterations)
    if "em" in wanted:
        note("em", run(base, particles, source, devices, truth, stages))
    if "vdam" in wanted:
        gradient = GradientSettings(class_inactivity_threshold=0.1)
        vdam = replace(base, n_iterations=options.vdam_iterations, gradient=gradient)
        note("vdam", run(vdam, particles, source, devices, truth, stages))


if __name__ == "__main__":
    main()
