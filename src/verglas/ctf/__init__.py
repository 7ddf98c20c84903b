"""CTF estimation from spectra (numerics).

Spectrum (mean periodogram) -> polar grid -> variable-projection fit of b(r) + e(r) C² -> quality.
"""

from verglas.ctf.estimate import CtfEstimate, estimate_ctf
from verglas.ctf.settings import CtfFit, CtfSettings, Microscope
from verglas.ctf.spectrum import Spectrum, centred_spectrum, micrograph_spectrum

__all__ = [
    "CtfEstimate",
    "CtfFit",
    "CtfSettings",
    "Microscope",
    "Spectrum",
    "centred_spectrum",
    "estimate_ctf",
    "micrograph_spectrum",
]
