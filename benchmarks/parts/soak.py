"""A long storm: neither memory nor latency may creep up."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from benchmarks.report import Line
from benchmarks.workbench import Options, Workbench
from benchmarks.wrk import Storm, blow

CONNECTIONS = 16
WINDOWS = 30
SETTLED = 5
"""Windows at the beginning that don't count: caches fill, the allocator takes what it needs."""
NOISE_MB = 5.0
"""What an allocator may hold more or less of at any moment."""


def soak(options: Options) -> Iterator[Line]:
    """New alerts without pause, in windows; the slope over all but the first of them."""
    memory: list[float] = []
    p99: list[float] = []
    rates: list[float] = []
    window_s = max(1.0, options.soak_s / WINDOWS)
    with Workbench(options) as bench:
        service = bench.runbookd()
        assert service.web is not None
        began = time.monotonic()
        for _ in range(WINDOWS):
            sample = blow(service.receiver, Storm(CONNECTIONS, window_s))
            memory.append(service.web.memory_mb())
            p99.append(sample.p99_ms)
            rates.append(sample.per_second)
        minutes = (time.monotonic() - began) / 60
    yield _memory(memory[SETTLED:], minutes)
    yield _latency(p99[SETTLED:], rates[SETTLED:], minutes)


def _memory(memory: list[float], minutes: float) -> Line:
    grown = _slope(memory) * (len(memory) - 1)
    noise = max(NOISE_MB, 2 * _spread_around_line(memory))
    shown = f"{grown:+.1f} MB, noise ± {noise:.1f} ({memory[0]:.0f} → {memory[-1]:.0f} MB)"
    what = f"{minutes:.0f} min of storm: growth of web's memory"
    return Line(what, "within noise", shown, grown <= noise)


def _latency(p99: list[float], rates: list[float], minutes: float) -> Line:
    third = len(p99) // 3
    first, last = statistics.median(p99[:third]), statistics.median(p99[-third:])
    shown = (
        f"{last / first:.2f} × ({first:.0f} → {last:.0f} ms; "
        f"{statistics.median(rates[:third]):.0f} → {statistics.median(rates[-third:]):.0f} req/s)"
    )
    what = f"{minutes:.0f} min of storm: p99 of the last third against the first"
    return Line(what, "flat (< 1.25 ×)", shown, last / first < 1.25)


def _slope(values: list[float]) -> float:
    return statistics.linear_regression(range(len(values)), values).slope


def _spread_around_line(values: list[float]) -> float:
    line = statistics.linear_regression(range(len(values)), values)
    rest = [value - line.intercept - line.slope * n for n, value in enumerate(values)]
    return statistics.pstdev(rest)
