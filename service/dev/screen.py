"""What the terminal shows: the lines of each process with its name, and one banner.

The banner has a curl that sends an example alert, so that a newcomer sees a run in the first
minute.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.dev.plan import DevPlan

ALERT_NAME = "High CPU Usage"


def example_notification(now: float) -> str:
    """A notification of high CPU, as an Alertmanager (webhook version 4) sends it, in one line.

    `now` is in seconds since the epoch.
    """
    labels = {"alertname": ALERT_NAME, "service": "api", "severity": "warning"}
    annotations = {"summary": "avg CPU 91% for 5m"}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": "example000000001",
    }
    body = {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{ALERT_NAME}"}}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "runbookd",
        "groupLabels": {"alertname": ALERT_NAME},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    }
    return json.dumps(body, separators=(",", ":"))


def example_curl(base_url: str, now: float, *, secret_needed: bool) -> str:
    """A command for any shell that posts the example alert."""
    header = " -H 'Authorization: Bearer YOUR_TOKEN'" if secret_needed else ""
    return (
        f"curl -sS {base_url}/webhooks/alertmanager -H 'Content-Type: application/json'{header}"
        f" -d {shlex.quote(example_notification(now))}"
    )


_COLOURS = {"web": "cyan", "worker": "green", "sandbox": "magenta", "redis": "yellow"}
_WIDTH = max(len(name) for name in _COLOURS)
_CHATTER = re.compile(r"\[info\s*\].*\[(gunicorn\.error|alembic[\w.]*)\]")
"""Lines of gunicorn and Alembic about their own normal work, which are not shown."""


class Screen:
    """One terminal for many processes. Lines are never mixed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()

    def say(self, name: str, line: str) -> None:
        """Show one line of a process."""
        if not line or _CHATTER.search(line):
            return
        prefix = Text(f"{name:<{_WIDTH}} | ", style=_COLOURS.get(name, "bold"))
        self._print(prefix + Text(line))

    def banner(self, plan: DevPlan, redis: str, now: float) -> None:
        """Show what runs where, and what to try. Call it when everything is ready."""
        self._print(Text("\nrunbookd is ready; Ctrl-C ends all of it.", style="bold green"))
        self._print(_where(plan, redis))
        self._print(Text("\nSend an example alert:", style="bold"))
        self._print(
            Text("  " + example_curl(plan.base_url, now, secret_needed=not plan.open_webhooks))
        )
        self._print(Text("Then look at what it did:", style="bold"))
        self._print(Text(f"  curl -sS {plan.sandbox_url}/_sandbox/state"))
        self._print(Text(f"  RUNBOOKD_HOME={plan.home} {_program()} runs\n"))

    def _print(self, what: Text | Table) -> None:
        # If the terminal was closed, go on: the children must still be ended.
        with self._lock, contextlib.suppress(OSError):
            if isinstance(what, Text):
                self._console.print(what, soft_wrap=True, highlight=False)
            else:
                self._console.print(what)


def _program() -> str:
    """The command to type for `runbookd`: the one beside this interpreter, or the one on the
    PATH."""
    beside = Path(sys.executable).with_name("runbookd")
    if not beside.is_file():
        return "runbookd"
    here = Path.cwd()
    return str(beside.relative_to(here) if beside.is_relative_to(here) else beside)


def _where(plan: DevPlan, redis: str) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    access = (
        "open: anyone on this machine may post, on loopback only"
        if plan.open_webhooks
        else "senders show the secrets you set"
    )
    table.add_row("web", f"{plan.base_url}/webhooks/alertmanager  (and /grafana; {access})")
    table.add_row("worker", "takes runs off the queue")
    table.add_row(
        "sandbox",
        f"{plan.sandbox_url}  ({'given' if plan.sandbox_given else 'stands in for'}"
        f"{'' if plan.sandbox_given else ' every vendor'})",
    )
    table.add_row("redis", redis)
    table.add_row("data", f"{plan.home}  (still there after a restart)")
    table.add_row(
        "prometheus",
        plan.prometheus_url or "none started; set PROMETHEUS_URL to have investigate ask one",
    )
    return table
