"""EPU's session files: the XML beside each movie, and `EpuSession.dm`.

A movie `FoilHole_1_Data_2_3_20250108_154918_fractions.tiff` (or `_EER.eer`, `_Fractions.mrc`) lies beside
`FoilHole_1_Data_2_3_20250108_154918.xml`, in `Images-Disc1/GridSquare_9/Data/`. Units as EPU writes them are
metres, volts, seconds; here Å, kV, seconds. The pixel size is that of the integrated image: a
super-resolution movie has pixels of half of it.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

SESSION_FILE = "EpuSession.dm"
_TAILS = re.compile(r"(_fractions|_eer|_frames|_movie|-gain-ref)?$", re.IGNORECASE)


class UnreadableEpu(ValueError):
    """An EPU file that cannot be read: names the file and what is wrong."""


@dataclass(frozen=True)
class EpuImage:
    """What EPU says about one exposure; None where it does not."""

    path: str
    voltage_kv: float | None = None
    pixel_size_angst: float | None = None  # of the integrated image
    dose_e_a2: float | None = None  # of the whole exposure
    dose_on_camera_e_px: float | None = None
    exposure_s: float | None = None
    fractions: int | None = None
    super_resolution_factor: int | None = None
    binning: int | None = None
    width: int | None = None  # of the integrated image
    height: int | None = None
    beam_shift: tuple[float, float] | None = None  # EPU's units
    beam_tilt: tuple[float, float] | None = None
    stage_um: tuple[float, float] | None = None
    magnification: float | None = None
    detector: str | None = None
    defocus_um: float | None = None  # as asked for; negative is under-focus
    phase_plate: bool | None = None
    time: str | None = None
    software: str | None = None


@dataclass(frozen=True)
class EpuSession:
    """What `EpuSession.dm` says about a session."""

    path: str
    name: str = ""
    movie_format: str = ""  # "Tiff Lzw Non-Gain normalized"
    version: str = ""
    clustering: str = ""  # "ClusteringWithImageBeamShift"
    hole_spacing_um: float | None = None

    @property
    def movies_need_gain(self) -> bool | None:
        """Whether movies come without the gain applied; None if the file does not say."""
        text = self.movie_format.lower()
        if not text:
            return None
        return "non-gain" in text or "non gain" in text or "eer" in text

    @property
    def shifts_beam(self) -> bool:
        """Whether several holes are taken from one stage position."""
        return "beamshift" in self.clustering.lower()


def read_epu_image(path: Path) -> EpuImage:
    """The XML of one exposure. Raises UnreadableEpu."""
    root = parse_xml(path)
    custom = _key_values(root)
    scale = _number(_find(root, "pixelSize", "x", "numericValue"))
    dose = _float(custom.get("Dose"))
    area = _element(root, "ReadoutArea")
    binning = _number(_find(root, "Binning", "x"))
    return EpuImage(
        str(path),
        voltage_kv=_scaled(_number(_find(root, "AccelerationVoltage")), 1e-3),
        pixel_size_angst=_scaled(scale, 1e10),
        dose_e_a2=_scaled(dose, 1e-20) if dose else None,
        dose_on_camera_e_px=_float(custom.get("DoseOnCamera")),
        exposure_s=_number(_find(root, "camera", "ExposureTime")),
        fractions=_whole(_number(_find(root, "NumberOffractions")) or _fraction_count(root)),
        super_resolution_factor=_whole(_float(custom.get("SuperResolutionFactor"))),
        binning=_whole(binning),
        width=_whole(_number(_find(area, "width"))) if area is not None else None,
        height=_whole(_number(_find(area, "height"))) if area is not None else None,
        beam_shift=_pair(root, "BeamShift"),
        beam_tilt=_pair(root, "BeamTilt"),
        stage_um=_stage_um(root),
        magnification=_number(_find(root, "NominalMagnification")),
        detector=custom.get("DetectorCommercialName"),
        defocus_um=_scaled(_float(custom.get("AppliedDefocus")), 1e6),
        phase_plate=_truth(custom.get("PhasePlateUsed")),
        time=_text(_find(root, "acquisitionDateTime")),
        software=_text(_find(root, "ApplicationSoftwareVersion")),
    )


def read_epu_session(path: Path) -> EpuSession:
    """`EpuSession.dm`. Raises UnreadableEpu."""
    root = parse_xml(path)
    version = re.search(r"Version=([\d.]+)", " ".join(root.attrib.values()))
    spacing = _number(_find(root, "HoleSpacing"))
    return EpuSession(
        str(path),
        name=_child_text(root, "Name"),
        movie_format=_child_text(root, "DoseFractionsOutputFormat"),
        version=version[1] if version else "",
        clustering=_child_text(root, "ClusteringMode"),
        hole_spacing_um=_scaled(spacing, 1e6),
    )


def find_epu_session(movie: Path) -> Path | None:
    """The `EpuSession.dm` of the session a movie lies in, up to four folders above it."""
    for folder in list(movie.parents)[:5]:
        if (folder / SESSION_FILE).is_file():
            return folder / SESSION_FILE
    return None


def xml_of_movie(movie: Path) -> Path | None:
    """The XML beside a movie, whatever the movie's name has behind EPU's; None if there is none."""
    stem = movie.name
    while True:
        stem, dot, _ = stem.rpartition(".")
        if not dot:
            return None
        for name in dict.fromkeys((stem, _TAILS.sub("", stem))):
            candidate = movie.with_name(f"{name}.xml")
            if candidate.is_file():
                return candidate


def parse_xml(path: Path) -> ElementTree.Element:
    """The root of one of EPU's files. Raises UnreadableEpu naming the file and, where known, the line."""
    try:
        data = path.read_bytes()
        root = None if b"<!ENTITY" in data else ElementTree.fromstring(data)
    except OSError as error:
        raise UnreadableEpu(f"{path}: {error.strerror or error}") from error
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # the last: odd encodings
        raise UnreadableEpu(f"{path}: not complete, or no XML: {error}") from error
    if root is None:
        raise UnreadableEpu(f"{path}: entities do not belong into an EPU file")
    return root


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2].removeprefix("_")


