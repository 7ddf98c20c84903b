"""Kill whatever changes a project at every event of its file system, and look what is left.

    python benchmarks/kill_points.py
    python benchmarks/kill_points.py --only "job delete" --every 3

Commands, Schemes, live sessions and requests of the pages: `kills/`. An event is whatever makes, writes,
renames or removes a file; the process kills itself with SIGKILL before the K-th, for every K. The next
command of any kind (here: `verglas job list`) must find the project as it was before, or as it is
after. What starts processes is judged when all of these have ended: as before, or ended well, or a
job known as killed that ends well when it is run again (its note then tells of both starts).

The job types are the fakes of the tests, but for the pages: what is killed here is the bookkeeping.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from kills import jobs, live, pages, schemes
from kills.case import Case, Report, Suite
from kills.events import Work, command, in_child
from kills.judging import differences, state

TESTS = Path(__file__).parents[1] / "tests"
SUITES = (*(jobs.SUITE, schemes.CONTINUED, schemes.NEW, live.STANDING, live.STARTED), *(pages.SUITE,))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/verglas-kill-points"))
    parser.add_argument("--only", default="", help="cases whose names begin so")
    parser.add_argument("--suite", default="", help="suites whose names begin so")
    parser.add_argument("--every", type=int, default=1, help="every n-th event")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.folder, ignore_errors=True)
    reports: list[Report] = []
    for suite in SUITES:
        cases = [case for case in suite.cases if case.name.startswith(arguments.only)]
        if not (cases and suite.name.startswith(arguments.suite)):
            continue
        use_fakes(suite.fakes)
        folder = arguments.folder / suite.name.replace(" ", "_")
        template = suite.make_template(folder / "template")
        for case in cases:
            reports.append(kill_everywhere(case, template, folder, arguments.every))
            print(_shown(reports[-1]), flush=True)
    wrong = sum(len(report.wrong) for report in reports)
    print(f"{sum(report.before + report.after for report in reports) + wrong} kills, {wrong} wrong")
    return 1 if wrong else 0


def kill_everywhere(case: Case, template: Path, folder: Path, every: int = 1, first: int = 1) -> Report:
    """Kill the command before each event in turn; `folder` takes the copies of the project."""
    before = state(_fresh(case, template, folder), case)
    root = _fresh(case, template, folder)
    events = in_child(root, _work(case))
    after = state(root, case)
    report = Report(case.name, events)
    for event in range(first, events + 1, every):
        root = _fresh(case, template, folder)
        in_child(root, _work(case), event)
        found = state(root, case)
        if found == before:
            report.before += 1
        elif found == after:
            report.after += 1
        else:
            report.wrong[event] = differences(found, before, after)
    return report


def use_fakes(fakes: Mapping[str, str], setenv: Callable[[str, str], None] = os.environ.__setitem__) -> None:
    """Job types of the tests, for this process and those it starts."""
    places = [str(TESTS), str(TESTS / "live")]
    sys.path[:0] = [place for place in places if place not in sys.path]
    setenv("VERGLAS_JOB_TYPES", ",".join(f"{key}={value}" for key, value in fakes.items()))
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    setenv("PYTHONPATH", os.pathsep.join(dict.fromkeys([*places, *filter(None, known)])))


def suite_of(name: str) -> tuple[Suite, Case]:
    """The first case whose name begins so, and the suite it belongs to."""
    return next((suite, case) for suite in SUITES for case in suite.cases if case.name.startswith(name))


def _work(case: Case) -> Work:
    return pages.sent(case.request) if case.request else command(*case.words)


def _fresh(case: Case, template: Path, folder: Path) -> Path:
    """A copy of the template, always under the same name (paths are part of what is compared)."""
    root = folder / "project"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template, root, symlinks=True)
    case.prepare(root)
    return root


def _shown(report: Report) -> str:
    line = (
        f"{report.name[:70]:<70} {report.events:4} events: {report.before:3} as before, "
        f"{report.after:3} as after, {len(report.wrong):3} neither"
    )
    found = [f"    event {event}: {'; '.join(some[:6])}" for event, some in [*report.wrong.items()][:5]]
    return "\n".join([line, *found])


if __name__ == "__main__":
    sys.exit(main())
