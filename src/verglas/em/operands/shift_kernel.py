"""Images at several translations, laid out for matrix products, in one pass over the memory (CPU only)."""

from __future__ import annotations

from numba import njit

# mypy: disable-error-code="no-untyped-def"


@njit(cache=True, nogil=True, fastmath=True, inline="never")
def shift_row(re, im, cos, sin, out_re, out_im):
    """out = (re + i im) * (cos + i sin)."""
    for k in range(re.size):
        out_re[k] = re[k] * cos[k] - im[k] * sin[k]
        out_im[k] = re[k] * sin[k] + im[k] * cos[k]


@njit(cache=True, nogil=True)
def shift_rows(real, imag, phases, out, first, last):
    """out (b, T, 2, n) = (real + i imag) (b, n) times phases (T, 2, n), for images first..last-1."""
    for i in range(first, last):
        for t in range(len(phases)):
            shift_row(real[i], imag[i], phases[t, 0], phases[t, 1], out[i, t, 0], out[i, t, 1])
