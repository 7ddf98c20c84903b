"""What is known of a session before it begins: each value with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field

from verglas.formats.epu import EpuImage, EpuSession
from verglas.formats.mdoc import MdocSection
from verglas.formats.movies import MovieInfo

NEEDED = ("pixel-size", "kv")  # without which no session begins


class NothingFound(LookupError):
    """A value is missing that nobody recorded; the message says what to type."""


@dataclass(frozen=True)
class Fact:
    """One value and where it comes from."""

    value: float | str
    source: str
    assumed: bool = False

    @property
    def shown(self) -> str:
        value = f"{self.value:.6g}" if isinstance(self.value, float) else str(self.value)
        return f"{value}  ({'assumed: ' if self.assumed else ''}{self.source})"


@dataclass
class Intake:
    """All that is known before the first movie is processed; keys of `facts` are flags of `live start`."""

    wildcard: str
    facts: dict[str, Fact] = field(default_factory=dict)
    first: MovieInfo | None = None
    epu: EpuImage | None = None
    session: EpuSession | None = None
    mdoc: MdocSection | None = None
    warnings: list[str] = field(default_factory=list)

    def number(self, key: str) -> float:
        """A value as number. Raises NothingFound saying which flag to give."""
        if key not in self.facts:
            raise NothingFound(f"nobody recorded the {key.replace('-', ' ')}: give --{key}")
        return float(self.facts[key].value)

    def text(self, key: str) -> str:
        return str(self.facts[key].value) if key in self.facts else ""


def number_or_text(text: str) -> float | str:
    """A fact's value as a person typed it."""
    try:
        return float(text)
    except ValueError:
        return text
