"""Text assets whose compression dies at any boundary of its steps, on both databases, and its
undo."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.catalogue.bucket.packing import unpacked
from service.catalogue.registry import checked_options
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from service.ports.bucket import Contents
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries
from tests.databases import Databases
from tests.fakes.alerts import NOW, alert, delivery
from tests.fakes.buckets import FakeBuckets
from tests.fakes.clock import FakeClock
from tests.properties.installation import OLGA, Installation, opened
from tests.unit.catalogue.test_compress_assets import APP, SCRIPT, SHEET, STYLE, TARGET

LARGE = "Large Assets"
BOOK = RuleBook(
    (
        Rule(
            "small-assets",
            (Matcher("alertname", MatchOp.EQUAL, LARGE),),
            "compress_assets",
            target="frontend",
            cooldown=timedelta(minutes=10),
            options=checked_options("compress_assets", {}),
        ),
    ),
    {"frontend": TARGET},
    "0123456789ab",
)
STEPS = ("remember", "compress_1", "compress_2", "verify")


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def asked(engine: sa.Engine) -> tuple[Installation, FakeBuckets]:
    """An alert has asked for it; two assets are there."""
    buckets = FakeBuckets(FakeClock(), versioned=True)
    buckets.store(APP, SCRIPT, public=True)
    buckets.store(STYLE, SHEET, public=True)
    now = Installation(engine, BOOK, {"bucket": buckets})
    buckets.clock = now.clock
    now.deliver(delivery(alert(LARGE), at=NOW))
    return now, buckets


def contents(buckets: FakeBuckets) -> list[Contents | None]:
    return [buckets.objects[key].contents for key in (APP, STYLE)]


def originals(buckets: FakeBuckets) -> list[Contents | None]:
    return [unpacked(each) for each in contents(buckets) if each]


def statuses(now: Installation) -> dict[str, str]:
    return dict(now.rows("SELECT id, status FROM runs"))


@pytest.mark.spread("done:compress_1", "recorded:compress_1", "done:compress_2")
@both_ways
@pytest.mark.parametrize("boundary", boundaries(*STEPS))
def test_a_compression_that_dies_anywhere_puts_each_asset_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now, buckets = asked(engine)
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"frontend.up.1": "succeeded"}
    assert originals(buckets) == [SCRIPT, SHEET]
    assert buckets.writes.effective == ["put", "put"]
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []
    assert now.pager.open == {}


@pytest.mark.spread("done:restore_1", "recorded:restore_1", "done:restore_2")
@pytest.mark.parametrize("boundary", boundaries("remember", "restore_1", "restore_2"))
def test_an_undo_that_dies_anywhere_puts_back_both_originals(
    engine: sa.Engine, boundary: str
) -> None:
    now, buckets = asked(engine)
    now.go_on()
    assert originals(buckets) == [SCRIPT, SHEET]
    now.people.undo(OLGA, "frontend.up.1", "an old client cannot read them")
    first = now.begin()
    first.go_to(boundary)
    first.die()
    now.go_on()
    assert statuses(now) == {"frontend.up.1": "succeeded", "frontend.person.1": "succeeded"}
    assert contents(buckets) == [SCRIPT, SHEET]
    assert buckets.writes.effective == ["put"] * 4


def test_a_deployment_in_between_is_left_and_the_rest_is_compressed(engine: sa.Engine) -> None:
    now, buckets = asked(engine)
    first = now.begin()
    first.go_to("recorded:remember")
    buckets.store(STYLE, Contents(b"deployed"), public=True)
    first.die()
    now.go_on()
    assert statuses(now) == {"frontend.up.1": "succeeded"}
    assert buckets.body(STYLE) == "deployed"
    found = buckets.objects[APP].contents
    assert found is not None
    assert unpacked(found) == SCRIPT
