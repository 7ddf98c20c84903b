"""Queue submission against a real Slurm: one machine, two virtual nodes. Run by name:

    pytest tests/scheduler/test_slurm.py -m long

Needs root and Debian's slurm-wlm and munge.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time

import pytest

from fake_jobs import FOR_EVER
from verglas.project.completion import check_completion
from verglas.project.dialect import Status
from verglas.project.editing import edit
from verglas.scheduler.launch import abort, launch, wait_for
from verglas.scheduler.queue import fill_template
from verglas.scheduler.queue_state import QueueWatcher, ask
from waiting import until

needs_slurm = pytest.mark.skipif(
    shutil.which("slurmctld") is None or os.geteuid() != 0, reason="Slurm is not installed, or not root"
)

CONFIGURATION = """ClusterName=dev
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SlurmctldPort=16817
SlurmctldPidFile={d}/slurmctld.pid
SlurmdPidFile={d}/slurmd.%n.pid
SlurmdSpoolDir={d}/spool.%n
StateSaveLocation={d}/state
SlurmctldLogFile={d}/slurmctld.log
SlurmdLogFile={d}/slurmd.%n.log
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MinJobAge=3600
KillWait=5
NodeName=n[1-2] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[16820-16821] CPUs=2 RealMemory=4000
PartitionName=all Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
"""

TEMPLATE = """#!/bin/bash
#SBATCH --ntasks=XXXmpinodesXXX --cpus-per-task=XXXthreadsXXX --nodes=XXXnodesXXX
#SBATCH --partition=XXXqueueXXX --job-name=XXXnameXXX
#SBATCH --error=XXXerrfileXXX --output=XXXoutfileXXX --open-mode=append
#SBATCH XXXextra1XXX
echo "cores XXXcoresXXX of XXXdedicatedXXX dedicated, extra XXXextra2XXX"
XXXcommandXXX
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool.n1", "spool.n2"):
        (folder / name).mkdir()
    (folder / "slurm.conf").write_text(CONFIGURATION.format(d=folder))
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    os.makedirs("/run/munge", exist_ok=True)
    shutil.chown("/run/munge", "munge", "munge")
    subprocess.run(["runuser", "-u", "munge", "--", "/usr/sbin/munged", "--force"], check=True)
    subprocess.run(["slurmctld", "-c", "-f", str(folder / "slurm.conf")], check=True)
    time.sleep(1)
    for node in ("n1", "n2"):
        subprocess.run(["slurmd", "-N", node, "-f", str(folder / "slurm.conf")], check=True)
    until(lambda: "idle" in subprocess.run(["sinfo", "-h"], capture_output=True, text=True).stdout)
    yield folder
    for path in folder.glob("*.pid"):
        os.kill(int(path.read_text()), 15)
    del os.environ["SLURM_CONF"]


@pytest.fixture
def queued(project, chain, slurm):
    """Every job of the chain is submitted."""
    (project.root / "template.sh").write_text(TEMPLATE)
    for job in chain:
        values = {"do_queue": "Yes", "qsub": "sbatch", "qsubscript": "template.sh", "queuename": "all"}
        edit(project, job, {**values, "qsub_extra1": "--comment=verglas", "qsub_extra2": "two words"})
    return chain


@pytest.mark.long
@needs_slurm
def test_a_round_through_the_queue(project, queued, movie, autorun):
    movie("a", "3")
    movie("b", "4")
    code, progress, _ = autorun(queued)
    assert code == 0, progress
    assert (project.root / queued[2] / "run_it003_model.star").exists()
    script = (project.root / queued[0] / "run_submit.script").read_text()
    assert "XXX" not in script
    assert f"--job-name={queued[0]}" in script
    assert "#SBATCH --comment=verglas" in script
    out = (project.root / queued[1] / "run.out").read_text()
    assert "cores 1 of 1 dedicated, extra two words" in out
    assert " 2 to process" in out
    record = project.directory(queued[2]).record()
    assert record.queue_id.isdigit()
    assert record.queue_program == "sbatch"


