"""A whole movie: frames in, aligned sums and the motion out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from scipy import fft

from verglas.motion.band import Band
from verglas.motion.damage import amplitudes_left
from verglas.motion.devices.frames import CorrectedFrames, FrameOptions, FrameSource
from verglas.motion.devices.interface import Backend, Stack, backend_for
from verglas.motion.devices.sums import DoseSchedule, FrameSum, SumPlan
from verglas.motion.devices.warp import warp_loss
from verglas.motion.grouping import LEAST_GROUPS, between, group_sizes, group_times, spread
from verglas.motion.local_motion import LocalMotion, PatchShift
from verglas.motion.power_spectrum import SpectrumSum
from verglas.motion.results import CorrectedMovie, Motion
from verglas.motion.settings import MotionSettings
from verglas.motion.statistics import motion_statistics
from verglas.motion.tracks.alignment import Alignment, align, expected_rms
from verglas.motion.tracks.coarse import coarse_shifts
from verglas.motion.tracks.local import align_locally

Array = np.ndarray[Any, Any]
A = TypeVar("A")  # arrays of the device
LEAST_SIDE = 8  # pixels, after binning
MOST_COARSE = 32  # groups that the first alignment compares
MOST_GROUPS = 80  # groups that a track is measured at
NEGLIGIBLE = 1e-8  # frequencies that the B-factor leaves less than this do not take part
FrameSink = Callable[[Array], None]


def correct_movie(
    source: FrameSource,
    settings: MotionSettings,
    *,
    gain: Array | None = None,  # (y, x), to multiply with
    defects: Array | None = None,  # (y, x) bool
    aligned_frames: FrameSink | None = None,  # called with every aligned frame, (y, x) float32
    device: str = "cpu",
) -> CorrectedMovie:
    """Measure the motion of a movie and add up its frames.

    The file is read once if its raw frames fit into `settings.memory_bytes`, else once per pass. Raises
    ValueError for settings, gain or defects that do not fit the movie.
    """
    backend = backend_for(device)
    frames = backend.frames(
        source,
        settings.frame_range(source.n_frames),
        FrameOptions(gain, defects, settings.find_hot_pixels, settings.memory_bytes // 4),
    )
    movie = _MovieInWork(frames, settings, backend)
    movie.measure()
    return movie.add_up(aligned_frames)


@dataclass
class _MovieInWork(Generic[A]):
    """Intermediate state of one movie; everything in binned pixels until the end."""

    frames: CorrectedFrames[A]
    settings: MotionSettings
    backend: Backend[A]
    shifts_yx: Array = field(init=False)  # (M, 2) binned pixels
    local: LocalMotion | None = field(default=None, init=False)  # binned pixels
    expected_rms: float = field(default=0.0, init=False)  # binned pixels
    messages: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.shape_yx = self.settings.binned_shape(self.frames.shape_yx)
        if min(self.shape_yx) < LEAST_SIDE:
            height, width = self.shape_yx
            raise ValueError(f"frames of {width} x {height} pixels are too small to be aligned")
        self.binning = self.frames.shape_yx[1] / self.shape_yx[1]
        self.pixel_size_angst = self.settings.pixel_size_angst * self.settings.bin_factor
        self.wants_local = max(self.settings.patches_yx) > 1
        self._kept: list[A] = []

    def measure(self) -> None:
        """Whole-frame alignment, then local motion if patches were asked for."""
        settings, n_frames = self.settings, len(self.frames)
        self.shifts_yx = np.zeros((n_frames, 2))
        bfactor = settings.bfactor_px2 / self.binning**2
        limit = min(0.5, float(np.sqrt(-np.log(NEGLIGIBLE) / (2 * bfactor))))
        band = Band.of(self.shape_yx, limit)
        sizes = group_sizes(n_frames, self._frames_per_group(band))
        if n_frames == 1:
            self.messages.append("the movie has one frame: nothing to align")
            return
        stack = self._stack(band, sizes)
        times = group_times(sizes)
        start, clear = self._first_shifts(stack, times, bfactor)
        amplitudes, power = self._amplitudes(band, times), stack.mean_power()
        stack.weight(amplitudes)
        found = align(stack, power, amplitudes, start, times, settings.max_iterations)
        if not (found.better_than_still and (clear or found.has_signal)):
            self.messages.append("too little signal to align: frames are left where they are")
            return
        track = found.shifts_yx
        self.expected_rms = found.expected_rms_px
        if self.wants_local:
            track = self._measure_locally(stack, found, times)
        self.shifts_yx = spread(track, times, n_frames)

    def _first_shifts(self, stack: Stack[A], times: Array, bfactor: float) -> tuple[Array, bool]:
        """Coarse shifts of the groups, which are merged until most of them stand out of the noise.

        Also tells whether they did in the end.
        """
        settings = self.settings
        merge = -(-len(stack) // MOST_COARSE)
        while True:
            sizes = group_sizes(len(stack), merge)
            merged = stack.merged(sizes) if merge > 1 else stack
            found = coarse_shifts(
                merged, bfactor, settings.max_shift_px / self.binning, settings.max_iterations
            )
            if len(sizes) <= LEAST_GROUPS or found.found.mean() > 0.5:
                break
            merge *= 2
        centres = np.interp(group_times(sizes), np.arange(len(times)), times)
        return between(found.shifts_yx, centres, times), bool(found.found.mean() > 0.5)

    def _measure_locally(self, stack: Stack[A], found: Alignment, times: Array) -> Array:
        """Fit track and local model together; the track of the groups."""
        if len(times) < LEAST_GROUPS:
            self.messages.append(f"{len(times)} frames are too few for local motion")
            return found.shifts_yx
        fitted = align_locally(stack, found, times, self.settings.patches_yx)
        self.local = fitted.local
        self.expected_rms = expected_rms(fitted.covariance)
        if self.local is None:
            self.messages.append("no local motion stands out: frames are moved as a whole")
        return fitted.shifts_yx

    def add_up(self, aligned_frames: FrameSink | None) -> CorrectedMovie:
        """Shift and add the frames."""
        settings = self.settings
        plan = SumPlan(
            self.shape_yx,
            self.pixel_size_angst,
            self._dose() if settings.weight_by_dose else None,
            keep_plain=settings.keep_unweighted,
            keep_halves=settings.keep_even_odd,
            first_frame=self.frames.frame_range.start,
        )
        sums = self.backend.frame_sum(plan)
        spectra = None
        if settings.frames_per_spectrum > 0:
            spectra = SpectrumSum(self.shape_yx, settings.frames_per_spectrum)
        loss = warp_loss(self.shape_yx) if self.local is not None else None
        for transform, shift in self._shifted():
            sums.add(transform, shift)
            if spectra is not None or aligned_frames is not None:
                moved = _moved(self.backend.to_numpy(transform), shift, self.shape_yx)
                if loss is not None:
                    moved /= loss
                if spectra is not None:
                    spectra.add(moved)
                if aligned_frames is not None:
                    aligned_frames(fft.irfft2(moved, self.shape_yx))
        if loss is not None:
            sums.give_back(loss)
        return self._result(sums, spectra)

    def _shifted(self) -> Iterator[tuple[A, Array]]:
        """Transforms of the frames and the shifts that are still to be applied in Fourier space."""
        if self.local is None:
            yield from zip(self._transforms(), self.shifts_yx)
            return
        nothing = np.zeros(2)
        for index, (frame, shift) in enumerate(zip(self._images(), self.shifts_yx)):
            coefficients = self.local.of_frame(index)
            coefficients[:, 0] += shift
            yield self.backend.transform(self.backend.warp(frame, coefficients)), nothing

    def _images(self) -> Iterator[A]:
        """Corrected frames in real space, binned."""
        if self.shape_yx == self.frames.shape_yx:
            yield from self.frames
        else:
            for transform in self._transforms():
                yield self.backend.image(transform, self.shape_yx)

    def _result(self, sums: FrameSum[A], spectra: SpectrumSum | None) -> CorrectedMovie:
        settings = self.settings
        odd, even = sums.halves() if settings.keep_even_odd else (None, None)
        weighted = settings.weight_by_dose
        spectrum, spectrum_pixel = None, 0.0
        if spectra is not None:
            spectrum, spectrum_pixel = spectra.spectrum(self.pixel_size_angst, settings.spectrum_size)
        return CorrectedMovie(
            motion=self._motion(),
            image=sums.weighted() if weighted else sums.plain(),
            unweighted=sums.plain() if weighted and settings.keep_unweighted else None,
            odd=odd,
            even=even,
            spectrum=spectrum,
            spectrum_pixel_angst=spectrum_pixel,
            pixel_size_angst=self.pixel_size_angst,
        )

    def _motion(self) -> Motion:
        settings, first = self.settings, self.frames.frame_range.start
        shifts = self.shifts_yx * self.binning
        local = None if self.local is None else self.local.times(self.binning)
        return Motion(
            shape_yx=self.frames.shape_yx,
            n_frames=self.frames.source.n_frames,
            first_frame=first,
            shifts_yx=shifts,
            hot_pixels_yx=self.frames.hot_pixels_yx,
            statistics=motion_statistics(
                shifts,
                settings.pixel_size_angst,
                settings.dose_per_frame_e_a2,
                settings.pre_exposure_e_a2,
                first,
                settings.early_dose_e_a2,
            ),
            local=local,
            patch_shifts=() if local is None else self._patch_shifts(shifts, local),
            expected_rms_px=self.expected_rms * self.binning,
            messages=tuple(self.messages),
        )

    def _patch_shifts(self, shifts: Array, local: LocalMotion) -> tuple[PatchShift, ...]:
        """Total shifts at the centres of the patches, as the model has them."""
        (rows, columns), (height, width) = self.settings.patches_yx, self.frames.shape_yx
        y, x = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
        places = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
        total = shifts + local.at(places - 0.5, np.arange(len(shifts)))
        return tuple(
            PatchShift(frame, (place[0] * height, place[1] * width), (float(sy), float(sx)))
            for place, track in zip(places.tolist(), total)
            for frame, (sy, sx) in enumerate(track)
        )

    def _stack(self, band: Band, sizes: list[int]) -> Stack[A]:
        """Band-limited transforms of the groups; keeps the full ones if memory allows."""
        stack = self.backend.stack(band, len(sizes))
        n_bytes = 8 * self.shape_yx[0] * (self.shape_yx[1] // 2 + 1) * len(self.frames)
        keep = n_bytes <= self.settings.memory_bytes // 2
        keep = keep and not self.wants_local and self.backend.keeps_transforms
        group_of = np.repeat(np.arange(len(sizes)), sizes).tolist()
        norm = 1 / float(np.sqrt(np.prod(self.shape_yx)))
        if keep:
            for group, transform in zip(group_of, self._transforms()):
                stack.add(group, self.backend.crop(transform, band), norm)
                self._kept.append(transform)
            return stack
        norm *= float(np.prod(self.shape_yx) / np.prod(self.frames.shape_yx))
        for group, frame in zip(group_of, self.frames):
            stack.add(group, self.backend.band_transform(frame, band), norm)
        return stack

    def _transforms(self) -> Iterator[A]:
        """Half transforms of all frames, binned, not normalised."""
        if self._kept:
            yield from self._kept
            return
        binned = Band.of(self.shape_yx, 0.5)
        for frame in self.frames:
            transform = self.backend.transform(frame)
            if self.shape_yx != self.frames.shape_yx:
                scale = np.prod(self.shape_yx) / np.prod(self.frames.shape_yx)
                cropped = self.backend.crop(transform, binned)
                transform = self.backend.scaled(cropped, float(scale))
            yield transform

    def _frames_per_group(self, band: Band) -> int:
        """As asked for, or more where the groups would be too many or not fit into memory."""
        group_bytes = (32 if self.wants_local else 16) * band.radii.size  # transforms; images, tiles
        most = int(self.settings.memory_bytes // 2 // group_bytes)
        most = min(MOST_GROUPS, max(LEAST_GROUPS, most))
        return max(self.settings.group_frames, -(-len(self.frames) // most))

    def _dose(self) -> DoseSchedule:
        settings = self.settings
        return DoseSchedule(settings.dose_per_frame_e_a2, settings.pre_exposure_e_a2, settings.voltage_kv)

    def _amplitudes(self, band: Band, times: Array) -> Array:
        """What damage leaves of the signal of each group; 1 if the dose is not known."""
        dose = self.settings.dose_per_frame_e_a2
        first = self.frames.frame_range.start
        doses = self.settings.pre_exposure_e_a2 + (first + times + 0.5) * dose
        frequencies = band.ring_frequencies / self.pixel_size_angst
        return amplitudes_left(frequencies, doses, self.settings.voltage_kv)


def _moved(transform: Array, shift_yx: Array, shape_yx: tuple[int, int]) -> Array:
    along_y = np.exp(-2j * np.pi * fft.fftfreq(shape_yx[0]) * shift_yx[0]).astype(np.complex64)
    frequencies_x = np.arange(transform.shape[1]) / shape_yx[1]
    along_x = np.exp(-2j * np.pi * frequencies_x * shift_yx[1]).astype(np.complex64)
    moved: Array = transform * along_y[:, None] * along_x
    return moved
