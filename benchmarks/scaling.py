"""How refinement scales: over the cards of a machine, and over ranks on CPUs.

    python benchmarks/scaling.py cards [--cards 1,2] [--n 50000] [--n2d 100000] [--folder DIR]
    python benchmarks/scaling.py ranks [--ranks 2,4,8] [--n 300] [--box 48] [--folder DIR]

`cards` runs gpu_refine3d.py (auto-refine to its local searches, and Class3D with K = 6) and gpu_class2d.py
with each number of cards and prints, per stage, seconds, per cent of the ideal and how busy the cards were.
`ranks` refines a small simulated set under mpirun with each number of ranks, sums combined through the
network and through the disc: whether the files are equal byte for byte, how far the maps are from those of
one process, and the seconds of combining the sums of a 3D classification (combine.py).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np

from verglas.formats.mrc import read_mrc

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
FLAGS = (
    "--auto_refine --split_random_halves --ini_high 40 --ctf --particle_diameter {diameter:g} --zero_mask"
    " --flatten_solvent --oversampling 1 --healpix_order 1 --auto_local_healpix_order 4 --offset_range 3"
    " --offset_step 2 --low_resol_join_halves 40 --norm --scale --pad 2 --random_seed 1 --j 1 --cpu"
    " --sym {symmetry} --iter {iterations}"
)
COMPARED = ("data.star", "half1_model.star", "half2_model.star", "half1_class001.mrc", "half2_class001.mrc")
STAGES = {
    "auto-refine, order 3": lambda row: row["order"] == 3 and not row["local"],
    "auto-refine, local, order 5": lambda row: row["order"] == 5 and row["local"],
    "auto-refine, local, order 4": lambda row: row["order"] == 4 and row["local"],
}


def output_of(words: list[str]) -> str:
    """What a program prints; its complaints go to the terminal."""
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def of_cards(cards: int, n: int, n2d: int, folder: Path) -> dict[str, tuple[float, float]]:
    """Seconds per iteration and GPU load (%) of every stage."""
    found = {}
    three = [sys.executable, str(HERE / "gpu_refine3d.py"), "--n", str(n), "--gpus", str(cards)]
    told = folder / f"cards{cards}.json"
    output_of([*three, "--out", str(told)])
    rows = json.loads(told.read_text())["iterations"]
    for stage, belongs in STAGES.items():
        mine = [row for row in rows if belongs(row)]
        if mine:
            found[stage] = median(r["seconds"] for r in mine), median(r["busy"] for r in mine)
    output_of([*three, "--classes", "6", "--iterations", "10", "--out", str(told)])
    late = json.loads(told.read_text())["iterations"][5:]
    found["Class3D, K = 6"] = median(r["seconds"] for r in late), median(r["busy"] for r in late)
    two = [sys.executable, str(HERE / "gpu_class2d.py"), "--only", "em", "--n", str(n2d)]
    output_of([*two, "--gpus", str(cards), "--out", str(told)])
    em = json.loads(told.read_text())["em"]
    found["Class2D, late"] = median(em["per_iteration"][15:]), float(em["gpu_busy_percent"])
    return found


def measure_cards(numbers: list[int], n: int, n2d: int, folder: Path) -> None:
    first: dict[str, tuple[float, float]] = {}
    print(f"{'stage':30} {'cards':>5} {'seconds':>8} {'% of ideal':>10} {'busy %':>6}")
    for cards in numbers:
        found = of_cards(cards, n, n2d, folder)
        first = first or found
        for stage, (seconds, busy) in found.items():
            ideal = first[stage][0] * numbers[0] / cards if stage in first else float("nan")
            print(
                f"{stage:30} {cards:5} {seconds:8.2f} {100 * ideal / seconds:10.0f} {busy:6.0f}", flush=True
            )


def refined(folder: Path, name: str, flags: str, ranks: int, extra: str = "") -> Path:
    """A run of `verglas refine`, under mpirun unless `ranks` is 1; the root of its files."""
    root = folder / name
    root.mkdir(exist_ok=True)
    words = [str(BIN / "verglas"), "refine", "--i", "particles.star", "--ref", "truth_map.mrc"]
    words += ["--o", str(root / "run"), *flags.split(), *extra.split()]
    if ranks > 1:
        words = ["mpirun", "-n", str(ranks), "--oversubscribe", "--allow-run-as-root", *words]
    with (root / "run.out").open("w") as log:
        subprocess.run(words, check=True, cwd=folder, stdout=log)
    return root / "run"


def simulate(folder: Path, n: int, box: int) -> None:
    """Particles of the proteasome with truth; the reference is the true map, filtered by --ini_high."""
    if (folder / "particles.star").exists():
        return
    words = f"simulate particles --count {n} --box {box} --pixel-size-angst {280 / box:.3f} --truth-maps"
    output_of([str(BIN / "verglas"), *words.split(), "--device", "cpu", str(folder)])


def measure_ranks(numbers: list[int], n: int, box: int, folder: Path) -> None:
    last = 3
    flags = FLAGS.format(diameter=200, symmetry="D7", iterations=last)
    simulate(folder, n, box)
    alone = refined(folder, "alone", flags, 1)
    one = read_mrc(f"{alone}_it{last:03d}_half1_class001.mrc").data
    print(f"{'ranks':>5} {'network = disc':>14} {'map against one process':>24}")
    for ranks in numbers:
        network = refined(folder, f"network{ranks}", flags, ranks)
        disc = refined(folder, f"disc{ranks}", flags, ranks, "--combine_weights_via_disc")
        same = all(
            Path(f"{network}_it{last:03d}_{part}").read_bytes().replace(b"network", b"disc")
            == Path(f"{disc}_it{last:03d}_{part}").read_bytes().replace(b"network", b"disc")
            for part in COMPARED
        )
        mine = read_mrc(f"{network}_it{last:03d}_half1_class001.mrc").data
        away = float(np.sqrt(np.mean((mine - one) ** 2) / np.mean(one**2)))
        print(f"{ranks:5} {'yes' if same else 'NO':>14} {away:24.1e}", flush=True)
    for ranks in numbers:
        print(
            f"combining, {ranks} ranks (MB per rank, seconds through network, disc, of that adding, reading)"
        )
        words = [sys.executable, str(HERE / "combine.py"), "--ranks", str(ranks), "--folder", str(folder)]
        print(re.sub(r"(?m)^", "  ", output_of(words)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("cards", "ranks"))
    parser.add_argument("--cards", default="1,2")
    parser.add_argument("--ranks", default="2,4,8")
    parser.add_argument("--n", type=int, default=0)
    parser.add_argument("--n2d", type=int, default=100_000)
    parser.add_argument("--box", type=int, default=48)
    parser.add_argument("--folder", type=Path, default=Path("scaling"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.what == "cards":
        numbers = [int(number) for number in options.cards.split(",")]
        measure_cards(numbers, options.n or 50_000, options.n2d, options.folder)
    else:
        numbers = [int(number) for number in options.ranks.split(",")]
        measure_ranks(numbers, options.n or 300, options.box, options.folder.resolve())


if __name__ == "__main__":
    main()