def _element(root: ElementTree.Element, *names: str) -> ElementTree.Element | None:
    """The first element of the first name, in it the first of the second, ..."""
    found: ElementTree.Element | None = root
    for name in names:
        if found is None:
            return None
        found = next((each for each in found.iter() if each is not found and _local(each) == name), None)
    return found


def _find(root: ElementTree.Element, *names: str) -> ElementTree.Element | None:
    return _element(root, *names)


def _text(element: ElementTree.Element | None) -> str | None:
    return element.text.strip() if element is not None and element.text else None


def _child_text(root: ElementTree.Element, name: str) -> str:
    """Text of a direct child: deeper ones of the same name are something else."""
    return next((_text(each) or "" for each in root if _local(each) == name), "")


def _number(element: ElementTree.Element | None) -> float | None:
    return _float(_text(element))


def _float(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None


def _whole(value: float | None) -> int | None:
    return round(value) if value is not None else None


def _scaled(value: float | None, factor: float) -> float | None:
    return value * factor if value is not None else None


def _truth(text: str | None) -> bool | None:
    return None if text is None else text.strip().lower() == "true"


def _pair(root: ElementTree.Element, name: str) -> tuple[float, float] | None:
    element = _element(root, name)
    if element is None:
        return None
    x, y = _number(_element(element, "x")), _number(_element(element, "y"))
    return None if x is None or y is None else (x, y)


def _stage_um(root: ElementTree.Element) -> tuple[float, float] | None:
    x, y = (_number(_element(root, "stage", "Position", name)) for name in ("X", "Y"))
    return None if x is None or y is None else (x * 1e6, y * 1e6)


def _fraction_count(root: ElementTree.Element) -> float | None:
    """Older versions list each fraction."""
    listed = _element(root, "DoseFractions")
    if listed is None:
        return None
    count = sum(1 for each in listed if _local(each))
    return float(count) if count > 1 else None


def _key_values(root: ElementTree.Element) -> dict[str, str]:
    """All `Key`/`Value` pairs, the first of each key."""
    found: dict[str, str] = {}
    for element in root.iter():
        if not _local(element).startswith("KeyValueOf"):
            continue
        key = next((_text(each) for each in element if _local(each) == "Key"), None)
        value = next((_text(each) for each in element if _local(each) == "Value"), None)
        if key and value is not None:
            found.setdefault(key, value)
    return found
