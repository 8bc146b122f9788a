"""Runs that watch: what each look tells, how the watch ends, and who dies in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from service.catalogue.registry import checked_options
from service.domain.alerts.dedup import run_dedup_key
from service.domain.decisions.policy import SHADOW, Policy
from service.domain.decisions.requests import PERSON, Origin, Request
from service.domain.errors import FailureKind, StoreUnavailable, VendorError
from service.domain.readings.metrics import METRICS
from service.domain.rules.rules import RuleBook
from service.domain.watching import Seen
from service.engine.outbox import OutboxRound
from service.engine.watching import HOLD_S, WatchRound
from service.ports import Message
from service.ports.watches import Watch
from tests.fakes.engine import FakeWorker
from tests.fakes.runs import API, telling_for
from tests.fakes.telling import FakeMetrics
from tests.fakes.watches import FakeWatches

RUN = "watch-api-0123456789abcdef.notify.1"
CPU, CACHE = METRICS["cpu"].expression, METRICS["cache"].expression
AWAY = VendorError("slack", "post", FailureKind.TEMPORARY, "Slack is away.")


def ask(**options: Any) -> Request:
    given = {"for": "20m", "every": "5m", "readings": ["cpu > 80", "cache < 70", "rps"], **options}
    return telling_for("watch", RUN, cooldown_s=600.0, options=checked_options("watch", given))


def worker_with(**values: float | VendorError) -> FakeWorker:
    """A worker whose Prometheus has these readings."""
    worker = FakeWorker()
    worker.metrics = FakeMetrics({METRICS[name].expression: each for name, each in values.items()})
    worker.book = RuleBook((), {API.name: API}, "0123456789ab")
    return worker


def look(worker: FakeWorker) -> None:
    """What a worker does at a sign of life that shows a watch as due."""
    WatchRound(worker.parts)(True)


def after(worker: FakeWorker, seconds: float) -> None:
    worker.clock.sleep(seconds)
    look(worker)


def message(worker: FakeWorker) -> Message:
    """The one message that there is."""
    (found,) = worker.messenger.messages.values()
    return found


def fields(worker: FakeWorker) -> dict[str, str]:
    return {name.partition(" ")[0].strip(","): text for name, text in message(worker).fields}


def watching(worker: FakeWorker, request: Request | None = None) -> FakeWorker:
    """A watch that has looked once."""
    worker.execute(request or ask())
    look(worker)
    return worker


def test_the_run_is_under_way_without_its_workflow_until_the_watch_has_ended() -> None:
    worker = worker_with(cpu=60.0)
    assert list(worker.execute(ask()).records) == ["begin"]
    assert worker.clock.slept == []
    assert RUN not in worker.runs.outcomes
    for _ in range(5):
        look(worker)
        worker.clock.sleep(300.0)
    assert worker.runs.outcomes[RUN].status == "succeeded"


def test_one_message_is_edited_with_each_look_and_shows_the_trend_since_the_start() -> None:
    worker = watching(worker_with(cpu=60.0, cache=90.0, rps=100.0))
    assert fields(worker)["cpu"] == "60 now"
    assert worker.metrics is not None
    worker.metrics.values[CPU] = 85.5
    after(worker, 300.0)
    found = message(worker)
    assert found.title == "Watching the application: cpu beyond its limit"
    assert "Look 2, at 2" in found.text
    assert "The next one follows in 5 min" in found.text
    assert "the last one in 15 min" in found.text
    assert fields(worker)["cpu"].splitlines() == [
        "85.5 now, beyond its limit, +25.5 since the start",
        "between 60 and 85.5 since the start",
        "beyond its limit in 1 of 2 looks",
    ]
    assert fields(worker)["cache"].startswith("90 now, as at the start")


def test_between_two_looks_nothing_is_asked_or_told() -> None:
    worker = watching(worker_with(cpu=60.0))
    before = message(worker)
    worker.messenger.stuck = AssertionError("nothing is to be edited")
    after(worker, 299.0)
    assert message(worker) == before


def test_it_ends_by_itself_with_a_closing_sentence_and_its_claim_rests() -> None:
    worker = watching(worker_with(cpu=90.0, cache=90.0, rps=1.0))
    for _ in range(4):
        after(worker, 300.0)
    found = message(worker)
    assert found.title == "Watched the application"
    assert "It has ended by itself after 20 min." in found.text
    assert "5 looks; beyond its limit: cpu in 5" in found.text
    assert "cancel" not in found.text
    outcome = worker.runs.outcomes[RUN]
    assert outcome.status == "succeeded"
    assert outcome.cooldown_until == worker.clock.time() + 600.0
    after(worker, 3_000.0)
    assert message(worker) == found


def test_the_last_look_is_at_the_end_also_where_every_does_not_divide_it() -> None:
    worker = watching(worker_with(cpu=60.0), ask(**{"for": "7m"}))
    after(worker, 300.0)
    assert RUN not in worker.runs.outcomes
    after(worker, 120.0)
    assert "after 7 min" in message(worker).text


def test_a_missing_reading_is_said_as_such_and_never_as_zero() -> None:
    worker = watching(worker_with(cpu=0.0))
    assert fields(worker) == {"cpu": "0 now", "cache": "no reading now", "rps": "no reading now"}
    assert f"No reading of cache: Prometheus has no data for {CACHE}." in message(worker).text
    assert worker.metrics is not None
    worker.metrics.values[CPU] = VendorError(
        "prometheus", "query", FailureKind.PERMANENT, "Prometheus refused."
    )
    after(worker, 300.0)
    assert fields(worker)["cpu"] == "no reading now"
    assert "No reading of cpu: Prometheus refused." in message(worker).text
    worker.metrics.values[CPU] = 12.0
    after(worker, 300.0)
    assert "+12 since the start" in fields(worker)["cpu"]


def test_a_reading_that_never_was_is_named_at_the_end() -> None:
    worker = watching(worker_with(cpu=60.0))
    after(worker, 1_200.0)
    assert "never read: cache, rps" in worker.runs.outcomes[RUN].reason


def test_without_prometheus_each_look_says_why_there_is_no_reading() -> None:
    worker = worker_with()
    worker.metrics = None
    watching(worker)
    text = message(worker).text
    assert "No reading of cpu, cache, rps: PROMETHEUS_URL is not set." in text


def test_a_reading_of_the_rule_files_is_asked_for_as_they_say() -> None:
    worker = worker_with()
    assert worker.metrics is not None
    assert worker.book is not None
    worker.metrics.values["sum(users)"] = 42.0
    worker.book = replace(worker.book, readings=MappingProxyType({"users": "sum(users)"}))
    watching(worker, ask(readings=["users"]))
    assert fields(worker) == {"users": "42 now"}


def test_prometheus_that_is_slow_costs_a_look_a_bounded_time() -> None:
    worker = worker_with(cpu=1.0, cache=1.0, rps=1.0)
    slow = FakeMetrics(worker.metrics.values if worker.metrics else {})
    asked: list[str] = []

    class Slow(FakeMetrics):
        def query(self, expression: str) -> float | None:
            asked.append(expression)
            worker.clock.sleep(15.0)
            return slow.query(expression)

    worker.metrics = Slow()
    watching(worker)
    assert len(asked) == 2
    assert "No reading of rps: Prometheus took too long" in message(worker).text


def test_a_watched_target_is_shown_as_its_vendor_has_it_now_and_had_it_at_first() -> None:
    worker = worker_with(cpu=60.0)
    worker.change.shows = {"size": "professional-xs", "replicas": 2}
    watching(worker, ask(target="api", readings=["cpu", "instances > 3"]))
    assert message(worker).title == "Watching api"
    assert "api has replicas 2, size professional-xs." in message(worker).text
    assert fields(worker)["instances"] == "2 now"
    worker.change.shows = {"size": "professional-xs", "replicas": 4}
    after(worker, 300.0)
    text = message(worker).text
    assert "has replicas 4, size professional-xs; at the first look replicas 2, size" in text
    assert message(worker).title == "Watching api: instances beyond its limit"
    worker.change.unseen = VendorError("digitalocean", "get app", FailureKind.TEMPORARY, "Away.")
    after(worker, 300.0)
    assert "api could not be looked at: Away." in message(worker).text


def test_a_target_that_the_rules_in_force_lack_is_said_and_the_watch_goes_on() -> None:
    worker = worker_with(cpu=60.0)
    worker.book = RuleBook((), {}, "0123456789ab")
    watching(worker, ask(target="api", readings=["cpu", "instances"]))
    text = message(worker).text
    assert "The rules in force have no target api." in text
    assert fields(worker)["instances"] == "no reading now"
    assert RUN not in worker.runs.outcomes


def test_a_cancel_ends_it_at_once_with_who_and_why() -> None:
    worker = watching(worker_with(cpu=60.0))
    worker.runs.cancels[RUN] = "olga has cancelled it: the exam is over"
    worker.watches.hasten(RUN, worker.clock.time())
    look(worker)
    assert worker.runs.outcomes[RUN].status == "cancelled"
    assert "olga has cancelled it: the exam is over." in message(worker).text
    assert "1 look" in message(worker).text
    assert worker.watches.going_on == {}


def test_a_watch_that_is_cancelled_before_it_begins_tells_nothing() -> None:
    worker = worker_with(cpu=60.0)
    worker.runs.add(ask())
    worker.runs.cancels[RUN] = "olga has cancelled it: not now"
    watching(worker)
    assert worker.runs.outcomes[RUN].status == "cancelled"
    assert worker.messenger.messages == {}


def test_a_watch_that_is_cancelled_before_its_first_look_tells_nothing() -> None:
    worker = worker_with(cpu=60.0)
    worker.execute(ask())
    worker.runs.cancels[RUN] = "olga has cancelled it: not now"
    look(worker)
    assert worker.runs.outcomes[RUN].status == "cancelled"
    assert worker.messenger.messages == {}


class Died(BaseException):
    """The process ends here."""


def dies_at(worker: FakeWorker, monkeypatch: pytest.MonkeyPatch, part: str, name: str) -> None:
    """The next call of a method is the last thing that this worker does."""
    kind = type(getattr(worker, part))
    original: Callable[..., Any] = getattr(kind, name)

    def died(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(kind, name, original)
        raise Died(name)

    monkeypatch.setattr(kind, name, died)


@pytest.mark.parametrize(
    ("part", "name"),
    [("watches", "save"), ("watches", "owned"), ("messenger", "update"), ("watches", "told")],
)
def test_a_look_whose_worker_dies_anywhere_is_told_once_and_counted_once(
    monkeypatch: pytest.MonkeyPatch, part: str, name: str
) -> None:
    worker = watching(worker_with(cpu=60.0, cache=90.0, rps=1.0))
    assert worker.metrics is not None
    worker.metrics.values[CPU] = 85.0
    worker.clock.sleep(300.0)
    dies_at(worker, monkeypatch, part, name)
    with pytest.raises(Died):
        look(worker)
    after(worker, HOLD_S)
    assert "Look 2, at 2" in message(worker).text
    assert fields(worker)["cpu"].splitlines()[-1] == "beyond its limit in 1 of 2 looks"


def test_what_was_seen_before_a_worker_died_is_told_although_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = watching(worker_with(cpu=60.0, cache=90.0, rps=1.0))
    assert worker.metrics is not None
    worker.metrics.values[CPU] = 99.0
    worker.clock.sleep(300.0)
    dies_at(worker, monkeypatch, "watches", "owned")
    with pytest.raises(Died):
        look(worker)
    worker.metrics.values[CPU] = 10.0
    after(worker, HOLD_S)
    assert fields(worker)["cpu"].startswith("99 now, beyond its limit")


@pytest.mark.parametrize(
    ("part", "name"),
    [("messenger", "update"), ("runs", "conclude"), ("locks", "cool_down"), ("watches", "end")],
)
def test_an_end_whose_worker_dies_anywhere_is_reached_by_the_next_one(
    monkeypatch: pytest.MonkeyPatch, part: str, name: str
) -> None:
    worker = watching(worker_with(cpu=60.0, cache=90.0, rps=1.0))
    worker.clock.sleep(1_200.0)
    dies_at(worker, monkeypatch, part, name)
    with pytest.raises(Died):
        look(worker)
    after(worker, HOLD_S)
    assert worker.runs.outcomes[RUN].status == "succeeded"
    assert "2 looks" in message(worker).text
    assert worker.watches.going_on == {}


def test_a_worker_that_dies_right_after_its_post_says_so_in_the_message_that_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = worker_with(cpu=60.0)
    worker.execute(ask())
    dies_at(worker, monkeypatch, "runs", "set_message")
    with pytest.raises(Died):
        look(worker)
    after(worker, HOLD_S)
    first, second = worker.messenger.messages.values()
    assert "An earlier message of this watch may stand here" in second.text
    assert "An earlier message" not in first.text


def test_a_worker_that_was_stopped_for_long_tells_nothing_after_another_has_taken_its_watch() -> (
    None
):
    worker = watching(worker_with(cpu=60.0, cache=90.0, rps=1.0))
    worker.clock.sleep(300.0)
    old = worker.watches.take(worker.clock.time(), HOLD_S)
    assert old is not None
    after(worker, HOLD_S)
    told = message(worker)
    assert not worker.watches.save(old, replace(old.seen, looks=9))
    assert not worker.watches.told(old, replace(old.seen, looks=9), 0.0)
    assert message(worker) == told


def test_a_watch_that_another_takes_between_a_look_and_its_message_is_not_told_by_the_first_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = watching(worker_with(cpu=60.0, cache=90.0, rps=1.0))
    before = message(worker)
    keep = FakeWatches.save

    def stopped_after(watches: FakeWatches, watch: Watch, seen: Seen) -> bool:
        kept = keep(watches, watch, seen)
        monkeypatch.setattr(FakeWatches, "save", keep)
        worker.clock.sleep(HOLD_S)
        assert watches.take(worker.clock.time(), HOLD_S) is not None
        return kept

    monkeypatch.setattr(FakeWatches, "save", stopped_after)
    after(worker, 300.0)
    assert message(worker) == before
    after(worker, HOLD_S)
    assert "Look 2, at 2" in message(worker).text


def test_while_slack_is_away_one_message_waits_and_shows_the_newest_look_when_it_is_told() -> None:
    worker = worker_with(cpu=60.0)
    worker.messenger.problem = AWAY
    watching(worker)
    assert worker.metrics is not None
    worker.metrics.values[CPU] = 70.0
    after(worker, 300.0)
    assert worker.outbox.count() == 1
    worker.messenger.problem = None
    OutboxRound(worker.parts)()
    assert fields(worker)["cpu"].startswith("70 now")
    assert "An earlier message" not in message(worker).text
    after(worker, 300.0)
    assert "Look 3, at 2" in message(worker).text


def test_a_message_that_slack_refuses_ends_the_watch_and_pages() -> None:
    worker = worker_with(cpu=60.0)
    worker.messenger.problem = VendorError(
        "slack", "post", FailureKind.PERMANENT, "Slack refused: not_in_channel."
    )
    watching(worker)
    assert worker.runs.outcomes[RUN].status == "failed"
    assert "not_in_channel" in worker.runs.outcomes[RUN].reason
    assert list(worker.pager.open) == [run_dedup_key(RUN)]
    assert worker.watches.going_on == {}


def test_a_watch_that_no_worker_looked_after_for_long_ends_late_and_says_so() -> None:
    worker = watching(worker_with(cpu=60.0))
    after(worker, 2 * 3_600.0)
    assert "It was to end 1 h 40 min before that, and no worker looked" in message(worker).text
    assert worker.runs.outcomes[RUN].status == "succeeded"


def test_a_look_that_raises_what_none_should_ends_its_run_and_not_the_other_watches() -> None:
    worker = worker_with(cpu=60.0)
    other = "watch-b.notify.1"
    worker.execute(ask())
    worker.execute(replace(ask(), id=other, claim="watch-b.notify"))
    worker.runs.unreadable.add(RUN)
    look(worker)
    assert worker.runs.outcomes[RUN].status == "failed"
    assert list(worker.watches.going_on) == [other]
    assert len(worker.messenger.messages) == 1


def test_a_store_that_is_away_leaves_the_watch_for_later() -> None:
    worker = worker_with(cpu=60.0)
    worker.execute(ask())
    worker.runs.down = True
    with pytest.raises(StoreUnavailable):
        look(worker)
    worker.runs.down = False
    after(worker, HOLD_S)
    assert "Look 1, at 2" in message(worker).text


def test_a_run_that_has_ended_otherwise_is_watched_no_more() -> None:
    worker = worker_with(cpu=60.0)
    worker.execute(ask())
    worker.runs.rows[RUN] = replace(worker.runs.rows[RUN], status="failed")
    look(worker)
    assert worker.messenger.messages == {}
    assert worker.watches.going_on == {}


def test_the_message_says_who_asked_and_why() -> None:
    by_rule = watching(worker_with(cpu=60.0))
    assert "Rule watch-api-0123456789abcdef asked for it: Something" in message(by_rule).text
    person = replace(ask(), origin=Origin(PERSON, "olga", "after the change"))
    by_person = watching(worker_with(cpu=60.0), person)
    assert "olga asked for it: after the change." in message(by_person).text


def test_an_execution_that_died_before_its_record_does_not_begin_the_watch_anew() -> None:
    worker = watching(worker_with(cpu=60.0))
    worker.clock.sleep(60.0)
    worker.execute(ask())
    look(worker)
    assert "Look 1, at 2" in message(worker).text


def test_a_plan_says_what_would_be_watched_and_what_is_there_now_and_watches_nothing() -> None:
    worker = worker_with(cpu=85.0)
    worker.change.shows = {"size": "professional-xs", "replicas": 2}
    request = replace(
        ask(target="api"),
        id="watch.plan.1",
        claim="watch.plan",
        origin=Origin(PERSON, "olga", "a plan"),
        policy=Policy(SHADOW),
    )
    watching(worker, request)
    outcome = worker.runs.outcomes["watch.plan.1"]
    assert outcome.status == "shadow"
    assert outcome.reason.split(". ") == [
        "It would watch api for 20 min, with a look each 5 min and one message in Slack",
        "api has replicas 2, size professional-xs",
        "Now: cpu (limit > 80) 85, beyond its limit, cache (limit < 70) no reading, rps no reading",
        f"No reading of cache: Prometheus has no data for {CACHE}",
        f"No reading of rps: Prometheus has no data for {METRICS['rps'].expression}",
        "That changes nothing, costs nothing and takes nothing down.",
    ]
    assert (worker.watches.going_on, worker.messenger.messages) == ({}, {})
