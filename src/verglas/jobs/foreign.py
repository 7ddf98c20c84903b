"""Types of RELION's jobs that verglas does not run, for what it does with them: marking and cleaning."""

from __future__ import annotations

from verglas.jobs.contract.job_type import JobType

FOREIGN: dict[str, JobType] = {
    each.folder: each
    for each in (
        JobType(
            "MultiBody",
            "relion.multibody",
            19,
            "3D multi-body",
            iterative=True,
            cleaned_harshly=("analyse_component???_bin???.mrc",),
        ),
    )
}
