"""The main path in a real browser, on simulated movies, from an empty project to a Select job."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from verglas.cli.demo.plan import DemoPlan
from verglas.formats.star import read_star
from verglas.jobs.contract.options import to_text
from verglas.jobs.registry import job_class

FRONTEND = Path(__file__).parents[2] / "frontend"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        shutil.which("node") is None or not (FRONTEND / "node_modules/playwright-core").exists(),
        reason="node or playwright-core is not installed (npm ci in frontend/)",
    ),
]


def test_the_manuals_chain_by_schedule_autorun_picks_and_classes(server, simulated, tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(_chain()))
    done = subprocess.run(
        ["node", str(FRONTEND / "tests/main_path.mjs"), server, str(plan)],
        capture_output=True,
        text=True,
        timeout=880,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    graph = simulated.graph()
    select = next(name for name in graph.processes if name.startswith("Select/"))
    manual = next(name for name in graph.processes if name.startswith("ManualPick/"))
    assert len(read_star(simulated.root / select / "particles.star")["particles"]) > 0
    assert (simulated.root / select / "backup_selection.star").exists()
    assert len(read_star(simulated.root / manual / "manualpick.star").first) == 3


def _chain() -> list[dict[str, object]]:
    """Titles and values that differ from the defaults, as a person types them."""
    found = []
    for folder, values in DemoPlan.quick().chain(1):
        kind = job_class(folder)
        defaults = {key: field.default for key, field in kind.Options.model_fields.items()}
        changed = {key: to_text(value) for key, value in values.items() if value != defaults[key]}
        found.append({"title": kind.type.title, "folder": folder, "values": changed})
    return found
