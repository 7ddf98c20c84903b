"""The starting point of a refinement: noise spectra and references from the particles (refinement.md §4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from verglas.em.images.pixels import pixel_list
from verglas.em.images.preparation import ImagePreparer, apply_mask, mask_radius_px
from verglas.em.maximise.references import first_low_pass
from verglas.em.poses.helix import tube_background
from verglas.em.state.model import Model
from verglas.em.state.particles import Floats, ImageSource, Ints, Particles
from verglas.em.state.settings import EmSettings
from verglas.em.state.sums import pack_tensors, unpack_tensors
from verglas.fourier import forward, rescale, shell_indices
from verglas.fourier.backprojector import BackProjector
from verglas.fourier.lattice import Lattice, padded_size
from verglas.fourier.rounding import nearest
from verglas.fourier.slicing import add_slices
from verglas.geometry.euler import euler_matrices
from verglas.maps.masks import outside_weight
from verglas.maps.reconstruction import reconstruct

PARTICLES_FOR_NOISE = 1000  # per optics group
BLOBS = 40
# Images that vary so many times more than most drown a class and the noise spectrum: 20 in a sample of 1000
# adds 40 % to σ². Good ones do not come near: at most 1.13 times the median in 1655 real picks with junk and
# edges (EMPIAR-10204); 3.3 times in views of a thin rod along and across its axis without any noise.
OUTLIER = 20.0


@dataclass
class NoiseSums:
    """Sums over particles of one kind of power spectrum and of the images; they add over ranks."""

    spectrum: Tensor  # (G, S)
    image: Tensor  # (G, N, N)
    count: Tensor  # (G,)
    data: Tensor  # (K, L...) back-projection of randomly oriented particles
    weight: Tensor  # (K, L...)

    def pack(self) -> npt.NDArray[np.float64]:
        """All numbers as one flat array."""
        return pack_tensors(vars(self).values())

    def unpack(self, numbers: npt.NDArray[np.float64]) -> None:
        """Overwrite with what `pack` gave."""
        unpack_tensors(vars(self).values(), numbers)


def particle_order(n: int, seed: int, optics_group: Ints) -> Ints:
    """Shuffled order, then stably sorted by optics group (§1.14)."""
    order = np.random.default_rng(seed).permutation(n)
    return order[np.argsort(optics_group[order], kind="stable")]


def initial_lattice(settings: EmSettings, box: int) -> Lattice:
    """The lattice of the first references (§4.3): size twice the shell of ini_high, or that shell itself."""
    shell = nearest(0.07 * box)
    r_max = shell // 2 if settings.parity.small_initial_references else shell
    return Lattice(settings.dims, r_max, padded_size(box, settings.padding) / box)


def noise_sums(
    settings: EmSettings,
    particles: Particles,
    source: ImageSource,
    order: Ints,
    box: int,
    on_progress: Callable[[int], None] = lambda done: None,
    first: int = 0,
    step: int = 1,
) -> NoiseSums:
    """Spectra of the first particles of each optics group; every `step`-th from `first` (ranks share)."""
    n_groups, k = len(particles.optics), settings.n_classes
    lattice = initial_lattice(settings, box)
    sums = NoiseSums(
        torch.zeros((n_groups, box // 2 + 1), dtype=torch.float64),
        torch.zeros((n_groups, box, box), dtype=torch.float64),
        torch.zeros(n_groups, dtype=torch.float64),
        torch.zeros((k, *lattice.shape), dtype=torch.complex128),
        torch.zeros((k, *lattice.shape), dtype=torch.float64),
    )
    chosen = sample_for_noise(particles, order)
    done = 0
    for group in range(n_groups):
        positions = np.nonzero(particles.optics_group[chosen] == group)[0]
        positions = positions[(np.arange(len(positions)) % step) == first]
        for start in range(0, len(positions), 100):
            part = positions[start : start + 100]
            _add_noise(settings, particles, source, sums, lattice, group, chosen[part], part)
            done += len(part)
            on_progress(done)
    return sums


def sample_for_noise(particles: Particles, order: Ints) -> Ints:
    """The first PARTICLES_FOR_NOISE of each optics group in `order`."""
    groups = range(len(particles.optics))
    return np.concatenate([order[particles.optics_group[order] == g][:PARTICLES_FOR_NOISE] for g in groups])


def _add_noise(
    settings: EmSettings,
    particles: Particles,
    source: ImageSource,
    sums: NoiseSums,
    lattice: Lattice,
    group: int,
    rows: Ints,
    positions: Ints,
) -> None:
    optics, box = particles.optics[group], sums.image.shape[-1]
    images = torch.as_tensor(source.read(rows)).cpu().double()
    good = torch.isfinite(images).all(-1).all(-1) & (images.amax((1, 2)) > images.amin((1, 2)))
    spread = images.std((1, 2))
    good &= spread < OUTLIER * spread[good].median() if good.any() else good
    images, rows, positions = images[good], rows[good.numpy()], positions[good.numpy()]
    if not len(rows):
        return
    radius = mask_radius_px(settings, optics)
    mask = outside_weight(optics.box_size, radius, settings.mask_edge_px, dtype=torch.float64)
    psi = particles.psi_prior_deg
    tubes = None if psi is None else tube_background(settings, optics, psi[rows])
    masked = apply_mask(images, mask, tubes=tubes)
    shown = masked if settings.zero_mask else images
    side = model_side(optics.box_size * optics.pixel_size_angst, particles, box)
    shown = to_box(shown, side, box)
    spectrum = forward(shown).abs().square()
    shells = shell_indices(box).flatten()
    power = torch.zeros((len(rows), int(shells.max()) + 1), dtype=torch.float64)
    power.index_add_(1, shells, spectrum.flatten(1))
    counts = torch.bincount(shells).double()
    sums.spectrum[group] += (power / counts)[:, : box // 2 + 1].sum(0)
    sums.image[group] += shown.sum(0)
    sums.count[group] += len(rows)
    _add_random(settings, particles, sums, lattice, group, masked, rows, positions)


def model_side(extent_angst: float, particles: Particles, box: int) -> int:
    """Side in model pixels of an image of this extent."""
    first = particles.optics[0]
    model_pixel = first.pixel_size_angst
    side = 2 * nearest(extent_angst / model_pixel / 2)
    return side if abs(side - box) > 1 else box


def to_box(images: Tensor, side: int, box: int, dims: int = 2) -> Tensor:
    """Resample to the model's pixel size (`side` pixels), then cut or zero-pad to its box."""
    images = rescale(images, side, dims)
    if side < box:
        before = box // 2 - side // 2
        return torch.nn.functional.pad(images, [before, box - side - before] * dims)
    start = side // 2 - box // 2
    for axis in range(1, dims + 1):
        images = images.narrow(axis, start, box)
    return images


