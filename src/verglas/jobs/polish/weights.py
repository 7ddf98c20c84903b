"""Weights of frames from the correlations of all micrographs: `bfactors.star` (pipeline.md §5.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.formats.star import StarError, StarTable, read_star, write_star
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.polish.files import PolishFiles, read_sums
from verglas.jobs.polish.inputs import MicrographItem

if TYPE_CHECKING:
    from verglas.em.state.particles import OpticsGroup
    from verglas.polish.frame_correlation import FrameSums
    from verglas.polish.frame_weights import FrameWeights

Flags = Mapping[str, Any]
TABLE = "perframe_bfactors"
ENOUGH_PARTICLES = 2000  # of an optics group, for weights of its own
_B, _LN_A = "rlnBfactorUsedForSharpening", "rlnFittedInterceptGuinierPlot"


@dataclass(frozen=True)
class PooledSums:
    """Correlations of all particles that share weights."""

    name: str  # of the optics group, or of all
    sums: FrameSums
    extent_angst: float
    particles: int


@dataclass(frozen=True)
class AllWeights:
    """Weights by optics group; the others share `common`."""

    common: FrameWeights | None
    own: Mapping[str, FrameWeights]

    def of(self, item: MicrographItem) -> FrameWeights | None:
        """Of a micrograph: those of its optics group if these exist."""
        return self.own.get(item.group().name, self.common)


def weights_of(
    items: Sequence[tuple[MicrographItem, PolishFiles]], flags: Flags, last_extent: float
) -> tuple[AllWeights, list[PooledSums]]:
    """Fit the weights of a job; `last_extent` is the half maps' resolution in Å.

    Raises JobFailed where no frame agrees with the references.
    """
    if flags["--bfactors"]:
        return AllWeights(read_weights(flags["--bfactors"]), {}), []
    pools = _pooled(items)
    if not pools:
        return AllWeights(None, {}), []
    largest = max(pools.values(), key=lambda pool: pool.particles)
    same = [pool for pool in pools.values() if pool.extent_angst == largest.extent_angst]
    common = PooledSums("all", _sum(pool.sums for pool in same), largest.extent_angst, 0)
    own = {
        name: pool
        for name, pool in pools.items()
        if len(pools) > 1 and (pool.particles >= ENOUGH_PARTICLES or pool not in same)
    }
    try:
        fitted = {name: _fitted(pool, flags, last_extent) for name, pool in own.items()}
        found = AllWeights(_fitted(common, flags, last_extent), fitted)
    except ValueError as error:
        raise JobFailed(f"frame weights cannot be found: {error}") from error
    return found, [common, *own.values()]


def write_weights(directory: Path, weights: AllWeights) -> None:
    """`bfactors.star`, and one file more for each optics group with weights of its own."""
    if weights.common is not None:
        write_star(directory / "bfactors.star", [table_of_weights(weights.common)])
    for name, own in weights.own.items():
        write_star(directory / f"bfactors_{name}.star", [table_of_weights(own)])


def table_of_weights(weights: FrameWeights) -> StarTable:
    """One row a frame, from 0; B negative, as for sharpening."""
    columns = {
        "rlnMovieFrameNumber": list(range(len(weights.amplitude))),
        _B: -weights.b_factor_a2,
        _LN_A: np.log(np.maximum(weights.amplitude, 1e-6)),
    }
    return StarTable.from_columns(TABLE, columns)


def read_weights(path: str | Path) -> FrameWeights:
    """Weights of another job, or RELION's. Raises JobFailed."""
    from verglas.polish.frame_weights import FrameWeights

    try:
        table = read_star(path)[TABLE]
        return FrameWeights(np.exp(table.floats(_LN_A)), -np.array(table.floats(_B)))
    except (OSError, StarError, KeyError) as error:
        raise JobFailed(f"{path} holds no B-factors of frames: {error}") from error


def _pooled(items: Sequence[tuple[MicrographItem, PolishFiles]]) -> dict[str, PooledSums]:
    """Correlations of the micrographs of each optics group, added in the order of the list."""
    pools: dict[str, PooledSums] = {}
    for item, files in items:
        if not files.is_tracked:
            continue
        group, sums = item.group(), read_sums(files)
        known = pools.get(group.name)
        if known is not None:
            sums = known.sums + sums
        count = len(item.table) + (0 if known is None else known.particles)
        pools[group.name] = PooledSums(group.name, sums, _extent(group), count)
    return pools


def _fitted(pool: PooledSums, flags: Flags, resolution_angst: float) -> FrameWeights:
    from verglas.polish.frame_weights import FrameWeights, fit_frame_weights

    correlation = pool.sums.correlation
    if len(correlation) == 1:
        return FrameWeights(np.ones(1), np.zeros(1))
    finest = flags["--bfac_maxfreq"] if flags["--bfac_maxfreq"] > 0 else resolution_angst
    last = min(int(pool.extent_angst / finest), correlation.shape[1] - 1)
    first = max(1, int(np.ceil(pool.extent_angst / flags["--bfac_minfreq"])))
    return fit_frame_weights(correlation, pool.extent_angst, first, last)


def _sum(sums: Any) -> FrameSums:
    first, *others = sums
    for other in others:
        first = first + other
    found: FrameSums = first
    return found


def _extent(group: OpticsGroup) -> float:
    return group.box_size * group.pixel_size_angst
