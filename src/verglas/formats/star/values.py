"""From the values of a program to a column, by the type of the label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verglas.formats.labels import LabelType, label_type
from verglas.formats.star.columns import Column, NumberColumn, TextColumn, VectorColumn
from verglas.formats.star.tokens import parse_bool, parse_float, parse_int, parse_vector


def column_of(label: str, values: Any) -> Column:
    """A column of `values` as `label` wants it: a double column writes 3 as 3.000000.

    Strings are accepted for every type and parsed. Raises ValueError naming the label.
    """
    given = values if isinstance(values, list) or hasattr(values, "dtype") else list(values)
    kind = label_type(label) or _type_of_values(given)
    try:
        return _MAKERS[kind](given)
    except (TypeError, ValueError) as reason:
        raise ValueError(f"values do not fit {label} ({kind.value}): {reason}") from None


def _type_of_values(values: Sequence[Any]) -> LabelType:
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    if kind in "iu":
        return LabelType.INT
    if kind == "b":
        return LabelType.BOOL
    if kind == "f":
        return LabelType.DOUBLE
    return _type_of_objects(list(values))


def _type_of_objects(values: list[Any]) -> LabelType:
    if not values or any(isinstance(value, str) for value in values):
        return LabelType.STRING
    if all(isinstance(value, bool) for value in values):
        return LabelType.BOOL
    if all(hasattr(value, "__len__") for value in values):
        return LabelType.VECTOR
    return LabelType.INT if all(isinstance(value, int) for value in values) else LabelType.DOUBLE


def _strings(values: Any) -> Column:
    return TextColumn.of_strings(
        [value if isinstance(value, str) else str(value) for value in _plain(values)]
    )


def _doubles(values: Any) -> Column:
    if getattr(getattr(values, "dtype", None), "kind", "") in ("f", "i", "u", "b"):
        return NumberColumn(_frozen(values, float), is_integer=False)
    return NumberColumn([_number(value, parse_float, float) for value in _plain(values)], is_integer=False)


def _ints(values: Any) -> Column:
    if getattr(getattr(values, "dtype", None), "kind", "") in ("i", "u", "b"):
        return NumberColumn(_frozen(values, int), is_integer=True)
    return NumberColumn([_number(value, parse_int, _exact_int) for value in _plain(values)], is_integer=True)


def _bools(values: Any) -> Column:
    return NumberColumn(
        [int(_number(value, parse_bool, _truth)) for value in _plain(values)], is_integer=True
    )


def _vectors(values: Any) -> Column:
    vectors = [parse_vector(value) if isinstance(value, str) else [*map(float, value)] for value in values]
    return VectorColumn(vectors)


_MAKERS = {
    LabelType.STRING: _strings,
    LabelType.DOUBLE: _doubles,
    LabelType.INT: _ints,
    LabelType.BOOL: _bools,
    LabelType.VECTOR: _vectors,
}


def _plain(values: Any) -> list[Any]:
    return (
        values if isinstance(values, list) else values.tolist() if hasattr(values, "tolist") else list(values)
    )


def _frozen(values: Any, kind: type) -> Any:
    """Our own copy: a table never changes when its maker goes on using the array."""
    if not hasattr(values, "astype"):  # polars series
        values = values.to_numpy()
    if values.ndim != 1:
        raise ValueError(f"expected one value per row, got an array of shape {values.shape}")
    copy = values.astype(kind, copy=True)
    copy.flags.writeable = False
    return copy


def _number(value: Any, parse: Any, convert: Any) -> Any:
    return parse(value) if isinstance(value, str) else convert(value)


def _exact_int(value: Any) -> int:
    number = int(value)
    if number != value:
        raise ValueError(f"expected an integer, got {value!r}")
    return number


def _truth(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError(f"expected 0 or 1, got {value!r}")
    return bool(value)
