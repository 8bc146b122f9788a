"""horizontal_scale runs on distinct targets: how many a worker, and two, finish per second."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import psycopg
import redis

from benchmarks.payloads import bench_alert, notification, write_bench_rules
from benchmarks.processes import BenchmarkFailed
from benchmarks.report import Line, at_least
from benchmarks.workbench import TOKEN, Options, Runbookd, Workbench

TARGETS = 200
PATIENCE_S = 120.0


def runs(options: Options) -> Iterator[Line]:
    """On PostgreSQL, one worker and two in turn, each time all targets at once."""
    with Workbench(options) as bench:
        rules = write_bench_rules(bench.path("bench.yml"), TARGETS)
        service = bench.described(
            "running", database_url=bench.database("runbookd"), rules=(str(rules),)
        )
        bench.start(service, worker=False)
        rates: dict[int, list[float]] = {1: [], 2: []}
        for number in range(options.rounds):
            for workers in (1, 2) if number % 2 == 0 else (2, 1):
                rates[workers].append(_round(bench, service, workers))
    one, two = statistics.median(rates[1]), statistics.median(rates[2])
    yield at_least("horizontal_scale runs per second, 1 worker, PostgreSQL", one, 15, f"{one:.1f}")
    shown = f"{two / one:.2f} × ({two:.1f} per second)"
    yield at_least("the same with 2 workers ÷ with 1", two / one, 1.25, shown)


def _round(bench: Workbench, service: Runbookd, workers: int) -> float:
    """Runs finished per second, from the first run's start to the last one's end."""
    _forget(service)
    reset = {"extra_apps": TARGETS, "action_seconds": 0, "rate_limits": False}
    bench.http.post(f"{service.sandbox_url}/_sandbox/reset", json=reset).raise_for_status()
    for _ in range(workers):
        bench.add_worker(service)
    body = notification("Bench", [bench_alert(number) for number in range(TARGETS)])
    began = time.time()
    answer = bench.http.post(
        f"{service.url}/webhooks/alertmanager",
        json=body,
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    acts = sum(each["verdict"] == "act" for each in answer.json()["decisions"])
    if acts != TARGETS:
        raise BenchmarkFailed(f"{acts} of {TARGETS} alerts led to a run")
    try:
        return TARGETS / _duration(service, began)
    finally:
        while service.workers:
            service.workers.pop().stop()


def _duration(service: Runbookd, began: float) -> float:
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            query = (
                "SELECT count(ended_at), min(started_at), max(ended_at), "
                "count(*) FILTER (WHERE status <> 'succeeded') FROM runs WHERE created_at >= %s"
            )
            row = connection.execute(query, (began,)).fetchone()
            assert row is not None
            ended, first, last, others = row
            if ended == TARGETS:
                if others:
                    raise BenchmarkFailed(f"{others} of {TARGETS} runs did not succeed")
                return float(last - first)
            time.sleep(0.25)
    raise BenchmarkFailed(f"{ended} of {TARGETS} runs ended within {PATIENCE_S:g} s")


def _forget(service: Runbookd) -> None:
    """Let every target be claimed again, as after its cooldown."""
    with psycopg.connect(service.database_url) as connection:
        connection.execute("UPDATE cooldowns SET until = 0")
    redis.Redis.from_url(service.environment["REDIS_URL"]).flushall()
