"""One notification of ten thousand alerts: what a restarted Alertmanager may send at once."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator

from benchmarks.payloads import alert, notification
from benchmarks.processes import BenchmarkFailed
from benchmarks.report import Line, below
from benchmarks.workbench import TOKEN, Options, Runbookd, Workbench

ALERTS = 10_000


def large(options: Options) -> Iterator[Line]:
    """On the embedded default, then on PostgreSQL."""
    with Workbench(options) as bench:
        yield from _lines("SQLite", bench, bench.runbookd("sqlite"))
    with Workbench(options) as bench:
        service = bench.runbookd("postgres", database_url=bench.database("runbookd"))
        yield from _lines("PostgreSQL", bench, service)


def _lines(store: str, bench: Workbench, service: Runbookd) -> Iterator[Line]:
    times = [_post(bench, service, number) for number in range(bench.options.rounds)]
    assert service.web is not None
    peak = service.web.memory_mb("VmHWM")
    middle, worst = statistics.median(times), max(times)
    what = f"one notification of {ALERTS:,} alerts, {store}"
    shown = f"{middle:.2f} s (worst of {len(times)}: {worst:.2f})"
    yield below(f"{what}: answered in", middle, 1, " s", shown)
    yield below(f"{what}: peak memory of web", peak, 200, " MB", f"{peak:.0f} MB")


def _post(bench: Workbench, service: Runbookd, number: int) -> float:
    name = "High CPU Usage"
    alerts = (alert(name, f"api-{n}", f"{number:04x}{n:012x}") for n in range(ALERTS))
    body = json.dumps(notification(name, alerts)).encode()
    began = time.perf_counter()
    answer = bench.http.post(
        f"{service.url}/webhooks/alertmanager",
        content=body,
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"},
    )
    took = time.perf_counter() - began
    if answer.status_code != 200 or len(answer.json()["decisions"]) != ALERTS:
        raise BenchmarkFailed(f"{ALERTS} alerts were answered {answer.status_code}")
    return took
