"""Names of the small files by which a job directory tells its state (pipeline.md §1.3).

Kept apart from the job contract so that looking at a project imports nothing else.
"""

from __future__ import annotations

EXIT_SUCCESS = "RELION_JOB_EXIT_SUCCESS"
EXIT_FAILURE = "RELION_JOB_EXIT_FAILURE"
EXIT_ABORTED = "RELION_JOB_EXIT_ABORTED"
ABORT_NOW = "RELION_JOB_ABORT_NOW"
EXIT_FILES = (EXIT_SUCCESS, EXIT_FAILURE, EXIT_ABORTED)

OUTPUT_NODES = "RELION_OUTPUT_NODES.star"
NO_HARSH_CLEAN = "NO_HARSH_CLEAN"
JOB_STAR = "job.star"
RUN_JOB = "run.job"
JOB_PIPELINE = "job_pipeline.star"
PIPELINE_BACKUP = "default_pipeline.star"
NOTE = "note.txt"
RUN_OUT = "run.out"
RUN_ERR = "run.err"
SUBMIT_SCRIPT = "run_submit.script"

# exit codes of programs and of `verglas run`
SUCCEEDED, FAILED, ABORTED, WAITING = 0, 1, 2, 3
