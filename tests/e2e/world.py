"""The service together with its senders, as one thing that a test starts and ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.monitoring import REFIRE_GRACE_S, Monitoring, Repeats, fast_rule_pack
from tests.processes import free_port
from tests.stack import Options, Stack


@dataclass(frozen=True)
class World:
    """A stack on fast rules, and the Prometheus and Alertmanagers that watch and tell it.

    The sandbox has `extra_apps` beside the one that has the load.
    """

    stack: Stack
    monitoring: Monitoring
    extra_apps: int = 0

    def calm_down(self) -> None:
        """The sandbox as at its start, and nothing left of what happened before."""
        self.reset()
        self.stack.wait_for(
            lambda: not self.monitoring.firing() and not self.stack.api("alerts", status="firing"),
            "all alerts to be over",
        )
        self.stack.wait_for(self.stack.settled, "all runs to be over")
        self.reset()

    def reset(self) -> None:
        """The sandbox as at its start."""
        self.stack.reset(extra_apps=self.extra_apps)


@contextmanager
def open_world(
    home: Path,
    alertmanagers: int = 1,
    *,
    rules: str = "",
    repeats: Repeats | None = None,
    extra_apps: int = 0,
) -> Iterator[World]:
    """Start all of it; every process ends with the block.

    `rules` is the text of a rule file, taken as it is; empty: the shipped pack, made fast.
    `repeats` is how often Alertmanager repeats itself; None: as the shipped file says, made fast.
    `extra_apps` are idle copies of the app: app-bench-000 and on.
    """
    prometheus_port = free_port()
    options = Options(
        rules=(_rule_file(home, rules),),
        environment={
            "REFIRE_GRACE_S": str(REFIRE_GRACE_S),
            "PROMETHEUS_URL": f"http://127.0.0.1:{prometheus_port}",
        },
    )
    with Stack(home / "stack", options) as stack:
        monitoring = Monitoring(stack, prometheus_port, alertmanagers, repeats)
        # First, because Prometheus waits five seconds before it looks for its targets.
        monitoring.start()
        stack.start()
        monitoring.wait()
        world = World(stack, monitoring, extra_apps)
        world.reset()
        yield world


def _rule_file(home: Path, rules: str) -> Path:
    if not rules:
        return fast_rule_pack(home)
    path = home / "rules.yml"
    path.write_text(rules, encoding="utf-8")
    return path
