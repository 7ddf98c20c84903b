"""Real apoferritin: from twelve micrographs to a map by our own jobs, judged by the atomic model.

    python benchmarks/real_apoferritin.py [--data ../shared/data] [--keep DIR] [--pictures DIR] [--seed 1]

The micrographs (EMPIAR-10146, sums without motion correction, 1.5 Å/px; the one that has no Thon rings is
left out) go through Import, CtfFind, LoG picking, extraction to 64 px of 3 Å, and auto-refine with O from 7a4m
at 20 Å (at 40 Å a hollow ball has no orientation: searches at 7.5° end there). Printed are
the FSC of the map with 7a4m (0.5) and that of the half maps (0.143).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from real_refine3d import judged_maps, write_pictures

from verglas.formats.mrc import write_mrc
from verglas.formats.star import read_star
from verglas.jobs.simulate.model import load_model
from verglas.simulate.projection import ProjectionSettings
from verglas.simulate.volume import model_map

BOX, PIXEL_ANGST, DIAMETER_ANGST = 64, 3.0, 150.0
VOLUME_ANGST3 = 480_000 * 1.21
BAD = "May08_06.09.02_sum"
CHAIN = {
    "Import": "--fn_in_raw Micrographs/*.mrc --is_multiframe No --angpix 1.5 --kV 300 --Cs 0.001 --Q0 0.07",
    "CtfFind": "--input_star_mics Import/job001/micrographs.star",
    "AutoPick": "--fn_input_autopick CtfFind/job002/micrographs_ctf.star --do_log Yes --log_diam_min 110"
    " --log_diam_max 140",
    "Extract": "--star_mics CtfFind/job002/micrographs_ctf.star --coords_suffix"
    f" AutoPick/job003/coords_suffix_autopick.star --extract_size 128 --do_rescale Yes --rescale {BOX}",
    "Refine3D": f"--fn_img Extract/job004/particles.star --fn_ref reference.mrc --ini_high 20 --sym_name O"
    f" --particle_diameter {DIAMETER_ANGST:g} --sampling 3.7 --auto_local_sampling 1.8",
}


def run_chain(folder: Path, data: Path, seed: int) -> None:
    """Every job of the chain in a project in `folder`."""
    program = str(Path(sys.executable).with_name("verglas"))
    (folder / "Micrographs").mkdir(parents=True, exist_ok=True)
    for file in (data / "empiar10146_apoferritin/micrographs").glob("*_sum.mrc"):
        if file.stem != BAD and not (folder / "Micrographs" / file.name).exists():
            os.symlink(file.resolve(), folder / "Micrographs" / file.name)
    subprocess.run([program, "new", "."], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    for kind, options in CHAIN.items():
        if list(folder.glob(f"{kind}/job*/RELION_JOB_EXIT_SUCCESS")):
            continue
        words = [*options.split(), *(["--other_args", f"--random_seed {seed}"] if kind == "Refine3D" else [])]
        subprocess.run([program, "job", "run", kind, *words], cwd=folder, check=True, stdout=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--keep", type=Path, help="leave the project in this folder")
    parser.add_argument("--pictures", type=Path, help="write sections and isosurfaces into this folder")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    model = load_model(next(options.data.glob("models/7a4m*")))
    truth = model_map(model, ProjectionSettings(BOX, PIXEL_ANGST))
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        run, note = folder / "Refine3D/job005", {}
        if not (run / "run_class001.mrc").exists():
            write_mrc(folder / "reference.mrc", truth, PIXEL_ANGST)
            run_chain(folder, options.data, options.seed)
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            note["cpu_s"] = round(used.ru_utime + used.ru_stime, 1)
        note["particles"] = len(read_star(run / "run_data.star")["particles"])
        reached = judged_maps(run, torch.from_numpy(truth), PIXEL_ANGST, DIAMETER_ANGST)
        print(json.dumps(note | {name: round(value, 3) for name, value in reached.items()}), flush=True)
        if options.pictures:
            volume_px = round(VOLUME_ANGST3 / PIXEL_ANGST**3)
            picture = options.pictures / "apoferritin-map.png"
            write_pictures(run, picture, torch.from_numpy(truth), volume_px)


if __name__ == "__main__":
    main()
