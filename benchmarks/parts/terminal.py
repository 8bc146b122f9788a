"""What a command of the terminal costs: processor time of its process, user and system.

Local and through the API take turns with `import sqlalchemy`, which is half of what a local list
costs and shows how fast the machine is just now.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.payloads import alert, notification
from benchmarks.processes import BenchmarkFailed
from benchmarks.report import Line
from benchmarks.workbench import TOKEN, Options, Runbookd, Workbench
from tests.processes import ROOT

LISTS = (("runs",), ("alerts",), ("quarantine",), ("status",))
COMMANDS = (*LISTS, ("explain", "--last"))
LOCAL_S, OVER_HTTP_S = 0.8, 0.4
"""Of a list. `explain` reads the rules too, and has no target."""
NAMES = ("High CPU Usage", "High Memory Usage", "Disk Full")
YARDSTICK = "import sqlalchemy"


def terminal(options: Options) -> Iterator[Line]:
    """Each command that reads, on a store of its own with a few alerts and runs."""
    with Workbench(options) as bench:
        service = bench.runbookd("terminal", worker=False)
        for number, name in enumerate(NAMES):
            _post(bench, service, name, number)
        local = service.environment
        away = {"RUNBOOKD_URL": service.url, "RUNBOOKD_HOME": str(bench.path("nowhere"))}
        for command in COMMANDS:
            yield from _lines(command, local, away, options.rounds)


def _post(bench: Workbench, service: Runbookd, name: str, number: int) -> None:
    """Let a few alerts come, so that the lists show something."""
    told = notification(name, [alert(name, f"host-{number}", f"{number:016x}")])
    answer = bench.http.post(
        f"{service.url}/webhooks/alertmanager",
        json=told,
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    if not answer.is_success:
        raise BenchmarkFailed(f"the alert {name} was answered {answer.status_code}")


def _lines(
    command: Sequence[str], local: Mapping[str, str], away: Mapping[str, str], rounds: int
) -> Iterator[Line]:
    ours = ["-m", "service.cli", *command]
    found: dict[str, list[float]] = {"local": [], "away": [], YARDSTICK: []}
    for _ in range(rounds):
        found["local"].append(_cpu_s(ours, local))
        found[YARDSTICK].append(_cpu_s(["-c", YARDSTICK], {}))
        found["away"].append(_cpu_s(ours, away))
    yardstick = statistics.median(found[YARDSTICK])
    for where, words, bound in (
        ("local", "on the local store", LOCAL_S),
        ("away", "through the API", OVER_HTTP_S),
    ):
        median, least = statistics.median(found[where]), min(found[where])
        yield Line(
            f"`{' '.join(command)}` {words}: processor time",
            f"< {bound:g} s" if command in LISTS else "",
            f"{median:.2f} s, least {least:.2f} ({median / yardstick:.2f} × `{YARDSTICK}`)",
            median < bound if command in LISTS else None,
        )


def _cpu_s(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """Seconds of processor time of one process of Python."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchmarkFailed(f"{' '.join(arguments)} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime
