"""The helical symmetry of a map measured and imposed: relion_helix_toolbox --search and --impose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.formats.mrc import write_mrc
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments, Flag, Program
from verglas.jobs.volumes.reading import Volume, read_volume

if TYPE_CHECKING:
    from verglas.maps.helix import Helix, Tube

Say = Callable[[str], None]
_SEARCH, _TUBE = "Search", "Where the helix is"
PROGRAM = Program(
    "helix",
    {
        flag.name: flag
        for flag in (
            Flag("--i", "", "A map whose helical axis is z", required=True),
            Flag("--o", "", "Write the map with the symmetry imposed"),
            Flag("--impose", False, "Impose --twist and --rise, or what --search found (needs --o)"),
            Flag("--search", False, "Find twist and rise within the ranges"),
            Flag("--angpix", -1.0, "Pixel size (Å); by default from the header"),
            Flag("--twist", 0.0, "Helical twist (degrees, positive for right-handed)"),
            Flag("--rise", 0.0, "Helical rise (Å)"),
            Flag("--sym_Cn", 1, "Order of a further axis along z"),
            Flag("--twist_min", 0.0, "Least twist (degrees)", _SEARCH),
            Flag("--twist_max", 0.0, "Largest twist (degrees)", _SEARCH),
            Flag("--twist_inistep", -1.0, "First step; by default a twentieth of the range", _SEARCH),
            Flag("--rise_min", 0.0, "Least rise (Å)", _SEARCH),
            Flag("--rise_max", 0.0, "Largest rise (Å)", _SEARCH),
            Flag("--rise_inistep", -1.0, "First step; by default a twentieth of the range", _SEARCH),
            Flag("--z_percentage", 0.3, "Central share of the box along z that is trusted", _TUBE),
            Flag("--cyl_outer_diameter", -1.0, "Outer diameter of the tube (Å)", _TUBE),
            Flag("--cyl_inner_diameter", -1.0, "Inner diameter of the tube (Å)", _TUBE),
            Flag("--verb", False, "", _SEARCH, unneeded="what was found is always said"),
        )
    },
    "the helical symmetry of a map: measured, imposed",
    "relion_helix_toolbox",
)


def treat_helix(flags: Arguments, say: Say = print) -> None:
    """Do what the flags say. Raises JobFailed, NothingToDo, ValueError, OSError."""
    from verglas.maps.helix import Helix, Tube

    for warning in flags.warnings:
        say(f" WARNING: {warning}")
    if not flags["--impose"] and not flags["--search"]:
        raise JobFailed("say what to do: --search, --impose, or both")
    if flags["--impose"] and not flags["--o"]:
        raise JobFailed("--impose needs --o, the map to write")
    if flags["--sym_Cn"] < 1:
        raise JobFailed(f"--sym_Cn must be 1 or more, got {flags['--sym_Cn']}")
    volume = read_volume(flags["--i"], flags["--angpix"])
    tube = Tube(flags["--z_percentage"], flags["--cyl_outer_diameter"], flags["--cyl_inner_diameter"])
    helix = (
        _found(flags, volume, tube, say) if flags["--search"] else Helix(flags["--twist"], flags["--rise"])
    )
    if flags["--impose"]:
        _impose(flags, volume, helix, tube, say)


def _found(flags: Arguments, volume: Volume, tube: Tube, say: Say) -> Helix:
    from verglas.maps.helix import SearchRange, search_helix

    wanted = SearchRange(
        (flags["--twist_min"], flags["--twist_max"]),
        (flags["--rise_min"], flags["--rise_max"]),
        flags["--twist_inistep"],
        flags["--rise_inistep"],
    )
    helix, score, at_border = search_helix(volume.tensor, volume.pixel_size_angst, wanted, tube)
    say(f" Twist {helix.twist_deg:.3f} degrees, rise {helix.rise_angst:.3f} Å: correlation {score:.4f}")
    if at_border:
        say(" WARNING: that is at the border of the range: the true symmetry may lie beyond it")
    return helix


def _impose(flags: Arguments, volume: Volume, helix: Helix, tube: Tube, say: Say) -> None:
    from verglas.maps.helix import impose_helix

    result = impose_helix(volume.data, volume.pixel_size_angst, helix, tube, flags["--sym_Cn"])
    Path(flags["--o"]).parent.mkdir(parents=True, exist_ok=True)
    write_mrc(flags["--o"], result, volume.pixel_size_angst)
    say(f" Written: {flags['--o']}")
