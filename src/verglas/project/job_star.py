"""Settings of a job on disc: `job.star` of 3.1 to 5 and `run.job` of 2.x and 3.0 (pipeline.md §1.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from verglas.formats.regular import regular
from verglas.formats.star import StarError, StarTable, format_star, read_star
from verglas.jobs.contract.control_files import JOB_STAR, RUN_JOB
from verglas.project.dialect import Dialect

TYPE, TYPE_LABEL, IS_CONTINUE, IS_TOMO = ("rlnJobType", "rlnJobTypeLabel", "rlnJobIsContinue", "rlnJobIsTomo")
KEY, VALUE = "rlnJobOptionVariable", "rlnJobOptionValue"


@dataclass(frozen=True)
class JobSettings:
    """What a job is to do: its type as the file says it, and its options as text by key."""

    type_text: str  # code, or label
    options: Mapping[str, str] = field(default_factory=dict)
    is_continue: bool = False
    is_tomo: bool = False
    by_label: bool = False  # run.job: options are keyed by the form's labels, not by keys


def read_settings(directory: Path) -> JobSettings:
    """Settings of a job directory. Raises FileNotFoundError naming it, StarError."""
    if (directory / JOB_STAR).exists():
        return read_job_star(directory / JOB_STAR)
    if (directory / RUN_JOB).exists():
        return read_run_job(directory / RUN_JOB)
    raise FileNotFoundError(f"{directory} has neither {JOB_STAR} nor {RUN_JOB}")


def read_job_star(path: Path) -> JobSettings:
    """Any dialect of job.star."""
    star = read_star(regular(path))
    job = star["job"]
    kind = job.string(TYPE_LABEL) if TYPE_LABEL in job else job.string(TYPE)
    options: dict[str, str] = {}
    if "joboptions_values" in star:
        table = star["joboptions_values"]
        options = dict(zip(table.strings(KEY), table.strings(VALUE)))
    elif len(star) > 1:
        others = ", ".join(f"data_{name}" for name in star if name != "job")
        raise StarError(f"there is no table data_joboptions_values, but {others}", str(path))
    is_continue = IS_CONTINUE in job and job.flag(IS_CONTINUE)
    return JobSettings(kind, options, is_continue, IS_TOMO in job and job.flag(IS_TOMO))


def job_star_bytes(settings: JobSettings, dialect: Dialect) -> bytes:
    """Rows sorted by key in byte order, as RELION writes them."""
    job: dict[str, str | int]
    if dialect.has_labels:
        job = {TYPE_LABEL: settings.type_text}
    else:
        job = {TYPE: int(settings.type_text)}
    job[IS_CONTINUE] = int(settings.is_continue)
    if dialect.has_labels:
        job[IS_TOMO] = int(settings.is_tomo)
    keys = sorted(settings.options)
    tables = [
        StarTable.from_columns("job", job, is_list=True),
        StarTable.from_columns(
            "joboptions_values", {KEY: keys, VALUE: [settings.options[key] for key in keys]}
        ),
    ]
    return format_star(tables, version=dialect.version)


def read_run_job(path: Path) -> JobSettings:
    """RELION 2's run.job: `label == value` lines."""
    kind, is_continue, options = "", False, {}
    for line in regular(path).read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        label, mark, value = line.partition("==")
        if not mark:
            continue
        label, value = label.strip(), value.strip()
        if label == "job_type":
            kind = value
        elif label == "is_continue":
            is_continue = value == "true"
        else:
            options[label] = value
    return JobSettings(kind, options, is_continue, by_label=True)
