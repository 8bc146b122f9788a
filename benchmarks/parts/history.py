"""A long history must not make anything slower: accepting, or looking at the lists."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlencode

from benchmarks.parts.storms import compared
from benchmarks.processes import BenchmarkFailed
from benchmarks.report import Line, at_least, below
from benchmarks.rounds import percentile
from benchmarks.stored import SPAN_S, fill
from benchmarks.workbench import Options, Runbookd, Workbench
from benchmarks.wrk import Storm

LOOKS = 100
CONNECTIONS = 16


def history(options: Options) -> Iterator[Line]:
    """On the embedded default."""
    with Workbench(options) as bench:
        yield from _lines("SQLite", bench, bench.described("empty"), bench.described("filled"))


def history_postgres(options: Options) -> Iterator[Line]:
    """The same on PostgreSQL."""
    with Workbench(options) as bench:
        empty = bench.described("empty", database_url=bench.database("empty"))
        filled = bench.described("filled", database_url=bench.database("filled"))
        yield from _lines("PostgreSQL", bench, empty, filled)


def _lines(store: str, bench: Workbench, empty: Runbookd, filled: Runbookd) -> Iterator[Line]:
    options = bench.options
    count = options.stored_alerts
    filled.migrate()
    now = time.time()
    fill(filled.database_url, count, now)
    bench.start(empty)
    bench.start(filled)
    yield _lists(f"lists with {count:,} stored alerts, {store}", bench, filled, now)
    storm = Storm(CONNECTIONS, options.seconds)
    found = compared([empty.receiver, filled.receiver], storm, options.rounds)
    few, many = found["empty"].per_second, found["filled"].per_second
    yield at_least(
        f"accept rate with {count:,} stored alerts ÷ empty, {store}",
        many / few,
        0.9,
        f"{many / few:.2f} ({many:.0f} : {few:.0f})",
    )


def _lists(what: str, bench: Workbench, service: Runbookd, now: float) -> Line:
    worst = {path: _p99_ms(bench, f"{service.url}/api/v1/{path}") for path in _paths(now)}
    slowest = max(worst, key=lambda path: worst[path])
    shown = f"{worst[slowest]:.0f} ms ({slowest})"
    return below(f"{what}: p99 of the slowest page", worst[slowest], 100, " ms", shown)


def _paths(now: float) -> Iterator[str]:
    """First pages and filtered pages, with what there is much of, little of, and nothing of."""
    yield "alerts"
    yield "decisions"
    middle = now - SPAN_S / 2
    for query in (
        {"status": "firing"},
        {"status": "resolved"},
        {"name": "High CPU Usage"},
        {"name": "No Such Alert"},
        {"name": "High CPU Usage", "status": "firing"},
        {"name": "High CPU Usage", "status": "resolved"},
        {"source": "grafana"},
        {"source": "grafana", "status": "firing"},
        {"source": "grafana", "name": "High CPU Usage", "status": "firing"},
        {"until": f"{middle:.0f}"},
        {"since": f"{middle:.0f}", "name": "High CPU Usage"},
        {"limit": "200"},
    ):
        yield f"alerts?{urlencode(query)}"
    for query in (
        {"verdict": "act"},
        {"verdict": "reject"},
        {"verdict": "hold"},
        {"rule": "high-cpu"},
        {"target": "database"},
        {"target": "database", "verdict": "act"},
        {"rule": "high-cpu", "verdict": "act"},
        {"rule": "high-cpu", "target": "api", "verdict": "hold"},
        {"rule": "no-such-rule"},
        {"limit": "200"},
    ):
        yield f"decisions?{urlencode(query)}"


def _p99_ms(bench: Workbench, url: str) -> float:
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        answer = bench.http.get(url)
        times.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise BenchmarkFailed(f"{url} was answered {answer.status_code}: {answer.text}")
    return percentile(times, 0.99)
