"""Images, CTF and noise folded together once per particle (refinement.md §11.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.em.images.preparation import Prepared
from verglas.em.operands.operands import Operands
from verglas.em.state.particles import Ints, Particles
from verglas.em.state.settings import EmSettings

SMALLEST_SCALE = 0.001


@dataclass(frozen=True)
class Weighted:
    """b particles at P pixels. Y = X·SC/(fσ²), V = S²C²/(fσ²); `back_*`: what is back-projected."""

    score: Tensor  # (b, P) complex: Y
    score_power: Tensor  # (b, P): V
    back: Tensor  # (b, P) complex: Y°
    back_power: Tensor  # (b, P)
    noise_power: Tensor  # (b, P): fσ²
    image_power: Tensor  # (b, P): |X|²
    prepared: Prepared

    def rows(self, chosen: Tensor) -> Weighted:
        """Some of the particles."""
        p = self.prepared
        return Weighted(
            self.score[chosen],
            self.score_power[chosen],
            self.back[chosen],
            self.back_power[chosen],
            self.noise_power[chosen],
            self.image_power[chosen],
            Prepared(
                p.masked[chosen],
                p.unmasked[chosen],
                p.ctf[chosen],
                p.power_outside[chosen],
                p.high_power[chosen],
            ),
        )


def noise_group(settings: EmSettings, particles: Particles, rows: Ints) -> Ints:
    """Which noise spectrum each particle has."""
    per_scale_group = settings.parity.noise_per_scale_group
    return (particles.scale_group if per_scale_group else particles.optics_group)[rows]


def weigh(operands: Operands, prepared: Prepared, particles: Particles, rows: Ints) -> Weighted:
    """Fold scale, CTF and noise into the images."""
    estep = operands.estep
    settings, model = estep.settings, estep.model
    device, dtype = estep.device, estep.dtype
    sigma2 = model.sigma2_noise[noise_group(settings, particles, rows)]
    shells = operands.pixels.model_shells.clamp_max(model.n_shells - 1)
    noise = torch.as_tensor(sigma2 * settings.sigma2_fudge, dtype=dtype, device=device)[:, shells]
    scale = np.maximum(model.scale[particles.scale_group[rows]], SMALLEST_SCALE)
    s = torch.as_tensor(scale, dtype=dtype, device=device)[:, None]
    c = prepared.ctf
    seen = c if estep.state.refs_are_ctf_corrected else torch.ones_like(c)
    inverse = torch.where(noise > 0, 1 / noise, 0)
    score_factor = s * seen * inverse
    back_factor = s * inverse if operands.optics.ctf_premultiplied else s * c * inverse
    back_power = s * s * inverse * (c if operands.optics.ctf_premultiplied else c * c)
    return Weighted(
        prepared.masked * score_factor,
        s * seen * score_factor,
        prepared.unmasked * back_factor,
        back_power,
        noise,
        prepared.masked.abs().square(),
        prepared,
    )
