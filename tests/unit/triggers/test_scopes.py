"""Scopes at admission: a credential earns what its scope names, and ends only what it may earn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.bootstrap.rules import in_force
from service.domain.alerts.alert import AlertKind, PayloadFormat
from service.domain.decisions.decision import Verdict
from service.domain.decisions.requests import REFUSED
from service.domain.rules.scopes import EVERYTHING, UNSTATED, Scope, Scopes
from service.ports.admission import Delivery, NewRun
from service.triggers.alerts.candidates import RulesInForce
from service.triggers.alerts.unkept import pages_of
from tests.fakes.alerts import (
    CPU,
    ERRORS,
    GRACE_S,
    NOW,
    OTHER,
    SLOW,
    WATCHDOG,
    alert,
    delivery,
    resolved,
    rule_book,
    rules_in_force,
)
from tests.fakes.journal import Desk, saw

ACT, HOLD, REJECT = Verdict.ACT, Verdict.HOLD, Verdict.REJECT
SCOPES = Scopes.stating(
    {
        "prod": EVERYTHING,
        "dev": Scope(frozenset({"slow"})),
        "mute": Scope(frozenset({"slow", "errors"}), may_resolve=False),
    }
)


def notices(desk: Desk) -> list[NewRun]:
    return [run for run in desk.store.runs.values() if run.request.origin.by == REFUSED]


def others(desk: Desk) -> list[NewRun]:
    return [run for run in desk.store.runs.values() if run.request.origin.by != REFUSED]


def paged(desk: Desk) -> Desk:
    """The desk, after prod's alert about errors has been paged."""
    desk.admit(delivery(alert(ERRORS), credential="prod"))
    (run,) = others(desk)
    desk.store.rest(run.request.claim, NOW)
    for incident in desk.store.incidents.values():
        incident.paged = True
    return desk


def open_episodes(desk: Desk) -> int:
    return sum(record.open for record in desk.store.episodes.values())


# ---- What may be earned ----


def test_an_alert_within_the_scope_of_its_sender_acts_and_says_so() -> None:
    (decision,) = Desk(SCOPES).verdicts(delivery(alert(CPU), credential="prod"))
    assert decision.verdict is ACT
    assert saw(decision, "scope") == "the credential prod may earn rule high-cpu"


@pytest.mark.parametrize("name", [CPU, ERRORS, OTHER])
def test_what_the_sender_may_not_earn_is_held_whatever_the_rule_does(name: str) -> None:
    desk = Desk(SCOPES)
    (decision,) = desk.verdicts(delivery(alert(name), credential="dev"))
    assert (decision.verdict, decision.guard, decision.run) == (HOLD, "scope", None)
    assert decision.reason == f"the credential dev may not earn rule {decision.rule}"
    assert others(desk) == []
    assert desk.store.incidents == {}
    assert desk.gate.values == {}, "the gate is asked for no claim"


def test_a_credential_that_no_scope_names_earns_nothing() -> None:
    (decision,) = Desk(SCOPES).verdicts(delivery(alert(SLOW), credential="stranger"))
    assert decision.guard == "scope"


def test_without_scopes_no_guard_asks_for_the_credential() -> None:
    (decision,) = Desk(UNSTATED).verdicts(delivery(alert(CPU), credential="whoever"))
    assert decision.verdict is ACT
    assert "scope" not in {check.guard for check in decision.checks}


def test_in_open_mode_there_is_no_credential_and_no_scope_holds() -> None:
    (decision,) = Desk(SCOPES).verdicts(delivery(alert(CPU)))
    assert decision.verdict is ACT


def test_matching_does_not_go_on_behind_a_rule_that_the_sender_may_not_earn() -> None:
    rules = going_on("high-cpu", then="slow")
    desk = Desk(rules=rules)
    decisions = desk.verdicts(delivery(alert(CPU), credential="dev"))
    assert [(each.rule, each.guard) for each in decisions] == [("high-cpu", "scope")]


