"""The examples of docs/library.md run, one after the other, and give what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "library.md"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the examples leave behind."""
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("library"))
        for example in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(compile(example, str(PAGE), "exec"), found)
    return found


def test_the_table_is_read_back(names: dict[str, Any]) -> None:
    assert names["mean_defocus"] == 16000


def test_projections_and_ctf_have_their_shapes(names: dict[str, Any]) -> None:
    assert names["projections"].shape == (100, 32, 32)
    assert names["values"].shape == (1, 32, 17)
    volume = names["volume"].sum()
    assert float((names["projections"].sum((1, 2)) / volume - 1).abs().max()) < 0.05


def test_two_noisy_copies_of_a_map_agree_up_to_some_resolution(names: dict[str, Any]) -> None:
    assert 4 <= names["resolution"] < 20


def test_the_classification_gives_averages_and_classes(names: dict[str, Any]) -> None:
    assert names["averages"].shape == (3, 32, 32)
    assert set(names["classes"]) <= {0, 1, 2}
