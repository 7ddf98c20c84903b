"""What motion correction is asked to do: everything that is not pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """Settings of one movie. Lengths in pixels are those of the movie as it was recorded."""

    pixel_size_angst: float
    voltage_kv: float = 300.0
    dose_per_frame_e_a2: float = 1.0
    pre_exposure_e_a2: float = 0.0
    first_frame: int = 1  # counted from 1
    last_frame: int = -1  # not positive: to the end
    bin_factor: float = 1.0
    bfactor_px2: float = 150.0
    group_frames: int = 1  # frames added up before alignment
    patches_yx: tuple[int, int] = (1, 1)
    max_shift_px: float = 50.0  # search range of the first alignment
    max_iterations: int = 5
    weight_by_dose: bool = True
    keep_unweighted: bool = False
    keep_even_odd: bool = False
    keep_aligned_frames: bool = False
    find_hot_pixels: bool = True
    frames_per_spectrum: int = 0  # frames of each group of the power spectrum; 0: none
    spectrum_size: int = 512
    early_dose_e_a2: float = 4.0  # motion up to this dose counts as early
    memory_bytes: int = 4 << 30  # for frames kept between passes

    def __post_init__(self) -> None:
        positive = {
            "pixel size": self.pixel_size_angst,
            "binning factor": self.bin_factor,
            "frames per group": self.group_frames,
            "first frame": self.first_frame,
            "B-factor": self.bfactor_px2,
        }
        for what, value in positive.items():
            if not value > 0:
                raise ValueError(f"{what} must be positive, got {value}")
        if self.bin_factor < 1:
            raise ValueError(f"binning factor must be at least 1, got {self.bin_factor}")
        if min(self.patches_yx) < 1:
            raise ValueError(f"the patch grid must be at least 1 x 1, got {self.patches_yx}")

    def frame_range(self, n_frames: int) -> range:
        """Frames in use, counted from 0. Raises ValueError if there is none."""
        last = n_frames if self.last_frame <= 0 else min(self.last_frame, n_frames)
        if self.first_frame > last:
            raise ValueError(f"frames {self.first_frame} to {last} were asked for, the movie has {n_frames}")
        return range(self.first_frame - 1, last)

    def binned_shape(self, shape_yx: tuple[int, int]) -> tuple[int, int]:
        """Size after binning: even numbers, unless nothing is binned."""
        if self.bin_factor == 1:
            return shape_yx
        height, width = (int(size / self.bin_factor) // 2 * 2 for size in shape_yx)
        return height, width
