"""Directional FSC of two half maps and the coverage by the views of particles: a list and a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.formats.star import StarTable, write_star
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments, Flag, Program
from verglas.jobs.contract.tables import read_list
from verglas.jobs.summary.figures import save_figure
from verglas.jobs.volumes.half_maps import read_half_maps
from verglas.jobs.volumes.reading import read_mask

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.maps.directional import Coverage, DirectionalFsc

Say = Callable[[str], None]
PROGRAM = Program(
    "directions",
    {
        flag.name: flag
        for flag in (
            Flag("--half", "", "One of the unfiltered half maps"),
            Flag("--half2", "", "The other one (default: half1 replaced by half2)"),
            Flag("--mask", "", "Solvent mask"),
            Flag("--angpix", -1.0, "Pixel size (Å); by default from the header"),
            Flag("--cone", 20.0, "Half angle of the cones (degrees)"),
            Flag("--i", "", "Particles, for the coverage by their views"),
            Flag("--sym", "C1", "Point group, whose copies of the views count, too"),
            Flag("--o", "directions", "Root name of the list and the picture"),
        )
    },
    "resolution by direction, and how evenly views sample Fourier space",
)


def show_directions(flags: Arguments, say: Say = print) -> None:
    """Do what the flags say. Raises JobFailed, NothingToDo, ValueError, OSError."""
    if not flags["--half"] and not flags["--i"]:
        raise JobFailed("give a half map by --half, particles by --i, or both")
    Path(flags["--o"]).parent.mkdir(parents=True, exist_ok=True)
    found = _fsc(flags, say) if flags["--half"] else None
    views = _coverage(flags, say) if flags["--i"] else None
    tables = [] if found is None else [_table("directional_fsc", found.directions, found.resolution_angst)]
    if views is not None:
        tables.append(_table("coverage", views.directions, views.sampling))
    write_star(f"{flags['--o']}.star", tables)
    _draw(found, views, Path(f"{flags['--o']}.png"))
    say(f" Written: {flags['--o']}.star, {flags['--o']}.png")


def _fsc(flags: Arguments, say: Say) -> DirectionalFsc:
    from verglas.maps.directional import directional_fsc

    first, second = read_half_maps(flags["--half"], flags["--half2"], flags["--angpix"])
    maps = [first.tensor, second.tensor]
    if flags["--mask"]:
        mask = read_mask(flags["--mask"], first).tensor
        maps = [one * mask for one in maps]
    found = directional_fsc(maps[0], maps[1], first.pixel_size_angst, flags["--cone"])
    low, high = float(found.resolution_angst.min()), float(found.resolution_angst.max())
    say(f" Resolution by direction: {low:.2f} to {high:.2f} Å; worst over best {found.worst_over_best:.2f}")
    return found


def _coverage(flags: Arguments, say: Say) -> Coverage:
    import torch

    from verglas.geometry import PointGroup, euler_matrices, rot_tilt_of
    from verglas.maps.directional import coverage

    _, table = read_list(flags["--i"], "particles")
    labels = ("rlnAngleRot", "rlnAngleTilt")
    missing = [label for label in labels if label not in table]
    if missing:
        raise JobFailed(f"{flags['--i']} has no {', '.join(missing)}: refine the particles first")
    angles = torch.from_numpy(np.stack([table.floats(label) for label in labels], 1))
    group = PointGroup.of(flags["--sym"])
    if group.order > 1:
        full = torch.cat([angles, torch.zeros(len(angles), 1)], 1)
        angles = rot_tilt_of(group.direction_mates(euler_matrices(full)[:, 2])).reshape(-1, 2)
    found = coverage(angles)
    say(f" Efficiency of the views (sampling compensation factor): {found.efficiency:.2f}; 1 is even")
    unseen = float((found.sampling == 0).double().mean())
    if unseen > 0:
        say(f" WARNING: {unseen:.1%} of Fourier space is seen by no view: the map is stretched there")
    return found


def _table(name: str, directions: Tensor, values: Tensor) -> StarTable:
    from verglas.geometry import rot_tilt_of

    angles = rot_tilt_of(directions).numpy()
    label = "rlnAngstromResolution" if name == "directional_fsc" else "verglasSampling"
    columns = {"rlnAngleRot": angles[:, 0], "rlnAngleTilt": angles[:, 1], label: values.numpy()}
    return StarTable.from_columns(name, columns)


def _draw(found: DirectionalFsc | None, views: Coverage | None, path: Path) -> None:
    """Each direction a dot on the upper half of the sphere, seen along z (equal areas)."""
    from matplotlib.figure import Figure

    parts = []
    if found is not None:
        parts.append(("resolution (Å)", found.directions, found.resolution_angst, "viridis_r"))
    if views is not None:
        parts.append(("sampling (mean 1)", views.directions, views.sampling, "magma"))
    figure = Figure(figsize=(5.4 * len(parts), 4.6), layout="constrained")
    for axes, (title, directions, values, colours) in zip(
        figure.subplots(1, len(parts), squeeze=False)[0], parts
    ):
        x, y, z = directions[directions[:, 2] > -1e-9].T.numpy()
        radius = np.sqrt(np.maximum(1 - z, 0)) / np.maximum(np.hypot(x, y), 1e-9)
        shown = values[directions[:, 2] > -1e-9].numpy()
        dots = axes.scatter(x * radius, y * radius, c=shown, cmap=colours, s=14000 / len(shown))
        figure.colorbar(dots, ax=axes, label=title)
        axes.set_aspect("equal")
        axes.set_xlim(-1.1, 1.1)
        axes.set_ylim(-1.1, 1.1)
        axes.set_xlabel("x")
        axes.set_ylabel("y")
        axes.set_title(f"{title}, seen along z", fontsize=9)
    save_figure(figure, path)
