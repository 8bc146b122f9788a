"""Scaling rules at admission: one claim for each (target, direction), whoever asks."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.decision import Check, Verdict
from service.domain.decisions.guards import ARRIVAL_GUARDS, Arrival, Guard
from service.domain.errors import StoreUnavailable
from service.triggers.alerts import verdicts
from tests.fakes.alerts import CPU, MEMORY, NOW, OTHER, TRAFFIC, alert, delivery, resolved
from tests.fakes.journal import Desk, saw

ACT, HOLD, REJECT = Verdict.ACT, Verdict.HOLD, Verdict.REJECT


def test_an_alert_starts_one_run_and_the_verdict_names_it() -> None:
    desk = Desk()
    (decision,) = desk.verdicts(delivery(alert()))
    assert (decision.verdict, decision.rule, decision.target) == (ACT, "high-cpu", "api")
    assert decision.run == "api.out.1"
    assert decision.reason == (
        "horizontal scale on api: rule high-cpu matches and nothing holds it back; run api.out.1"
    )
    assert decision.guard == "cooldown"
    run = desk.store.runs["api.out.1"]
    assert run.request.on is not None
    assert (run.partition, run.request.claim, run.delay_s) == ("do-app:app-1", "api.out", 0.0)
    assert (run.request.cooldown_s, run.request.rules_hash) == (600.0, "0123456789ab")


def test_ten_instances_in_one_notification_are_one_run_with_ten_causes() -> None:
    desk = Desk()
    decisions = desk.verdicts(delivery(*(alert(instance=f"{number}") for number in range(10))))
    assert [decision.verdict for decision in decisions] == [ACT] + [HOLD] * 9
    assert {decision.reason for decision in decisions[1:]} == {
        "run api.out.1 is under way on api.out"
    }
    assert list(desk.store.runs) == ["api.out.1"]
    assert len(set(desk.store.runs["api.out.1"].request.origin.alerts)) == 10


def test_a_request_carries_where_a_person_reads_on_and_silences_the_alert() -> None:
    desk = Desk()
    one = alert(
        labels={"alertname": CPU, "zone": 'a "b" & c'},
        generator_url="https://prom.example/graph?g0",
        links={"dashboard": "https://grafana.example/d/1"},
        annotations={"runbook_url": "https://wiki.example/cpu", "other_url": "javascript:alert(1)"},
    )
    desk.verdicts(delivery(one))
    links = dict(desk.store.runs["api.out.1"].request.origin.links)
    silence = next(href for href, text in links.items() if text.endswith(": silence"))
    assert unquote(silence) == (
        "http://alertmanager.example/#/silences/new?filter="
        '{alertname="High CPU Usage",zone="a \\"b\\" & c"}'
    )
    assert links == {
        "https://prom.example/graph?g0": f"{CPU}: where it comes from",
        "https://grafana.example/d/1": f"{CPU}: dashboard",
        "https://wiki.example/cpu": f"{CPU}: runbook_url",
        silence: f"{CPU}: silence",
        "http://alertmanager.example": "alertmanager: the sender",
    }


def test_two_rules_that_want_the_same_target_larger_are_one_run() -> None:
    desk = Desk()
    decisions = desk.verdicts(delivery(alert(CPU)), delivery(alert(TRAFFIC)))
    assert [(each.rule, each.verdict) for each in decisions] == [
        ("high-cpu", ACT),
        ("traffic", HOLD),
    ]
    assert decisions[1].guard == "in_progress"


def test_targets_do_not_wait_for_each_other() -> None:
    desk = Desk()
    decisions = desk.verdicts(delivery(alert(CPU)), delivery(alert(MEMORY)))
    assert [decision.run for decision in decisions] == ["api.out.1", "worker-vm.up.1"]


def test_five_retries_of_one_notification_are_one_run_and_one_row() -> None:
    desk = Desk()
    first = desk.verdicts(delivery(alert()))
    later = [desk.verdicts(delivery(alert(), at=NOW + each))[0] for each in range(1, 6)]
    assert first[0].verdict is ACT
    assert {decision.verdict for decision in later} == {HOLD}
    assert len(desk.store.runs) == 1
    assert [new.times for new in desk.store.decisions.values()] == [1, 5]
    assert [new.last_at for new in desk.store.decisions.values()] == [NOW, NOW + 5]
    assert list(desk.store.times_seen.values()) == [6]


def test_a_repeat_inside_the_cooldown_is_held_until_its_end() -> None:
    desk = Desk()
    desk.admit(delivery(alert()))
    desk.store.rest("api.out", NOW + 600, "replicas 2 → 3")
    (decision,) = desk.verdicts(delivery(alert(), at=NOW + 599.9))
    assert (decision.verdict, decision.guard, decision.until) == (HOLD, "cooldown", NOW + 600)
    assert decision.reason == (
        "cooldown of api.out until 2026-05-28 20:36:40Z, after run api.out.1 (replicas 2 → 3)"
    )


def test_a_repeat_after_the_cooldown_while_still_firing_is_one_more_step() -> None:
    desk = Desk()
    desk.admit(delivery(alert()))
    desk.store.rest("api.out", NOW + 600)
    (decision,) = desk.verdicts(delivery(alert(), at=NOW + 600))
    assert (decision.verdict, decision.run) == (ACT, "api.out.2")
    assert list(desk.store.runs) == ["api.out.1", "api.out.2"]
    assert len(desk.store.episodes) == 1


def test_a_change_of_reason_is_a_row_and_a_repeat_of_it_only_counts() -> None:
    desk = Desk()
    desk.admit(delivery(alert(instance="a"), alert(instance="b")))
    held = delivery(alert(instance="b"))
    desk.admit(held)
    desk.store.rest("api.out", NOW + 600)
    desk.admit(held)
    desk.admit(held)
    desk.admit(delivery(alert(instance="a"), at=NOW + 600))
    desk.store.rest("api.out", NOW + 1300)
    desk.admit(held)
    told = [
        (new.decision.reason, new.times)
        for new in desk.store.decisions.values()
        if new.decision.verdict is HOLD
    ]
    assert told == [
        ("run api.out.1 is under way on api.out", 2),
        ("cooldown of api.out until 2026-05-28 20:36:40Z, after run api.out.1", 2),
        ("cooldown of api.out until 2026-05-28 20:48:20Z, after run api.out.2", 1),
    ]


def test_a_retry_whose_group_has_since_changed_starts_no_second_run() -> None:
    desk = Desk()
    desk.admit(delivery(alert(instance="a"), alert(instance="b")))
    changed = delivery(resolved(instance="a"), alert(instance="b"), alert(instance="c"))
    assert [each.verdict for each in desk.verdicts(changed)] == [HOLD, HOLD, HOLD]
    assert list(desk.store.runs) == ["api.out.1"]


def test_a_resolved_alert_starts_nothing() -> None:
    desk = Desk()
    (decision,) = desk.verdicts(delivery(resolved()))
    assert (decision.verdict, decision.reason) == (HOLD, "resolved: nothing to do")
    assert desk.store.runs == {}
    assert [record.open for record in desk.store.episodes.values()] == [False]


def test_an_alert_that_fires_and_resolves_in_one_notification_ends_closed() -> None:
    desk = Desk()
    decisions = desk.verdicts(delivery(alert(), resolved()))
    assert [decision.verdict for decision in decisions] == [ACT, HOLD]
    assert [record.open for record in desk.store.episodes.values()] == [False]


def test_unmatched_alerts_of_one_group_are_one_message_for_an_hour() -> None:
    desk = Desk()
    group = {"cluster": "x"}
    first = desk.verdicts(delivery(alert(OTHER, "a"), alert("Odd", "b"), group=group))
    assert [(each.rule, each.verdict) for each in first] == [
        ("unmatched", ACT),
        ("unmatched", HOLD),
    ]
    (run,) = desk.store.runs.values()
    assert (run.request.cooldown_s, len(run.request.origin.alerts)) == (3600.0, 2)
    desk.store.rest(run.request.claim, NOW + 3600)
    assert desk.verdicts(delivery(alert(OTHER, "a"), group=group))[0].until == NOW + 3600
    (other,) = desk.verdicts(delivery(alert(OTHER, "a"), group={"cluster": "y"}))
    assert other.verdict is ACT


def test_a_replay_is_marked_and_holds_to_every_guard() -> None:
    desk = Desk()
    (decision,) = desk.verdicts(delivery(alert(), replay=True))
    assert decision.verdict is ACT
    assert desk.store.runs["api.out.1"].request.origin.replayed is True
    assert desk.verdicts(delivery(alert(), replay=True))[0].verdict is HOLD


def test_without_redis_the_checks_say_that_sql_alone_decided() -> None:
    desk = Desk()
    desk.gate.available = False
    (decision,) = desk.verdicts(delivery(alert()))
    assert decision.verdict is ACT
    assert [check.saw for check in decision.checks] == [
        "the sender says it is firing",
        "no pause covers api",
        "nobody else has locked api",
        "Redis did not answer: decided on SQL alone",
        "api.out has never been claimed",
    ]


def test_an_old_rest_in_redis_does_not_hold_what_sql_says_is_free() -> None:
    desk = Desk()
    desk.gate.values["api.out"] = "api.out.7"
    (decision,) = desk.verdicts(delivery(alert()))
    assert decision.verdict is ACT
    assert saw(decision, "redis_gate") == (
        "Redis still has a cooldown of api.out, after api.out.7; SQL, which decides, has none"
    )
    assert desk.gate.values == {"api.out": "api.out.1"}


def test_a_flushed_redis_does_not_free_what_sql_says_rests() -> None:
    desk = Desk()
    desk.admit(delivery(alert()))
    desk.gate.values.clear()
    (decision,) = desk.verdicts(delivery(alert()))
    assert (decision.verdict, decision.guard) == (HOLD, "in_progress")
    assert [check.passed for check in decision.checks] == [True] * 4 + [False]
    assert desk.gate.values == {"api.out": "api.out.1"}


def test_redis_is_told_what_it_does_not_know_and_nothing_twice() -> None:
    desk = Desk()
    desk.admit(delivery(alert()))
    desk.admit(delivery(alert()))
    assert desk.gate.told == 1
    desk.gate.values.clear()
    desk.admit(delivery(alert()))
    assert desk.gate.told == 2


def test_another_decisions_hold_is_not_taken_for_a_rest() -> None:
    desk = Desk()
    desk.gate.values["api.out"] = "hold:somebody"
    (decision,) = desk.verdicts(delivery(alert()))
    assert decision.verdict is ACT
    assert saw(decision, "redis_gate") == "Redis: no cooldown of api.out"


def test_when_the_queue_refuses_nothing_is_kept_and_the_hold_is_given_back() -> None:
    desk = Desk()
    desk.journal.refuse_runs = True
    with pytest.raises(RuntimeError, match="refuses"):
        desk.admit(delivery(alert()))
    assert desk.store.episodes == {}
    assert desk.store.cooldowns == {}
    assert desk.gate.values == {}


def test_a_conflict_is_tried_again_and_decided_once() -> None:
    desk = Desk()
    desk.journal.conflicts = 3
    assert desk.verdicts(delivery(alert()))[0].run == "api.out.1"
    assert len(desk.store.runs) == 1


def test_endless_conflicts_ask_the_sender_to_come_again() -> None:
    desk = Desk()
    desk.journal.conflicts = 1_000
    with pytest.raises(StoreUnavailable, match="nothing was kept, send it again"):
        desk.admit(delivery(alert()))
    assert desk.gate.values == {}


def test_a_claim_in_force_is_busy_until_its_run_ends() -> None:
    desk = Desk()
    desk.admit(delivery(alert()))
    assert desk.store.cooldowns["api.out"].until == BUSY_UNTIL


def test_what_is_committed_is_answered_although_redis_cannot_be_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()

    def settle(*_arguments: object) -> None:
        raise ConnectionError("Redis is gone")

    monkeypatch.setattr(desk.gate.__class__, "settle", settle)
    (decision,) = desk.verdicts(delivery(alert()))
    assert (decision.verdict, decision.run) == (ACT, "api.out.1")
    assert list(desk.store.runs) == ["api.out.1"]
    assert desk.gate.values, "what is committed is not given back"


def test_an_alert_that_any_guard_holds_takes_no_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    """So no target is held for ever by a claim that no run will ever give back."""
    no = Check("no_fridays", passed=False, saw="it is Friday")
    guard: Guard[Arrival] = Guard("no_fridays", lambda _: no)
    monkeypatch.setattr(verdicts, "ARRIVAL_GUARDS", (*ARRIVAL_GUARDS, guard))
    desk = Desk()
    (decision,) = desk.verdicts(delivery(alert()))
    assert (decision.verdict, decision.guard, decision.reason) == (HOLD, "no_fridays", no.saw)
    assert [check.guard for check in decision.checks] == [
        "resolved",
        "paused",
        "person_lock",
        "redis_gate",
        "cooldown",
        "no_fridays",
    ]
    assert desk.store.cooldowns == {}
    assert desk.store.runs == {}
    assert desk.gate.values == {}
