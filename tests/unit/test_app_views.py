"""What is missing in the application's schema `runbook`: tables of plans, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from service.domain.app_views import GRANTS, READER, VERSIONS, WRITER, Found, days_wanted, plan
from service.providers.app_views_sql import TEXTS, digest

TODAY = date(2026, 11, 28)
DIGESTS = {number: digest(text) for number, text in TEXTS.items()}
NOTHING = Found(
    database="app",
    role="ops",
    server=150_004,
    replica=False,
    may_create=True,
    may_make_roles=True,
    applied={},
    relations=frozenset(),
    days=frozenset(),
    statements="extensions",
    loaded=True,
    roles=frozenset(),
    grants=frozenset(),
)
WHOLE = replace(
    NOTHING,
    applied=DIGESTS,
    relations=frozenset(version.makes for version in VERSIONS),
    days=frozenset(days_wanted(TODAY)),
    roles=frozenset({READER, WRITER}),
    grants=frozenset(GRANTS),
)


def _sentences(found: Found) -> list[str]:
    return [change.sentence for change in plan(found, DIGESTS, TODAY).changes]


def test_every_version_has_a_text_and_nothing_is_missing_where_all_is_there() -> None:
    assert set(TEXTS) == {version.number for version in VERSIONS}
    assert plan(WHOLE, DIGESTS, TODAY).complete


def test_where_nothing_is_there_all_of_it_is_planned_in_an_order_that_works() -> None:
    sentences = _sentences(NOTHING)
    assert [each[:9] for each in sentences[:3]] == ["version 1", "version 2", "version 3"]
    assert sentences[3:5] == [f"make role {each}, which cannot log in" for each in (READER, WRITER)]
    assert sentences[5:] == [grant.sentence for grant in GRANTS]


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({"replica": True}, "on a replica, which takes no writes"),
        ({"server": 140_011}, "PostgreSQL 14 has no views"),
        ({"may_create": False}, 'GRANT CREATE ON DATABASE "app" TO "ops"'),
    ],
)
def test_where_nothing_can_be_made_it_is_refused_with_what_to_do(
    changed: dict[str, object], refused: str
) -> None:
    planned = plan(replace(NOTHING, **changed), DIGESTS, TODAY)  # type: ignore[arg-type]
    assert refused in planned.refused
    assert not planned.changes


def test_a_role_that_may_make_nothing_is_no_fault_where_nothing_is_missing() -> None:
    assert plan(replace(WHOLE, may_create=False), DIGESTS, TODAY).complete


@pytest.mark.parametrize(
    ("loaded", "statements", "said"),
    [
        (False, "", "restart PostgreSQL, then run CREATE EXTENSION"),
        (False, "public", "shared_preload_libraries and restart PostgreSQL. After that"),
        (True, "", "not created in database app: run CREATE EXTENSION"),
    ],
)
def test_each_way_to_lack_the_extension_has_its_own_sentence(
    loaded: bool, statements: str, said: str
) -> None:
    planned = plan(replace(NOTHING, loaded=loaded, statements=statements), DIGESTS, TODAY)
    assert said in " ".join(planned.notes)
    assert not [one for one in planned.changes if "database_performance" in one.sentence]


def test_without_the_right_to_make_roles_a_sentence_says_which_to_make() -> None:
    planned = plan(replace(NOTHING, may_make_roles=False), DIGESTS, TODAY)
    assert f"CREATE ROLE {READER} NOLOGIN; CREATE ROLE {WRITER} NOLOGIN;" in planned.notes[0]
    assert not [one for one in planned.changes if one.grant or one.role]


def test_days_that_are_missing_and_days_that_are_past_are_counted() -> None:
    days = frozenset(TODAY + timedelta(days=each) for each in (-9, -8, -7, 0, 1))
    assert _sentences(replace(WHOLE, days=days)) == [
        "partitions of runbook.api_requests: make 6 that are missing, drop 2 older than 7 days"
    ]


def test_a_version_of_another_text_is_told_and_left() -> None:
    planned = plan(replace(WHOLE, applied={**DIGESTS, 2: "other", 9: "new"}), DIGESTS, TODAY)
    assert not planned.changes
    assert "Version 2 was made by another text" in planned.notes[0]
    assert "a newer runbookd has made it" in planned.notes[1]
