"""The service together with its senders, as one thing that a test starts and ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.monitoring import REFIRE_GRACE_S, Monitoring, fast_rule_pack
from tests.processes import free_port
from tests.stack import Options, Stack


@dataclass(frozen=True)
class World:
    """A stack on fast rules, and the Prometheus and Alertmanagers that watch and tell it."""

    stack: Stack
    monitoring: Monitoring

    def calm_down(self) -> None:
        """The sandbox as at its start, and nothing left of what happened before."""
        self.stack.reset()
        self.stack.wait_for(
            lambda: not self.monitoring.firing() and not self.stack.api("alerts", status="firing"),
            "all alerts to be over",
        )
        self.stack.wait_for(self.stack.settled, "all runs to be over")
        self.stack.reset()


@contextmanager
def open_world(home: Path, alertmanagers: int = 1) -> Iterator[World]:
    """Start all of it; every process ends with the block."""
    prometheus_port = free_port()
    options = Options(
        rules=(fast_rule_pack(home),),
        environment={
            "REFIRE_GRACE_S": str(REFIRE_GRACE_S),
            "PROMETHEUS_URL": f"http://127.0.0.1:{prometheus_port}",
        },
    )
    with Stack(home / "stack", options) as stack:
        monitoring = Monitoring(stack, prometheus_port, alertmanagers)
        # First, because Prometheus waits five seconds before it looks for its targets.
        monitoring.start()
        stack.start()
        monitoring.wait()
        yield World(stack, monitoring)
