"""Columns of a table: the text of a file, or values that a program put there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from verglas.formats.star.tokens import (
    NUMBER_WIDTH,
    STRING_WIDTH,
    format_float,
    format_float_fully,
    format_vector,
    is_quoted,
    quote,
    unquote,
)

if TYPE_CHECKING:
    import numpy as np


class Column(Protocol):
    """What a table asks of its columns."""

    width: int
    """Least number of characters of a written value: 12 for numbers, 10 for strings."""

    def __len__(self) -> int: ...
    def texts(self) -> list[str]:
        """The values as strings, unquoted."""
        ...

    def tokens(self, full_precision: bool) -> Sequence[str]:
        """The values as they stand in a file: quoted, not padded."""
        ...

    def take(self, rows: Sequence[int]) -> Column: ...


class TextColumn:
    """Tokens of a file, or strings given by a program, kept as they are."""

    __slots__ = ("_has_quotes", "_tokens", "width")

    def __init__(self, tokens: Sequence[str], width: int = STRING_WIDTH) -> None:
        self._tokens = tokens
        self.width = width
        self._has_quotes: bool | None = None

    @classmethod
    def of_strings(cls, values: Sequence[str]) -> TextColumn:
        """A column of strings; raises ValueError for one that cannot stand in a file."""
        return cls([quote(value) for value in values])

    def __len__(self) -> int:
        return len(self._tokens)

    def texts(self) -> list[str]:
        if self._has_quotes is None:
            self._has_quotes = any(is_quoted(token) for token in self._tokens)
        return (
            [unquote(token) for token in self._tokens] if self._has_quotes else list(self._tokens)
        )

    def tokens(self, full_precision: bool) -> Sequence[str]:
        return [token or '""' for token in self._tokens]

    def take(self, rows: Sequence[int]) -> TextColumn:
        return TextColumn([self._tokens[row] for row in rows], self.width)


class NumberColumn:
    """Floats, or integers (booleans are 0 and 1): a numpy array or a list."""

    __slots__ = ("is_integer", "values", "width")

    def __init__(self, values: Sequence[Any] | np.ndarray, is_integer: bool) -> None:
        self.values = values
        self.is_integer = is_integer
        self.width = NUMBER_WIDTH

    def __len__(self) -> int:
        return len(self.values)

    def _plain(self) -> Iterator[Any]:
        """Python numbers: formatting numpy's scalars costs five times as much."""
        values = self.values
        return iter(values if isinstance(values, list) else values.tolist())  # type: ignore[union-attr]

    def texts(self) -> list[str]:
        return list(self.tokens(full_precision=True))

    def tokens(self, full_precision: bool) -> Sequence[str]:
        if self.is_integer:
            return [str(int(value)) for value in self._plain()]
        form = format_float_fully if full_precision else format_float
        return [form(value) for value in self._plain()]

    def take(self, rows: Sequence[int]) -> NumberColumn:
        if isinstance(self.values, list):
            return NumberColumn([self.values[row] for row in rows], self.is_integer)
        return NumberColumn(self.values[rows], self.is_integer)  # type: ignore[call-overload]


class VectorColumn:
    """Vectors such as the Zernike coefficients of an optics group."""

    __slots__ = ("values", "width")

    def __init__(self, values: Sequence[Sequence[float]]) -> None:
        self.values = values
        self.width = STRING_WIDTH

    def __len__(self) -> int:
        return len(self.values)

    def texts(self) -> list[str]:
        return list(self.tokens(full_precision=True))

    def tokens(self, full_precision: bool) -> Sequence[str]:
        if full_precision:
            return ["[" + ",".join(map(format_float_fully, one)) + "]" for one in self.values]
        return [format_vector(one) for one in self.values]

    def take(self, rows: Sequence[int]) -> VectorColumn:
        return VectorColumn([self.values[row] for row in rows])
