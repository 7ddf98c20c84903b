"""The correlation curves of two half maps, freed of what their mask correlates (refinement.md §10.7.1)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from verglas.fourier import forward, inverse
from verglas.maps.postprocessing.random_phases import CLibraryRandom, randomise_as_relion
from verglas.maps.shell_correlation import (
    RANDOMISE_BELOW,
    first_shell_below,
    fsc,
    fsc_of_spectra,
    resolution_shell,
    true_fsc,
)

# cisTEM's share of a box that a typical particle fills: 0.476 (Grant, Rohou & Grigorieff 2018).
_TYPICAL_SHARE = 0.476
_ANGST3_PER_DALTON = 1 / 0.81  # of protein


@dataclass(frozen=True)
class HalfMapCurves:
    """FSC curves per shell, (S,) float64; without a mask all are the unmasked one."""

    unmasked: Tensor
    masked: Tensor
    randomised: Tensor
    true: Tensor
    random_from: int  # first shell with random phases; 0 without a mask
    mask_used: bool

    @property
    def final_shell(self) -> int:
        """The last shell before the final curve falls below 0.143."""
        return resolution_shell(self.true)


def half_map_curves(
    first: Tensor,
    second: Tensor,
    mask: Tensor | None = None,
    *,
    randomise_below: float = RANDOMISE_BELOW,
    random_from: int | None = None,
    force_mask: bool = False,
    seed: int = 0,
) -> tuple[HalfMapCurves, Tensor]:
    """Curves of two maps (N, N, N), and the half transform of their mean.

    `random_from` replaces the first shell where the unmasked FSC is below `randomise_below`. A masked result
    that reaches less far than the unmasked one is discarded, unless `force_mask`.
    Raises ValueError where the unmasked FSC never falls that low.
    """
    spectra = [forward(half, 3) for half in (first, second)]
    unmasked = fsc_of_spectra(spectra[0], spectra[1])
    if mask is None:
        mean = spectra[0].add_(spectra[1]).mul_(0.5)
        return HalfMapCurves(unmasked, unmasked, unmasked, unmasked, 0, False), mean
    start = random_from or first_shell_below(unmasked, randomise_below)
    if start is None:
        raise ValueError(
            f"the FSC of the unmasked half maps never falls below {randomise_below:g}: they are not "
            "independent (two copies of one map?), or the pixel is so large that nothing but signal is left"
        )
    masked = fsc(first * mask, second * mask)
    phases, size = CLibraryRandom(seed), int(first.shape[-1])
    random = [inverse(randomise_as_relion(f, start, phases), size, 3) * mask for f in spectra]
    randomised = fsc(random[0], random[1])
    true = true_fsc(masked, randomised, start)
    helps = resolution_shell(true) >= resolution_shell(unmasked)
    mean = spectra[0].add_(spectra[1]).mul_(0.5)
    final = true if helps or force_mask else unmasked
    return HalfMapCurves(unmasked, masked, randomised, final, start, helps or force_mask), mean


def mask_factor(mask: Tensor) -> float:
    """f of `particle_fsc`: 0.476 over the share of voxels whose mask exceeds 0.5."""
    share = float((mask > 0.5).double().mean())
    if share <= 0:
        raise ValueError("no voxel of the mask exceeds 0.5")
    return _TYPICAL_SHARE / share


def weight_factor(molecular_weight_kda: float, size: int, pixel_size_angst: float) -> float:
    """f of `particle_fsc` for a protein of this weight."""
    volume = molecular_weight_kda * 1000 * _ANGST3_PER_DALTON
    return _TYPICAL_SHARE * (size * pixel_size_angst) ** 3 / volume


def particle_fsc(unmasked: Tensor, factor: float) -> Tensor:
    """The FSC of the particle alone if it fills 0.476/factor of the box: f·FSC/(1 + (f-1)·FSC)."""
    return factor * unmasked / (1 + (factor - 1) * unmasked)
