"""Options of Particle sorting (pipeline.md §4.7)."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import PARTICLES, REFERENCES_2D
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions

_IO: dict[str, Any] = {"tab": "I/O", "on_continue": "locked"}
_REFERENCES: dict[str, Any] = {"tab": "References", "on_continue": "locked"}


class SortOptions(QueueOptions):
    """Particles and what they should look like."""

    input_star: str = option(
        "", label="Input particles to be sorted:", node=PARTICLES, flag="--i",
        pattern="Input particles(*.{star})",
        help="Particles with poses: of a classification or refinement, or of an Extract job.", **_IO,
    )  # fmt: skip
    is_autopick: bool = option(
        False, label="Are these from an Extract job?",
        help="Then the templates that they were picked with are the references.", **_IO,
    )  # fmt: skip
    autopick_refs: str = option(
        "", label="Autopicking references:", node=REFERENCES_2D, flag="--ref",
        flag_if=lambda o: o.is_autopick, pattern="References(*.{star})",
        help="The templates of the picking job.", **_IO,
    )  # fmt: skip
    angpix_ref: float = option(
        -1.0, label="Pixel size in references (A)", flag="--angpix_ref", minimum=0.3, maximum=5,
        step=0.1, flag_if=lambda o: o.angpix_ref > 0,
        help="Of the templates; not positive: from their header.", **_REFERENCES,
    )  # fmt: skip
    do_ctf: bool = option(
        True, label="Are References CTF corrected?", flag="--ctf",
        help="Apply the CTF to the references before they are compared with particles.",
        **_REFERENCES,
    )  # fmt: skip
    do_ignore_first_ctfpeak: bool = option(
        False, label="Ignore CTFs until first peak?", flag="--ctf_intact_first_peak",
        flag_if=lambda o: o.do_ctf,
        help="As in the job that made the references: CTF = 1 up to its first peak.", **_REFERENCES,
    )  # fmt: skip
