"""What `verglas image` prints: FSC, power spectrum, statistics, centre of mass (RELION's forms)."""

from __future__ import annotations

from typing import Any

import numpy as np

from verglas.formats.star import StarTable, format_star

_ORIGIN_ANGST = 999.0  # what RELION writes for the resolution of shell 0


def fsc_text(first: Any, second: Any, pixel_size_angst: float) -> str:
    """Table `fsc` of two maps or images of one size."""
    import torch

    from verglas.maps.shell_correlation import fsc

    curve = fsc(torch.from_numpy(first).double(), torch.from_numpy(second).double()).numpy()
    return _table("fsc", "rlnFourierShellCorrelation", curve, first.shape[-1], pixel_size_angst)


def power_text(image: Any, pixel_size_angst: float) -> str:
    """Table `power`: mean |F|² per shell."""
    from verglas.maps.image_operations import power_spectrum

    curve = power_spectrum(image)
    return _table("power", "rlnReferenceSpectralPower", curve, image.shape[-1], pixel_size_angst)


def stats_line(name: str, image: Any, pixel_size_angst: float) -> str:
    size = " x ".join(map(str, (*reversed(image.shape), *([1] * (4 - image.ndim)))))
    data = image.astype(np.float64)
    return (
        f"{name} : (x,y,z,n)= {size} ; avg= {data.mean():g} stddev= {data.std():g} "
        f"minval= {data.min():g} maxval= {data.max():g}; angpix = {pixel_size_angst:g}"
    )


def com_line(name: str, image: Any) -> str:
    from verglas.maps.box_geometry import centre_of_mass_px

    centre = zip("xyz", centre_of_mass_px(image))
    text = " ".join(f"{axis} {value:g}" for axis, value in centre)
    return f"{name} : center of mass (relative to XmippOrigin) {text}"


def _table(name: str, label: str, curve: Any, side: int, pixel_size_angst: float) -> str:
    shells = np.arange(len(curve))
    angst = np.full(len(curve), _ORIGIN_ANGST)
    angst[1:] = side * pixel_size_angst / shells[1:]
    columns = {
        "rlnSpectralIndex": shells,
        "rlnResolution": 1 / angst,
        "rlnAngstromResolution": angst,
        label: curve,
    }
    return format_star([StarTable.from_columns(name, columns)]).decode().removesuffix("\n")
