"""Operations on image files: what relion_image_handler does, on one file or all images of a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.formats.movies_base import PACKED_NOTE
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.png import write_png
from verglas.formats.stack_writer import StackWriter
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments
from verglas.jobs.handlers.image.files import ImageFile
from verglas.jobs.handlers.image.flags import COLOURS
from verglas.jobs.handlers.image.lists import ImageList
from verglas.jobs.handlers.image.tables import com_line, fsc_text, power_text, stats_line

if TYPE_CHECKING:
    from verglas.maps.image_operations import ImageOperations

Say = Callable[[str], None]
Named = Iterator[tuple[str, Any]]


def handle_images(flags: Arguments, say: Say = print) -> None:
    """Do what the flags say. Raises JobFailed, UnreadableImage, ValueError, OSError."""
    listed = ImageList.read(flags["--i"]) if flags["--i"].endswith(".star") else None
    sources = listed.sources() if listed else [(flags["--i"], None)]
    files = [(ImageFile.of(name, flags["--eer_grouping"]), rows) for name, rows in sources]
    for file, _ in files:
        if file.packed:
            say(f" {file.path}: {PACKED_NOTE}")
    if flags["--fsc"] or flags["--power"] or flags["--stats"] or flags["--com"]:
        for file, rows in files:
            _measure(flags, file, rows, say)
        return
    if not flags["--o"]:
        raise JobFailed("--o says where the result goes (for a STAR file: what is inserted)")
    if flags["--average"]:
        _average(flags, files, say)
        return
    operations = operations_of(flags)
    if listed is None:
        _one_file(flags, operations, files[0][0], flags["--o"], say)
        return
    pixels, boxes = [], []
    for (file, rows), target in zip(files, listed.targets(flags["--o"])):
        pixel, box = _write(flags, operations, file, rows, target)
        pixels.append(pixel)
        boxes.append(box)
    say(f" Written: {listed.write(flags['--o'], pixels, boxes)}")


def operations_of(flags: Arguments) -> ImageOperations:
    """The chain that the flags ask for; images named in flags are read."""
    from verglas.geometry import PointGroup
    from verglas.maps.box_filters import RadialFilter
    from verglas.maps.image_operations import ImageOperations

    axis = flags["--directional"].upper()
    if axis not in ("", "X", "Y", "Z"):
        raise JobFailed(f"--directional is X, Y or Z, got {axis}")
    mirrors = {"--flipX": "X", "--flipY": "Y", "--flipZ": "Z", "--flipXY": "XY", "--flipmXY": "-XY"}
    images = {
        name: read_mrc(flags[f"--{flag}"]).data if flags[f"--{flag}"] else None
        for name, flag in _IMAGE_FLAGS.items()
    }
    return ImageOperations(
        replace_nan=flags["--replace_nan"] if flags["--remove_nan"] else None,
        optimise_scale=flags["--optimise_scale_subtract"],
        factor=flags["--multiply_constant"] / flags["--divide_constant"],
        offset=flags["--add_constant"] - flags["--subtract_constant"],
        radial=RadialFilter(
            lowpass_angst=_positive(flags["--lowpass"]),
            highpass_angst=_positive(flags["--highpass"]),
            edge_shells=flags["--filter_edge_width"],
            b_factor_a2=flags["--bfactor"],
            blob_diameter_angst=_positive(flags["--LoG"]),
            axis=-1 - "XYZ".index(axis) if axis else None,
        ),
        randomise_beyond_angst=_positive(flags["--phase_randomise"]),
        seed=flags["--random_seed"],
        above=flags["--threshold_above"] if "--threshold_above" in flags.given else None,
        below=flags["--threshold_below"] if "--threshold_below" in flags.given else None,
        mirrors=tuple(axis for flag, axis in mirrors.items() if flags[flag]),
        invert_hand=flags["--invert_hand"],
        centre_on_mass=flags["--shift_com"],
        shift_xyz_px=(flags["--shift_x"], flags["--shift_y"], flags["--shift_z"]),
        symmetry=PointGroup.of(flags["--sym"]).operators.numpy() if flags["--sym"] else None,
        onto_axes_of=PointGroup.of(flags["--align_symmetry"]) if flags["--align_symmetry"] else None,
        new_pixel_size_angst=_positive(flags["--rescale_angpix"]),
        new_box_px=_positive(flags["--new_box"]),
        **images,
    )


_IMAGE_FLAGS = {
    "multiply": "multiply",
    "divide": "divide",
    "add": "add",
    "subtract": "subtract",
    "scale_mask": "mask_optimise_subtract",
    "adjust_power": "adjust_power",
    "local_resolution_angst": "local_filter",
    "fit_to": "fit_to",
    "difference_from": "difference",
}


def _measure(flags: Arguments, file: ImageFile, rows: list[int] | None, say: Say) -> None:
    pixel = _pixel_size(flags, file)
    if flags["--fsc"] or flags["--power"]:
        if pixel <= 0:
            raise JobFailed(f"{file.path}: the header has no pixel size; give --angpix")
        if file.is_stack and file.count > 1:
            raise JobFailed(f"{file.path} holds {file.count} images; curves are of one map or image")
        _, image = next(file.images(rows))
        if flags["--fsc"]:
            say(fsc_text(image, read_mrc(flags["--fsc"]).data, pixel))
        if flags["--power"]:
            say(power_text(image, pixel))
        return
    for name, image in file.images(rows):
        if flags["--stats"]:
            say(stats_line(name, image, pixel))
        if flags["--com"]:
            say(com_line(name, image))


def _average(flags: Arguments, files: list[tuple[ImageFile, list[int] | None]], say: Say) -> None:
    """The mean of all images of all files, one image in memory at a time."""
    import numpy as np

    total, count = None, 0
    for file, rows in files:
        for name, image in file.images(rows):
            if total is not None and image.shape != total.shape:
                raise JobFailed(f"{name} has {image.shape} pixels, the first image {total.shape}")
            total = image.astype(np.float64) if total is None else total + image
            count += 1
    if total is None:
        raise JobFailed(f"{flags['--i']} holds no images")
    pixel = _pixel_size(flags, files[0][0])
    result, pixel = _applied(operations_of(flags), (total / count).astype(np.float32), pixel, flags["--i"])
    _write_single(flags, result, _header_pixel(flags, pixel), flags["--o"])
    say(f" Written: {flags['--o']} (mean of {count} images)")


def _one_file(flags: Arguments, operations: ImageOperations, file: ImageFile, target: str, say: Say) -> None:
    if target.endswith(".png"):
        _picture(flags, operations, file, target)
    else:
        _write(flags, operations, file, None, target)
    say(f" Written: {target}")


def _write(
    flags: Arguments, operations: ImageOperations, file: ImageFile, rows: list[int] | None, target: str
) -> tuple[float, int]:
    """Write the images of one file; the pixel size and the width of what was written."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    pixel = _pixel_size(flags, file)
    images = _binned_frames(flags, file) if _bins_frames(flags) else file.images(rows)
    name, image = next(images)
    result, new_pixel = _applied(operations, image, pixel, name)
    if operations.new_pixel_size_angst is None:
        new_pixel = file.pixel_size_angst  # --angpix is for filters; the header stays
    header, box = _header_pixel(flags, new_pixel), int(result.shape[-1])
    if not file.is_stack:
        _write_single(flags, result, header, target)
        return header, box
    with StackWriter(target, header, dtype=_dtype(flags)) as writer:
        writer.add(result)
        for name, image in images:
            writer.add(_applied(operations, image, pixel, name)[0])
    return header, box


