"""A map that follows its particles: seconds of every update, resolution, truth, and the end beside a batch refinement.

Streams: `proteasome` (D7), `ribosome` (C1), `views` (beta-galactosidase, D2, 80 % of it in two views). The map
begins with --first particles, gets --batch more in each of --updates, a share of which is junk (noise, blobs of ice,
heaps). The start is the truth low-passed to 40 Å. Prints one line for each update and each end, and a table.

    python benchmarks/live_map.py OUT --specimens proteasome --seeds 1 2 3 --batch_too --warm_too
    python benchmarks/live_map.py OUT --box 256 --first 10000 --batch 2000 --updates 95 --device 0

Models but the proteasome's are read from $VERGLAS_TEST_DATA/models. On a CPU one thread works, and seconds are those of
the processor.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from verglas.cli.program import run_program
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.png import write_png
from verglas.formats.star import StarTable, read_star, write_star
from verglas.fourier.filters import low_pass
from verglas.jobs.autorefine.job import AutoRefine3D
from verglas.jobs.refine.streaming.warm import warm_options
from verglas.jobs.simulate.particles import write_particles
from verglas.jobs.simulate.settings import ParticleSettings
from verglas.maps.masks import outside_weight
from verglas.maps.shell_correlation import fsc, resolution_angst

START_ANGST = 40.0
PREFERRED = 0.8  # of the particles of `views`
EXTENT = 64  # px at the pixel sizes below; a larger box has smaller pixels


@dataclass(frozen=True)
class Specimen:
    """What is simulated; `model` "": the proteasome that ships with the package."""

    model: str
    symmetry: str
    pixel_size_angst: float
    diameter_angst: float
    preferred: bool = False


SPECIMENS = {
    "proteasome": Specimen("", "D7", 4.0, 200.0),
    "ribosome": Specimen("ribosome70S_tteftu_with_tRNA.pdb.gz", "C1", 6.0, 300.0),
    "views": Specimen("5a1a_betagalactosidase_D2.cif", "D2", 4.0, 200.0, preferred=True),
}


@dataclass(frozen=True)
class Bench:
    """One stream, in its own folder, which is the present one."""

    given: argparse.Namespace
    specimen: Specimen
    seed: int

    @property
    def pixel_angst(self) -> float:
        return self.specimen.pixel_size_angst * EXTENT / self.given.box

    @property
    def total(self) -> int:
        return int(self.given.first + self.given.batch * self.given.updates)

    def simulate(self) -> None:
        """`all.star` in the order of arrival, `truth_map.mrc`, `start.mrc`; made once."""
        if Path("all.star").exists():
            return
        root = Path(os.environ.get("VERGLAS_TEST_DATA", ".")) / "models"
        name = self.specimen.model
        settings = ParticleSettings(
            count=self.total,
            box=self.given.box,
            pixel_size_angst=self.pixel_angst,
            models=(str(root / name),) if name else (),
            snr=self.given.snr,
            b_factor_a2=self.given.b_factor,
            seed=self.seed,
            micrographs=max(10, self.total // 50),
            truth_maps=True,
        )
        parts = [settings]
        if self.specimen.preferred:
            many = round(PREFERRED * self.total)
            parts = [replace(settings, count=self.total - many), replace(settings, count=many, views=2)]
        tables, device = [], "cpu" if self.given.device == "cpu" else f"cuda:{self.given.device}"
        for number, part in enumerate(parts):
            folder = Path(f"part{number}")
            write_particles(folder, part, device=device)
            table = read_star(folder / "particles.star")["particles"]
            names = [each.replace("@", f"@{folder}/") for each in table.strings("rlnImageName")]
            tables.append(table.with_columns({"rlnImageName": names}))
        optics = read_star("part0/particles.star")["optics"]
        rng = np.random.default_rng(self.seed)
        columns = {
            label: [text for each in tables for text in each.strings(label)] for label in tables[0].labels
        }
        whole = StarTable.from_columns("particles", columns)
        junk = rng.random(self.total) < self.given.junk
        whole = whole.take(rng.permutation(self.total)).with_columns({"verglasJunk": junk.astype(int)})
        self._spoil(whole, junk, rng)
        write_star("all.star", [optics, whole], precision="full")
        truth = read_mrc("part0/truth_map.mrc")
        density = torch.from_numpy(np.array(truth.data, np.float64))[None]
        write_mrc("truth_map.mrc", truth.data, self.pixel_angst)
        start = low_pass(density, self.pixel_angst, START_ANGST, dims=3)[0]
        write_mrc("start.mrc", start.numpy().astype(np.float32), self.pixel_angst)

    def _spoil(self, table: StarTable, junk: np.ndarray, rng: np.random.Generator) -> None:
        """Put junk in the place of some images."""
        box = self.given.box
        y, x = np.mgrid[:box, :box] - box // 2
        names = table.strings("rlnImageName")
        by_stack: dict[str, list[int]] = {}
        for row in np.flatnonzero(junk):
            number, _, path = names[row].partition("@")
            by_stack.setdefault(path, []).append(int(number) - 1)
        for path, numbers in by_stack.items():
            images = np.array(read_mrc(path).data, np.float32)
            for number in numbers:
                image = rng.normal(0, 1, (box, box))
                for _ in range(rng.choice([0, 1, 6])):
                    (cy, cx), width = rng.normal(0, box / 8, 2), rng.uniform(0.05, 0.14) * box
                    image += rng.uniform(0.3, 0.8) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * width**2))
                rim = image[y**2 + x**2 > (0.4 * box) ** 2]
                images[number] = (image - rim.mean()) / rim.std()
            write_mrc(path, images, self.pixel_angst)

    def words(self, **texts: str) -> list[str]:
        """The command line of a Refine3D form with these options, without its root."""
        known = {
            "sym_name": self.specimen.symmetry,
            "particle_diameter": f"{self.specimen.diameter_angst:g}",
            "nr_threads": str(self.given.threads),
            "use_gpu": "No" if self.given.device == "cpu" else "Yes",
            "gpu_ids": "" if self.given.device == "cpu" else self.given.device,
        }
        begin = {
            "fn_ref": "start.mrc",
            "ini_high": f"{START_ANGST:g}",
            "ref_correct_greyscale": "Yes",
            "ctf_corrected_ref": "Yes",
        }
        options, _ = AutoRefine3D.Options.parse({**known, **begin, **texts})
        return AutoRefine3D.command_line(options, "JOB/", False)

    def run(self) -> dict[str, object]:
        """All updates, the warm end and the batch refinement."""
        more = f"--junk_classes {int(self.given.junk > 0)} {self.given.more}"
        whole, costs = read_star("all.star"), []
        words = self.words(fn_img="now.star", do_streaming="Yes", other_args=more)
        for number in range(self.given.updates + 1):
            count = self.given.first + number * self.given.batch
            table = whole["particles"].take(np.arange(count))
            write_star("now.star", [whole["optics"], table], precision="full")
            took, wall = refined(words, "stream", self.given.device)
            line = json.loads(Path("stream/map_history.jsonl").read_text().splitlines()[-1])
            if number:
                costs.append((took if self.given.device == "cpu" else wall) / self.given.batch)
            said = {key: line[key] for key in ("particles", "added", "researched", "resolution_angst")}
            masked = {"masked_angst": line["masked_resolution_angst"], "junk": self._junk()}
            self.tell(
                said | masked | {"cpu_s": round(took, 1), "wall_s": round(wall, 1)} | self.judged("stream")
            )
        found: dict[str, object] = {
            "ms_per_new": round(1000 * float(np.mean(costs)), 2) if costs else None,
            "spread": round(float(np.ptp(costs) / np.mean(costs)), 3) if costs else None,
        }
        if self.given.warm_too:
            took, wall = refined(self.words(**warm_options("stream/")), "warm", self.given.device)
            self.tell({"end": "warm", "cpu_s": round(took), "wall_s": round(wall)} | self.judged("warm"))
        if self.given.batch_too:
            listed = warm_options("stream/")["fn_img"]
            took, wall = refined(self.words(fn_img=listed), "batch", self.given.device)
            self.tell({"end": "batch", "cpu_s": round(took), "wall_s": round(wall)} | self.judged("batch"))
            for name in ("stream", "warm"):
                if Path(name, "run_class001.mrc").exists():
                    self.tell({"likeness": f"{name} and batch"} | self.likeness(name, "batch"))
        return found

    def tell(self, row: dict[str, object]) -> None:
        print(json.dumps({"seed": self.seed, **row}), flush=True)

    def _junk(self) -> str:
        """Junk that was found, and good particles that were taken for it."""
        table = read_star("stream/run_data.star")["particles"]
        junk = np.asarray(table.ints("verglasJunk")) == 1
        second = np.asarray(table.ints("rlnClassNumber")) == 2
        return f"{(junk & second).sum()} of {junk.sum()}, {(second & ~junk).sum()} of {(~junk).sum()} good"

    def judged(self, folder: str) -> dict[str, object]:
        """Resolution at which the FSC with the truth, within the particle's sphere, falls below 0.5; a picture."""
        maps = [self._masked("truth_map.mrc"), self._masked(f"{folder}/run_class001.mrc")]
        write_png(f"{folder}.png", np.concatenate([sections(each.numpy()) for each in maps]))
        curve = fsc(*maps)
        reached = resolution_angst(curve, self.given.box, self.pixel_angst, 0.5)
        return {"truth_angst": round(reached, 2), "truth_area": round(float(curve[1:].mean()), 4)}

    def likeness(self, one: str, other: str) -> dict[str, object]:
        """Area below the FSC of two final maps up to the resolution of the second, and what shells they reach."""
        maps = [self._masked(f"{name}/run_class001.mrc") for name in (one, other)]
        reached = [final_resolution(name) for name in (one, other)]
        last = round(self.given.box * self.pixel_angst / reached[1])
        area = float(fsc(*maps)[1 : last + 1].mean())
        return {"fsc_area": round(area, 5), "angst": [round(each, 3) for each in reached]}

    def _masked(self, name: str) -> torch.Tensor:
        density = torch.from_numpy(np.array(read_mrc(name).data, np.float64))
        radius = self.specimen.diameter_angst / 2 / self.pixel_angst
        inside = 1 - outside_weight(len(density), radius, 5.0, 3, dtype=torch.float64)
        return density * inside