def test_matching_goes_on_up_to_the_first_rule_that_the_sender_may_not_earn() -> None:
    rules = going_on("slow", then="high-cpu")
    desk = Desk(rules=rules)
    decisions = desk.verdicts(delivery(alert(SLOW), credential="dev"))
    assert [(each.rule, each.verdict) for each in decisions] == [("slow", ACT), ("high-cpu", HOLD)]


def test_an_alert_that_is_ignored_is_ignored_also_from_a_sender_that_may_earn_nothing() -> None:
    desk = Desk(SCOPES)
    (decision,) = desk.verdicts(delivery(alert(WATCHDOG), credential="stranger"))
    assert (decision.verdict, decision.guard) == (REJECT, "ignored")
    assert notices(desk) == []


def test_a_test_is_shown_for_whoever_may_earn_a_rule_and_held_for_others() -> None:
    button = alert(kind=AlertKind.TEST)
    (shown,) = Desk(SCOPES).verdicts(delivery(button, credential="dev"))
    (held,) = Desk(SCOPES).verdicts(delivery(button, credential="stranger"))
    assert (shown.verdict, shown.guard, bool(shown.run)) == (REJECT, "test", True)
    assert (held.verdict, held.guard, held.run) == (HOLD, "scope", None)


def test_no_data_of_a_rule_that_may_be_earned_is_told_as_ever() -> None:
    scopes = Scopes.stating({"dev": Scope(frozenset({"high-cpu"}))})
    blind = alert(CPU, kind=AlertKind.NO_DATA)
    decisions = Desk(scopes).verdicts(delivery(blind, credential="dev"))
    assert [(each.rule, each.verdict) for each in decisions] == [
        ("high-cpu", HOLD),
        ("no-data", ACT),
    ]


def test_no_data_of_a_rule_that_may_not_be_earned_is_held() -> None:
    blind = alert(CPU, kind=AlertKind.NO_DATA)
    decisions = Desk(SCOPES).verdicts(delivery(blind, credential="dev"))
    assert [(each.rule, each.guard) for each in decisions] == [("high-cpu", "scope")]


def test_a_page_of_last_resort_goes_out_only_for_what_may_be_earned() -> None:
    rules = rules_in_force(SCOPES)
    assert len(pages_of(delivery(alert(ERRORS), credential="prod"), rules)) == 1
    assert pages_of(delivery(alert(ERRORS), credential="dev"), rules) == []


def test_what_is_refused_and_what_is_not_do_not_share_a_check() -> None:
    desk = Desk(SCOPES)
    held, acted = desk.verdicts(
        delivery(alert(CPU, "a"), credential="dev"), delivery(alert(CPU, "b"), credential="prod")
    )
    assert (held.guard, acted.verdict) == ("scope", ACT)


# ---- What is told ----


def test_what_is_refused_is_told_once_an_hour_for_each_credential_and_rule() -> None:
    desk = Desk(SCOPES)
    for minute in range(3):
        at = NOW + 60 * minute
        desk.admit(delivery(alert(CPU), alert(CPU, "b"), credential="dev", at=at))
        for notice in notices(desk):
            desk.store.rest(notice.request.claim, NOW + 3600)
    assert len(notices(desk)) == 1
    desk.admit(delivery(alert(CPU), credential="stranger", at=NOW + 200))
    desk.admit(delivery(alert(ERRORS), credential="dev", at=NOW + 200))
    assert len(notices(desk)) == 3
    desk.admit(delivery(alert(CPU), credential="dev", at=NOW + 3600))
    assert len(notices(desk)) == 4


def test_the_notice_names_the_alert_the_sender_and_what_to_do() -> None:
    desk = Desk(SCOPES)
    desk.admit(delivery(alert(CPU), credential="dev", address="192.0.2.7"))
    (notice,) = notices(desk)
    assert notice.request.subject == "dev"
    assert notice.request.cooldown_s == 3600
    assert notice.request.origin.why == (
        "High CPU Usage. This alert came from 192.0.2.7 with the credential dev, which may not "
        "earn rule high-cpu. So nothing was changed, and nobody is paged. If it should earn the "
        "rule, name the rule in `scopes` of the rules file. If not, correct what sends the alert."
    )


# ---- Whoever may earn nothing by an alert does not touch the real one ----