@pytest.mark.long
@needs_slurm
def test_a_job_that_the_queue_kills_is_seen(project, queued, movie, monkeypatch):
    monkeypatch.setattr("verglas.scheduler.queue_state.GONE_AFTER_S", 2.0)
    monkeypatch.setattr("verglas.scheduler.queue_state.ASK_EVERY_S", 0.5)
    movie("a")
    (project.root / "orders/class2d.slow").write_text(FOR_EVER)
    for job in queued[:2]:
        assert wait_for(project, launch(project, job)) is Status.SUCCEEDED
    launch(project, queued[2])
    directory = project.directory(queued[2])
    until(lambda: directory.record().begun)
    assert ask(directory.record()) is True
    os.kill(directory.record().owner.pid, 9)  # as the system does when memory runs out
    watcher = QueueWatcher()
    until(lambda: any(check_completion(project, watcher.in_queue)))
    assert project.graph().processes[queued[2]].status is Status.FAILED
    assert "of the queue is gone and left no status" in directory.outcome().reason


@pytest.mark.long
@needs_slurm
def test_a_job_that_waits_in_the_queue_can_be_aborted(project, queued, movie):
    edit(project, queued[0], {"qsub_extra1": "--begin=now+1hour"})
    launch(project, queued[0])
    record = project.directory(queued[0]).record()
    assert ask(record) is True
    abort(project, queued[0])
    assert project.graph().processes[queued[0]].status is Status.ABORTED
    assert ask(record) is False


@pytest.mark.long
@needs_slurm
def test_a_refused_submission_is_a_failure_with_the_queues_words(project, queued, movie, autorun):
    edit(project, queued[0], {"queuename": "nowhere"})
    code, progress, _ = autorun(queued[:1])
    assert code == 1
    assert "invalid partition" in progress.message.lower()


def test_every_placeholder_and_repeated_commands(project, chain, monkeypatch):
    from verglas.project.registration import load_job

    monkeypatch.setenv("RELION_QSUB_EXTRA_COUNT", "2")
    options = load_job(project, chain[1]).options.changed(nr_mpi=5, min_dedicated=2, queuename="q")
    template = "XXXmpinodesXXX XXXthreadsXXX XXXcoresXXX XXXdedicatedXXX XXXnodesXXX XXXnameXXX XXXqueueXXX\n"
    template += "mpirun XXXcommandXXX\nXXXerrfileXXX XXXoutfileXXX XXXnameXXX\n"
    text = fill_template(template, options, chain[1], ["one", "two"])
    assert text.splitlines() == [
        f"5 1 5 2 3 {chain[1]} q",
        "mpirun one",
        "mpirun two",
        f"{chain[1]}run.err {chain[1]}run.out {chain[1]}",
    ]


@pytest.mark.slow
def test_items_over_mpi_ranks(project, chain, movie):
    """`mpirun -n 3 verglas run JOBDIR`: rank 0 deals out, a crashing item costs no other."""
    pytest.importorskip("mpi4py")
    import sys

    from verglas.formats.star import read_star
    from verglas.scheduler.command import mpirun_command, process_environment

    for number in range(6):
        movie(f"m{number}", f"{number}")
    movie("bad", "1 crash")
    assert wait_for(project, launch(project, chain[0])) is Status.SUCCEEDED
    words = [*mpirun_command(), "--oversubscribe", "-n", "3", sys.executable, "-m", "verglas.cli.main", "run"]
    done = subprocess.run(
        [*words, chain[1]], capture_output=True, text=True, timeout=120, env=process_environment()
    )
    assert done.returncode == 0, done.stderr + (project.root / chain[1] / "run.err").read_text()
    table = read_star(project.root / chain[1] / "corrected_micrographs.star")["micrographs"]
    assert len(table) == 6
    aside = read_star(project.root / chain[1] / "set_aside.star")["set_aside"]
    assert aside.strings("rlnMicrographName") == ["Movies/bad.txt"]
    assert (project.root / chain[1] / "RELION_JOB_EXIT_SUCCESS").exists()
