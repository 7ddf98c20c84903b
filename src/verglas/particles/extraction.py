"""Cutting particles out of a micrograph (refinement.md §10.5), in the order given there.

Window at the truncated coordinate; multiply by the CTF or flip phases in a larger window; repeat edge
pixels outside the micrograph; rescale in Fourier space; re-window; dust, ramp, normalise; invert.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verglas.particles import kernels
from verglas.particles.background import Array, Background, background_of
from verglas.particles.dust import remove_dust
from verglas.particles.tubes import normalise_beside_tubes

if TYPE_CHECKING:
    from verglas.optics import CtfParameters


@dataclass(frozen=True, slots=True)
class ExtractionSettings:
    """What is done to every particle. Sizes in pixels; the radius belongs to the final box."""

    box_px: int
    scale_px: int | None = None  # rescale the box to this size
    window_px: int | None = None  # then cut or fill to this size
    normalise: bool = True
    ramp: bool = True
    background_radius_px: int = -1
    white_dust: float = -1.0  # sigmas; not positive: off
    black_dust: float = -1.0
    invert: bool = True
    bias_x_px: int = 0
    bias_y_px: int = 0
    ctf: str = "none"  # "multiply" or "flip"
    ctf_box_px: int | None = None  # window in which the CTF is applied
    ctf_intact_first_peak: bool = False
    tube_radius_px: float | None = None  # helices: background beside the tube, in the final box

    def __post_init__(self) -> None:
        for name, size in (("box", self.box_px), ("rescaled box", self.scale_px or 2)):
            if size <= 0 or size % 2:
                raise ValueError(f"{name} must be an even number of pixels, got {size}")
        if self.ctf not in ("none", "multiply", "flip"):
            raise ValueError(f"ctf must be none, multiply or flip, got {self.ctf!r}")

    @property
    def output_px(self) -> int:
        """Size of the images that come out."""
        return self.window_px or self.scale_px or self.box_px

    @property
    def is_plain(self) -> bool:
        """Whether cutting and normalising is all, which is done in one go."""
        whole = self.output_px == self.box_px and self.ctf == "none"
        dust = max(self.white_dust, self.black_dust) > 0
        return whole and self.normalise and not dust and self.tube_radius_px is None

    @property
    def pixel_factor(self) -> float:
        """Output pixel size over micrograph pixel size."""
        return self.box_px / (self.scale_px or self.box_px)


def window_corners(xy: Array, settings: ExtractionSettings) -> tuple[Array, Array]:
    """First pixel (x0, y0) of each window: coordinates are truncated, not rounded."""
    whole = np.trunc(np.asarray(xy, dtype=np.float64)).astype(np.int64)
    bias = np.array([settings.bias_x_px, settings.bias_y_px]) - settings.box_px // 2
    corner = whole + bias
    return corner[:, 0], corner[:, 1]


def overlaps(xy: Array, shape_yx: tuple[int, int], settings: ExtractionSettings) -> Array:
    """(n,) bool: does any part of the particle's window lie on the micrograph."""
    x0, y0 = window_corners(xy, settings)
    rows, columns = shape_yx
    size = settings.box_px
    return (x0 + size > 0) & (x0 < columns) & (y0 + size > 0) & (y0 < rows)


def extract_particles(
    micrograph: Array,  # (y, x)
    xy: Array,  # (n, 2) micrograph pixels
    settings: ExtractionSettings,
    *,
    pixel_size_angst: float = 1.0,
    ctf: CtfParameters | None = None,
    tube_psi_deg: Array | None = None,  # (n,)
    seed: int = 1,
) -> Array:  # (n, output, output) float32
    """Particle images. `ctf` (one row) is needed if it is to be applied, the angles for helices.

    Raises ValueError for a window wholly outside the micrograph, or a background without variance.
    """
    micrograph = np.ascontiguousarray(micrograph, dtype=np.float32)
    outside = ~overlaps(xy, (micrograph.shape[0], micrograph.shape[1]), settings)
    if outside.any():
        x, y = np.asarray(xy)[outside][0]
        raise ValueError(f"particle at ({x:g}, {y:g}) lies wholly outside the micrograph")
    if settings.is_plain:
        return _plain(micrograph, xy, settings)
    images = _windows(micrograph, xy, settings, pixel_size_angst, ctf)
    return _finish(images, settings, tube_psi_deg, seed)


