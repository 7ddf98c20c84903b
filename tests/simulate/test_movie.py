"""Fields of view and movies: darkness, drift, damage, background, truth."""

import numpy as np
import pytest
import scipy.fft

from verglas.simulate.background import BackgroundSettings, ice_thickness, make_background
from verglas.simulate.detector import random_camera
from verglas.simulate.motion import Motion, random_motion
from verglas.simulate.movie import Exposure, damage_rate, expose_micrograph, expose_movie
from verglas.simulate.optics import Microscope
from verglas.simulate.placement import place_particles
from verglas.simulate.projection import AtomProjector, ProjectionSettings
from verglas.simulate.specimen import FieldSettings, make_specimen

SHAPE = (192, 160)
PIXEL = 2.0
CLEAN = BackgroundSettings(ice_noise=0.0, ice_gradient=0.0, ice_waviness=0.0)


def specimen_of(blob, seed=1, background=CLEAN, microscope=None, **field):
    projector = AtomProjector(blob, ProjectionSettings(32, PIXEL))
    settings = FieldSettings(**{"shape_yx": SHAPE, "particles": 12, "min_distance_angst": 50.0, **field})
    rng = np.random.default_rng(seed)
    return make_specimen([projector], settings, background, microscope or Microscope(), rng)


def camera_of(gain_spread=0.0, bad=0):
    rng = np.random.default_rng(0)
    return random_camera(SHAPE, rng, gain_spread=gain_spread, hot=bad, dead=bad)


def still(frames):
    return Motion(np.zeros((frames, 2)), np.zeros((2, 18)))


def test_particles_are_dark_and_where_the_truth_says(blob):
    specimen = specimen_of(blob, microscope=Microscope(defocus_u_angst=8000, defocus_v_angst=8000))
    image = scipy.fft.irfft2(specimen.contrast, s=specimen.padded_yx)
    top, left = specimen.origin_yx
    image = image[top : top + SHAPE[0], left : left + SHAPE[1]]
    assert len(specimen.truth.centres_yx) == 12
    inside = np.array([[10, 10]]) <= specimen.truth.centres_yx
    inside &= specimen.truth.centres_yx < np.array(SHAPE) - 10
    for y, x in np.round(specimen.truth.centres_yx[inside.all(axis=1)]).astype(int):
        assert image[y - 4 : y + 5, x - 4 : x + 5].mean() < -2 * abs(image.mean())


def test_frames_have_the_dose_and_shift_with_the_track(blob):
    specimen = specimen_of(blob)
    exposure = Exposure(3, 9000.0, PIXEL, damage=False, mtf=False)
    track = np.array([[0.0, 0.0], [3.0, -2.0], [6.0, -5.0]])  # shifts to be applied
    motion = Motion(track, np.zeros((2, 18)))
    frames = list(expose_movie(specimen, SHAPE, exposure, motion, camera_of(), np.random.default_rng(1)))
    electrons = 9000.0 * PIXEL**2 * np.exp(-350 / 3000)
    assert np.mean(frames) == pytest.approx(electrons, rel=0.01)
    inside = np.s_[16:-16, 16:-16]
    first = frames[0].astype(float)
    for frame, (dx, dy) in zip(frames, track.astype(int)):
        back = np.roll(frame.astype(float), (dy, dx), axis=(0, 1))
        assert np.corrcoef(back[inside].ravel(), first[inside].ravel())[0, 1] > 0.6


def test_local_motion_is_the_polynomial_of_the_truth(blob):
    specimen = specimen_of(blob, particles=1, min_distance_angst=0.0, seed=8)
    exposure = Exposure(5, 2000.0, PIXEL, damage=False, mtf=False)
    motion = random_motion(5, np.random.default_rng(3), drift_pixels=4.0, local_pixels=4.0)
    frames = list(expose_movie(specimen, SHAPE, exposure, motion, camera_of(), np.random.default_rng(1)))
    y, x = specimen.truth.centres_yx[0]
    local = motion.local_shifts(4, np.array(x / SHAPE[1] - 0.5), np.array(y / SHAPE[0] - 0.5))
    total = motion.global_xy[4] + np.array(local)
    from scipy.ndimage import gaussian_filter, shift

    a, b = (gaussian_filter(f.astype(float) / f.mean() - 1, 1.5) for f in (frames[0], frames[4]))
    window = np.s_[max(int(y) - 14, 0) : int(y) + 14, max(int(x) - 14, 0) : int(x) + 14]

    def likeness(dx, dy):
        return np.corrcoef(shift(b, (dy, dx), order=1)[window].ravel(), a[window].ravel())[0, 1]

    right = likeness(*total)
    assert right > 0.9
    assert right > likeness(*(total - local)) + 0.005
    assert right > likeness(*(total - 2 * np.array(local)))


def test_damage_fades_fine_detail_first():
    s = np.array([0.02, 0.1, 0.3], np.float32)
    left = np.exp(-30 * damage_rate(s, 300.0))
    assert left[0] > 0.8 > left[1] > left[2]
    # refinement.md §10.1.4: N_e = 2 (0.245 k^-1.665 + 2.81)
    assert damage_rate(np.array([0.1], np.float32), 300.0)[0] == pytest.approx(
        1 / (2 * (0.245 * 0.1**-1.665 + 2.81)), rel=1e-4
    )
    assert damage_rate(s, 200.0)[1] == pytest.approx(damage_rate(s, 300.0)[1] / 0.8)


