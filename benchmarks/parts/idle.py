"""What the service costs while nothing happens."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.report import Line, below
from benchmarks.workbench import Options, Runbookd, Workbench

SETTLE_S, WATCH_S = 8.0, 30.0


def idle(options: Options) -> Iterator[Line]:
    """On the embedded default, then on PostgreSQL."""
    with Workbench(options) as bench:
        yield from _lines("SQLite", bench.runbookd("sqlite"))
    with Workbench(options) as bench:
        url = bench.database("runbookd")
        yield from _lines("PostgreSQL", bench.runbookd("postgres", database_url=url))


def _lines(store: str, service: Runbookd) -> Iterator[Line]:
    assert service.web is not None
    web, worker = service.web, service.workers[0]
    time.sleep(SETTLE_S)
    before, began = (web.cpu_s(), worker.cpu_s()), time.monotonic()
    time.sleep(WATCH_S)
    watched = time.monotonic() - began
    web_percent = (web.cpu_s() - before[0]) / watched * 100
    worker_percent = (worker.cpu_s() - before[1]) / watched * 100
    together = web_percent + worker_percent
    shown = f"{together:.1f} % (web {web_percent:.1f}, worker {worker_percent:.1f})"
    what = f"idle processor time of web + worker, {store}"
    yield below(what, together, 2.5, " % of a core", shown)
    web_mb, worker_mb = web.memory_mb(), worker.memory_mb()
    shown = f"web {web_mb:.0f} MB, worker {worker_mb:.0f} MB"
    yield below(f"idle memory of each, {store}", max(web_mb, worker_mb), 160, " MB", shown)
