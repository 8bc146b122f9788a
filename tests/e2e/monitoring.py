"""The real Prometheus and Alertmanager on the shipped files, sixty times as fast.

What users run is what is run here: rules/prometheus/quizmentor.rules.yml, rules/quizmentor.yml and
alertmanager-example.yml, read from the repository with every duration divided by SPEED and the
addresses and the token's file put in. Nothing else of them is changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import ROOT, Process, free_port
from tests.programs import require
from tests.prometheus_rules import shorten
from tests.stack import TOKEN, Stack

SPEED = 60
"""What every duration is divided by: five minutes are five seconds."""

REFIRE_GRACE_S = 120.0 / SPEED
"""The setting's default, as fast as the rest."""


@dataclass(frozen=True)
class Repeats:
    """How soon Alertmanager sends an alert again that goes on firing, in place of the shipped
    interval. `soon` are the values of the label `signal` that it repeats each second."""

    every: str
    soon: tuple[str, ...] = ()


def fast_rule_pack(directory: Path) -> Path:
    """rules/quizmentor.yml with fast cooldowns, as a file for `Options.rules`."""
    return _written(directory / "quizmentor.yml", _shipped("rules/quizmentor.yml"))


class Monitoring:
    """One Prometheus that watches a stack's sandbox, and the Alertmanagers it tells.

    Several Alertmanagers don't know each other: each posts, as a pair does whose gossip is cut.
    """

    def __init__(
        self,
        stack: Stack,
        prometheus_port: int,
        alertmanagers: int = 1,
        repeats: Repeats | None = None,
    ) -> None:
        self._stack = stack
        self._repeats = repeats
        self._home = stack.home / "monitoring"
        self._home.mkdir()
        self.ports = [free_port() for _ in range(alertmanagers)]
        self._prometheus_port = prometheus_port
        self.url = f"http://127.0.0.1:{prometheus_port}"

    def start(self) -> None:
        """Start all of it, without waiting; it ends with the stack."""
        for number, port in enumerate(self.ports):
            self._add(f"alertmanager-{number}", self._alertmanager(number, port))
        self._add("prometheus", self._prometheus())

    def wait(self) -> None:
        """Return when Prometheus has scraped the sandbox and each Alertmanager answers."""
        self._stack.wait_for(lambda: all(map(self._ready, self.ports)), "each Alertmanager")
        self._stack.wait_for(lambda: self.query("avg(cpu_usage)"), "the first scrape")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        found = self._get("query", query=expression)
        result: list[dict[str, Any]] = found["result"]
        return result

    def firing(self) -> set[str]:
        """The names of the alerts that Prometheus says are firing."""
        alerts = self._get("alerts")["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    def posted(self) -> list[int]:
        """How many notifications each Alertmanager has sent off."""
        return [self._posted(port) for port in self.ports]

    def _posted(self, port: int) -> int:
        text = self._stack.http.get(f"http://127.0.0.1:{port}/metrics").text
        found = _SENT.search(text)
        assert found, "this Alertmanager counts nothing"
        return int(found[1])

    def _prometheus(self) -> list[str]:
        rules = _written(
            self._home / "quizmentor.rules.yml",
            _shipped("rules/prometheus/quizmentor.rules.yml"),
        )
        config = self._home / "prometheus.yml"
        config.write_text(
            _PROMETHEUS.format(
                rules=rules.name,
                alertmanagers=_targets(self.ports),
                sandbox=self._stack.sandbox_url.removeprefix("http://"),
            ),
            encoding="utf-8",
        )
        return [
            require("prometheus", "prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={self._home / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self._prometheus_port}",
            "--log.level=warn",
        ]

    def _alertmanager(self, number: int, port: int) -> list[str]:
        token = _written(self._home / "runbookd.token", TOKEN)
        text = _replaced(
            _shipped("alertmanager-example.yml"),
            {
                "http://localhost:8080": self._stack.web_urls["web"],
                "/etc/alertmanager/runbookd.token": str(token),
                **(_repeated(self._repeats) if self._repeats is not None else {}),
            },
        )
        config = _written(self._home / f"alertmanager-{number}.yml", text)
        return [
            require("prometheus-alertmanager", "prometheus-alertmanager"),
            f"--config.file={config}",
            f"--storage.path={self._home / f'alertmanager-{number}'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    def _add(self, name: str, command: Sequence[str]) -> None:
        process = Process(name, command, self._stack.home / f"{name}.log", {})
        self._stack.processes[name] = process
        process.start()

    def _ready(self, port: int) -> bool:
        return self._stack.http.get(f"http://127.0.0.1:{port}/-/ready").is_success

    def _get(self, what: str, **query: str) -> dict[str, Any]:
        response = self._stack.http.get(f"{self.url}/api/v1/{what}", params=query)
        assert response.is_success, response.text
        data: dict[str, Any] = response.json()["data"]
        return data


_PROMETHEUS = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
alerting:
  alertmanagers: [{{static_configs: [{{targets: {alertmanagers}}}]}}]
scrape_configs:
  - job_name: quizmentor
    honor_labels: true
    static_configs: [{{targets: ["{sandbox}"]}}]
"""


_SENT = re.compile(r"^alertmanager_notifications_total\{.*webhook.*} (\d+)", re.MULTILINE)


def _repeated(repeats: Repeats) -> dict[str, str]:
    """What is replaced in the shipped routes: the interval, and a route for what is repeated."""
    routes = "  routes:\n"
    soon = "".join(
        f"    - matchers: ['signal=\"{signal}\"']\n"
        "      group_by: [signal, service]\n"
        "      repeat_interval: 1s\n"
        for signal in repeats.soon
    )
    return {
        _interval_line("repeat_interval: 15m"): f"\n  repeat_interval: {repeats.every}\n",
        routes: routes + soon,
    }


def _interval_line(shipped: str) -> str:
    return f"\n  {shorten(shipped, SPEED)}\n"


def _targets(ports: Sequence[int]) -> str:
    return json.dumps([f"127.0.0.1:{port}" for port in ports])


def _shipped(name: str) -> str:
    return shorten((ROOT / name).read_text(encoding="utf-8"), SPEED)


def _replaced(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert text.count(old) == 1, f"alertmanager-example.yml no longer has one {old}"
        text = text.replace(old, new)
    return text


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
