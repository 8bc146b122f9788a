"""What Prometheus is told of all processes is what the store has, on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from service.domain.decisions.controls import PAUSE, Control
from service.domain.decisions.requests import ALERT, Origin, Request
from service.domain.errors import StoreUnavailable
from service.domain.rules.told import ProcessRules
from service.domain.watchdogs import Watchdog
from service.engine.durable import waiting_query
from service.messages.rules import mended, refused
from service.ports import Message
from service.ports.admission import NewRun
from service.ports.runs import Outcome
from service.store.admissions import add_run
from service.store.bell import bell_of
from service.store.controls import ControlStore
from service.store.rulebooks import RulebookStore
from service.store.runs import RunStore
from service.store.status import ended_runs, status
from service.store.watchdogs import HeartbeatStore, WatchdogStore
from service.web.measures import Measures
from tests.fakes.alerts import NOW
from tests.fakes.runs import API, request_for

RULES: Mapping[str, Any] = {
    "hash": "h",
    "budget": {"monthly": 200.0, "over": "approve", "targets": ["api"]},
    "targets": {"api": {"name": "api", "kind": "app_platform"}},
}
RUN = request_for("horizontal_scale", API)
PAGE = Request(
    "g.page.1", "page_oncall", Origin(ALERT, "a-rule", "errors", ("alert-1",)), "g.page", "h"
)


def measured(engine: sa.Engine, now: float) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels, these in the order of their names."""
    measures = Measures(lambda: status(engine, RULES, now), lambda: ended_runs(engine), lambda: now)
    return samples(measures)


def samples(measures: Measures) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(measures.exposition().decode())
        for sample in family.samples
    }


def queue(engine: sa.Engine, *runs: NewRun) -> RunStore:
    with engine.begin() as connection:
        for each in runs:
            add_run(connection, each)
    return RunStore(engine, lambda _connection, _run: None)


def test_an_empty_store_is_measured_with_zeros_and_without_what_nobody_knows(
    engine: sa.Engine,
) -> None:
    found = measured(engine, NOW)
    assert found == {
        ("runbookd_store_answers",): 1.0,
        ("runbookd_workers",): 0.0,
        ("runbookd_unended_runs", "queued"): 0.0,
        ("runbookd_unended_runs", "running"): 0.0,
        ("runbookd_waiting_messages",): 0.0,
        ("runbookd_oldest_wait_seconds", "run"): 0.0,
        ("runbookd_oldest_wait_seconds", "page"): 0.0,
        ("runbookd_oldest_wait_seconds", "message"): 0.0,
        ("runbookd_demoted_rules",): 0.0,
        ("runbookd_refused_rules",): 0.0,
        ("runbookd_budget_dollars_month",): 200.0,
        ("runbookd_pauses", "api"): 0.0,
        ("runbookd_waiting_approvals", "api"): 0.0,
        ("runbookd_firing_alerts", "api"): 0.0,
    }


def test_watchdogs_and_the_heartbeat_are_measured_as_they_are_on_record(engine: sa.Engine) -> None:
    store = WatchdogStore(engine)
    store.note(Watchdog("Watchdog"), NOW)
    store.note(Watchdog("Another"), None)
    store.silent("Watchdog", NOW + 600, Message("Silent", ""))
    heartbeats = HeartbeatStore(engine, waiting_query(engine.dialect.name))
    heartbeats.take(NOW, 60.0)
    heartbeats.said(NOW + 5, "", 15.0)
    found = measured(engine, NOW + 660)
    assert found["runbookd_watchdog_silent", "Watchdog"] == 1.0
    assert found["runbookd_watchdog_silent", "Another"] == 0.0
    assert found["runbookd_watchdog_heard_timestamp_seconds", "Watchdog"] == NOW
    assert ("runbookd_watchdog_heard_timestamp_seconds", "Another") not in found
    assert found["runbookd_heartbeat_fails",] == 0.0
    assert found["runbookd_heartbeat_sent_timestamp_seconds",] == NOW + 5
    heartbeats.said(NOW + 65, "no route to host", 15.0)
    later = measured(engine, NOW + 660)
    assert later["runbookd_heartbeat_fails",] == 1.0
    assert later["runbookd_heartbeat_sent_timestamp_seconds",] == NOW + 5


def test_what_waits_is_measured_by_its_oldest(engine: sa.Engine) -> None:
    queue(
        engine,
        NewRun(RUN, "do-app:app-1", NOW),
        NewRun(PAGE, "g", NOW + 10),
        NewRun(replace(RUN, id="api.out.2"), "do-app:app-1", NOW + 20),
    )
    found = measured(engine, NOW + 60)
    assert found["runbookd_unended_runs", "queued"] == 3.0
    assert found["runbookd_oldest_wait_seconds", "run"] == pytest.approx(60.0)
    assert found["runbookd_oldest_wait_seconds", "page"] == pytest.approx(50.0)


def test_a_run_is_counted_once_when_it_ends_however_often_its_end_is_told(
    engine: sa.Engine,
) -> None:
    second = replace(RUN, id="api.out.2")
    runs = queue(
        engine,
        NewRun(RUN, "do-app:app-1", NOW),
        NewRun(second, "do-app:app-1", NOW),
        NewRun(PAGE, "g", NOW),
    )
    done = Outcome("succeeded", "done", NOW)
    for _ in range(2):
        runs.conclude(RUN.id, done, NOW + 1)
    runs.conclude(second.id, done, NOW + 2)
    runs.conclude(PAGE.id, Outcome("failed", "nobody answers", NOW), NOW + 3)
    found = measured(engine, NOW + 60)
    assert found["runbookd_runs_total", "horizontal_scale", "succeeded", "api"] == 2.0
    assert found["runbookd_runs_total", "page_oncall", "failed", ""] == 1.0


def test_a_pause_of_everything_is_one_of_each_target(engine: sa.Engine) -> None:
    store = ControlStore(engine, bell_of(engine))
    store.put(Control("p-1", PAUSE, "anna", "exams", NOW, NOW + 600))
    assert measured(engine, NOW)["runbookd_pauses", "api"] == 1.0
    assert measured(engine, NOW + 601)["runbookd_pauses", "api"] == 0.0


def test_a_store_that_does_not_answer_is_measured_as_that() -> None:
    def away() -> dict[str, Any]:
        raise StoreUnavailable("the database is away")

    assert samples(Measures(away, list, lambda: NOW)) == {("runbookd_store_answers",): 0.0}


def test_processes_that_refuse_their_rule_files_are_counted(engine: sa.Engine) -> None:
    store = RulebookStore(engine)
    for number, errors in enumerate(((), ("rules.yml:1: no.",), ("rules.yml:1: no.",))):
        mine = ProcessRules(
            *(f"p-{number}", "web", "host", number, "abc", NOW, errors, NOW, (), "", NOW)
        )
        store.say(mine, refused(mine), mended(mine))
    assert measured(engine, NOW)["runbookd_refused_rules",] == 2.0
