"""One value as RELION writes it: number format, quoting, and the way back (pipeline.md §5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

NUMBER_WIDTH = 12
STRING_WIDTH = 10
BELL = "\x07"
"""Precedes an inner quote that would otherwise end a quoted string."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f]")
_ESCAPED_QUOTE = re.compile(r'"(?=[ \t])|"(?=[^"]+$)')
"""RELION 3.1.3 escapes a quote before a blank, and the last one unless it ends the string."""
_BLANKS = re.compile(r"[ \t]+")
_QUOTED = re.compile(
    r""""(?:\x07"|"(?![ \t]|$)|[^"])*"(?=[ \t]|$)|'(?:\x07'|'(?![ \t]|$)|[^'])*'(?=[ \t]|$)"""
)


def format_float(value: float) -> str:
    """RELION's text of a double, without padding.

    RELION 3.1.3 cuts at 12 characters: 100000.00000. We follow it there, but not where that loses
    the last digit of an exponent (it writes 1e-100 as 1e-10).
    """
    size = abs(value)
    if 0 < size < 0.001 or size > 100000:
        return f"{value:.5e}" if value < 0 else f"{value:.6e}"
    return (f"{value:.5f}" if value < 0 else f"{value:.6f}")[:NUMBER_WIDTH]


def format_float_fully(value: float) -> str:
    """The shortest text that reads back as exactly this double."""
    return repr(float(value))


def format_vector(values: Sequence[float]) -> str:
    """RELION's `[a,b,c]`: no blanks, twelve significant digits."""
    return "[" + ",".join(f"{value:.12g}" for value in values) + "]"


def parse_vector(text: str) -> list[float]:
    """The numbers of `[a,b,c]`; raises ValueError with the text in it."""
    if not (text.startswith("[") and text.endswith("]")):
        raise ValueError(f"expected a vector like [a,b,c], found {text!r}")
    inner = text[1:-1].strip()
    return [parse_float(part) for part in inner.split(",")] if inner else []


def parse_float(text: str) -> float:
    """Python's float without its underscores and foreign digits; raises ValueError with the text in it."""
    if "_" in text or not text.isascii():
        raise ValueError(f"could not convert string to float: {text!r}")
    return float(text)


def parse_int(text: str) -> int:
    """An integer; other programs write 3.000000 where RELION writes 3, and RELION reads both."""
    try:
        if "_" not in text and text.isascii():
            return int(text)
    except ValueError:
        pass
    value = parse_float(text)
    if not value.is_integer():
        raise ValueError(f"expected an integer, found {text!r}")
    return int(value)


def parse_bool(text: str) -> bool:
    """0 or 1; like RELION, the words True and False are refused."""
    value = parse_int(text)
    if value not in (0, 1):
        raise ValueError(f"expected 0 or 1, found {text!r}")
    return bool(value)


def quote(text: str) -> str:
    """A string as one token: quoted only where the reader could not find its end otherwise."""
    if not text:
        return '""'
    if _CONTROL.search(text):
        raise ValueError(f"a STAR value cannot hold line ends or control characters: {text!r}")
    if text[0] in "\"'" or " " in text or "\t" in text:
        return '"' + _ESCAPED_QUOTE.sub(BELL + '"', text) + '"'
    return text


def is_quoted(token: str) -> bool:
    """Whether the token is a quoted string (it then ends with the same quote)."""
    return len(token) > 1 and token[0] in "\"'" and token[-1] == token[0]


def unquote(token: str) -> str:
    """The string a token of the file stands for."""
    if not is_quoted(token):
        return token
    return token[1:-1].replace(BELL + token[0], token[0])


def as_bytes(text: str) -> str:
    """The text with one character per byte: RELION counts field widths in bytes."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def padded(token: str, width: int) -> str:
    """The token right-aligned to a width in bytes."""
    if token.isascii():
        return f"{token:>{width}}"
    return " " * (width - len(as_bytes(token))) + token


def split_tokens(line: str) -> list[str]:
    """The tokens of a line, quotes kept; raises ValueError when a quoted string has no end."""
    if '"' in line or "'" in line:
        return _split_quoted(line)
    if line.isascii():
        return line.split()
    return [token for token in _BLANKS.split(line) if token]


def _split_quoted(line: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    while True:
        while line[position : position + 1] in (" ", "\t"):
            position += 1
        if position >= len(line):
            return tokens
        if line[position] in "\"'":
            quoted = _QUOTED.match(line, position)
            if quoted is None:
                raise ValueError(f"the quoted string that starts at column {position + 1} has no end")
            end = quoted.end()
        else:
            blank = _BLANKS.search(line, position)
            end = blank.start() if blank else len(line)
        tokens.append(line[position:end])
        position = end
