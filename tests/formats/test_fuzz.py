"""A sample of mutated inputs of every format (thousands by name: benchmarks/fuzz.py)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from fuzz import fuzz, kinds

NAMES = [kind.name for kind in kinds()]


@pytest.mark.parametrize("name", NAMES)
def test_a_mutant_is_refused_or_read_right(name: str, tmp_path: Path) -> None:
    count = 60 * sum(name in each for each in NAMES)  # "tiff" is in "tiff lzw", too
    for counted in fuzz(count, 11, name, tmp_path / "kept").values():
        assert set(counted) <= {"refused", "right"}, counted
        assert sum(counted.values()) == 60
