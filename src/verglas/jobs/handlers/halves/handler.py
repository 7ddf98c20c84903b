"""The leak detector: particle lists and half maps, checked for what is in both halves."""

from __future__ import annotations

from collections.abc import Callable

from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments, Flag, Program
from verglas.jobs.contract.tables import read_list
from verglas.jobs.handlers.halves.lists import list_leaks
from verglas.jobs.volumes.half_maps import both_names
from verglas.jobs.volumes.reading import check_same_grid, read_mask, read_volume
from verglas.maps.postprocessing.leaks import Leak

Say = Callable[[str], None]
NEIGHBOUR_ANGST = 30.0
PROGRAM = Program(
    "halves check",
    {
        flag.name: flag
        for flag in (
            Flag("--i", "", "Particles of a refinement with halves"),
            Flag("--half", "", "One of its unfiltered half maps"),
            Flag("--half2", "", "The other one (default: the same name with half1 and half2 exchanged)"),
            Flag("--mask", "", "Solvent mask; by default an automatic one"),
            Flag("--angpix", -1.0, "Pixel size of the maps (Å); by default from the header"),
            Flag("--distance", NEIGHBOUR_ANGST, "Particles closer than this (Å) share their image"),
        )
    },
    "are the two halves independent? exit code 0: nothing found, 1: leaks",
)


def check_halves(flags: Arguments, say: Say = print) -> int:
    """Print every finding; 1 if there is any. Raises JobFailed, NothingToDo, ValueError, OSError."""
    if not flags["--i"] and not flags["--half"]:
        raise JobFailed("give particles by --i, a half map by --half, or both")
    found: list[Leak] = []
    if flags["--i"]:
        star, table = read_list(flags["--i"], "particles")
        found += list_leaks(star, table, flags["--distance"])
    if flags["--half"]:
        found += _map_leaks(flags)
    for leak in found:
        say(f" LEAK: {leak.kind}: {leak.text}")
    if not found:
        say(" Nothing found: the halves are independent as far as these files tell")
    return int(bool(found))


def _map_leaks(flags: Arguments) -> list[Leak]:
    from verglas.maps.auto_mask import automatic_mask
    from verglas.maps.postprocessing.half_map_curves import half_map_curves
    from verglas.maps.postprocessing.leaks import map_leaks, same_map

    names = both_names(flags["--half"], flags["--half2"])
    halves = [read_volume(name, flags["--angpix"], "half map") for name in names]
    check_same_grid(halves[1], halves[0], "half map")
    first, second = (half.tensor for half in halves)
    same = same_map(first, second)
    if same is not None:
        return [same]
    if flags["--mask"]:
        mask = read_mask(flags["--mask"], halves[0]).tensor
    else:
        mask = automatic_mask(first, second, halves[0].pixel_size_angst).mask
    curves, _ = half_map_curves(first, second, mask, force_mask=True)
    return map_leaks(first, second, mask, curves)
