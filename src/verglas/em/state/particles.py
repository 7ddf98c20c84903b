"""The particles of a refinement: what is known of each, and where its image comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OpticsGroup:
    """What all images of one optics group share (refinement.md §1.7)."""

    name: str
    box_size: int
    pixel_size_angst: float
    voltage_kv: float = 300.0
    cs_mm: float = 2.7
    amplitude_contrast: float = 0.1
    ctf_premultiplied: bool = False
    even_zernike: tuple[float, ...] = ()
    odd_zernike: tuple[float, ...] = ()
    beam_tilt_mrad: tuple[float, float] = (0.0, 0.0)  # x, y
    magnification: tuple[float, float, float, float] | None = None  # xx, xy, yx, yy
    mtf: tuple[tuple[float, ...], tuple[float, ...]] | None = None  # 1/px of the detector, value
    original_pixel_size_angst: float = 0.0

    def __post_init__(self) -> None:
        if self.box_size < 8 or self.box_size % 2:
            raise ValueError(
                f"optics group {self.name}: box of {self.box_size} px; it must be even and at least 8"
            )
        if not self.pixel_size_angst > 0:
            raise ValueError(f"optics group {self.name}: pixel size {self.pixel_size_angst} Å")


@dataclass(frozen=True)
class Particles:
    """Fixed facts of n particles; arrays of shape (n,) unless said otherwise."""

    names: tuple[str, ...]  # for messages
    optics: tuple[OpticsGroup, ...]
    optics_group: Ints  # index into `optics`
    scale_group: Ints  # 0-based
    group_names: tuple[str, ...]
    defocus_u_angst: Floats
    defocus_v_angst: Floats
    defocus_angle_deg: Floats
    phase_shift_deg: Floats
    b_factor_a2: Floats
    ctf_scale: Floats
    psi_prior_deg: Floats | None = None  # helices
    half: Ints | None = None  # half-set, 0 or 1
    number: Ints | None = None  # in the first list, of which some may have been set aside since

    @property
    def numbers(self) -> Ints:
        """What random numbers and pseudo-half-sets depend on; the same after a restart."""
        return np.arange(len(self)) if self.number is None else self.number

    def of_half(self, rows: Ints, half: int) -> Ints:
        """Those of `rows` that belong to a half-set; all of them where there are none."""
        return rows if self.half is None else rows[self.half[rows] == half]

    def __len__(self) -> int:
        return len(self.names)


@dataclass
class Assignments:
    """What a refinement finds out about each particle; arrays of n rows."""

    rot_deg: Floats
    tilt_deg: Floats
    psi_deg: Floats
    origin_yx_angst: Floats  # (n, 2): shift to be applied to the image
    class_index: Ints  # 0-based; -1: none yet
    norm: Floats
    log_likelihood: Floats
    p_max: Floats
    n_significant: Ints
    set_aside: dict[int, str] = field(default_factory=dict)  # particle -> reason

    @classmethod
    def start(cls, n: int) -> Assignments:
        return cls(
            np.zeros(n),
            np.zeros(n),
            np.zeros(n),
            np.zeros((n, 2)),
            np.full(n, -1, np.int64),
            np.ones(n),
            np.zeros(n),
            np.zeros(n),
            np.zeros(n, np.int64),
        )

    def copy(self) -> Assignments:
        """An independent copy (what the last iteration believed)."""
        values = {name: value.copy() for name, value in vars(self).items() if name != "set_aside"}
        return Assignments(**values, set_aside=dict(self.set_aside))


class ImageSource(Protocol):
    """Gives particle images. `indices` are of one optics group, so that boxes agree."""

    def read(self, indices: Ints) -> npt.NDArray[np.float32] | Tensor:
        """Images (b, N, N). An image that cannot be read comes back as NaN.

        A source that knows why has it in `problems` (particle -> reason).
        """
        ...


class ResidentSource:
    """Images held on a device, of one box size: nothing is sent there during the run."""

    def __init__(self, images: Tensor) -> None:
        self._images = images

    def read(self, indices: Ints) -> Tensor:
        return self._images[torch.as_tensor(indices, device=self._images.device)].float()


class ArraySource:
    """Images held in memory, of one box size (tests, simulations)."""

    def __init__(self, images: npt.NDArray[np.floating]) -> None:
        self._images = images

    def read(self, indices: Ints) -> npt.NDArray[np.float32]:
        return np.asarray(self._images[indices], np.float32)
