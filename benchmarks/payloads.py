"""Notifications and rule files that the benchmark makes: always the same for the same numbers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


def alert(name: str, instance: str, fingerprint: str) -> dict[str, Any]:
    """One firing alert, as Alertmanager sends it; about 370 bytes."""
    return {
        "status": "firing",
        "labels": {
            "alertname": name,
            "severity": "warning",
            "instance": instance,
            "job": "quizmentor-api",
            "service": "api",
        },
        "annotations": {"summary": f"{name} on {instance}"},
        "startsAt": "2026-01-01T09:28:15.481Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=cpu",
        "fingerprint": fingerprint,
    }


def notification(name: str, alerts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """One delivery (payload version 4)."""
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{name}"}}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "runbookd",
        "groupLabels": {"alertname": name},
        "commonLabels": {"alertname": name},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": list(alerts),
    }


def bench_app(number: int) -> str:
    """The id of one of the sandbox's extra apps."""
    return f"app-bench-{number:03d}"


def bench_alert(number: int) -> dict[str, Any]:
    """The alert on which the rule of one of the extra apps acts."""
    name = f"Bench {number:03d}"
    return alert(name, f"bench-{number:03d}", f"be9c{number:012x}")


def write_bench_rules(path: Path, count: int) -> Path:
    """A rule file with one target and one rule for each of the sandbox's extra apps."""
    lines = ["targets:"]
    lines += [
        f"  bench-{number:03d}: {{kind: app_platform, app: {bench_app(number)}, "
        "component: api, replicas: {min: 2, max: 10}}"
        for number in range(count)
    ]
    lines.append("rules:")
    for number in range(count):
        lines += [
            f"  - name: bench-{number:03d}",
            f"    match: ['alertname=\"Bench {number:03d}\"']",
            "    action: horizontal_scale",
            f"    target: bench-{number:03d}",
            "    with: {step: 1}",
            "    cooldown: 10m",
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
