"""Options of Particle polishing (pipeline.md §4.22)."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import MASK, MOVIE_PARTICLES
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions, RankOptions

_IO: dict[str, Any] = {"tab": "I/O", "on_continue": "locked"}
_MOVE: dict[str, Any] = {"tab": "Movement"}
_DAMAGE: dict[str, Any] = {"tab": "Damage"}
_NORMALISE: dict[str, Any] = {"tab": "Normalise"}


def _weights(options: Any) -> bool:
    return options.do_bfactor_weighting


class ParticlePolishOptions(RankOptions, QueueOptions):
    """Movie particles, how they may have moved, and what frames are worth."""

    fn_in: str = option(
        "", label="Input STAR file with aligned movies:", flag="--i", node=MOVIE_PARTICLES,
        pattern="STAR files (*_data.star)", help="Of movie refinement.", **_IO,
    )  # fmt: skip
    fn_mask: str = option(
        "", label="Mask for the reconstructions", flag="--mask", node=MASK,
        pattern="Image Files (*.{spi,vol,msk,mrc})", help="Soft, about the particle.", **_IO,
    )  # fmt: skip
    do_fit_movement: bool = option(
        True, label="Linear fit particle movements?", flag="--no_fit", flag_when=False,
        help="Straight tracks; otherwise those of movie refinement as they are.", **_MOVE,
    )  # fmt: skip
    sigma_nb: float = option(
        100.0, label="Stddev on particle distance (pix)", unit="px", flag="--sigma_nb", minimum=0, maximum=1000,
        step=50, flag_if=lambda o: o.do_fit_movement,
        help="Neighbours so near help to find a particle's track.", **_MOVE,
    )  # fmt: skip
    do_bfactor_weighting: bool = option(
        True, label="Perform B-factor weighting?", flag="--skip_bfactor_weighting", flag_when=False,
        help="Frames count by what they show at each frequency.", **_DAMAGE,
    )  # fmt: skip
    perframe_highres: float = option(
        6.0, label="Highres-limit per-frame maps (A)", unit="Å", flag="--perframe_highres", minimum=1, maximum=25,
        step=1, flag_if=_weights, help="Finer frequencies are not used for the B-factors.", **_DAMAGE,
    )  # fmt: skip
    perframe_bfac_lowres: float = option(
        20.0, label="Lowres-limit B-factor estimation (A)", unit="Å", flag="--autob_lowres", minimum=1, maximum=40,
        step=1, flag_if=_weights, help="Coarser frequencies are not used for the B-factors.", **_DAMAGE,
    )  # fmt: skip
    average_frame_bfactor: int = option(
        1, label="Average frames B-factor estimation", flag="--bfactor_running_avg", minimum=1, maximum=7, step=1,
        flag_if=_weights, help="B-factors of so many frames are averaged.", **_DAMAGE,
    )  # fmt: skip
    sym_name: str = option("C1", label="Symmetry:", flag="--sym", help="Point group.", **_DAMAGE)
    bg_diameter: float = option(
        -1.0, label="Diameter background circle (pix):", unit="px", flag="--bg_radius", minimum=-1, maximum=600,
        step=10, to_flag=lambda value: int(value / 2) if value > 0 else -1,
        help="Not positive: three quarters of the box.", **_NORMALISE,
    )  # fmt: skip
    white_dust: float = option(
        -1.0, label="Stddev for white dust removal:", flag="--white_dust", minimum=-1, maximum=10, step=0.1,
        help="Brighter pixels are replaced by noise; negative: off.", **_NORMALISE,
    )  # fmt: skip
    black_dust: float = option(
        -1.0, label="Stddev for black dust removal:", flag="--black_dust", minimum=-1, maximum=10, step=0.1,
        help="Darker pixels are replaced by noise; negative: off.", **_NORMALISE,
    )  # fmt: skip
