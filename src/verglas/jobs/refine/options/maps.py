"""Options that refinements of maps have in common (pipeline.md §4.11, §4.12), declared once."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import MAP, MASK
from verglas.jobs.contract.options import option
from verglas.jobs.refine.options import shared
from verglas.jobs.refine.options.compute import OVERSAMPLING

SAMPLING_STEPS = (
    "30 degrees", "15 degrees", "7.5 degrees", "3.7 degrees", "1.8 degrees", "0.9 degrees",
    "0.5 degrees", "0.2 degrees", "0.1 degrees",
)  # fmt: skip
_MAPS = "Image Files (*.{spi,vol,mrc})"
_IO: dict[str, Any] = {"tab": "I/O"}
_REFERENCE: dict[str, Any] = {"tab": "Reference", "on_continue": "locked"}


def coarse_order(step: str) -> int:
    """HEALPix order before oversampling of a step on the form."""
    return SAMPLING_STEPS.index(step) + 1 - OVERSAMPLING


def sampling(default: str, label: str, help: str, **where: Any) -> Any:
    """The angular step after oversampling, as the form of one job type calls it."""
    return option(
        default, label=label, flag="--healpix_order", choices=SAMPLING_STEPS, to_flag=coarse_order, help=help,
        **where,
    )  # fmt: skip


REFERENCE_MAP: Any = option(
    "", label="Reference map:", flag="--ref", node=MAP, pattern=_MAPS, on_continue="locked",
    help="Starting map.", **_IO,
)  # fmt: skip
REFERENCE_MASK: Any = option(
    "", label="Reference mask (optional):", flag="--solvent_mask", node=MASK, pattern=_MAPS,
    help="Soft mask in [0, 1] instead of the sphere of the mask diameter.", **_IO,
)  # fmt: skip
ABSOLUTE_GREYSCALE: Any = option(
    False, label="Ref. map is on absolute greyscale?", flag="--firstiter_cc", flag_when=False,
    help="No: the first iteration scores by cross-correlation.", **_REFERENCE,
)  # fmt: skip
INITIAL_LOW_PASS: Any = option(
    60.0, label="Initial low-pass filter (A):", unit="Å", flag="--ini_high", minimum=0, maximum=200,
    step=5, flag_if=lambda o: o.ini_high > 0, help="Low-pass of the starting map.", **_REFERENCE,
)  # fmt: skip
SYMMETRY: Any = option(
    "C1", label="Symmetry:", flag="--sym", help="Point group: C1, D2, O, T, I1 ...", **_REFERENCE
)
CTF_CORRECTED_REFERENCE: Any = option(
    False, label="Has reference been CTF-corrected?", flag="--ctf_corrected_ref",
    flag_if=shared.corrects_ctf,
    help="No: in the first iteration its projections are not multiplied by the CTF.", **shared.CTF,
)  # fmt: skip
SKIP_PADDING: Any = option(
    False, label="Skip padding?", tab="Compute", help="Pad references once instead of twice."
)


def relaxed_symmetry(tab: str) -> Any:
    """The group under which mates are searched."""
    return option(
        "", label="Relax symmetry:", flag="--relax_sym", tab=tab,
        help="Local searches also visit the poses related by this point group, e.g. to find what breaks a "
        "pseudo-symmetry.",
    )  # fmt: skip


_HELICES = "helical reconstruction is not possible in 3D yet"
IMPOSSIBLE = {
    "do_helix": _HELICES,
    "do_blush": "regularisation by a network is not part of verglas",
    "sigma_tilt": "a prior on the tilt alone is for filaments and tomography: " + _HELICES,
}
UNNEEDED = {
    "skip_gridding": "no iterative gridding is done",
    "trust_ref_size": "a reference of another box or pixel size is always brought to the particles'",
    **dict.fromkeys(
        (
            "helical_tube_inner_diameter", "helical_tube_outer_diameter", "range_rot", "range_tilt",
            "range_psi", "helical_range_distance", "keep_tilt_prior_fixed", "do_apply_helical_symmetry",
            "helical_nr_asu", "helical_twist_initial", "helical_rise_initial", "helical_z_percentage",
            "do_local_search_helical_symmetry", "helical_twist_min", "helical_twist_max",
            "helical_twist_inistep", "helical_rise_min", "helical_rise_max", "helical_rise_inistep",
        ),
        _HELICES,
    ),
}  # fmt: skip