def test_an_alert_that_is_refused_does_not_go_before_the_real_one() -> None:
    desk = Desk(SCOPES)
    forged = alert(ERRORS, labels={"alertname": ERRORS, "forged": "yes"})
    desk.admit(delivery(forged, credential="dev"))
    (decision,) = desk.verdicts(delivery(alert(ERRORS), credential="prod"))
    assert decision.verdict is ACT
    desk.admit(delivery(resolved(ERRORS), credential="prod", at=NOW + 60))
    assert others(desk)[-1].delay_s == GRACE_S


def test_repeats_of_what_is_refused_are_counted_and_not_stored_anew() -> None:
    desk = Desk(SCOPES)
    for _ in range(3):
        desk.admit(delivery(alert(CPU), credential="dev"))
    assert list(desk.store.times_seen.values()) == [3]
    assert [new.times for new in desk.store.decisions.values()] == [3]


def test_whoever_began_what_is_refused_may_end_it() -> None:
    desk = Desk(SCOPES)
    desk.admit(delivery(alert(CPU), credential="prod"), delivery(alert(CPU), credential="dev"))
    desk.admit(delivery(resolved(CPU), credential="dev", at=NOW + 60))
    assert [record.open for record in desk.store.episodes.values()] == [True, False]
    assert len(notices(desk)) == 1


# ---- Resolves ----


def test_a_resolve_of_whoever_may_earn_the_rule_ends_the_alert_and_its_incident() -> None:
    desk = paged(Desk(SCOPES))
    (decision,) = desk.verdicts(delivery(resolved(ERRORS), credential="prod", at=NOW + 60))
    assert decision.reason == "resolved: nothing to do"
    assert open_episodes(desk) == 0
    assert others(desk)[-1].delay_s == GRACE_S


def forged_resolves() -> list[tuple[str, Delivery, str]]:
    labels = {"alertname": SLOW, "instance": "a"}
    return [
        ("mute", delivery(resolved(ERRORS)), "the credential mute may not resolve alerts"),
        ("dev", delivery(resolved(ERRORS)), "the credential dev may earn no rule of this alert"),
        (
            "dev",
            delivery(resolved(ERRORS, labels=labels)),
            "the credential dev may earn no rule of this alert",
        ),
        ("stranger", delivery(resolved(ERRORS)), "the credential stranger may not resolve alerts"),
        (
            "prod",
            delivery(resolved(ERRORS, labels={})),
            "its labels are not those with which the alert fired",
        ),
    ]


@pytest.mark.parametrize(("credential", "forged", "why"), forged_resolves())
def test_a_forged_resolve_with_a_known_fingerprint_closes_no_incident(
    credential: str, forged: Delivery, why: str
) -> None:
    desk = paged(Desk(SCOPES))
    sent = replace(forged, credential=credential, received_at=NOW + 60)
    (decision,) = desk.verdicts(sent)
    assert decision.verdict is HOLD
    assert decision.reason == f"{why}, so this resolve ends nothing"
    assert decision.guard in ("scope", "labels")
    assert open_episodes(desk) == 1
    assert len(others(desk)) == 1, "no run that closes the incident"
    (notice,) = notices(desk)
    assert f"says that it has resolved, but {why}" in notice.request.origin.why


def test_a_forged_resolve_is_kept_as_a_closed_episode_of_its_own() -> None:
    desk = paged(Desk(SCOPES))
    (receipt,) = desk.admit(delivery(resolved(ERRORS, labels={}), credential="prod"))
    kept = desk.store.superseded[receipt.verdicts[0].alert]
    assert (kept.open, kept.newest) == (False, False)


def test_forged_resolves_are_told_once_an_hour() -> None:
    desk = paged(Desk(SCOPES))
    for minute in range(3):
        desk.admit(delivery(resolved(ERRORS), credential="mute", at=NOW + 60 * minute))
        for notice in notices(desk):
            desk.store.rest(notice.request.claim, NOW + 3600)
    assert len(notices(desk)) == 1


