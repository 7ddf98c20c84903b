"""Where real data lies and which programs are installed; tests that need them are skipped without."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent


def real_data_folder() -> Path | None:
    """VERGLAS_TEST_DATA, or ../shared/data beside the project if it is there."""
    given = os.environ.get("VERGLAS_TEST_DATA")
    folder = Path(given) if given else _ROOT.parent / "shared" / "data"
    # absolute: tests work in project directories of their own
    return folder.resolve() if folder.is_dir() else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; the test is skipped without it."""
    folder = real_data_folder()
    if folder is None:
        pytest.skip("no real data: set VERGLAS_TEST_DATA to its folder")
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs RELION, a browser or real data where there is none, saying so."""
    skips = {
        "relion": (shutil.which("relion_refine"), "RELION 3.1.3 is not installed"),
        "browser": (shutil.which("chromium"), "chromium is not installed"),
        "real": (real_data_folder(), "no real data: set VERGLAS_TEST_DATA to its folder"),
    }
    for item in items:
        for marker, (present, reason) in skips.items():
            if item.get_closest_marker(marker) and not present:
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter, exitstatus: int, config: pytest.Config) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    without_data = sum("VERGLAS_TEST_DATA" in str(report.longrepr) for report in skipped)
    if without_data:
        terminalreporter.write_line(f"{without_data} tests were skipped for want of real data")
