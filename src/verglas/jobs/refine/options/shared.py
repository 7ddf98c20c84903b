"""Options that 2D and 3D classification have in common (pipeline.md §4.9, §4.11), declared once.

Not a base class: the order of an option class's fields is that of its form, of `job.star` and of the command
line, and each type has options of its own between these.
"""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.options import option
from verglas.jobs.refine.options.compute import doubled

CTF: dict[str, Any] = {"tab": "CTF", "on_continue": "locked"}
OPTIMISE: dict[str, Any] = {"tab": "Optimisation"}
LOCKED: dict[str, Any] = {"tab": "Optimisation", "on_continue": "locked"}
SAMPLE: dict[str, Any] = {"tab": "Sampling"}


def aligns(options: Any) -> bool:
    """Whether poses are searched."""
    return bool(options.dont_skip_align)


def corrects_ctf(options: Any) -> bool:
    """Whether the likelihood models the CTF."""
    return bool(options.do_ctf_correction)


CTF_CORRECTION: Any = option(
    True, label="Do CTF-correction?", flag="--ctf", help="Model the CTF in the likelihood.", **CTF
)  # fmt: skip
CTF_INTACT_FIRST_PEAK: Any = option(
    False, label="Ignore CTFs until first peak?", flag="--ctf_intact_first_peak", flag_if=corrects_ctf,
    help="CTF = 1 up to its first extremum.", **CTF,
)  # fmt: skip
FAST_SUBSETS: Any = option(
    False, label="Use fast subsets (for large data sets)?", flag="--fast_subsets",
    help="Early iterations take random subsets that grow to the full set.", **LOCKED,
)  # fmt: skip
ZERO_MASK: Any = option(
    True, label="Mask individual particles with zeros?", flag="--zero_mask",
    help="No: random noise outside the circle.", **LOCKED,
)  # fmt: skip
HIGHRES_LIMIT: Any = option(
    -1.0, label="Limit resolution E-step to (A):", unit="Å", flag="--strict_highres_exp", minimum=-1,
    maximum=20, step=1, flag_if=lambda options: options.highres_limit > 0,
    help="Ignore data beyond this resolution in the E-step.", **LOCKED,
)  # fmt: skip
ALIGNMENT: Any = option(
    True, label="Perform image alignment?", flag="--skip_align", flag_when=False,
    help="No: keep the poses of the input and only classify.", **SAMPLE,
)  # fmt: skip


def offset_range(default: float, label: str, help: str, **where: Any) -> Any:
    """The radius of offsets, as the form of one job type calls it."""
    return option(
        default, label=label, unit="px", flag="--offset_range", minimum=0, maximum=30, step=1, help=help,
        **where,
    )  # fmt: skip


def offset_step(default: float, label: str, help: str, **where: Any) -> Any:
    """The step of offsets after oversampling."""
    return option(
        default, label=label, unit="px", flag="--offset_step", to_flag=doubled, minimum=0.1, maximum=5,
        step=0.1, help=help, **where,
    )  # fmt: skip


OFFSET_RANGE: Any = offset_range(
    5.0, "Offset search range (pix):", "Radius of the search for offsets.", flag_if=aligns, **SAMPLE
)
OFFSET_STEP: Any = offset_step(
    1.0, "Offset search step (pix):", "Step of offsets after oversampling.", flag_if=aligns, **SAMPLE
)
COARSER_SAMPLING: Any = option(
    False, label="Allow coarser sampling?", flag="--allow_coarser_sampling", flag_if=aligns,
    help="Coarser steps while the estimated accuracies are poor.", **SAMPLE,
)  # fmt: skip


def class_count(what: str) -> Any:
    """How many averages or maps."""
    return option(
        1, label="Number of classes:", flag="--K", minimum=1, maximum=50, step=1,
        help=f"Number of {what}.", **LOCKED,
    )  # fmt: skip


def regularisation(default: float) -> Any:
    """T of §3.3."""
    return option(
        default, label="Regularisation parameter T:", flag="--tau2_fudge", minimum=0.1, maximum=10, step=0.1,
        help="Above 1 trusts the data more.", **OPTIMISE,
    )  # fmt: skip


def mask_diameter(shape: str) -> Any:
    """Diameter of the circle or sphere around a particle."""
    return option(
        200.0, label="Mask diameter (A):", unit="Å", flag="--particle_diameter", minimum=0, maximum=1000,
        step=10, help=f"Diameter of the {shape} mask.", **OPTIMISE,
    )  # fmt: skip
