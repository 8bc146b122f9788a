"""Whether somebody with a token can decide on what the rules ask."""

from __future__ import annotations

from dataclasses import replace

from service.catalogue.app_platform.target import AppTarget
from service.domain.deciders import nobody_decides
from service.domain.decisions.approval import Approval
from service.domain.decisions.budget import Budget
from service.domain.decisions.policy import APPROVE, Policy
from service.domain.people import Person, Role
from service.domain.rules.rules import Rule, RuleBook
from service.domain.scenarios.scenarios import Scenario
from service.domain.scenarios.signoffs import Gate

CFO = Person("cfo", frozenset({Role.APPROVER}), frozenset({"finance"}))
VERA = Person("vera", frozenset({Role.VIEWER}))
ADA = Person("ada", frozenset({Role.ADMIN}))


def book(*policies: Policy) -> RuleBook:
    rules = tuple(
        Rule(f"rule-{n}", (), "horizontal_scale", target="api", policy=policy)
        for n, policy in enumerate(policies, start=1)
    )
    return RuleBook(rules, {"api": AppTarget("api", "app-1", "api", 2, 10)}, "0123456789ab")


FINANCE = Policy(approval=Approval(("finance", "cto")))


def test_a_group_that_no_token_has_is_named_with_the_rules_that_ask_it() -> None:
    (said,) = nobody_decides(book(FINANCE), [CFO, ADA])
    assert said == (
        "No token has the role or group cto, which rule-1 may ask for approval (approval.from): an "
        "admin has to decide then."
    )


def test_where_nobody_is_admin_the_terminal_decides() -> None:
    said = list(nobody_decides(book(*[FINANCE] * 5), [VERA]))
    assert "group finance, which rule-1, rule-2, rule-3 and 2 more may ask" in said[0]
    assert "group cto" in said[1]
    assert all("whoever types beside the store has to decide" in each for each in said)


def test_the_default_role_is_missed_only_where_rules_may_ask() -> None:
    assert list(nobody_decides(book(Policy()), [VERA])) == []
    assert len(list(nobody_decides(book(Policy(mode=APPROVE)), [VERA]))) == 1
    assert len(list(nobody_decides(book(Policy(budget=Budget(200.0))), [VERA]))) == 1
    assert list(nobody_decides(book(Policy(mode=APPROVE)), [CFO])) == []


def test_a_group_that_a_scenario_asks_and_no_token_has_is_named() -> None:
    rush = Scenario("rush", (), approval=Approval(("finance", "board")))
    (said,) = nobody_decides(replace(book(), scenarios={"rush": rush}), [CFO, ADA])
    assert "role or group board, which scenario rush may ask for approval" in said


def test_a_role_that_signs_a_scenario_and_no_token_has_is_named() -> None:
    rush = Scenario("rush", (), signoff=Gate(("finance",), (), ("cto", "finance")))
    (said,) = nobody_decides(replace(book(), scenarios={"rush": rush}), [CFO])
    assert said.startswith("No token has the group cto, which signs scenario rush (signoff): ")
