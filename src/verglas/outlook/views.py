"""What the views of a map's particles sample, and in words whether that is enough."""

from __future__ import annotations

from dataclasses import dataclass

GOOD_EFFICIENCY, POOR_EFFICIENCY = 0.8, 0.5  # of the sampling compensation factor
MOST_MISSING = 0.1  # of the directions of Fourier space
UNTOLD = 0.005  # a missing share below that is none


@dataclass(frozen=True)
class Sampled:
    """How evenly some views sample Fourier space."""

    efficiency: float  # sampling compensation factor: 1 is even, 0 has a missing cone
    missing: float  # share of the directions of Fourier space seen by next to no particle


@dataclass(frozen=True)
class Views:
    """What a map's particles sample, and what they would with as many again at the stage tilt that helps most."""

    particles: int
    now: Sampled | None  # None for too few particles
    tilt_deg: int | None  # None where none is needed or none helps
    tilted: Sampled | None
    words: str

    @property
    def poor(self) -> bool:
        """Whether the map is smeared for want of views."""
        return self.now is not None and is_poor(self.now)


def is_poor(sampled: Sampled) -> bool:
    return sampled.efficiency < POOR_EFFICIENCY or sampled.missing > MOST_MISSING


def in_words(now: Sampled, tilt_deg: int | None, tilted: Sampled | None) -> str:
    """One sentence, and another one where a tilt would help."""
    if now.efficiency >= GOOD_EFFICIENCY:
        return (
            f"the particles are seen from all sides (efficiency of the views {now.efficiency:.2f}; 1 is even)"
        )
    how = "too few sides" if is_poor(now) else "some sides more than others"
    text = f"the particles are seen from {how}: efficiency of the views {now.efficiency:.2f} (1 is even)"
    if now.missing > UNTOLD:
        text += f", {100 * now.missing:.0f} % of Fourier space is seen by next to none"
    if tilt_deg is None or tilted is None:
        return text
    left = f" and leave {100 * tilted.missing:.0f} % unseen" if tilted.missing > UNTOLD else ""
    return (
        f"{text}. Tilting the stage by {tilt_deg}° would help: as many particles again at that tilt bring the "
        f"efficiency to {tilted.efficiency:.2f}{left}"
    )
