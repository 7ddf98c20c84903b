"""Our particles against RELION's projections of our true map at our true poses."""

import shutil
import subprocess

import numpy as np
import pytest
import torch

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import read_star, write_star
from verglas.jobs.simulate.particles import particle_truth, write_particles
from verglas.jobs.simulate.settings import ParticleSettings
from verglas.simulate.particles import ParticleImaging, ParticleMaker
from verglas.simulate.projection import AtomProjector, ProjectionSettings
from verglas.simulate.volume import model_map

BOX, PIXEL, COUNT = 64, 2.0, 12


@pytest.mark.relion
def test_relion_projects_our_map_to_our_particles(blob, tmp_path, monkeypatch):
    """Eulers, shifts, CTF with astigmatism, hand and grey scale at once."""
    if shutil.which("relion_project") is None:
        pytest.skip("RELION is not installed")
    settings = ParticleSettings(
        count=COUNT, box=BOX, pixel_size_angst=PIXEL, shift_angst=9.0, astigmatism_angst=3000.0
    )
    monkeypatch.setattr("verglas.jobs.simulate.particles.load_model", lambda *_, **__: blob)
    write_particles(tmp_path, settings)
    sampling = ProjectionSettings(BOX, PIXEL)
    made = ParticleMaker(
        [AtomProjector(blob, sampling)], particle_truth(settings), ParticleImaging(), settings.seed
    )
    ours = made.signal(np.arange(COUNT)) / made.scale
    volume = model_map(blob, sampling, settings.b_factor_a2) * PIXEL
    write_mrc(tmp_path / "map.mrc", volume, PIXEL)
    star = read_star(tmp_path / "truth.star")
    write_star(tmp_path / "poses.star", [star["optics"], star["particles"]])
    command = "relion_project --i map.mrc --o projected --ang poses.star --ctf --angpix 2 --pad 2"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    theirs = torch.from_numpy(read_mrc(tmp_path / "projected.mrcs").data)
    for mine, other in zip(ours, theirs):
        a, b = _inside(mine), _inside(other)  # RELION's slices end at a circle
        assert float((a * b).sum() / (a.norm() * b.norm())) > 0.99
        assert float((a * b).sum() / (b * b).sum()) == pytest.approx(1, abs=0.03)


def _inside(image):
    """The image without the frequencies beyond 0.8 Nyquist and without its mean."""
    spectrum = torch.fft.rfft2(image)
    y, x = torch.fft.fftfreq(BOX)[:, None], torch.fft.rfftfreq(BOX)[None]
    spectrum = spectrum * (torch.hypot(y, x) < 0.4)
    spectrum[0, 0] = 0
    return torch.fft.irfft2(spectrum)
