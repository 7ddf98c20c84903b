"""A whole movie: frames in, aligned sums and the motion out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import fft

from verglas.motion.alignment import Alignment, align
from verglas.motion.band import Band
from verglas.motion.coarse_alignment import coarse_shifts
from verglas.motion.damage import amplitudes_left
from verglas.motion.frames import CorrectedFrames, FrameSource
from verglas.motion.grouping import group_sizes, group_times, spread
from verglas.motion.local_motion import LocalMotion, PatchShift
from verglas.motion.power_spectrum import SpectrumSum
from verglas.motion.settings import MotionSettings
from verglas.motion.stack import SpectrumStack
from verglas.motion.statistics import MotionStatistics, motion_statistics
from verglas.motion.sums import DoseSchedule, FrameSum

Array = np.ndarray[Any, Any]
NEGLIGIBLE = 1e-8  # frequencies that the B-factor leaves less than this do not take part
FrameSink = Callable[[Array], None]


@dataclass(frozen=True)
class Motion:
    """How a movie moved, as shifts to apply, in pixels of the recorded movie."""

    shape_yx: tuple[int, int]
    n_frames: int  # of the movie, not only those in use
    first_frame: int  # counted from 0
    shifts_yx: Array  # (frames in use, 2), zero for the first
    hot_pixels_yx: Array  # (n, 2)
    statistics: MotionStatistics
    local: LocalMotion | None = None
    patch_shifts: tuple[PatchShift, ...] = ()
    expected_rms_px: float = 0.0
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class CorrectedMovie:
    """Images, (y, x) float32, and the motion they were corrected for."""

    motion: Motion
    image: Array  # dose-weighted if that was asked for, else the plain sum
    unweighted: Array | None
    odd: Array | None
    even: Array | None
    spectrum: Array | None
    spectrum_pixel_angst: float
    pixel_size_angst: float  # after binning


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
    frames = CorrectedFrames(
        source,
        settings.frame_range(source.n_frames),
        gain=gain,
        defects=defects,
        find_hot_pixels=settings.find_hot_pixels,
        keep_bytes=settings.memory_bytes // 4,
    )
    movie = _MovieInWork(frames, settings)
    movie.measure()
    return movie.add_up(aligned_frames)


@dataclass
class _MovieInWork:
    """Intermediate state of one movie; everything in binned pixels until the end."""

    frames: CorrectedFrames
    settings: MotionSettings
    shifts_yx: Array = field(init=False)  # (M, 2) binned pixels
    alignment: Alignment | None = field(default=None, init=False)
    messages: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.shape_yx = self.settings.binned_shape(self.frames.shape_yx)
        self.binning = self.frames.shape_yx[1] / self.shape_yx[1]
        self.pixel_size_angst = self.settings.pixel_size_angst * self.settings.bin_factor
        self._kept: list[Array] = []

    def measure(self) -> None:
        """Whole-frame alignment."""
        settings, n_frames = self.settings, len(self.frames)
        self.shifts_yx = np.zeros((n_frames, 2))
        bfactor = settings.bfactor_px2 / self.binning**2
        limit = min(0.5, float(np.sqrt(-np.log(NEGLIGIBLE) / (2 * bfactor))))
        band = Band(self.shape_yx, limit)
        sizes = group_sizes(n_frames, self._frames_per_group(band))
        stack = self._stack(band, sizes)
        if n_frames == 1:
            return
        times = group_times(sizes)
        start = coarse_shifts(
            stack, bfactor, settings.max_shift_px / self.binning, settings.max_iterations
        )
        amplitudes = self._amplitudes(band, times)
        self.alignment = align(stack, start, amplitudes, times, settings.max_iterations)
        self.shifts_yx = spread(self.alignment.shifts_yx, times, n_frames)

    def add_up(self, aligned_frames: FrameSink | None) -> CorrectedMovie:
        """Shift and add the frames."""
        settings = self.settings
        sums = FrameSum(
            self.shape_yx,
            self.pixel_size_angst,
            self._dose() if settings.weight_by_dose else None,
            keep_plain=settings.keep_unweighted,
            keep_halves=settings.keep_even_odd,
            first_frame=self.frames.frame_range.start,
        )
        spectra = None
        if settings.frames_per_spectrum > 0:
            spectra = SpectrumSum(self.shape_yx, settings.frames_per_spectrum)
        for transform, shift in zip(self._transforms(), self.shifts_yx):
            sums.add(transform, shift)
            if spectra is not None or aligned_frames is not None:
                moved = _moved(transform, shift, self.shape_yx)
                if spectra is not None:
                    spectra.add(moved)
                if aligned_frames is not None:
                    aligned_frames(fft.irfft2(moved, self.shape_yx))
        return self._result(sums, spectra)

    def _result(self, sums: FrameSum, spectra: SpectrumSum | None) -> CorrectedMovie:
        settings = self.settings
        odd, even = sums.halves() if settings.keep_even_odd else (None, None)
        weighted = settings.weight_by_dose
        spectrum, spectrum_pixel = None, 0.0
        if spectra is not None:
            spectrum, spectrum_pixel = spectra.spectrum(
                self.pixel_size_angst, settings.spectrum_size
            )
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
        return Motion(
            shape_yx=self.frames.shape_yx,
            n_frames=self.frames.source.n_frames,
            first_frame=first,
            shifts_yx=shifts,
            hot_pixels_yx=self.frames.hot_pixels_yx,
            statistics=motion_statistics(
                shifts, settings.pixel_size_angst, settings.dose_per_frame_e_a2,
                settings.pre_exposure_e_a2, first, settings.early_dose_e_a2,
            ),
            expected_rms_px=self.alignment.expected_rms_px * self.binning if self.alignment else 0.0,
            messages=tuple(self.messages),
        )  # fmt: skip

    def _stack(self, band: Band, sizes: list[int]) -> SpectrumStack:
        """Band-limited transforms of the groups; keeps the full ones if memory allows."""
        stack = SpectrumStack.empty(band, len(sizes))
        n_bytes = 8 * self.shape_yx[0] * (self.shape_yx[1] // 2 + 1) * len(self.frames)
        keep = n_bytes <= self.settings.memory_bytes // 2
        group_of = np.repeat(np.arange(len(sizes)), sizes).tolist()
        for group, transform in zip(group_of, self._transforms()):
            stack.add(group, band.crop(transform))
            if keep:
                self._kept.append(transform)
        return stack

    def _transforms(self) -> Iterator[Array]:
        """Half transforms of all frames, binned, not normalised."""
        if self._kept:
            yield from self._kept
            return
        binned = Band(self.shape_yx, 0.5)
        for frame in self.frames:
            transform = fft.rfft2(frame)
            if self.shape_yx != self.frames.shape_yx:
                scale = np.prod(self.shape_yx) / np.prod(self.frames.shape_yx)
                transform = binned.crop(transform) * np.float32(scale)
            yield transform

    def _frames_per_group(self, band: Band) -> int:
        """As asked for, or more where the stack of groups would not fit into memory."""
        group_bytes = 16 * band.radii.size
        most = max(3, int(self.settings.memory_bytes // 2 // group_bytes))
        return max(self.settings.group_frames, -(-len(self.frames) // most))

    def _dose(self) -> DoseSchedule:
        settings = self.settings
        return DoseSchedule(
            settings.dose_per_frame_e_a2, settings.pre_exposure_e_a2, settings.voltage_kv
        )

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
