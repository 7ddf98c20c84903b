"""Lists that a live session writes itself: the movies, and which settings made which micrograph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from verglas.formats.star import StarTable, write_star
from verglas.formats.star.writing import format_star
from verglas.jobs.contract.optics_table import optics_table

Row = Mapping[str, str]


def optics_row(
    number: int,
    name: str,
    *,
    pixel_size_angst: float,
    voltage_kv: float,
    cs_mm: float,
    amplitude_contrast: float,
    mtf: str = "",
) -> dict[str, str]:
    """A row of the optics table of movies, columns in RELION's order (pipeline.md §5.2)."""
    row = {"rlnOpticsGroupName": name, "rlnOpticsGroup": str(number)}
    if mtf:
        row["rlnMtfFileName"] = mtf
    return row | {
        "rlnMicrographOriginalPixelSize": f"{pixel_size_angst:.6f}",
        "rlnVoltage": f"{voltage_kv:.6f}",
        "rlnSphericalAberration": f"{cs_mm:.6f}",
        "rlnAmplitudeContrast": f"{amplitude_contrast:.6f}",
    }


def movies_list(optics: Sequence[Row], names: Sequence[str], groups: Sequence[int]) -> list[StarTable]:
    """The tables of `movies.star`."""
    movies = {"rlnMicrographMovieName": list(names), "rlnOpticsGroup": list(groups)}
    return [optics_table(optics), StarTable.from_columns("movies", movies)]


def write_movies_list(path: Path, optics: Sequence[Row], names: Sequence[str], groups: Sequence[int]) -> None:
    """Write `movies.star` as the Import job would."""
    write_star(path, movies_list(optics, names, groups))


def movie_alone(optics: Sequence[Row], name: str, group: int) -> bytes:
    """The list of one movie."""
    return format_star(movies_list(optics, [name], [group]))


def write_settings_record(
    path: Path,
    changes: Iterable[tuple[int, str, str]],  # version, option, value
    names: Sequence[str],
    versions: Sequence[int],
) -> None:
    """Which version of the options made which micrograph."""
    write_star(path, settings_record(changes, names, versions))


def settings_record(
    changes: Iterable[tuple[int, str, str]], names: Sequence[str], versions: Sequence[int]
) -> list[StarTable]:
    """The tables of `verglas_settings.star`."""
    rows = list(changes)
    return [
        StarTable.from_columns(
            "settings_versions",
            {
                "verglasSettingsVersion": [number for number, _, _ in rows],
                "rlnJobOptionVariable": [key for _, key, _ in rows],
                "rlnJobOptionValue": [value for _, _, value in rows],
            },
        ),
        StarTable.from_columns(
            "settings_of_micrographs",
            {"rlnMicrographMovieName": list(names), "verglasSettingsVersion": list(versions)},
        ),
    ]


def write_references(path: Path, stack: str, count: int) -> None:
    """A list of the images of a stack, as class averages are listed."""
    names = [f"{number:06d}@{stack}" for number in range(1, count + 1)]
    write_star(path, [StarTable.from_columns("", {"rlnReferenceImage": names})])
