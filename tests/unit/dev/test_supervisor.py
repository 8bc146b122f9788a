"""The supervisor with real child processes, small ones."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.dev.home import DevRefused
from service.dev.supervisor import (
    LONGEST_PAUSE_S,
    NAME,
    STOP_WAIT_S,
    Child,
    ChildSpec,
    Supervisor,
    exit_words,
    pause_before_restart,
)
from tests.processes import wait_until

PATIENCE_S = 20.0
LOYAL = "import time; print('here', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {LOYAL}"


class Lines:
    """What was said, line by line."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.said.append((name, line))

    def of(self, name: str) -> list[str]:
        return [line for who, line in self.said if who == name]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def spec(lines: Lines, name: str, code: str, *, foundation: bool = False) -> ChildSpec:
    return ChildSpec(
        name=name,
        command=(sys.executable, "-c", code),
        environment={},
        ready=lambda: "here" in lines.of(name),
        foundation=foundation,
    )


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_all_are_ready_when_it_has_started_and_gone_when_it_has_stopped(lines: Lines) -> None:
    supervisor = Supervisor(
        [spec(lines, "redis", LOYAL, foundation=True), spec(lines, "web", LOYAL)], lines
    )
    supervisor.start()
    told = [line for line in lines.of(NAME) if "start" in line or "ready" in line]
    assert told[:2] == ["starting redis …", "starting web …"]
    assert sorted(told[2:]) == ["redis is ready", "web is ready"]
    pids = list(supervisor.pids().values())
    assert lines.of("redis") == lines.of("web") == ["here"]
    assert all(alive(pid) for pid in pids)
    supervisor.stop()
    assert not any(alive(pid) for pid in pids)


def test_one_that_ends_while_starting_ends_the_start(lines: Lines) -> None:
    supervisor = Supervisor(
        [spec(lines, "redis", LOYAL), spec(lines, "web", "import sys; sys.exit(3)")], lines
    )
    with pytest.raises(DevRefused, match=r"web ended while starting \(exit status 3\)"):
        supervisor.start()
    supervisor.stop()


def test_one_that_dies_is_started_again_and_a_line_says_so(lines: Lines) -> None:
    supervisor = Supervisor([spec(lines, "worker", LOYAL)], lines)
    supervisor.listen_to_signals()
    supervisor.start()
    first = supervisor.pids()["worker"]
    seen: dict[str, int] = {}

    def kill_then_wait_for_another() -> None:
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: lines.of("worker") == ["here", "here"], PATIENCE_S)
        seen.update(supervisor.pids())
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=kill_then_wait_for_another)
    thread.start()
    supervisor.watch()
    thread.join()
    supervisor.stop()
    assert seen["worker"] != first
    assert not alive(seen["worker"])
    said = [line for line in lines.of("dev") if "again" in line]
    assert said[0] == "worker ended (killed by SIGKILL). Started again in 0.5 s."
    assert said[1] == "worker was started again"


def test_one_that_ignores_the_end_is_killed_by_a_second_signal(lines: Lines) -> None:
    supervisor = Supervisor([spec(lines, "web", STUBBORN)], lines)
    supervisor.listen_to_signals()
    supervisor.start()
    pid = supervisor.pids()["web"]
    began = time.monotonic()
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
    supervisor.stop()
    assert time.monotonic() - began < STOP_WAIT_S
    assert not alive(pid)
    assert lines.of("dev")[-1:] == ["web did not end by itself and was killed."]


def test_what_a_child_has_started_ends_with_it(lines: Lines, tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    code = (
        "import pathlib, subprocess, sys, time\n"
        "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(other.pid))\n" + LOYAL
    )
    supervisor = Supervisor([spec(lines, "web", code)], lines)
    supervisor.start()
    grandchild = int(note.read_text())
    assert alive(grandchild)
    supervisor.stop()
    assert wait_until(lambda: not alive(grandchild), PATIENCE_S)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "child"
    code = (
        "import pathlib, time\n"
        "from service.dev.supervisor import Child, ChildSpec\n"
        f"command = ({sys.executable!r}, '-c', {LOYAL!r})\n"
        "child = Child(ChildSpec('web', command, {}, bool), print)\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid))\n"
        "time.sleep(600)"
    )
    parent = Child(spec(Lines(), "parent", code), lambda *_: None)
    assert wait_until(lambda: note.exists() and note.read_text(), PATIENCE_S)
    child = int(note.read_text())
    assert alive(child)
    os.kill(parent.pid, signal.SIGKILL)
    assert wait_until(lambda: not alive(child), PATIENCE_S)
    parent.finish(PATIENCE_S)


def test_the_pause_before_a_restart_doubles_up_to_a_bound() -> None:
    assert [pause_before_restart(deaths) for deaths in range(1, 8)] == [
        0.5,
        1.0,
        2.0,
        4.0,
        8.0,
        LONGEST_PAUSE_S,
        LONGEST_PAUSE_S,
    ]


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "exit status 0"), (75, "exit status 75"), (-9, "killed by SIGKILL")],
)
def test_an_exit_status_is_told_in_words(status: int, words: str) -> None:
    assert exit_words(status) == words
