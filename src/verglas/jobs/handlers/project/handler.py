"""Projections of a map in given or random orientations: what relion_project does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from verglas.formats.mrc import write_mrc
from verglas.formats.stack_writer import StackWriter
from verglas.formats.star import StarTable, write_star
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments, Flag, Program
from verglas.jobs.refine.files.particles import ParticleList, read_particles
from verglas.jobs.refine.images.geometry import image_geometry, poses_of
from verglas.jobs.refine.images.stacks import StackSource
from verglas.jobs.volumes.reading import Volume, read_mask, read_volume

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.fourier import Projector
    from verglas.maps.prediction import Poses

Say = Callable[[str], None]
Ints = npt.NDArray[np.int64]
BATCH = 256
_CTF, _MANY, _ONE, _NOISE = "CTF", "Many projections", "A single projection", "Noise"
PROGRAM = Program(
    "project",
    {
        flag.name: flag
        for flag in (
            Flag("--i", "", "Map to be projected", required=True),
            Flag("--o", "proj", "Root name of the projections"),
            Flag("--angpix", -1.0, "Pixel size of the map (Å); by default from its header"),
            Flag("--mask", "", "Multiply the map by this mask first"),
            Flag("--maxres", -1.0, "Frequencies up to this resolution (Å); by default to Nyquist"),
            Flag("--pad", 2.0, "Padding factor"),
            Flag("--ctf", False, "Multiply by the CTF of each particle", _CTF),
            Flag("--ctf2", False, "Multiply by its square", _CTF),
            Flag("--ctf_phase_flip", False, "Multiply by its absolute value", _CTF),
            Flag("--ctf_intact_first_peak", False, "CTF = 1 up to its first peak", _CTF),
            Flag("--ang", "", "Particle list with orientations", _MANY),
            Flag("--nr_uniform", -1, "OR: this many random orientations", _MANY),
            Flag("--random_seed", 1, "Seed of orientations and noise", _MANY),
            Flag("--subtract_exp", False, "Write the images of --ang less the projections", _MANY),
            Flag("--rot", 0.0, "First Euler angle (degrees)", _ONE),
            Flag("--tilt", 0.0, "Second Euler angle", _ONE),
            Flag("--psi", 0.0, "Third Euler angle", _ONE),
            Flag("--xoff", 0.0, "Origin (pixels)", _ONE),
            Flag("--yoff", 0.0, "Origin (pixels)", _ONE),
            Flag("--add_noise", False, "Add noise", _NOISE),
            Flag("--white_noise", 0.0, "Standard deviation of white noise", _NOISE),
        )
    },
    "projections of a map",
    "relion_project",
)


def project_map(flags: Arguments, say: Say = print) -> None:
    """Do what the flags say. Raises JobFailed, NothingToDo, ValueError, OSError."""
    volume = read_volume(flags["--i"], flags["--angpix"])
    data = volume.tensor
    if flags["--mask"]:
        data = data * read_mask(flags["--mask"], volume).tensor
    root = flags["--o"].removesuffix(".mrc").removesuffix(".mrcs").removesuffix(".star")
    Path(root).parent.mkdir(parents=True, exist_ok=True)
    projector = _projector(flags, data, volume)
    if flags["--ang"]:
        _of_particles(flags, projector, volume, root)
    elif flags["--nr_uniform"] > 0:
        _uniform(flags, projector, volume, root)
    else:
        _single(flags, projector, volume, root)
    say(f" Written: {root}")


def _projector(flags: Arguments, data: Tensor, volume: Volume) -> Projector:
    from verglas.fourier import Projector

    size = volume.size
    if flags["--maxres"] > 0:
        size = min(size, 2 * round(volume.size * volume.pixel_size_angst / flags["--maxres"]))
    return Projector.of(data, size, padding=flags["--pad"])


def _single(flags: Arguments, projector: Projector, volume: Volume, root: str) -> None:
    import torch

    from verglas.maps.prediction import Poses

    if flags["--ctf"]:
        raise JobFailed("--ctf needs particles: give a list by --ang")
    angles = torch.tensor([[flags["--rot"], flags["--tilt"], flags["--psi"]]], dtype=torch.float64)
    origins = torch.tensor([[flags["--yoff"], flags["--xoff"]]], dtype=torch.float64)
    image = _plain(projector, volume, Poses(angles, origins))[0]
    noisy = _with_noise(flags, image.numpy(), np.random.default_rng(flags["--random_seed"]))
    write_mrc(f"{root}.mrc", noisy, volume.pixel_size_angst)


def _plain(projector: Projector, volume: Volume, poses: Poses) -> Tensor:
    from verglas.fourier import inverse
    from verglas.maps.prediction import ImageGeometry, Predictor

    geometry = ImageGeometry(volume.size, volume.pixel_size_angst)
    predictor = Predictor(projector, geometry.extent_angst, geometry)
    return inverse(predictor.transforms(poses), volume.size)


def _uniform(flags: Arguments, projector: Projector, volume: Volume, root: str) -> None:
    import torch

    from verglas.maps.prediction import Poses

    count, rng = flags["--nr_uniform"], np.random.default_rng(flags["--random_seed"])
    angles = np.stack(
        [
            rng.uniform(0, 360, count),
            np.degrees(np.arccos(rng.uniform(-1, 1, count))),
            rng.uniform(0, 360, count),
        ],
        1,
    )
    with StackWriter(f"{root}.mrcs", volume.pixel_size_angst) as stack:
        for start in range(0, count, BATCH):
            part = torch.from_numpy(angles[start : start + BATCH])
            images = _plain(projector, volume, Poses(part, torch.zeros(len(part), 2)))
            stack.add(_with_noise(flags, images.numpy(), rng))
    optics = {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["optics1"],
        "rlnImagePixelSize": [volume.pixel_size_angst],
        "rlnImageSize": [volume.size],
        "rlnImageDimensionality": [2],
    }
    columns = {f"rlnAngle{name}": angles[:, n] for n, name in enumerate(("Rot", "Tilt", "Psi"))}
    columns |= {"rlnOriginXAngst": np.zeros(count), "rlnOriginYAngst": np.zeros(count)}
    particles = columns | {"rlnOpticsGroup": [1] * count, "rlnImageName": _names(count, root)}
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("particles", particles)]
    write_star(f"{root}.star", tables)


def _of_particles(flags: Arguments, projector: Projector, volume: Volume, root: str) -> None:
    listed = read_particles(flags["--ang"], with_ctf=flags["--ctf"] or flags["--ctf2"])
    sizes = {(group.box_size, group.pixel_size_angst) for group in listed.particles.optics}
    if len({box for box, _ in sizes}) > 1:
        raise JobFailed(f"{flags['--ang']}: images of several box sizes do not go into one stack")
    rng = np.random.default_rng(flags["--random_seed"])
    images = np.empty((len(listed.table), next(iter(sizes))[0], next(iter(sizes))[0]), np.float32)
    for rows, part in _predicted(flags, listed, projector, volume):
        images[rows] = part
    if flags["--subtract_exp"]:
        boxes = np.full(len(listed.table), images.shape[-1])
        source = StackSource(listed.particles.names, boxes)
        for start in range(0, len(images), BATCH):
            rows = np.arange(start, min(start + BATCH, len(images)))
            images[rows] = source.read(rows) - images[rows]
        source.close()
        if source.problems:
            raise JobFailed(
                f"{len(source.problems)} images cannot be read: {next(iter(source.problems.values()))}"
            )
    with StackWriter(f"{root}.mrcs", next(iter(sizes))[1]) as stack:
        stack.add(_with_noise(flags, images, rng))
    names: dict[str, Any] = {"rlnImageName": _names(len(images), root)}
    if flags["--subtract_exp"]:
        names["rlnImageOriginalName"] = listed.table.strings("rlnImageName")
    write_star(f"{root}.star", [listed.optics_table, listed.table.with_columns(names)])


def _predicted(
    flags: Arguments, listed: ParticleList, projector: Projector, volume: Volume
) -> Iterator[tuple[Ints, Any]]:
    """Rows and their images, by optics group and in batches."""
    from verglas.em.images.transfer import ctf_parameters
    from verglas.fourier import inverse
    from verglas.maps.prediction import CtfUse, Predictor

    use = CtfUse(True, flags["--ctf_intact_first_peak"], flags["--ctf_phase_flip"])
    extent = volume.size * volume.pixel_size_angst
    for number, group in enumerate(listed.particles.optics):
        predictor = Predictor(projector, extent, image_geometry(group), use)
        chosen = np.flatnonzero(listed.particles.optics_group == number)
        for start in range(0, len(chosen), BATCH):
            rows = chosen[start : start + BATCH]
            parameters = ctf_parameters(listed.particles, rows, group)
            poses = poses_of(listed.assignments, rows, group.pixel_size_angst, one_class=True)
            wanted = parameters if flags["--ctf"] or flags["--ctf2"] else None
            values = predictor.transforms(poses, wanted)
            if flags["--ctf2"]:
                values = values * predictor.frame.transfer(parameters)
            yield rows, inverse(values, group.box_size).numpy()


def _with_noise(flags: Arguments, images: Any, rng: np.random.Generator) -> Any:
    if not flags["--add_noise"]:
        return images
    if flags["--white_noise"] <= 0:
        raise JobFailed("--add_noise needs --white_noise, its standard deviation")
    noise = rng.standard_normal(images.shape, np.float32) * np.float32(flags["--white_noise"])
    return images + noise


def _names(count: int, root: str) -> list[str]:
    return [f"{number:06d}@{root}.mrcs" for number in range(1, count + 1)]
