"""τ² and SSNR from the FSC against the tables of real RELION refinements (refinement.md §3.3, §5.5)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.formats.star import read_star
from verglas.maps.spectra import signal_from_fsc

pytestmark = pytest.mark.real
FINISHED = "refine3d_truth/relion5_sta_skeleton/Refine3D"
INSIDE = "empiar10204_betagal/truth"
N_FINISHED = 8


def assert_spectra_follow(path: Path, *, joined: bool) -> None:
    """SSNR to 1e-4 or to what the sixth decimal of the FSC leaves open, τ² to the digits of the file."""
    table = read_star(path)["model_class_1"]
    fsc, ssnr, noise, tau2 = (
        torch.tensor(table.floats(label))
        for label in ("rlnGoldStandardFsc", "rlnSsnrMap", "rlnReferenceSigma2", "rlnReferenceTau2")
    )
    found = signal_from_fsc(fsc, noise, joined=joined)
    rounded = [signal_from_fsc(fsc + d, noise, joined=joined).ssnr for d in (-5e-7, 5e-7)]
    slack = torch.maximum(1e-4 * found.ssnr, 1.01 * (rounded[1] - rounded[0]) + 1e-6)
    assert ((found.ssnr - ssnr).abs() <= slack).all()
    np.testing.assert_allclose(ssnr * noise, tau2, rtol=1e-4, atol=1e-30)


def test_ssnr_of_finished_refinements_is_that_of_the_joined_halves(real_data):
    paths = sorted((real_data / FINISHED).glob("job*/run_model.star"))
    assert len(paths) == N_FINISHED
    for path in paths:
        assert_spectra_follow(path, joined=True)


@pytest.mark.parametrize("half", [1, 2])
def test_ssnr_inside_iterations_is_that_of_one_half(real_data, half):
    assert_spectra_follow(real_data / INSIDE / f"C_run_it016_half{half}_model.star", joined=False)
