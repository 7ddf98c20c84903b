"""Operations on maps and images: masks, FSC, reconstruction (numerics)."""

from verglas.maps.mask_creation import create_mask
from verglas.maps.masks import outside_weight, soft_mask, solvent_sphere
from verglas.maps.reconstruction import reconstruct, to_real_space, wiener_divide
from verglas.maps.shell_correlation import fsc, resolution_angst, resolution_shell, true_fsc
from verglas.maps.spectra import half_map_fsc, join_low_resolution, noise_power, signal_from_fsc

__all__ = [
    "create_mask",
    "fsc",
    "half_map_fsc",
    "join_low_resolution",
    "noise_power",
    "outside_weight",
    "reconstruct",
    "resolution_angst",
    "resolution_shell",
    "signal_from_fsc",
    "soft_mask",
    "solvent_sphere",
    "to_real_space",
    "true_fsc",
    "wiener_divide",
]
