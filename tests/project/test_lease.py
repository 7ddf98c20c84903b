"""Who works on something: by boot, process space and process; where that cannot be seen, by a lease."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace

import pytest

from verglas.project import owner as owner_module
from verglas.project.lease import LEASE_S, Lease
from verglas.project.owner import Owner

DEAD = 2**22 + 1  # above every process id


@pytest.fixture
def lease(tmp_path):
    return Lease(tmp_path / "owner.json")


def elsewhere():
    return replace(Owner.this_process(), host="other", boot="other boot", space="pid:[1]")


def age(lease, seconds):
    then = lease.path.stat().st_mtime - seconds
    os.utime(lease.path, (then, then))


def test_a_renamed_machine_knows_its_own_processes(lease, monkeypatch):
    """The host's name is for people: a container gets another one with every start."""
    lease.give(replace(Owner.this_process(), host="the old name"))
    assert lease.is_held()
    lease.give(replace(Owner.this_process(), host="the old name", pid=DEAD))
    assert not lease.is_held()
    assert "process 4194305 on the old name is gone" in lease.absence()


def test_after_a_reboot_nobody_of_before_lives(lease, monkeypatch):
    before = Owner.this_process()
    monkeypatch.setattr(owner_module, "boot_id", lambda: "another boot")
    lease.give(before)
    assert not lease.is_held()
    assert lease.take() is None
    assert lease.is_mine()


def test_a_process_number_of_another_container_is_not_looked_up_here(lease):
    """Same kernel, same boot, other process numbers: only the lease can tell."""
    other = replace(Owner.this_process(), space="pid:[1]", pid=DEAD)
    assert other.is_alive() is None
    lease.give(other)
    assert lease.is_held()
    age(lease, LEASE_S + 1)
    assert not lease.is_held()


def test_who_cannot_be_seen_holds_it_while_the_lease_lasts(lease):
    lease.give(elsewhere())
    assert lease.take() == elsewhere()
    age(lease, LEASE_S + 1)
    assert lease.take() is None


def test_who_stood_still_learns_that_it_was_replaced(lease):
    assert lease.take() is None
    assert lease.beat()
    lease.give(elsewhere())
    lease._next_beat_s = 0.0
    assert not lease.beat()


def test_a_beat_renews_the_lease(lease):
    lease.take()
    age(lease, 3600)
    old = lease.path.stat().st_mtime
    assert lease.beat()
    assert lease.path.stat().st_mtime > old


def test_an_owner_of_an_earlier_version_is_understood(lease):
    known = Owner.this_process()
    lease.path.write_text(json.dumps({key: value for key, value in asdict(known).items() if key != "space"}))
    assert lease.is_held()
