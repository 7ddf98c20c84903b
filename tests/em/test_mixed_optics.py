"""Optics groups of different box and pixel size in one run; several devices; premultiplied data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from verglas.em.operands import batches
from verglas.em.run import lanes
from verglas.em.run.refinement import Refinement
from verglas.em.state.particles import OpticsGroup, Particles
from verglas.em.state.settings import EmSettings

GROUPS = (OpticsGroup("first", 48, 3.0), OpticsGroup("finer", 72, 2.0), OpticsGroup("wider", 60, 3.0))


class Mixed:
    """Images of one object, sampled as each group has it."""

    def __init__(self, n: int, ctf_squared: bool = False) -> None:
        rng = np.random.default_rng(4)
        self.group = np.arange(n) % len(GROUPS)
        self.defocus = rng.uniform(9000, 16000, n)
        self.images = []
        for i in range(n):
            optics = GROUPS[self.group[i]]
            box, pixel = optics.box_size, optics.pixel_size_angst
            y, x = (np.mgrid[:box, :box] - box // 2) * pixel
            image = sum(
                a * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 9.0**2))
                for a, cy, cx in ((1, 20, 0), (1, -15, 12), (0.7, 0, -22))
            )
            f = np.fft.fftfreq(box, pixel)[:, None] ** 2 + np.fft.rfftfreq(box, pixel)[None] ** 2
            gamma = np.pi * 0.0196875 * self.defocus[i] * f - np.pi / 2 * 2.7e7 * 0.0196875**3 * f**2 + 0.1
            seen = np.fft.rfft2(image) * np.sin(gamma)
            # noise of the same power per frequency in every sampling
            noise = np.fft.rfft2(rng.normal(0, 1.2 * 3.0 / pixel, (box, box)))
            total = seen + noise
            if ctf_squared:
                total = total * np.sin(gamma)
            self.images.append(np.fft.irfft2(total, (box, box)).astype(np.float32))

    def read(self, indices):
        return np.stack([self.images[i] for i in indices])

    def particles(self, groups=GROUPS) -> Particles:
        n = len(self.images)
        zeros = np.zeros(n)
        return Particles(
            tuple(map(str, range(n))),
            groups,
            self.group,
            np.arange(n) % 3,
            ("a", "b", "c"),
            self.defocus,
            self.defocus,
            zeros,
            zeros,
            zeros,
            np.ones(n),
        )


def run(source: Mixed, particles: Particles, **changes) -> Refinement:
    settings = EmSettings(
        n_iterations=4,
        tau2_fudge=2.0,
        particle_diameter_angst=100,
        zero_mask=True,
        flatten_solvent=True,
        psi_step_deg=20,
        offset_range_px=3,
        offset_step_px=2,
        ctf=True,
        correct_norm=True,
        correct_scale=True,
        precision="single",
        **changes.pop("settings", {}),
    )
    refinement = Refinement.start(settings, particles, source, **changes)
    for _ in range(settings.n_iterations):
        refinement.iterate()
    return refinement


def likeness(a: torch.Tensor, b: torch.Tensor) -> float:
    """Correlation of two averages at the best relative rotation."""
    from scipy.ndimage import rotate

    turned = [rotate(b.numpy(), angle, reshape=False, order=1) for angle in range(0, 360, 5)]
    return max(float(np.corrcoef(a.numpy().ravel(), t.ravel())[0, 1]) for t in turned)


def test_groups_of_other_box_and_pixel_size_give_the_same_average():
    source = Mixed(90)
    particles = source.particles()
    mixed = run(source, particles).state
    assert mixed.model.references.shape == (1, 48, 48)
    p_max = mixed.assignments.p_max
    by_group = [p_max[source.group == g].mean() for g in range(3)]
    assert min(by_group) > 0.5 * max(by_group)  # no group is lost
    only = np.nonzero(source.group == 0)[0]
    alone = Mixed(90)
    first = replace(particles, optics_group=np.zeros(90, np.int64), optics=GROUPS[:1])
    chosen = Particles(
        **{
            name: value[only] if isinstance(value, np.ndarray) else value
            for name, value in vars(first).items()
            if name != "names"
        },
        names=tuple(str(i) for i in only),
    )
    alone.images = [alone.images[i] for i in only]
    single = run(alone, chosen).state
    assert likeness(mixed.model.references[0], single.model.references[0]) > 0.8


def test_two_devices_give_what_one_gives():
    source = Mixed(40)
    one = run(source, source.particles()).state
    two = run(source, source.particles(), devices=(torch.device("cpu"), torch.device("cpu"))).state
    assert (one.assignments.class_index == two.assignments.class_index).all()
    np.testing.assert_allclose(one.assignments.p_max, two.assignments.p_max, atol=1e-4)
    np.testing.assert_allclose(one.model.references, two.model.references, atol=1e-4)


def test_two_cores_give_what_one_gives(monkeypatch):
    monkeypatch.setattr(lanes, "CPU_LANE_PARTICLES", 20)
    source = Mixed(40)
    cores = torch.get_num_threads()
    found = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            assert len(lanes.lanes([torch.device("cpu")], 40, 2)) == number
            assert len(lanes.lanes([torch.device("cpu")], 40, 3)) == 1
            found.append(run(source, source.particles()).state)
            assert torch.get_num_threads() == number  # the threads' own settings stay theirs
    finally:
        torch.set_num_threads(cores)
    one, two = found
    assert (one.assignments.class_index == two.assignments.class_index).all()
    np.testing.assert_allclose(one.assignments.p_max, two.assignments.p_max, atol=1e-4)
    np.testing.assert_allclose(one.model.references, two.model.references, atol=1e-4)


def test_cores_whose_sums_do_not_fit_are_left_out(monkeypatch):
    monkeypatch.setattr(lanes, "CPU_LANE_PARTICLES", 1)
    source = Mixed(20)
    cores = torch.get_num_threads()
    plenty = run(source, source.particles()).state
    try:
        torch.set_num_threads(4)
        assert len(lanes.lanes([torch.device("cpu")], 40, 2, bytes_each=1 << 20)) == 4
        for module in (lanes, batches):
            monkeypatch.setattr(module, "host_bytes", lambda: 5 << 20)
        assert len(lanes.lanes([torch.device("cpu")], 40, 2, bytes_each=1 << 20)) == 2
        assert len(lanes.lanes([torch.device("cpu")], 40, 2, bytes_each=1 << 30)) == 1
        little = run(source, source.particles()).state
    finally:
        torch.set_num_threads(cores)
    np.testing.assert_allclose(little.assignments.p_max, plenty.assignments.p_max, atol=1e-4)


def test_premultiplied_data_give_the_same_average():
    plain, multiplied = Mixed(60), Mixed(60, ctf_squared=True)
    groups = tuple(replace(group, ctf_premultiplied=True) for group in GROUPS)
    a = run(plain, plain.particles()).state.model.references[0]
    b = run(multiplied, multiplied.particles(groups)).state.model.references[0]
    assert likeness(a, b) > 0.7


@pytest.mark.parametrize(
    "changes",
    [
        {"zero_mask": False},
        {"ctf_intact_first_peak": True},
        {"always_cc": True},
        {"oversampling": 0},
        {"oversampling": 2},
        {"strict_highres_angst": 20.0},
        {"only_flip_phases": True},
        {"ctf_phase_flipped": True},
        {"strict_lowres_angst": 60.0},
        {"firstiter_cc": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_mode_runs_and_has_an_effect(changes, plain_run):
    source, base = plain_run
    found = short_run(source, {"zero_mask": True} | changes)
    assert torch.isfinite(found).all() and not torch.equal(found, base)


@pytest.fixture(scope="module")
def plain_run():
    source = Mixed(12)
    return source, short_run(source, {"zero_mask": True})


def short_run(source: Mixed, changes: dict) -> torch.Tensor:
    """References after two iterations."""
    settings = EmSettings(
        n_iterations=2,
        tau2_fudge=2.0,
        particle_diameter_angst=100,
        psi_step_deg=30,
        offset_range_px=2,
        offset_step_px=2,
        ctf=True,
        correct_norm=True,
        correct_scale=True,
        precision="single",
        **changes,
    )
    refinement = Refinement.start(settings, source.particles(), source)
    for _ in range(2):
        refinement.iterate()
    return refinement.state.model.references