def refined(words: list[str], folder: str, device: str) -> tuple[float, float]:
    """Run `verglas refine` into a folder; processor and wall seconds."""
    words = [word.replace("JOB/", f"{folder}/") for word in words]
    begin, wall = sum(os.times()[:2]), time.monotonic()
    with open(f"{folder}.out", "a") as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        if run_program("refine", words):
            raise RuntimeError(f"a run failed: see {folder}.out")
    if device != "cpu":
        torch.cuda.synchronize()
    return sum(os.times()[:2]) - begin, time.monotonic() - wall


def final_resolution(folder: str) -> float:
    """Å, as the run says."""
    return float(read_star(f"{folder}/run_model.star")["model_general"].number("rlnCurrentResolution"))


def sections(volume: np.ndarray) -> np.ndarray:
    """Central sections side by side, grey values uint8."""
    middle = len(volume) // 2
    low, high = np.percentile(volume, (1, 99.9))
    grey = np.clip((volume - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    row = np.concatenate([grey[middle], grey[:, middle], grey[:, :, middle]], axis=1)
    return np.kron(row, np.ones((max(1, 192 // len(volume)),) * 2, np.uint8))


def main() -> None:
    """Parse, run all, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--specimens", nargs="+", default=list(SPECIMENS), choices=list(SPECIMENS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--updates", type=int, default=4)
    parser.add_argument("--box", type=int, default=64)
    parser.add_argument("--snr", type=float, default=0.05)
    parser.add_argument("--b_factor", type=float, default=150.0)
    parser.add_argument("--junk", type=float, default=0.05)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu, or the number of a GPU")
    parser.add_argument(
        "--warm_too", action="store_true", help="also a batch refinement that begins from the updates"
    )
    parser.add_argument("--batch_too", action="store_true", help="also a batch refinement from the start")
    parser.add_argument("--more", default="", help="more flags of the updates")
    given = parser.parse_args()
    root, rows = given.out.resolve(), []
    for name in given.specimens:
        for seed in given.seeds:
            folder = root / f"{name}_{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            os.chdir(folder)
            bench = Bench(given, SPECIMENS[name], seed)
            bench.simulate()
            rows.append({"specimen": name, "seed": seed, **bench.run()})
    print("\n| specimen | seed | ms per new particle | spread |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row['specimen']} | {row['seed']} | {row['ms_per_new']} | {row['spread']} |")


if __name__ == "__main__":
    main()
