"""Whether the owner of a lease still lives, with and without ``/proc``."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from stillhouse.teachers import owner
from stillhouse.teachers.owner import Owner, name_process, read_start


@pytest.fixture(params=["/proc", "no /proc"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "/proc":  # as on macOS
        monkeypatch.setattr(owner, "_PROC", Path("/nonexistent"))


@pytest.mark.usefixtures("system")
def test_a_process_lives_until_it_is_killed_also_before_its_parent_has_noticed() -> None:
    me = name_process()
    assert me.place
    assert me.is_gone(me.place) is False
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    theirs = Owner(me.place, child.pid, read_start(child.pid) or "")
    assert theirs.is_gone(me.place) is False
    child.kill()
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert theirs.is_gone(me.place) is True
    child.communicate()
    assert theirs.is_gone(me.place) is True


@pytest.mark.usefixtures("system")
def test_a_later_process_of_the_same_number_is_another_one() -> None:
    me = name_process()
    assert Owner(me.place, me.pid, "1").is_gone(me.place) is True


@pytest.mark.usefixtures("system")
def test_a_process_of_another_machine_or_container_is_not_judged_by_its_number() -> None:
    me = name_process()
    assert Owner("elsewhere", me.pid, "1").is_gone(me.place) is None


def test_a_process_that_may_not_be_looked_at_is_not_taken_for_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(pid: int) -> None:
        raise psutil.AccessDenied(pid)

    me = name_process()
    monkeypatch.setattr(owner, "_PROC", Path("/nonexistent"))
    monkeypatch.setattr(psutil, "Process", refuse)
    assert Owner(me.place, 1, "1").is_gone(me.place) is None


def test_a_process_is_not_taken_for_gone_when_too_many_files_are_open_here() -> None:
    me = name_process()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    theirs = Owner(me.place, child.pid, read_start(child.pid) or "")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)  # whatever is opened next would get a higher number
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
    try:
        assert theirs.is_gone(me.place) is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert theirs.is_gone(me.place) is False
    child.communicate()
