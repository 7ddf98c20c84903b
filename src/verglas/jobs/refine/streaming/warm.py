"""How an ordinary auto-refine goes on from a map that followed its particles: the options of a Refine3D form.

The half-sets stay (rlnRandomSubset of the list), every particle begins at its pose and is searched around it at once,
and the map begins where both halves say the same beyond doubt: what they share at the start is signal.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from verglas.formats.star import StarTable, read_star
from verglas.jobs.refine.options.maps import SAMPLING_STEPS

SURE = 0.8  # FSC up to which the map that both halves begin with is taken
LEAST_SHELL = 3


def good_list(root: str) -> str:
    """The particles of the map alone, where junk was told apart."""
    return f"{root}_class001_data.star"


def warm_options(directory: str) -> dict[str, str]:
    """Option -> text for a Refine3D job of the same particles; `directory` of the job that followed them.

    Raises OSError or StarError where its files are not there or damaged.
    """
    root = str(Path(directory) / "run")
    model, sampling = read_star(f"{root}_model.star"), read_star(f"{root}_sampling.star")["sampling_general"]
    pixel = model["model_general"].number("rlnPixelSize")
    order = min(sampling.integer("rlnHealpixOrder"), len(SAMPLING_STEPS) - 1)
    step = sampling.number("rlnOffsetStep") / pixel
    listed = good_list(root) if Path(good_list(root)).exists() else f"{root}_data.star"
    found = {
        "fn_img": listed,
        "fn_ref": f"{root}_class001.mrc",
        "ref_correct_greyscale": "Yes",
        "ctf_corrected_ref": "Yes",
        "ini_high": f"{_sure_angst(model['model_class_1']):.1f}",
        "sampling": SAMPLING_STEPS[order],
        "auto_local_sampling": SAMPLING_STEPS[order],
        "offset_range": f"{2 * step:.2f}",
        "offset_step": f"{step / 2:.2f}",
    }
    return found | {"other_args": f"--sigma_ang {60 / 2**order:.4g}"}


def _sure_angst(spectra: StarTable) -> float:
    """The resolution to which the halves agree beyond doubt."""
    curve = np.array(spectra.floats("rlnGoldStandardFsc"))
    angst = np.array(spectra.floats("rlnAngstromResolution"))
    below = np.flatnonzero(curve[1:] < SURE)
    shell = int(below[0]) if below.size else len(curve) - 1
    return float(angst[max(shell, LEAST_SHELL)])
