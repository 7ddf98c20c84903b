"""Resolution and image sizes between iterations (refinement.md §2.2, §3.10)."""

from __future__ import annotations

import numpy as np

from verglas.em.state.model import Model
from verglas.em.state.particles import Floats
from verglas.em.state.settings import EmSettings
from verglas.fourier.rounding import nearest
from verglas.maps.reconstruction import MIN_REGULARISED_SHELL

FAR_BEYOND = 3  # shells: data that outweigh the prior again so far beyond a dip count


def current_image_size(model: Model, incr_size: int, has_high_fsc: bool) -> int:
    """Size of the Fourier box for the next expectation step; `incr_size` shells beyond the resolution."""
    shell = nearest(model.extent_angst * model.current_resolution)
    if model.average_p_max > 0.1 and has_high_fsc:
        shell += nearest(0.25 * (model.box_size // 2))
    else:
        shell += incr_size
    return min(2 * shell, model.box_size)


def resolved_shell(data_vs_prior: Floats) -> int:
    """Last shell before the first (>= 1) where the data do not outweigh the prior."""
    below = np.nonzero(data_vs_prior[1:] < 1)[0]
    return int(below[0]) if below.size else len(data_vs_prior) - 1


def resolved_beyond_dips(data_vs_prior: Floats) -> int:
    """The same; with half-sets a dip of the FSC does not count where shells far beyond it are good."""
    first = resolved_shell(data_vs_prior)
    above = np.nonzero(data_vs_prior > 1)[0]
    last = int(above[-1]) if above.size else 0
    return last if last > first + FAR_BEYOND else first


def new_resolution(settings: EmSettings, model: Model, iteration: int) -> float:
    """Current resolution (1/Å) after an iteration, from data_vs_prior of all classes."""
    early = iteration == 0 or (iteration == 1 and settings.firstiter_cc)
    if early and settings.ini_high_angst > 0:
        shell = nearest(model.extent_angst / settings.ini_high_angst)
    elif not settings.do_map:
        shell = model.box_size // 2
    else:
        resolved = resolved_beyond_dips if settings.halves else resolved_shell
        shell = max(resolved(spectrum) for spectrum in model.data_vs_prior)
        shell = max(shell, MIN_REGULARISED_SHELL)
    return shell / model.extent_angst


def initial_data_vs_prior(settings: EmSettings, model: Model, power: Floats, n_particles: int) -> Floats:
    """data_vs_prior (K, S) at iteration 0, from ½ the power spectra (K, S) of the references (§3.10)."""
    sigma2 = model.sigma2_noise.mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        evidence = np.where(sigma2 > 0, n_particles / sigma2, 0.0)
    evidence = model.class_weights[:, None] * evidence
    tau2 = settings.tau2_fudge * power
    if model.dims == 3:
        shells = np.maximum(np.arange(model.n_shells), 1)
        evidence = evidence / (2 * shells)
        tau2 = tau2 * model.box_size**2
    return evidence * tau2


def class_resolutions(model: Model) -> tuple[Floats, Floats]:
    """Estimated resolution (Å) and Fourier completeness up to it, per class (§9.3)."""
    resolutions, completeness = [], []
    for spectrum, coverage in zip(model.data_vs_prior, model.coverage):
        shell = max(resolved_shell(spectrum), 0)
        resolutions.append(model.extent_angst / shell if shell else 999.0)
        sizes = np.arange(shell + 1, dtype=float) ** (model.dims - 1)
        sizes[0] = 1.0
        completeness.append(float((coverage[: shell + 1] * sizes).sum() / sizes.sum()))
    return np.array(resolutions), np.array(completeness)