def _plain(micrograph: Array, xy: Array, settings: ExtractionSettings) -> Array:
    images = np.empty((len(xy), settings.box_px, settings.box_px), np.float32)
    x0, y0 = window_corners(xy, settings)
    around = background_of(settings.box_px, settings.background_radius_px)
    deviations = np.empty(len(images))
    sign = -1.0 if settings.invert else 1.0
    kernels.cut_and_normalise(
        micrograph,
        x0,
        y0,
        images,
        around.first,
        around.last,
        around.count,
        around.inverse,
        settings.ramp,
        sign,
        deviations,
    )
    _refuse_flat(deviations, xy)
    return images


def _windows(
    micrograph: Array,
    xy: Array,
    settings: ExtractionSettings,
    pixel_size_angst: float,
    ctf: CtfParameters | None,
) -> Array:
    x0, y0 = window_corners(xy, settings)
    if settings.ctf != "none":
        from verglas.particles.premultiply import windows_times_ctf

        if ctf is None:
            raise ValueError("the CTF is to be applied, but the micrograph has none")
        return windows_times_ctf(micrograph, x0, y0, settings, pixel_size_angst, ctf)
    images = np.empty((len(xy), settings.box_px, settings.box_px), np.float32)
    kernels.cut_stack(micrograph, x0, y0, images)
    return images


def _finish(images: Array, settings: ExtractionSettings, tube_psi_deg: Array | None, seed: int) -> Array:
    if settings.scale_px and settings.scale_px != images.shape[-1]:
        images = _rescaled(images, settings.scale_px)
    if settings.window_px and settings.window_px != images.shape[-1]:
        images = rewindow(images, settings.window_px)
    sign = -1.0 if settings.invert else 1.0
    if not settings.normalise:
        return images * np.float32(sign)
    around = background_of(images.shape[-1], settings.background_radius_px)
    if max(settings.white_dust, settings.black_dust) > 0:
        remove_dust(images, around, settings.white_dust, settings.black_dust, seed)
    if settings.tube_radius_px is not None:
        if tube_psi_deg is None:
            raise ValueError("helical segments need the in-plane angle of their tubes")
        radius = settings.tube_radius_px
        normalise_beside_tubes(images, tube_psi_deg, radius, ramp=settings.ramp, sign=sign)
    else:
        normalise_particles(images, around, ramp=settings.ramp, sign=sign)
    return images


def normalise_particles(images: Array, around: Background, *, ramp: bool = True, sign: float = 1.0) -> None:
    """Background plane (or mean) 0 and deviation 1, in place, (n, size, size) float32.

    Raises ValueError naming the first image whose background has no variance.
    """
    deviations = np.empty(len(images))
    kernels.normalise_stack(
        images, around.first, around.last, around.count, around.inverse, ramp, sign, deviations
    )
    _refuse_flat(deviations, None)


def _refuse_flat(deviations: Array, xy: Array | None) -> None:
    flat = np.flatnonzero(~(deviations > 0))
    if len(flat):
        where = "" if xy is None else f" at ({xy[flat[0]][0]:g}, {xy[flat[0]][1]:g})"
        raise ValueError(
            f"particle {flat[0] + 1}{where} has no variance in its background (a dead area, "
            "or values that are not finite)"
        )


def _rescaled(images: Array, size: int) -> Array:
    """Fourier-cropped (or padded) to `size`; in batches that fit the cache."""
    import torch

    from verglas.fourier import rescale

    out = np.empty((len(images), size, size), np.float32)
    for start in range(0, len(images), 64):
        batch = torch.from_numpy(images[start : start + 64])
        out[start : start + 64] = rescale(batch, size).numpy()
    return out


def rewindow(images: Array, size: int) -> Array:  # (n, size, size)
    """Cut the middle out, or put the image in the middle of zeros."""
    old = images.shape[-1]
    out = np.zeros((len(images), size, size), np.float32)
    take, put = max(0, old // 2 - size // 2), max(0, size // 2 - old // 2)
    n = min(old, size)
    out[:, put : put + n, put : put + n] = images[:, take : take + n, take : take + n]
    return out