def _add_random(
    settings: EmSettings,
    particles: Particles,
    sums: NoiseSums,
    lattice: Lattice,
    group: int,
    masked: Tensor,
    rows: Ints,
    positions: Ints,
) -> None:
    """Back-project particle m into class m mod K at a random orientation."""
    optics, first = particles.optics[group], particles.optics[0]
    ratio = optics.box_size * optics.pixel_size_angst / (first.box_size * first.pixel_size_angst)
    size = min(optics.box_size, 2 * int(np.ceil(lattice.r_max * ratio)))
    pixels = pixel_list(optics.box_size, size, "cpu", 1 / ratio)
    preparer = ImagePreparer(
        settings_in_double(settings), optics, pixels, sums.spectrum.shape[1], torch.device("cpu")
    )
    prepared = preparer.prepare(
        masked, particles, rows, np.ones(len(rows)), np.zeros((len(rows), 2), np.int64)
    )
    angles = np.stack([_random_angles(settings, particles, int(row)) for row in rows])
    matrices = euler_matrices(torch.from_numpy(angles)) * ratio
    c = prepared.ctf.sqrt() if optics.ctf_premultiplied else prepared.ctf
    data = prepared.unmasked if optics.ctf_premultiplied else prepared.unmasked * c
    for k in range(settings.n_classes):
        mine = torch.from_numpy(positions % settings.n_classes == k)
        if not bool(mine.any()):
            continue
        classes = torch.full((int(mine.sum()),), k)
        add_slices(
            sums.data,
            sums.weight,
            lattice,
            data[mine],
            c[mine].square(),
            matrices[mine],
            pixels.indices_yx,
            classes,
        )


def _random_angles(settings: EmSettings, particles: Particles, particle: int) -> Floats:
    """Angles of a particle in the first references; the filament's, up to its polarity, for helices."""
    rng = np.random.default_rng((settings.random_seed, particle))
    turn = rng.random(3)
    if settings.helix is not None and particles.psi_prior_deg is not None:
        flip = 180.0 if settings.helix.bimodal_psi and turn[2] < 0.5 else 0.0
        return np.array([0.0, 0.0, particles.psi_prior_deg[particle] + flip])
    if settings.dims == 2:
        return np.array([0.0, 0.0, 360 * turn[2]])
    return np.array([360 * turn[0], 180 * turn[1], 360 * turn[2]])


def settings_in_double(settings: EmSettings) -> EmSettings:
    """The same settings, computed in float64."""
    from dataclasses import replace

    return replace(settings, precision="double")