def _applied(operations: ImageOperations, image: Any, pixel: float, name: str) -> tuple[Any, float]:
    if operations.needs_pixel_size and pixel <= 0:
        raise JobFailed(f"{name}: the header has no pixel size; give --angpix")
    try:
        return operations.apply(image, pixel)
    except ValueError as error:
        raise JobFailed(f"{name}: {error}") from error


def _bins_frames(flags: Arguments) -> bool:
    return any(flags[f"--avg_{word}"] > 0 for word in ("bin", "first", "last"))


def _binned_frames(flags: Arguments, file: ImageFile) -> Named:
    """Sums of runs of frames; a remainder that fills no bin is left out."""
    first = max(1, flags["--avg_first"]) - 1
    last = flags["--avg_last"] if flags["--avg_last"] > 0 else file.count
    width = flags["--avg_bin"] if flags["--avg_bin"] > 0 else last - first
    if not 0 <= first < last <= file.count or width > last - first:
        raise JobFailed(
            f"{file.path} has {file.count} frames: no bins of {width} within {first + 1} to {last}"
        )
    total, held = None, 0
    for name, frame in file.images(list(range(first, last))):
        total = frame.copy() if total is None else total + frame
        held += 1
        if held == width:
            yield name, total
            total, held = None, 0


def _picture(flags: Arguments, operations: ImageOperations, file: ImageFile, target: str) -> None:
    """A PNG of an image; of a map its central section; of a stack all images side by side."""
    import numpy as np

    from verglas.maps.colours import coloured
    from verglas.maps.pictures import contact_sheet, to_grey

    pixel = _pixel_size(flags, file)
    images = [_applied(operations, image, pixel, name)[0] for name, image in file.images()]
    image = images[0] if images[0].ndim == 2 else images[0][len(images[0]) // 2]
    black, white = flags["--black"], flags["--white"]
    if len(images) > 1:
        grey = contact_sheet(np.stack(images), sigma_contrast=flags["--sigma_contrast"])
    elif black != white:
        grey = (np.clip((image - black) / (white - black), 0, 1) * 255).astype(np.uint8)
    else:
        grey = to_grey(image, flags["--sigma_contrast"])
    scale = next((name for name in COLOURS if flags[f"--colour_{name}"]), "")
    write_png(target, coloured(grey, scale) if scale else grey)


def _write_single(flags: Arguments, image: Any, pixel: float, target: str) -> None:
    write_mrc(target, image, pixel, dtype=_dtype(flags))


def _pixel_size(flags: Arguments, file: ImageFile) -> float:
    return float(flags["--angpix"]) if flags["--angpix"] > 0 else file.pixel_size_angst


def _header_pixel(flags: Arguments, pixel: float) -> float:
    forced = flags["--force_header_angpix"]
    return float(forced) if forced > 0 else pixel


def _dtype(flags: Arguments) -> str:
    return "float16" if flags["--float16"] else "float32"


def _positive(value: Any) -> Any:
    return value if value > 0 else None
