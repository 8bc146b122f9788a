"""What all processes together do and wait for, as Prometheus metrics: read from SQL at each scrape.

A worker has no address that could be scraped. What it does is in the store, and each web process
tells the same of it. So these must not be added up over the web processes: take `max`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from service.domain.errors import StoreUnavailable
from service.web.probe import Probe, Unanswered

_log = structlog.get_logger(__name__)

Ended = Sequence[tuple[str, str, str, int]]
"""How many runs have ended: action, target, status and count (`service.store.status`)."""
ANSWER_S = 5.0
"""Seconds that the store has to answer. Prometheus gives a scrape ten."""
_OLDEST = {"run": "run_since", "page": "page_since", "message": "message_since"}


class Measures:
    """The metrics that are read from the store.

    `status` and `ended` read it (`service.store.status`), `clock` is in seconds since the epoch.
    """

    def __init__(
        self,
        status: Callable[[], Mapping[str, Any]],
        ended: Callable[[], Ended],
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._store = Probe(lambda: (status(), ended()), ANSWER_S)

    def exposition(self) -> bytes:
        """In Prometheus' text format. Without an answer of the store: that it does not answer."""
        registry = CollectorRegistry()
        registry.register(_Read(self._families()))
        return generate_latest(registry)

    def _families(self) -> list[Metric]:
        answers = _gauge("runbookd_store_answers", "1 where the database answers, else 0.")
        try:
            status, ended = self._store.ask()
        except (Unanswered, StoreUnavailable) as error:
            _log.warning("store_not_measured", why=str(error))
            answers.add_metric([], 0.0)
            return [answers]
        answers.add_metric([], 1.0)
        return [answers, *_whole(status, self._clock()), *_targets(status["targets"]), _runs(ended)]


class _Read:
    """Families that were read already, as the library asks for them."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _whole(status: Mapping[str, Any], now: float) -> Iterator[Metric]:
    queue, budget = status["queue"], status["budget"]
    yield _one("runbookd_workers", "Workers whose lease runs.", status["workers"])
    yield _each(
        "runbookd_unended_runs",
        "Runs that wait (queued) or are executed (running); 1000 stands for more.",
        "state",
        {state: queue[state] for state in ("queued", "running")},
    )
    yield _one(
        "runbookd_waiting_messages",
        "Messages that Slack could not be told yet; 1000 stands for more.",
        queue["messages"],
    )
    yield _each(
        "runbookd_oldest_wait_seconds",
        "How long the oldest queued run, page without an end, or message waits; 0 without any.",
        "of",
        {of: _since(queue[key], now) for of, key in _OLDEST.items()},
    )
    yield _one(
        "runbookd_demoted_rules", "Rules that have demoted themselves.", len(status["demotions"])
    )
    yield _one(
        "runbookd_refused_rules",
        "Processes that refuse their rule files, and go on with the rules before.",
        sum(bool(each["refused"]) for each in status["rules"]["processes"]),
    )
    yield from _watched(status)
    if budget is not None:
        yield _one(
            "runbookd_budget_dollars_month",
            "The budget for all targets, in dollars a month.",
            budget["monthly"],
        )


def _watched(status: Mapping[str, Any]) -> Iterator[Metric]:
    """Whether runbookd still hears its watchdogs, and is heard by its own."""
    watchdogs, heartbeat = status["watchdogs"], status["heartbeat"]
    yield _each(
        "runbookd_watchdog_silent",
        "1 where a watchdog is silent for longer than it may be, else 0.",
        "alert",
        {each["alert"]: float(each["silent_since"] is not None) for each in watchdogs},
    )
    yield _each(
        "runbookd_watchdog_heard_timestamp_seconds",
        "When a watchdog was last heard, in seconds since the epoch; missing before that.",
        "alert",
        {each["alert"]: _at(each["heard_at"]) for each in watchdogs if each["heard_at"]},
    )
    if heartbeat is not None:
        yield _one(
            "runbookd_heartbeat_fails",
            "1 where the last heartbeat was withheld or not taken, else 0.",
            float(heartbeat["problem"] != ""),
        )
        if heartbeat["sent_at"]:
            yield _one(
                "runbookd_heartbeat_sent_timestamp_seconds",
                "When a heartbeat was last taken, in seconds since the epoch.",
                _at(heartbeat["sent_at"]),
            )


def _targets(targets: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    yield _each(
        "runbookd_pauses",
        "Pauses that hold changes of the target.",
        "target",
        {name: len(each["pauses"]) for name, each in targets.items()},
    )
    yield _each(
        "runbookd_waiting_approvals",
        "Plans for the target that wait for a person.",
        "target",
        {name: len(each["approvals"]) for name, each in targets.items()},
    )
    yield _each(
        "runbookd_firing_alerts",
        "Alerts that fire and ask something of the target.",
        "target",
        {name: each["open_episodes"]["count"] for name, each in targets.items()},
    )
    yield _each(
        "runbookd_dollars_month",
        "What the target costs as last seen, in dollars a month. Missing where nobody knows.",
        "target",
        {
            name: each["spend"]["dollars_month"]
            for name, each in targets.items()
            if each["spend"] and each["spend"]["dollars_month"] is not None
        },
    )


def _runs(ended: Ended) -> Metric:
    family = CounterMetricFamily(
        "runbookd_runs",
        "Runs that have ended, by action, target (empty without one) and how they ended.",
        labels=["action", "target", "status"],
    )
    for action, target, status, count in ended:
        family.add_metric([action, target, status], count)
    return family


def _since(moment: str | None, now: float) -> float:
    return 0.0 if moment is None else max(0.0, now - _at(moment))


def _at(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _gauge(name: str, what: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, labels=labels)


def _one(name: str, what: str, value: float) -> Metric:
    family = _gauge(name, what)
    family.add_metric([], value)
    return family


def _each(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = _gauge(name, what, label)
    for key, value in values.items():
        family.add_metric([key], value)
    return family
