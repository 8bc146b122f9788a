"""From sending a firing notification to the first vendor call it leads to."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from benchmarks import wrk
from benchmarks.payloads import bench_alert, bench_app, notification, write_bench_rules
from benchmarks.processes import BenchmarkFailed
from benchmarks.report import Line
from benchmarks.rounds import percentile
from benchmarks.workbench import TOKEN, Options, Runbookd, Workbench
from benchmarks.wrk import Storm

SAMPLES = 100
GAP_S = (0.7, 1.1)
"""Between two notifications: the former run is over."""
STORM = Storm(connections=50, seconds=SAMPLES * GAP_S[1] + 10, pause_ms=95)
"""About 500 notifications a second."""


def reaction(options: Options) -> Iterator[Line]:
    """On the embedded default, then on PostgreSQL; idle, then within a storm."""
    with Workbench(options) as bench:
        yield from _lines("SQLite", bench, _service(bench, ""))
    with Workbench(options) as bench:
        yield from _lines("PostgreSQL", bench, _service(bench, bench.database("runbookd")))


def _service(bench: Workbench, database_url: str) -> Runbookd:
    rules = write_bench_rules(bench.path("bench.yml"), 2 * SAMPLES)
    service = bench.runbookd(
        "reacting", database_url=database_url, rules=("rules/quizmentor.yml", str(rules))
    )
    bench.http.post(f"{service.sandbox_url}/_sandbox/reset", json={"extra_apps": 2 * SAMPLES})
    return service


def _lines(store: str, bench: Workbench, service: Runbookd) -> Iterator[Line]:
    what = f"firing webhook → first vendor call, {store}"
    idle = _reactions(bench, service, range(SAMPLES))
    p50, p99 = percentile(idle, 0.5), percentile(idle, 0.99)
    shown = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms (first {idle[0]:.0f}, worst {max(idle):.0f})"
    most = 40 if store == "SQLite" else 60
    target = f"p50 ≤ {most} ms, p99 ≤ 120 ms, first ≤ 300 ms"
    met = p50 <= most and p99 <= 120 and idle[0] <= 300
    yield Line(f"{what}, idle", target, shown, met)
    storm = wrk.start(service.receiver, STORM)
    time.sleep(1)
    busy = _reactions(bench, service, range(SAMPLES, 2 * SAMPLES))
    rate = wrk.finish(storm)
    p99 = percentile(busy, 0.99)
    shown = f"p99 {p99:.0f} ms, p50 {percentile(busy, 0.5):.0f} ms"
    yield Line(f"{what}, under {rate.per_second:.0f} req/s", "p99 < 1000 ms", shown, p99 < 1000)


def _reactions(bench: Workbench, service: Runbookd, numbers: range) -> list[float]:
    """Milliseconds of each; every alert is for an app of its own."""
    gaps = random.Random(1)
    sent: dict[str, float] = {}
    for number in numbers:
        time.sleep(gaps.uniform(*GAP_S))
        alert = bench_alert(number)
        body = notification(alert["labels"]["alertname"], [alert])
        sent[bench_app(number)] = time.time()
        answer = bench.http.post(
            f"{service.url}/webhooks/alertmanager",
            json=body,
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        if answer.json()["decisions"][0]["verdict"] != "act":
            raise BenchmarkFailed(f"no run for {alert['labels']}: {answer.text}")
    first = _first_calls(bench, service, sent)
    return [(first[app] - at) * 1000 for app, at in sent.items()]


def _first_calls(
    bench: Workbench, service: Runbookd, sent: Mapping[str, float]
) -> dict[str, float]:
    """The first call for each app after its alert; at its start a worker looks at all of them."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        calls = bench.http.get(f"{service.sandbox_url}/_sandbox/calls").json()
        found: dict[str, float] = {}
        for call in calls:
            app, at = _app_of(call), datetime.fromisoformat(call["at"]).timestamp()
            # The sandbox rounds down to a millisecond.
            if app in sent and at >= sent[app] - 0.001:
                found.setdefault(app, at)
        if len(found) == len(sent):
            return found
        time.sleep(0.5)
    raise BenchmarkFailed("not every notification led to a vendor call")


def _app_of(call: dict[str, Any]) -> str:
    parts = call["path"].split("/")
    return parts[3] if parts[1:3] == ["v2", "apps"] and len(parts) > 3 else ""
