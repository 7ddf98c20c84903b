"""A STAR file: named tables in file order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from verglas.formats.star.errors import MissingStarItem
from verglas.formats.star.reading import parse_star
from verglas.formats.star.table import StarTable


class StarFile(Mapping[str, StarTable]):
    """The tables of one file by block name ("" for `data_`), in file order.

    A table that has no rows is not written at all by RELION: take `get(name)` and treat None as
    "no rows" where that may happen.
    """

    def __init__(
        self, tables: Mapping[str, StarTable], path: str = "", problems: tuple[str, ...] = ()
    ) -> None:
        self._tables = dict(tables)
        self.path = path
        self.problems = problems
        """What a permissive reader passed over; after a strict one, only hints of a cut file."""

    def __getitem__(self, name: str) -> StarTable:
        try:
            return self._tables[name]
        except KeyError:
            there = ", ".join(f"data_{key}" for key in self._tables) or "none"
            raise MissingStarItem(f"there is no table data_{name}; tables: {there}", self.path) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    @property
    def first(self) -> StarTable:
        """The first table, whatever its name; raises MissingStarItem in an empty file."""
        for table in self._tables.values():
            return table
        raise MissingStarItem("the file holds no table", self.path)

    @property
    def version(self) -> int | None:
        """The version comment of the first table (30001, 50001); None for files of 2.x and 3.0."""
        return next((table.version for table in self._tables.values()), None)

    @property
    def comments(self) -> tuple[str, ...]:
        """The comment lines on top of the file."""
        return next((table.comments for table in self._tables.values()), ())


def read_star(path: str | os.PathLike[str], *, permissive: bool = False) -> StarFile:
    """Read all tables of a file. A file of 0 bytes has none.

    Raises OSError, and StarError naming file, line and column for anything that is not a STAR file
    as RELION writes or reads it. `permissive` passes over what can be passed over and lists it in
    `problems`: only on a user's demand.
    """
    with open(path, "rb") as handle:
        data = handle.read()
    tables, problems = parse_star(data, str(path), permissive)
    return StarFile(tables, str(path), problems)
