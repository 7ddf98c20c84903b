"""What a simulated recording session looks like; everything that decides its pictures."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field

FORMATS = ("tif", "mrc", "eer")


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """A session of movies of one specimen on one microscope. Lengths in Å, angles in degrees."""

    movies: int = 12
    seed: int = 1
    model: str | None = None  # PDB or mmCIF; None is the packaged 20S proteasome
    assembly: bool = True
    # the camera
    size: int = 1440
    width: int = 0  # columns where they differ from the rows
    frames: int = 20
    pixel_size_angst: float = 1.7
    dose_per_frame_e_a2: float = 1.4
    format: str = "tif"
    compression: str = "lzw"
    gain_spread: float = 0.05
    gain_rotation: int = 0  # what a user must give as gain rotation and flip to use the file
    gain_flip: int = 0
    hot_pixels: int = 20
    dead_pixels: int = 10
    mtf: bool = True
    # the microscope
    voltage_kv: float = 300.0
    cs_mm: float = 2.7
    amplitude_contrast: float = 0.1
    defocus_min_angst: float = 12000.0
    defocus_max_angst: float = 24000.0
    astigmatism_angst: float = 300.0  # largest U - V
    phase_shift_deg: float = 0.0
    b_factor_a2: float = 60.0
    tilt_deg: float = 0.0
    # the specimen
    particles: int = 126  # per movie, centres in the frame
    distance_angst: float = 165.0
    views: int = 0  # 0: uniform orientations; k: k views of known class
    jitter_deg: float = 4.0
    symmetry: str = ""  # of the model, for choosing views; empty: of the packaged model, else C1
    ice_thickness_angst: float = 350.0
    ice_gradient: float = 0.2
    ice_noise: float = 0.6
    carbon_share: float = 0.0  # of the field, in the share of movies below
    carbon_movies: float = 1.0
    crystals: int = 0
    # motion
    drift_pixels: float = 7.0
    local_pixels: float = 1.5
    own_motion_pixels: float = 0.0  # > 0: particles move by themselves, RMS along each axis in the end
    own_motion_reach_angst: float = 300.0  # how far apart particles still move together
    first_b_a2: float = 0.0  # B-factor of the first frame, less with every frame
    dose_b_a2: float = 0.0  # B-factor that each e/Å² adds (beside `damage`)
    tracks: str | None = None  # a motion-correction STAR file: all movies move as it says
    damage: bool = True
    # what goes wrong
    early_ice_factor: float = 1.0  # ice thickness of the first third
    junk_share: float = 0.0  # share of movies that a person would throw away
    prefix: str = field(default="mov")

    def __post_init__(self) -> None:
        if self.movies < 1:
            raise ValueError(f"a session needs at least one movie, got {self.movies}")
        if self.format not in FORMATS:
            raise ValueError(f"movie format {self.format!r}: expected one of {', '.join(FORMATS)}")
        if self.size < 64:
            raise ValueError(f"movies must be at least 64 pixels wide, got {self.size}")
        if not 0 <= self.defocus_min_angst <= self.defocus_max_angst:
            raise ValueError(
                f"defocus from {self.defocus_min_angst:g} to {self.defocus_max_angst:g} Å is no range"
            )
        for name in ("carbon_share", "carbon_movies", "junk_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")

    @property
    def shape_yx(self) -> tuple[int, int]:
        return self.size, self.width or self.size

    @property
    def frame_b_factors_a2(self) -> tuple[float, ...]:
        """B-factor of each frame in Å²; empty where none is wanted."""
        if not (self.first_b_a2 or self.dose_b_a2):
            return ()
        dose = self.dose_per_frame_e_a2
        return tuple(
            self.first_b_a2 * math.exp(-frame / 1.5) + self.dose_b_a2 * frame * dose
            for frame in range(self.frames)
        )

    def movie_name(self, index: int) -> str:
        """File name of a movie, counted from 0."""
        return f"{self.prefix}_{index + 1:04d}.{self.format}"

    def as_json(self) -> str:
        """For a file beside the session, so that it can be made again."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class ParticleSettings:
    """A stack of particles with known poses, classes and noise. Lengths in Å, angles in degrees."""

    count: int = 2000
    box: int = 128
    pixel_size_angst: float = 2.0
    seed: int = 1
    models: tuple[str, ...] = ()  # PDB or mmCIF files, one class each; empty is the 20S proteasome
    assembly: bool = True
    views: int = 0  # 0: uniform orientations; k: k views of known class (with one model)
    jitter_deg: float = 3.0
    one_view: float = 0.0  # share of the particles that lie within some degrees of one view
    symmetry: str = ""
    # what the noise is: white with this signal-to-noise ratio, or counted at a dose
    snr: float = 0.05  # variance of the signal inside the particle's circle over that of the noise
    dose_e_a2: float = 0.0  # > 0: noise of this many electrons per Å² instead of `snr`
    ice_thickness_angst: float = 0.0  # > 0 adds the noise of ice of this thickness, CTF included
    ice_noise: float = 0.6
    # the microscope
    voltage_kv: float = 300.0
    cs_mm: float = 2.7
    amplitude_contrast: float = 0.1
    defocus_min_angst: float = 8000.0
    defocus_max_angst: float = 25000.0
    astigmatism_angst: float = 600.0
    b_factor_a2: float = 120.0
    shift_angst: float = 6.0  # largest along x and y
    micrographs: int = 20  # names the particles are spread over: scale groups
    ctf: bool = True
    defocus_spread_angst: float = 0.0  # > 0: micrographs differ, their particles by this RMS about them
    phase_shift_deg: float = 0.0
    # what a microscopist does not know: in truth.star only
    beam_tilt_mrad: tuple[float, ...] = ()  # x, y
    odd_zernike: tuple[float, ...] = ()  # trefoil is 2 and 5, counted from 0; 1/Å
    even_zernike: tuple[float, ...] = ()  # fourth order is 4 to 8, counted from 0
    magnification: tuple[float, ...] = ()  # xx, xy, yx, yy: from measured to true frequencies
    half_precision: bool = False  # float16 images
    truth_maps: bool = False  # also write the true map of every model
    batch: int = 0  # particles at once; 0 chooses

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"a stack needs at least one particle, got {self.count}")
        if self.snr <= 0 and self.dose_e_a2 <= 0:
            raise ValueError(f"either an SNR or a dose must be positive, got {self.snr}")
        if not 0 <= self.defocus_min_angst <= self.defocus_max_angst:
            raise ValueError(
                f"defocus from {self.defocus_min_angst:g} to {self.defocus_max_angst:g} Å is no range"
            )
        if self.views and len(self.models) > 1:
            raise ValueError("classes are either views or models: with several models leave views 0")
        for name, count in (("beam_tilt_mrad", 2), ("magnification", 4)):
            if len(getattr(self, name)) not in (0, count):
                raise ValueError(f"{name} has {count} values, got {len(getattr(self, name))}")
        if not 0 <= self.one_view <= 1:
            raise ValueError(f"the share of particles in one view lies within 0 and 1, got {self.one_view:g}")
        if self.defocus_spread_angst < 0:
            raise ValueError(f"a spread of defocus cannot be negative, got {self.defocus_spread_angst:g} Å")

    @property
    def has_secrets(self) -> bool:
        """Whether a refinement would go wrong by what only the truth knows."""
        odd = self.beam_tilt_mrad or self.odd_zernike
        return bool(odd or self.even_zernike or self.magnification or self.defocus_spread_angst)
