"""`set_capacity` at admission: the claim that it takes, and what holds one that may take away."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.catalogue.actions import SET_CAPACITY
from service.catalogue.app_platform.target import AppTarget
from service.domain.decisions.controls import PAUSE, Control
from service.domain.decisions.decision import Verdict
from service.domain.decisions.requests import Wanted
from service.domain.people import BadRequest
from service.domain.rules.matching import RuleIndex
from service.domain.rules.rules import Matcher, MatchOp, Rule
from service.triggers.alerts.candidates import RulesInForce
from service.triggers.people.asked import wanted_of
from tests.fakes.alerts import CPU, NOW, alert, delivery, rule_book
from tests.fakes.journal import Desk

VIRAL = "Viral Spike"
ACT, HOLD = Verdict.ACT, Verdict.HOLD


def desk(**options: Any) -> Desk:
    """The rules of other tests, and one more that sets values."""
    given = {"replicas": None, "size": None, "exact": False, **options}
    matcher = Matcher("alertname", MatchOp.EQUAL, VIRAL)
    rule = Rule("viral", (matcher,), "set_capacity", "api", timedelta(minutes=10), options=given)
    book = rule_book()
    book = replace(book, rules=(*book.rules, rule))
    return Desk(rules=RulesInForce(book, RuleIndex(book)))


@pytest.mark.parametrize(
    ("options", "claim", "direction"),
    [
        ({"replicas": 10}, "api.out", "out"),
        ({"replicas": 10, "size": "professional-m"}, "api.out", "out"),
        ({"size": "professional-m"}, "api.up", "up"),
        ({"replicas": 10, "exact": True}, "api.set", "set"),
        ({"size": "professional-m", "exact": True}, "api.set", "set"),
    ],
)
def test_the_way_is_pinned_by_the_options_before_the_claim_is_taken(
    options: dict[str, Any], claim: str, direction: str
) -> None:
    made = desk(**options)
    (decision,) = made.verdicts(delivery(alert(VIRAL)))
    assert (decision.verdict, decision.direction, decision.run) == (ACT, direction, f"{claim}.1")
    request = made.store.runs[f"{claim}.1"].request
    assert (request.claim, request.direction) == (claim, direction)


def test_the_values_are_pinned_as_the_least_or_as_exact() -> None:
    least, exact = desk(replicas=10, size="professional-m"), desk(replicas=4, exact=True)
    least.admit(delivery(alert(VIRAL)))
    exact.admit(delivery(alert(VIRAL)))
    assert least.store.runs["api.out.1"].request.wanted == (
        Wanted("replicas", to=10, least=True),
        Wanted("size", to="professional-m", least=True),
    )
    assert exact.store.runs["api.set.1"].request.wanted == (Wanted("replicas", to=4),)


def test_at_least_so_many_shares_the_cooldown_of_one_more() -> None:
    made = desk(replicas=10)
    made.admit(delivery(alert(CPU)))
    (decision,) = made.verdicts(delivery(alert(VIRAL), at=NOW + 1))
    assert (decision.verdict, decision.reason) == (HOLD, "run api.out.1 is under way on api.out")


@pytest.mark.parametrize(("exact", "held"), [(True, True), (False, False)])
def test_a_pause_of_taking_away_holds_what_may_take_away(exact: bool, held: bool) -> None:
    made = desk(replicas=5, exact=exact)
    made.store.controls.append(
        Control("p-1", PAUSE, "anna", "the exam", NOW - 60, NOW + 600, "api", direction="in")
    )
    (decision,) = made.verdicts(delivery(alert(VIRAL)))
    assert (decision.verdict is HOLD) is held


PAIR = AppTarget("api", "app-1", "api", 2, 10, ("professional-xs", "professional-m"))


def test_a_person_names_both_values_and_means_them_exactly() -> None:
    to = {"replicas": 4, "size": "professional-m"}
    assert wanted_of(SET_CAPACITY, PAIR, to, None) == (
        Wanted("replicas", to=4),
        Wanted("size", to="professional-m"),
    )


@pytest.mark.parametrize(
    ("to", "step", "said"),
    [
        (None, 1, "set_capacity takes values and no steps: say to what, such as {replicas: …}."),
        ({}, None, "to: name what to change: replicas or size."),
        ({"memory": 4}, None, "set_capacity changes replicas and size, not memory."),
        ({"size": "c-2"}, None, "size 'c-2' is not on the ladder of api"),
    ],
)
def test_what_a_person_cannot_mean_is_refused(
    to: dict[str, Any] | None, step: int | None, said: str
) -> None:
    with pytest.raises(BadRequest, match=re.escape(said)):
        wanted_of(SET_CAPACITY, PAIR, to, step)
