"""What is remembered of every particle between two updates, and the spectra that its image was added with.

An image that was added to the sums at its pose can be taken out again exactly, as long as pose, norm, scale and noise
spectrum are those it was added with: they are written down here. Everything else that an expectation step sums up
(noise, priors, norm, scale) is one small record a particle, and summed anew over those that are there.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from verglas.em.state.combine import ROW_FIELDS
from verglas.em.state.particles import Assignments, Floats, Ints

Bools = npt.NDArray[np.bool_]
NEVER = -1  # the update that searched a particle that none has


@dataclass
class Ledger:
    """n particles, in the order of the list at hand."""

    found: Assignments
    added: Bools  # (n,) whether its image is in the sums of its half
    spectra: Ints  # (n,) number of the spectra that it was added with
    scale: Floats  # (n,) intensity scale that it was added with
    searched: Ints  # (n,) update that searched its pose last
    residual: npt.NDArray[np.float32]  # (n, S) what the reference left of its image, by shell
    evidence: Floats  # (n,) ln of how many times better the map explains it than junk; inf: not judged
    junk: Bools  # (n,) whether it was judged to be junk: it does not enter the map
    fit: Floats  # (n, 2) Σ Re(conj(C P) X) and Σ |C P|² over well-determined shells: for the scale

    @classmethod
    def start(cls, n: int, n_shells: int) -> Ledger:
        """Particles of which nothing is known."""
        return cls(
            Assignments.start(n),
            np.zeros(n, bool),
            np.zeros(n, np.int64),
            np.ones(n),
            np.full(n, NEVER, np.int64),
            np.zeros((n, n_shells), np.float32),
            np.full(n, np.inf),
            np.zeros(n, bool),
            np.zeros((n, 2)),
        )

    def __len__(self) -> int:
        return len(self.added)

    def taken(self, rows: Ints) -> Ledger:
        """Records of some particles; those of rows below 0 begin anew."""
        found = Ledger.start(len(rows), self.residual.shape[1])
        known = rows >= 0
        for name, values in found.columns().items():
            values[known] = self.columns()[name][rows[known]]
        return found

    def columns(self) -> dict[str, npt.NDArray[np.generic]]:
        """All arrays by name: what is stored."""
        own = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "found"}
        return own | {name: getattr(self.found, name) for name in ROW_FIELDS}

    @classmethod
    def of_columns(cls, columns: dict[str, npt.NDArray[np.generic]]) -> Ledger:
        """The reverse of `columns`."""
        found = Assignments(**{name: columns[name] for name in ROW_FIELDS})  # type: ignore[arg-type]
        own = {entry.name: columns[entry.name] for entry in fields(cls) if entry.name != "found"}
        return cls(found=found, **own)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Spectra:
    """What images were weighted with, one entry for every update that still has images in the sums."""

    noise: Floats  # (E, 2, G, S) σ² of each half-set and optics group
    norm_average: Floats  # (E, 2)

    @classmethod
    def none(cls, n_groups: int, n_shells: int) -> Spectra:
        return cls(np.zeros((0, 2, n_groups, n_shells)), np.zeros((0, 2)))

    def with_groups(self, index: Ints) -> Spectra:
        """For other optics groups: where each was before; -1 for a new one, which no old image belongs to."""
        noise = np.where((index >= 0)[None, None, :, None], self.noise[:, :, np.maximum(index, 0)], 0.0)
        return replace(self, noise=noise)

    def and_now(self, noise: Floats, norm_average: Floats) -> Spectra:
        """With one more entry: noise (2, G, S) and norm average (2,)."""
        return Spectra(
            np.concatenate([self.noise, noise[None]]), np.concatenate([self.norm_average, norm_average[None]])
        )

    def used_by(self, ledger: Ledger) -> Spectra:
        """Only what is in use; the ledger's numbers are brought up to date."""
        used, place = np.unique(ledger.spectra[ledger.added], return_inverse=True)
        ledger.spectra[ledger.added] = place
        return Spectra(self.noise[used], self.norm_average[used])
