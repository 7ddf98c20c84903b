"""The contrast transfer function of the weak-phase object (refinement.md §1.8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from verglas.compute.arrays import float64_tensor
from verglas.optics.wavelength import electron_wavelength_angst
from verglas.optics.zernike import even_basis

# Values closer to zero than this are moved away from it, so that a division by the CTF stays finite.
_SMALLEST = 1e-8
_SCALARS = (
    "defocus_u_angst",
    "defocus_v_angst",
    "defocus_angle_deg",
    "voltage_kv",
    "cs_mm",
    "amplitude_contrast",
    "phase_shift_deg",
    "b_factor_a2",
    "scale_factor",
)


@dataclass(frozen=True, slots=True)
class CtfParameters:
    """CTF parameters of n images; every field is a tensor of shape (n,) unless said otherwise.

    Underfocus is positive; `defocus_u_angst` is the defocus along the direction `defocus_angle_deg` from +x.
    `even_zernike` (n, k) are coefficients of γ; `magnification` (n, 2, 2) maps measured (x, y) frequencies to
    true ones; `dose_e_a2` (n,), if given, replaces the B-factor by the damping of radiation.
    Build it with `CtfParameters.of`, which broadcasts numbers and defaults.
    """

    defocus_u_angst: Tensor
    defocus_v_angst: Tensor
    defocus_angle_deg: Tensor
    voltage_kv: Tensor
    cs_mm: Tensor
    amplitude_contrast: Tensor
    phase_shift_deg: Tensor
    b_factor_a2: Tensor
    scale_factor: Tensor
    even_zernike: Tensor | None = None
    magnification: Tensor | None = None
    dose_e_a2: Tensor | None = None

    @classmethod
    def of(
        cls,
        defocus_u_angst: object,
        defocus_v_angst: object,
        defocus_angle_deg: object = 0.0,
        *,
        voltage_kv: object,
        cs_mm: object,
        amplitude_contrast: object,
        phase_shift_deg: object = 0.0,
        b_factor_a2: object = 0.0,
        scale_factor: object = 1.0,
        even_zernike: object = None,
        magnification: object = None,
        dose_e_a2: object = None,
        device: torch.device | str | None = None,
    ) -> CtfParameters:
        """From numbers, arrays or tensors that broadcast to (n,); float64. ValueError on the impossible."""

        def tensor(value: object) -> Tensor:
            return float64_tensor(value, device)

        scalars = [
            defocus_u_angst,
            defocus_v_angst,
            defocus_angle_deg,
            voltage_kv,
            cs_mm,
            amplitude_contrast,
            phase_shift_deg,
            b_factor_a2,
            scale_factor,
        ]
        tensors = [tensor(value) for value in scalars]
        n = max([t.numel() for t in tensors if t.ndim], default=1)
        columns = [t.expand(n) for t in tensors]
        _check(voltage_kv=columns[3], amplitude_contrast=columns[5])
        optional = {
            "even_zernike": None if even_zernike is None else tensor(even_zernike).expand(n, -1),
            "magnification": None if magnification is None else tensor(magnification).expand(n, 2, 2),
            "dose_e_a2": None if dose_e_a2 is None else tensor(dose_e_a2).expand(n),
        }
        return cls(**dict(zip(_SCALARS, columns, strict=True)), **optional)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return int(self.defocus_u_angst.shape[0])

    def __getitem__(self, rows: slice | Tensor) -> CtfParameters:
        """The parameters of some of the images."""
        return self._map(lambda tensor: tensor[rows])

    def to(self, device: torch.device | str) -> CtfParameters:
        """The same on another device."""
        return self._map(lambda tensor: tensor.to(device))

    def _map(self, function: Callable[[Tensor], Tensor]) -> CtfParameters:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{k: function(v) for k, v in values.items() if v is not None})


def ctf_phase(parameters: CtfParameters, frequencies_yx: Tensor) -> Tensor:
    """γ(u) in radians, (n, ...), at *measured* frequencies (..., 2) = (y, x) in 1/Å and of their dtype.

    C = -sin γ. Coefficients are combined in float64 before they meet the (float32 or float64) grid.
    """
    u = _true_frequencies(parameters, frequencies_yx)
    y, x = u.unbind(-1)
    xx, xy, yy = x * x, x * y, y * y
    column = _columns(frequencies_yx)
    a_xx, a_xy, a_yy, k2, constant = map(column, _coefficients(parameters))
    squared = xx + yy
    gamma = a_xx * xx + a_yy * yy
    gamma += a_xy * xy
    gamma += k2 * squared.square()
    gamma += constant
    if parameters.even_zernike is not None and parameters.even_zernike.shape[-1]:
        basis = even_basis(parameters.even_zernike.shape[-1], u)
        for index in range(basis.shape[-1]):
            gamma += column(parameters.even_zernike[:, index]) * basis[..., index]
    return gamma


def ctf(
    parameters: CtfParameters,
    frequencies_yx: Tensor,
    *,
    intact_first_peak: bool = False,
    phase_flipped: bool = False,
    only_flip_phases: bool = False,
    damping: bool = True,
    scale: bool = True,
) -> Tensor:
    """The CTF (n, ...) at frequencies (..., 2) = (y, x) in 1/Å, of their dtype and device.

    `phase_flipped`: the images were phase flipped (|C|); `only_flip_phases`: ±1; `intact_first_peak`: 1 up to
    the first peak. `damping` and `scale` switch the B-factor (or dose) and the scale factor. Images already
    multiplied by their CTF need C squared by the caller. C(0) = +amplitude contrast: white particles.
    """
    gamma = ctf_phase(parameters, frequencies_yx)
    values = -torch.sin(gamma)
    if intact_first_peak:
        values = torch.where(gamma.abs() < torch.pi / 2, 1.0, values)
    if damping:
        values = _damped(values, parameters, frequencies_yx)
    if phase_flipped:
        values = values.abs_()
    elif only_flip_phases:
        values = torch.where(values < 0, -1.0, 1.0).to(values.dtype)
    if scale and bool((parameters.scale_factor != 1).any()):
        values *= _columns(frequencies_yx)(parameters.scale_factor)
    floor = torch.where(values < 0, -_SMALLEST, _SMALLEST).to(values.dtype)
    return torch.where(values.abs() < _SMALLEST, floor, values)


def _damped(values: Tensor, parameters: CtfParameters, frequencies_yx: Tensor) -> Tensor:
    column = _columns(frequencies_yx)
    if parameters.dose_e_a2 is not None:
        squared = _true_frequencies(parameters, frequencies_yx).square().sum(-1)
        critical = 0.245 * squared.clamp_min(1e-20) ** (-1.665 / 2) + 2.81
        return values * torch.exp(-0.5 * column(parameters.dose_e_a2) / critical)
    if bool((parameters.b_factor_a2 == 0).all()):
        return values
    squared = _true_frequencies(parameters, frequencies_yx).square().sum(-1)
    return values * torch.exp(column(parameters.b_factor_a2 / -4) * squared)


def _coefficients(p: CtfParameters) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Factors (n,) of X², XY, Y², |u|⁴ and 1 in γ, float64."""
    wavelength = electron_wavelength_angst(p.voltage_kv)
    k1 = torch.pi * wavelength
    k2 = torch.pi / 2 * p.cs_mm * 1e7 * wavelength**3
    k3 = torch.atan(p.amplitude_contrast / torch.sqrt(1 - p.amplitude_contrast.square()))
    angle = torch.deg2rad(p.defocus_angle_deg)
    cos, sin = angle.cos(), angle.sin()
    u, v = p.defocus_u_angst, p.defocus_v_angst
    a_xx, a_yy = -(u * cos**2 + v * sin**2), -(u * sin**2 + v * cos**2)
    a_xy = -(u - v) * cos * sin
    return k1 * a_xx, 2 * k1 * a_xy, k1 * a_yy, k2, -torch.deg2rad(p.phase_shift_deg) - k3


