"""The options of the Running tab, and those that every job of verglas has (pipeline.md §4)."""

from __future__ import annotations

import os

from verglas.jobs.contract.options import JobOptions, option

TAB = "Running"


class QueueOptions(JobOptions):
    """Submission to a batch queue; every job type has it."""

    do_queue: bool = option(
        os.environ.get("RELION_QUEUE_USE", "No") == "Yes",
        label="Submit to queue?",
        tab=TAB,
        command=True,
        help="Submit the job to a batch queue instead of running it on this machine.",
    )
    queuename: str = option(
        os.environ.get("RELION_QUEUE_NAME", "openmpi"),
        label="Queue name:",
        tab=TAB,
        command=True,
        help="Name of the queue (XXXqueueXXX in the template).",
    )
    qsub: str = option(
        os.environ.get("RELION_QSUB_COMMAND", "qsub"),
        label="Queue submit command:",
        tab=TAB,
        command=True,
        help="Command that submits a script, e.g. sbatch or qsub.",
    )
    qsub_extra1: str = option(
        os.environ.get("RELION_QSUB_EXTRA1_DEFAULT", ""),
        label=os.environ.get("RELION_QSUB_EXTRA1", "Extra 1:"),
        tab=TAB,
        command=True,
        help="Value of XXXextra1XXX in the submission script.",
    )
    qsub_extra2: str = option(
        os.environ.get("RELION_QSUB_EXTRA2_DEFAULT", ""),
        label=os.environ.get("RELION_QSUB_EXTRA2", "Extra 2:"),
        tab=TAB,
        command=True,
        help="Value of XXXextra2XXX in the submission script.",
    )
    qsubscript: str = option(
        os.environ.get("RELION_QSUB_TEMPLATE", ""),
        label="Standard submission script:",
        tab=TAB,
        command=True,
        pattern="Script Files (*.{csh,sh,bash,script})",
        help="Template with XXX placeholders.",
    )
    min_dedicated: int = option(
        int(os.environ.get("RELION_MINIMUM_DEDICATED", "1")),
        label="Minimum dedicated cores per node:",
        tab=TAB,
        minimum=1,
        maximum=64,
        step=1,
        help="Cores reserved on each node (XXXdedicatedXXX).",
    )
    other_args: str = option(
        "",
        label="Additional arguments:",
        tab=TAB,
        command=True,
        help="Text appended to the program's command line as it is.",
    )
    min_inputs: int = option(
        0,
        label="Start when at least this many inputs:",
        tab=TAB,
        minimum=0,
        maximum=1000000,
        step=100,
        ours=True,
        help="In a repeated schedule, a job that starts from scratch waits until its input list has so "
        "many rows (a classification waits for as many as it has classes in any case).",
    )


class RankOptions(JobOptions):
    """Jobs that run over MPI ranks."""

    nr_mpi: int = option(
        int(os.environ.get("RELION_QSUB_NRMPI", "1")),
        label="Number of MPI procs:",
        tab=TAB,
        minimum=1,
        maximum=float(os.environ.get("RELION_MPI_MAX", "64")),
        step=1,
        help="MPI processes; more than one starts the job under mpirun.",
    )


class ThreadOptions(JobOptions):
    """Jobs that use several threads (or worker processes) in one rank."""

    nr_threads: int = option(
        int(os.environ.get("RELION_QSUB_NRTHREADS", "1")),
        label="Number of threads:",
        tab=TAB,
        flag="--j",
        minimum=1,
        maximum=float(os.environ.get("RELION_THREAD_MAX", "16")),
        step=1,
        help="Threads of each process.",
    )
