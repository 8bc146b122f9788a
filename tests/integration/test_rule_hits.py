"""How many decisions each rule has led to, as the page of the rules tells it, on both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from service.store import schema
from service.store.bulk import bulk_insert
from service.store.hits import MOST, hits_of
from tests.console import Browser
from tests.databases import Databases
from tests.integration.test_queries import decision_row, insert
from tests.operators import Operators

DAY_S = 86_400.0


@pytest.fixture
def operators(databases: Databases) -> Iterator[Operators]:
    made = Operators(databases.empty())
    yield made
    made.stand.engine.dispose()


def decided(rule: str, at: float, number: int = 0) -> dict[str, object]:
    """A decision of a rule, with an id as `new_id` gave it at that time."""
    made = f"d-{int(at * 1_000):011x}{number:05x}00000000"
    return decision_row(number, id=made, rule=rule)


def test_decisions_are_counted_in_a_week_and_a_month_and_those_before_are_not(
    operators: Operators,
) -> None:
    now = time.time()
    ages = (0.5, 6.9, 7.1, 29.9, 30.1)
    rows = [decided("high-cpu", now - days * DAY_S, n) for n, days in enumerate(ages)]
    rows.append(decided("high-error-rate", now - 40 * DAY_S))
    insert(operators.stand.engine, schema.decisions, *rows)
    with operators.stand.engine.connect() as connection:
        found = hits_of(connection, ["high-cpu", "high-error-rate", "none"], now)
    assert (found["high-cpu"].week, found["high-cpu"].month) == (2, 4)
    assert (found["high-error-rate"].week, found["high-error-rate"].month) == (0, 0)
    assert found["high-error-rate"].newest is not None
    assert found["none"].newest is None


def test_the_page_of_the_rules_tells_which_were_of_use_and_which_never_were(
    operators: Operators,
) -> None:
    now = time.time()
    insert(operators.stand.engine, schema.decisions, decided("high-cpu", now - 7_200))
    browser = Browser(operators)
    browser.sign_in("vera")
    said = browser.get("/console/rules").text
    assert "Decisions: 1 in 7 days, 1 in 30 days, the newest" in said
    assert said.count("Has never matched an alert that is stored.") == 1


def test_no_more_than_a_thousand_are_counted(operators: Operators) -> None:
    now = time.time()
    rows = [decided("high-cpu", now - 60 - n / 1_000, n) for n in range(MOST + 5)]
    with operators.stand.engine.begin() as connection:
        bulk_insert(schema.decisions)(connection, rows)
    browser = Browser(operators)
    browser.sign_in("vera")
    assert "Decisions: more than 1,000 in 7 days" in browser.get("/console/rules").text
