"""Which settings the jobs of a project ran with: those that differ from the defaults."""

from __future__ import annotations

from dataclasses import dataclass

from verglas.formats.star import StarError
from verglas.jobs.contract.options import to_text
from verglas.project.project import Project
from verglas.project.registration import ForeignJob, load_job

_OF_THE_MACHINE = {
    "nr_mpi",
    "nr_threads",
    "do_queue",
    "queuename",
    "qsub",
    "qsubscript",
    "min_dedicated",
    "gpu_ids",
    "use_gpu",
    "nr_pool",
    "do_preread_images",
    "do_parallel_discio",
    "scratch_dir",
    "other_args",
}


@dataclass(frozen=True)
class JobSettings:
    """One job: its name, title and state, and the settings a person chose."""

    name: str
    title: str
    status: str
    has_results: bool  # some output is there (between two rounds a job is "Scheduled" and has them)
    changed: dict[str, str]  # option -> value, without inputs and without the machine's
    values: dict[str, str]  # every option


def settings_used(project: Project) -> list[JobSettings]:
    """All jobs in pipeline order; jobs of other programs come without settings."""
    found = []
    graph = project.graph()
    for name, process in graph.processes.items():
        status = process.status.label
        has_results = any(project.exists(node) for node in graph.outputs_of(name))
        try:
            loaded = load_job(project, name)
        except (ForeignJob, OSError, ValueError, StarError):
            found.append(JobSettings(name, process.folder, status, has_results, {}, {}))
            continue
        values = loaded.options.texts()
        infos = loaded.job.Options.infos()
        changed = {
            key: value
            for key, value in values.items()
            if value != to_text(loaded.job.Options.model_fields[key].default)
            and infos[key].node is None
            and key not in _OF_THE_MACHINE
        }
        found.append(JobSettings(name, loaded.job.type.title, status, has_results, changed, values))
    return found
