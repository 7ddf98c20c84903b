"""Columns of a table: the text of a file, or values that a program put there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from verglas.formats.star.tokens import (
    NUMBER_WIDTH,
    STRING_WIDTH,
    format_float,
    format_float_fully,
    format_vector,
    is_quoted,
    parse_float,
    parse_int,
    quote,
    unquote,
)

if TYPE_CHECKING:
    import numpy as np


MISLEADING = ("#", "_")
"""At the begin of a line RELION takes them for a comment or, above the first row, for a label."""


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

    def floats(self) -> np.ndarray:
        """float64 (rows,), read-only; raises ValueError at a value that is no number."""
        ...

    def ints(self) -> np.ndarray:
        """int64 (rows,), read-only; raises ValueError at a value that is no integer."""
        ...

    def is_misleading(self) -> bool:
        """Whether a token, at the begin of a line, looks like a comment or a label."""
        ...

    def take(self, rows: Any) -> Column: ...


class TextColumn:
    """Tokens of a file, or strings given by a program, kept as they are."""

    __slots__ = ("_has_quotes", "_known", "_tokens", "width")

    def __init__(self, tokens: Sequence[str], width: int = STRING_WIDTH) -> None:
        self._tokens = tokens
        self.width = width
        self._has_quotes: bool | None = None
        self._known: dict[Any, np.ndarray] = {}

    @classmethod
    def of_strings(cls, values: Sequence[str]) -> TextColumn:
        """A column of strings; raises ValueError for one that cannot stand in a file."""
        return cls([quote(value) for value in values])

    def __len__(self) -> int:
        return len(self._tokens)

    def texts(self) -> list[str]:
        if self._has_quotes is None:
            self._has_quotes = any(is_quoted(token) for token in self._tokens)
        return [unquote(token) for token in self._tokens] if self._has_quotes else list(self._tokens)

    def tokens(self, full_precision: bool) -> Sequence[str]:
        return [token or '""' for token in self._tokens]

    def floats(self) -> np.ndarray:
        return self._numbers(parse_float, "float64")

    def ints(self) -> np.ndarray:
        return self._numbers(parse_int, "int64")

    def is_misleading(self) -> bool:
        return any(token.startswith(MISLEADING) for token in self._tokens)

    def take(self, rows: Any) -> TextColumn:
        return TextColumn([self._tokens[row] for row in rows], self.width)

    def _numbers(self, parse: Callable[[str], Any], dtype: str) -> np.ndarray:
        if parse not in self._known:
            self._known[parse] = _frozen_array([parse(text) for text in self.texts()], dtype)
        return self._known[parse]


class NumberColumn:
    """Floats, or integers (booleans are 0 and 1): a numpy array or a list."""

    __slots__ = ("is_integer", "values", "width")

    def __init__(self, values: Sequence[Any] | np.ndarray, is_integer: bool) -> None:
        self.values = values
        self.is_integer = is_integer
        self.width = NUMBER_WIDTH

    def __len__(self) -> int:
        return len(self.values)

    def texts(self) -> list[str]:
        return list(self.tokens(full_precision=True))

    def tokens(self, full_precision: bool) -> Sequence[str]:
        if self.is_integer:
            return [str(int(value)) for value in self._plain()]
        form = format_float_fully if full_precision else format_float
        return [form(value) for value in self._plain()]

    def floats(self) -> np.ndarray:
        return _frozen_array(self.values, "float64")

    def ints(self) -> np.ndarray:
        if self.is_integer:
            return _frozen_array(self.values, "int64")
        return _frozen_array([parse_int(str(float(value))) for value in self._plain()], "int64")

    def is_misleading(self) -> bool:
        return False

    def take(self, rows: Any) -> NumberColumn:
        if isinstance(self.values, list):
            return NumberColumn([self.values[row] for row in rows], self.is_integer)
        return NumberColumn(self.values[rows], self.is_integer)

    def _plain(self) -> Iterator[Any]:
        """Python numbers: formatting numpy's scalars costs five times as much."""
        values = self.values
        return iter(values if isinstance(values, list) else values.tolist())  # type: ignore[union-attr]


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

    def floats(self) -> np.ndarray:
        raise ValueError("a vector is not a number")

    def ints(self) -> np.ndarray:
        raise ValueError("a vector is not a number")

    def is_misleading(self) -> bool:
        return False

    def take(self, rows: Any) -> VectorColumn:
        return VectorColumn([self.values[row] for row in rows])


def _frozen_array(values: Any, dtype: str) -> np.ndarray:
    import numpy as np

    array = np.asarray(values, dtype=dtype)
    if array.flags.writeable:
        array = array.copy() if array is values else array
        array.flags.writeable = False
    return array