def _true_frequencies(parameters: CtfParameters, frequencies_yx: Tensor) -> Tensor:
    """(..., 2) for all images, or (n, ..., 2) where a magnification matrix makes them differ."""
    if parameters.magnification is None:
        return frequencies_yx
    m = parameters.magnification.to(frequencies_yx)
    y, x = frequencies_yx.unbind(-1)
    m_xx, m_xy, m_yx, m_yy = map(_columns(frequencies_yx), m.flatten(1).unbind(1))
    return torch.stack([m_yx * x + m_yy * y, m_xx * x + m_xy * y], dim=-1)


def _columns(frequencies_yx: Tensor) -> Callable[[Tensor], Tensor]:
    """A function that turns values (n,) into (n, 1, ..., 1) of the dtype and device of the grid (..., 2)."""
    ones = [1] * (frequencies_yx.ndim - 1)
    return lambda values: values.to(frequencies_yx).reshape(-1, *ones)


def _check(voltage_kv: Tensor, amplitude_contrast: Tensor) -> None:
    if bool((voltage_kv <= 0).any()):
        raise ValueError(f"voltage must be positive (kV), got {float(voltage_kv.min())}")
    if bool(((amplitude_contrast < 0) | (amplitude_contrast >= 1)).any()):
        worst = amplitude_contrast[(amplitude_contrast < 0) | (amplitude_contrast >= 1)][0]
        raise ValueError(f"amplitude contrast must lie in [0, 1), got {float(worst)}")