def test_a_micrograph_is_the_sum_of_a_still_movie(blob):
    specimen = specimen_of(blob)
    exposure = Exposure(8, 1000.0, PIXEL, damage=False)
    rng = np.random.default_rng(2)
    frames = expose_movie(specimen, SHAPE, exposure, still(8), camera_of(), rng)
    summed = np.sum([frame.astype(float) for frame in frames], axis=0)
    at_once = expose_micrograph(specimen, SHAPE, exposure, rng)
    assert at_once.mean() == pytest.approx(summed.mean(), rel=2e-3)
    difference = at_once - summed
    assert difference.std() == pytest.approx(np.sqrt(2 * summed.mean()), rel=0.05)
    assert summed.std() > 1.2 * np.sqrt(summed.mean())  # there is contrast in it


def test_an_uncorrected_drift_blurs_along_itself(blob):
    specimen = specimen_of(blob)
    exposure = Exposure(1, 9000.0, PIXEL, damage=False)
    rng = np.random.default_rng(2)
    sharp = expose_micrograph(specimen, SHAPE, exposure, rng)
    smeared = expose_micrograph(specimen, SHAPE, exposure, rng, (12.0, 0.0))
    detail = [np.diff(image, axis=1).var() - 2 * image.mean() for image in (sharp, smeared)]
    assert detail[1] < 0.5 * detail[0]  # beyond what counting makes
    assert smeared.mean() == pytest.approx(sharp.mean(), rel=1e-3)


def test_transfer_of_the_specimen_is_the_ctf(blob):
    """Zeros of the ice's power lie where the CTF of these parameters has them."""
    ice = BackgroundSettings(ice_noise=1.0, ice_gradient=0.0, ice_waviness=0.0)
    scope = Microscope(defocus_u_angst=20000, defocus_v_angst=20000, b_factor_a2=0.0)
    specimen = specimen_of(blob, background=ice, microscope=scope, particles=0)
    from verglas.simulate.optics import frame_frequencies

    grid = frame_frequencies(specimen.padded_yx, PIXEL)
    value = scope.transfer(grid).numpy()
    power = np.abs(specimen.contrast) ** 2
    low, high = np.abs(value) < 0.1, np.abs(value) > 0.9
    assert power[low].mean() < 0.02 * power[high].mean()


def test_tilt_and_height_change_the_defocus_of_particles(blob):
    specimen = specimen_of(blob, tilt_deg=40.0, height_step_angst=20.0, particles=20)
    truth = specimen.truth
    y = (truth.centres_yx[:, 0] - SHAPE[0] / 2) * PIXEL
    expected = np.tan(np.deg2rad(40)) * y
    assert np.abs(truth.defocus_offsets_angst - expected).max() < 350 / 4 + 11
    assert truth.defocus_offsets_angst.std() > 50


def test_places_keep_their_distance_and_touch_the_border():
    rng = np.random.default_rng(1)
    places = place_particles(60, (400, 300), 30.0, rng, border=40)
    inside = ((places >= 0) & (places < [400, 300])).all(axis=1)
    assert inside[:60].all() and not inside[60:].any()
    distance = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(len(places))
    assert distance.min() >= 30
    assert places[:60].min() < 15


def test_what_does_not_fit_is_refused_with_what_would():
    with pytest.raises(ValueError, match=r"do not fit on 100 x 100 pixels: about \d+ do"):
        place_particles(100, (100, 100), 30.0, np.random.default_rng(1))
    forbidden = np.ones((100, 100), bool)
    with pytest.raises(ValueError, match="only 0 of 3"):
        place_particles(3, (100, 100), 10.0, np.random.default_rng(1), forbidden=forbidden)


def test_carbon_and_crystals_take_light_and_place(blob):
    dirty = BackgroundSettings(carbon_share=0.4, crystals=2, crystal_diameter_angst=80.0)
    ground = make_background((256, 256), 2.0, dirty, np.random.default_rng(4))
    clear = ~ground.occupied
    assert 0.35 < ground.occupied.mean() < 0.6
    assert ground.transmission[clear].mean() > ground.transmission[~clear].mean() + 0.03
    specimen = specimen_of(blob, background=BackgroundSettings(carbon_share=0.5), particles=20)
    assert 3 <= len(specimen.truth.centres_yx) < 14


def test_ice_has_its_thickness_and_gradient():
    settings = BackgroundSettings(ice_thickness_angst=400, ice_gradient=0.5, ice_waviness=0.0)
    thickness = ice_thickness((200, 200), settings, np.random.default_rng(1))
    assert thickness.mean() == pytest.approx(400, rel=0.02)
    assert thickness.max() - thickness.min() > 190


def test_a_movie_without_dose_is_refused():
    with pytest.raises(ValueError, match="needs frames and dose"):
        Exposure(0, 1.0, 1.0)
    with pytest.raises(ValueError, match="needs frames and dose"):
        Exposure(5, 0.0, 1.0)