def noise_spectra(sums: NoiseSums) -> Floats:
    """σ² (G, S): half the mean power less half the power of the mean image; gaps are filled (§4.2)."""
    counts = sums.count.clamp_min(1)
    spectra = sums.spectrum / counts[:, None] / 2
    box = sums.image.shape[-1]
    shells = shell_indices(box).flatten()
    mean = forward(sums.image / counts[:, None, None]).abs().square().flatten(1)
    power = torch.zeros((len(counts), int(shells.max()) + 1), dtype=torch.float64)
    power.index_add_(1, shells, mean)
    power = (power / torch.bincount(shells))[:, : box // 2 + 1]
    result = (spectra - power / 2).numpy()
    for row in result:
        _fill_gaps(row)
    return result


def _fill_gaps(spectrum: Floats) -> None:
    """Entries that are not positive take the previous positive one, else the next."""
    good = np.nonzero(spectrum > 0)[0]
    if not good.size:
        return
    for shell in np.nonzero(spectrum <= 0)[0]:
        before = good[good < shell]
        spectrum[shell] = spectrum[before[-1] if before.size else good[0]]


def initial_references(
    settings: EmSettings, sums: NoiseSums, ini_high_angst: float, pixel_size_angst: float
) -> Tensor:
    """References (K, N..) float64 from randomly oriented particles, low-passed, as blobs if asked (§4.3)."""
    box = sums.image.shape[-1]
    lattice = initial_lattice(settings, box)
    collected = BackProjector(box, lattice, sums.data, sums.weight)
    collected.make_hermitian()
    references = first_low_pass(reconstruct(collected), pixel_size_angst, ini_high_angst)
    wanted = settings.blob_init
    if not (settings.gradient is not None if wanted is None else wanted):
        return references
    diameter = settings.particle_diameter_angst
    diameter_px = diameter / pixel_size_angst if diameter > 0 else box - settings.mask_edge_px
    blobs = [
        _blob_reference(image, diameter_px, np.random.default_rng((settings.random_seed, 7, k)))
        for k, image in enumerate(references)
    ]
    smooth = first_low_pass(torch.stack(blobs), pixel_size_angst, ini_high_angst)
    outside = outside_weight(box, diameter_px / 2, settings.mask_edge_px, settings.dims, dtype=torch.float64)
    return apply_mask(smooth, outside)


def _blob_reference(image: Tensor, diameter_px: float, rng: np.random.Generator) -> Tensor:
    """Sum of random Gaussians G₊ - G₋/2 with the standard deviation of the reference it replaces."""
    blob = _gaussians(image, diameter_px, rng) - _gaussians(image, diameter_px, rng) / 2
    deviation = float(blob.std())
    return blob * (float(image.std()) / deviation) if deviation > 0 else image


def _gaussians(image: Tensor, diameter_px: float, rng: np.random.Generator) -> Tensor:
    box, dims = image.shape[-1], image.ndim
    spread = diameter_px / (7 if dims == 2 else 6)
    axis = torch.arange(box, dtype=torch.float64) - box // 2
    total = torch.zeros_like(image)
    for centre in rng.normal(0, spread, (BLOBS, dims)):
        inside = np.clip(np.round(centre).astype(int) + box // 2, 0, box - 1)
        amplitude = abs(float(image[tuple(inside)]))
        profile = torch.ones((), dtype=torch.float64)
        for shift in centre:
            profile = profile[..., None] * torch.exp(-((10 * (axis - shift) / diameter_px) ** 2))
        total += amplitude * profile
    return total


def reference_power(references: Tensor) -> Floats:
    """½ the shell-averaged power spectrum of references, (K, N/2+1)."""
    box, dims = references.shape[-1], references.ndim - 1
    shells = shell_indices(box, dims).flatten()
    power = forward(references.double(), dims).abs().square().flatten(1) / 2
    sums = torch.zeros((len(references), int(shells.max()) + 1), dtype=torch.float64)
    sums.index_add_(1, shells, power)
    averages = sums / torch.bincount(shells)
    result: Floats = averages[:, : box // 2 + 1].numpy()
    return result


def first_model(
    settings: EmSettings,
    references: Tensor,
    sigma2_noise: Floats,
    pixel_size_angst: float,
    n_directions: int,
    n_scale_groups: int,
) -> Model:
    """The model before iteration 1: equal classes, flat priors, unit scale."""
    k, shells = settings.n_classes, references.shape[-1] // 2 + 1
    zeros = np.zeros((k, shells))
    return Model(
        references=references,
        pixel_size_angst=pixel_size_angst,
        class_weights=np.full(k, 1 / k),
        direction_weights=np.full((k, n_directions), 1 / (k * n_directions)),
        class_offsets_angst=np.zeros((k, 2)),
        sigma2_noise=sigma2_noise,
        tau2=zeros,
        data_vs_prior=zeros.copy(),
        sigma2_reference=zeros.copy(),
        coverage=zeros.copy(),
        scale=np.ones(n_scale_groups),
        sigma_offset_angst=settings.sigma_offset_angst,
        accuracy_rot_deg=np.full(k, 999.0),
        accuracy_shift_angst=np.full(k, 999.0),
        orientability=zeros.copy(),
    )
