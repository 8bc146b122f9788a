"""Where the processor time of one notification goes: in a storm, then piece by piece."""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from benchmarks.payloads import alert, notification
from benchmarks.processes import MeasuredProcess
from benchmarks.report import Line
from benchmarks.workbench import Options, Workbench
from benchmarks.wrk import Receiver, Sample, Storm, blow
from service.bootstrap.rules import build_admitter, in_force, load_rules
from service.bootstrap.stores import Stores
from service.domain.alerts.alert import Notification
from service.intake.parse import parse_notification
from service.ports.admission import Delivery
from service.settings import load_settings
from service.web.receipts import count, receipt_body

CONNECTIONS = 16
REPEATED = 64
"""Notifications that each piece is timed with; a number that each batch divides."""
BATCHES = (1, 8, 16)

_Thing = TypeVar("_Thing")
_fingerprints = itertools.count()


def cost(options: Options) -> Iterator[Line]:
    """Whole processes on SQLite beside the floor, and what of ours can be timed by itself."""
    with Workbench(options) as bench:
        floor, service = bench.floor(), bench.runbookd()
        assert service.web is not None
        ours = _in_storm(options, service.receiver, service.web)
        base = _in_storm(options, floor, bench.started[floor.name])
        shown = f"{ours:.0f} µs (the floor {base:.0f} µs)"
        yield _told(f"new alerts, {CONNECTIONS} connections, SQLite: all of it", shown)
    with Workbench(options) as bench:
        yield from _pieces(bench)


def blow_and_cost(
    receiver: Receiver, process: MeasuredProcess, storm: Storm
) -> tuple[Sample, float]:
    """One storm, and the microseconds of processor time that each answer cost the receiver."""
    before, began = process.cpu_s(), time.monotonic()
    sample = blow(receiver, storm)
    answers = sample.per_second * (time.monotonic() - began)
    return sample, (process.cpu_s() - before) / answers * 1e6


def _in_storm(options: Options, receiver: Receiver, process: MeasuredProcess) -> float:
    """Microseconds for each request, by the median of the rounds."""
    storm = Storm(CONNECTIONS, options.seconds)
    return statistics.median(
        blow_and_cost(receiver, process, storm)[1] for _ in range(options.rounds)
    )


def _pieces(bench: Workbench) -> Iterator[Line]:
    service = bench.described("pieces")
    service.migrate()
    settings = load_settings(service.environment)
    stores = Stores(settings)
    rules = in_force(load_rules(settings))
    admitter = build_admitter(stores, lambda: rules)
    yield _told("reading it", _shown(_parse, [_body() for _ in range(REPEATED)]))
    deliveries = _deliveries(REPEATED)
    receipts = admitter.admit(deliveries, time.time())
    pairs = [
        (delivery.notification, receipt)
        for delivery, receipt in zip(deliveries, receipts, strict=True)
    ]
    yield _told("metrics", _shown(lambda pair: count(*pair), pairs))
    yield _told("the answer", _shown(lambda pair: receipt_body(pair[1]), pairs))
    for size in BATCHES:
        batches = [_deliveries(size) for _ in range(4 * REPEATED // size)]
        took = _shown(lambda batch: admitter.admit(batch, time.time()), batches, size)
        yield _told(f"deciding and storing, {size} in a transaction", took)
    stores.engine.dispose()


def _shown(work: Callable[[_Thing], object], things: Sequence[_Thing], each: int = 1) -> str:
    began = time.process_time()
    for thing in things:
        work(thing)
    return f"{(time.process_time() - began) / len(things) / each * 1e6:.0f} µs"


def _parse(body: bytes) -> Notification:
    return parse_notification(
        body,
        source="alertmanager",
        content_type="application/json",
        received_at=datetime.now(UTC),
    )


def _deliveries(number: int) -> list[Delivery]:
    return [Delivery(_parse(_body()), time.time()) for _ in range(number)]


def _body() -> bytes:
    """Two alerts that were never sent before."""
    name = "High CPU Usage"
    numbers = (next(_fingerprints), next(_fingerprints))
    alerts = [alert(name, f"api-{number}", f"{number:016x}") for number in numbers]
    return json.dumps(notification(name, alerts)).encode()


def _told(what: str, shown: str) -> Line:
    return Line(f"processor time of one notification: {what}", "", shown, None)
