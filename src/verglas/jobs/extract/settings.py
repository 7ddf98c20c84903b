"""From the flags of Particle extraction to what is done to every particle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verglas.particles.extraction import ExtractionSettings

AUTOMATIC_RADIUS = 0.375  # of the box that comes out: 75 % of it across


def settings_of(flags: Mapping[str, Any], pixel_size_angst: float) -> ExtractionSettings:
    """The settings; the pixel size matters for helices only. Raises ValueError on odd sizes."""
    from verglas.particles.extraction import ExtractionSettings

    scale, window = flags["--scale"], flags["--window"]
    output = window if window > 0 else scale if scale > 0 else flags["--extract_size"]
    radius = flags["--bg_radius"] if flags["--bg_radius"] > 0 else int(AUTOMATIC_RADIUS * output)
    large = flags["--premultiply_extract_size"]
    return ExtractionSettings(
        flags["--extract_size"],
        scale_px=scale if scale > 0 else None,
        window_px=window if window > 0 else None,
        normalise=flags["--norm"],
        ramp=not flags["--no_ramp"],
        background_radius_px=radius,
        white_dust=flags["--white_dust"],
        black_dust=flags["--black_dust"],
        invert=flags["--invert_contrast"],
        bias_x_px=flags["--extract_bias_x"],
        bias_y_px=flags["--extract_bias_y"],
        ctf="multiply" if flags["--premultiply_ctf"] else "flip" if flags["--phase_flip"] else "none",
        ctf_box_px=large if large > 0 else None,
        ctf_intact_first_peak=flags["--ctf_intact_first_peak"],
        tube_radius_px=_tube_radius(flags, pixel_size_angst),
    )


def _tube_radius(flags: Mapping[str, Any], pixel_size_angst: float) -> float | None:
    """Radius of helical tubes in pixels of the final box."""
    if not flags["--helix"]:
        return None
    factor = flags["--extract_size"] / flags["--scale"] if flags["--scale"] > 0 else 1.0
    return float(flags["--helical_outer_diameter"]) / 2 / (pixel_size_angst * factor)