def test_without_scopes_a_resolve_with_other_labels_ends_nothing_either() -> None:
    desk = Desk()
    desk.admit(delivery(alert(ERRORS)))
    desk.admit(delivery(resolved(ERRORS, labels={}), at=NOW + 60))
    assert open_episodes(desk) == 1
    desk.admit(delivery(resolved(ERRORS), at=NOW + 60))
    assert open_episodes(desk) == 0


def test_an_episode_of_an_earlier_version_has_no_labels_and_counts_as_equal() -> None:
    desk = Desk()
    desk.admit(delivery(alert(ERRORS)))
    for record in desk.store.episodes.values():
        record.labels_hash = None
    desk.admit(delivery(resolved(ERRORS, labels={}), at=NOW + 60))
    assert open_episodes(desk) == 0


def test_of_a_legacy_rule_only_its_id_is_compared_because_its_tags_may_be_edited() -> None:
    desk = Desk()
    legacy: dict[str, Any] = {"format": PayloadFormat.GRAFANA_LEGACY}
    fired = alert(ERRORS, labels={"alertname": ERRORS, "ruleId": "7", "team": "a"})
    ended = resolved(ERRORS, labels={"alertname": ERRORS, "ruleId": "7", "team": "b"})
    other = resolved(ERRORS, labels={"alertname": ERRORS, "ruleId": "8", "team": "a"})
    desk.admit(delivery(fired, **legacy))
    desk.admit(delivery(other, at=NOW + 60, **legacy))
    assert open_episodes(desk) == 1
    desk.admit(delivery(ended, at=NOW + 60, **legacy))
    assert open_episodes(desk) == 0


def test_firing_and_resolving_in_one_batch_ends_the_episode_under_scopes_too() -> None:
    scopes = Scopes.stating({"dev": Scope(frozenset({"errors"}))})
    desk = Desk(scopes)
    desk.admit(
        delivery(alert(ERRORS), credential="dev"), delivery(resolved(ERRORS), credential="dev")
    )
    assert open_episodes(desk) == 0


def test_a_resolve_is_judged_by_the_rules_that_the_alert_earned_and_not_by_those_of_now() -> None:
    """The rules have changed since: today the labels lead to a rule out of scope."""
    before = Desk(SCOPES)
    before.admit(delivery(alert(SLOW), credential="dev"))
    after = Desk(rules=renamed("slow", to="slow-anew"))
    after.journal.store = before.journal.store
    after.admit(delivery(resolved(SLOW), credential="dev", at=NOW + 60))
    assert open_episodes(after) == 0


def test_the_labels_of_a_sender_that_may_earn_all_of_it_count_more_than_those_before() -> None:
    """A sender of less scope came first, with this fingerprint and labels of its own."""
    desk = Desk(SCOPES)
    first = alert(ERRORS, labels={"alertname": SLOW})
    desk.admit(delivery(first, credential="dev"))
    desk.admit(delivery(alert(ERRORS), credential="prod"))
    desk.admit(delivery(first, credential="dev"))
    desk.admit(delivery(resolved(ERRORS), credential="prod", at=NOW + 60))
    assert open_episodes(desk) == 0


def test_a_sender_of_less_scope_does_not_make_its_labels_those_of_the_alert() -> None:
    desk = paged(Desk(SCOPES))
    mine = {"alertname": SLOW}
    for _ in range(2):
        desk.admit(delivery(alert(ERRORS, labels=mine), credential="dev"))
    desk.admit(delivery(resolved(ERRORS, labels=mine), credential="dev", at=NOW + 60))
    assert open_episodes(desk) == 1


def going_on(first: str, then: str) -> RulesInForce:
    """The rule `first` continues, and `then` matches the same alerts behind it."""
    book = rule_book(SCOPES)
    by_name = {rule.name: rule for rule in book.rules}
    one = replace(by_name[first], continue_=True)
    two = replace(by_name[then], matchers=one.matchers)
    return in_force(replace(book, rules=(one, two)))


def renamed(name: str, to: str) -> RulesInForce:
    book = rule_book(SCOPES)
    rules = tuple(replace(each, name=to) if each.name == name else each for each in book.rules)
    return in_force(replace(book, rules=rules))
