"""The CTF parameters of particles, from their own columns and those of their optics group."""

from __future__ import annotations

from verglas.em.state.particles import Ints, OpticsGroup, Particles
from verglas.optics.contrast_transfer import CtfParameters


def ctf_parameters(particles: Particles, rows: Ints, optics: OpticsGroup) -> CtfParameters:
    """Of particles `rows`, all of one optics group."""
    matrix = optics.magnification
    return CtfParameters.of(
        particles.defocus_u_angst[rows],
        particles.defocus_v_angst[rows],
        particles.defocus_angle_deg[rows],
        voltage_kv=optics.voltage_kv,
        cs_mm=optics.cs_mm,
        amplitude_contrast=optics.amplitude_contrast,
        phase_shift_deg=particles.phase_shift_deg[rows],
        b_factor_a2=particles.b_factor_a2[rows],
        scale_factor=particles.ctf_scale[rows],
        even_zernike=[optics.even_zernike] if optics.even_zernike else None,
        magnification=None if matrix is None else [[matrix[:2], matrix[2:]]],
    )
