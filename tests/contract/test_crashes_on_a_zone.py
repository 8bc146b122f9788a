"""Purges and sets of cache rules that die at any boundary of their steps, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.catalogue.cloudflare_zone.rules import compiled, value_of
from service.catalogue.cloudflare_zone.target import ZoneTarget
from service.catalogue.registry import checked_options
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.people import BadRequest
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries
from tests.databases import Databases
from tests.fakes.alerts import NOW, alert, delivery
from tests.fakes.zones import ZONE
from tests.properties.installation import OLGA, Installation, opened

STALE = "Stale Assets"
PROBE = "https://quizmentor.app/assets/app.js"
OPTIONS = checked_options("purge", {"prefixes": ["quizmentor.app/assets/"], "tags": ["news"]})
BOOK = RuleBook(
    (
        Rule(
            "stale-assets",
            (Matcher("alertname", MatchOp.EQUAL, STALE),),
            "purge",
            target="cdn",
            cooldown=timedelta(minutes=10),
            options=OPTIONS,
        ),
    ),
    {"cdn": ZoneTarget("cdn", ZONE, PROBE)},
    "0123456789ab",
)
STEPS = ("prepare", "announce", "purge_1", "verify", "conclude", "report")


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def book(**options: list[str]) -> RuleBook:
    """The rule with other options."""
    (rule,) = BOOK.rules
    changed = replace(rule, options=checked_options("purge", options))
    return RuleBook((changed,), BOOK.targets, BOOK.hash)


def installation(engine: sa.Engine, rules: RuleBook) -> Installation:
    """One on which an alert has asked for a purge of what has been cached for a while."""
    now = Installation(engine, rules)
    now.zones.copies[PROBE] = NOW - 60.0
    now.deliver(delivery(alert(STALE), at=NOW))
    return now


def statuses(now: Installation) -> dict[str, str]:
    return dict(now.rows("SELECT id, status FROM runs"))


@both_ways
@pytest.mark.spread("done:purge_1", "recorded:purge_1", "done:conclude")
@pytest.mark.parametrize("boundary", boundaries(*STEPS))
def test_a_purge_that_the_probe_shows_and_that_dies_anywhere_is_done_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = installation(engine, book(prefixes=["quizmentor.app/assets/"]))
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"cdn.out.1": "succeeded"}
    assert now.zones.asked == [("prefixes", ("quizmentor.app/assets/",))]
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []
    assert now.pager.open == {}


@pytest.mark.parametrize("boundary", ["done:purge_1", "recorded:purge_1"])
def test_a_purge_that_nothing_shows_is_never_sent_again_after_a_crash(
    engine: sa.Engine, boundary: str
) -> None:
    now = installation(engine, book(tags=["news"]))
    first = now.begin()
    first.go_to(boundary)
    first.die()
    now.go_on()
    assert now.zones.asked == [("tags", ("news",))]
    recorded = boundary.startswith("recorded")
    assert statuses(now) == {"cdn.out.1": "succeeded" if recorded else "failed"}
    said = " ".join(str(page.summary) for page in now.pager.open.values())
    assert ("It is not known whether Cloudflare took the request" in said) != recorded
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []


def test_a_person_retries_a_purge_with_the_options_that_it_had(engine: sa.Engine) -> None:
    now = installation(engine, book(tags=["news"]))
    first = now.begin()
    first.go_to("done:purge_1")
    first.die()
    now.go_on()
    now.people.retry(OLGA, "cdn.out.1")
    now.go_on()
    assert now.zones.asked == [("tags", ("news",))] * 2
    assert statuses(now)["cdn.person.1"] == "succeeded"
    assert list(now.controls.in_force()) == [], "a purge leaves no value to be held"


def test_people_read_that_something_is_purged_and_are_not_offered_an_undo(
    engine: sa.Engine,
) -> None:
    now = installation(engine, BOOK)
    now.go_on()
    (message,) = now.messenger.messages.values()
    assert message.title == (
        "Done: cdn: cache 1 prefix (quizmentor.app/assets/) and 1 tag (news) → purged"
    )
    assert message.text.startswith("Purged because")
    assert "It may be done again" in message.text
    offered = [words for words, _ in message.fields]
    assert "No more of it" in offered
    assert "Undo it" not in offered
    ((_, said),) = [pair for pair in message.fields if pair[0] == "Price"]
    assert said == "$0 → $0 a month (+$0)"


# ---- Cache rules ----

SETS = {
    name: [{"name": name, "path": "/admin/*", "host": "", "mode": "bypass"}]
    for name in ("standard", "aggressive")
}
RULED = RuleBook(
    (replace(BOOK.rules[0], action="set_cache_rules", options={"set": "aggressive"}),),
    {"cdn": ZoneTarget("cdn", ZONE, PROBE, "", SETS)},
    BOOK.hash,
)
SETTING = ("prepare", "announce", "set_rules", "verify_rules", "conclude", "report")


def ruled(engine: sa.Engine) -> Installation:
    """One on which an alert has asked for another set of cache rules than there is."""
    now = Installation(engine, RULED)
    now.zones.put(compiled("standard", SETS["standard"]))
    now.deliver(delivery(alert(STALE), at=NOW))
    return now


@both_ways
@pytest.mark.spread("done:set_rules", "recorded:set_rules", "done:conclude")
@pytest.mark.parametrize("boundary", boundaries(*SETTING))
def test_a_set_of_cache_rules_that_dies_anywhere_is_set_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = ruled(engine)
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"cdn.up.1": "succeeded"}
    assert value_of(now.zones.rules) == "aggressive"
    assert now.zones.writes.effective == ["set_cache_rules"]
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []


def test_an_undo_puts_the_former_set_back(
    engine: sa.Engine,
) -> None:
    now = ruled(engine)
    now.go_on()
    now.people.undo(OLGA, "cdn.up.1", "it was too much")
    now.go_on()
    assert statuses(now) == {"cdn.up.1": "succeeded", "cdn.person.1": "succeeded"}
    assert value_of(now.zones.rules) == "standard"


def test_an_undo_leaves_what_a_person_has_edited_since(engine: sa.Engine) -> None:
    now = ruled(engine)
    now.go_on()
    now.zones.rules[0]["expression"] = "(true)"
    now.people.undo(OLGA, "cdn.up.1", "it was too much")
    now.go_on()
    assert statuses(now)["cdn.person.1"] == "held"
    assert now.zones.rules[0]["expression"] == "(true)"


def test_a_set_that_a_person_asks_for_is_held_for_a_while_and_must_be_one_of_the_target(
    engine: sa.Engine,
) -> None:
    now = Installation(engine, RULED)
    with pytest.raises(BadRequest, match="'maximum' is not known at cdn: there is standard"):
        now.people.run(OLGA, "set_cache_rules", "cdn", to={"cache_rules": "maximum"}, why="x")
    now.people.run(OLGA, "set_cache_rules", "cdn", to={"cache_rules": "aggressive"}, why="a rush")
    now.go_on()
    assert value_of(now.zones.rules) == "aggressive"
    assert [each.kind for each in now.controls.in_force()] == ["hold"]


# ---- The cache level ----

LEVELLED = RuleBook(
    (replace(BOOK.rules[0], action="set_cache_level", options={"level": "basic"}),),
    {"cdn": ZoneTarget("cdn", ZONE, PROBE, cache_levels=("basic", "aggressive"))},
    BOOK.hash,
)
LEVELLING = ("prepare", "announce", "set_level", "verify_level", "conclude", "report")


def levelled(engine: sa.Engine) -> Installation:
    """One on which an alert has asked for another cache level than there is."""
    now = Installation(engine, LEVELLED)
    now.deliver(delivery(alert(STALE), at=NOW))
    return now


@both_ways
@pytest.mark.spread("done:set_level", "recorded:set_level", "done:conclude")
@pytest.mark.parametrize("boundary", boundaries(*LEVELLING))
def test_a_cache_level_that_dies_anywhere_is_set_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = levelled(engine)
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"cdn.up.1": "succeeded"}
    assert now.zones.level == "basic"
    assert now.zones.writes.effective == ["set_cache_level basic"]
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []


def test_an_undo_puts_the_former_level_back(
    engine: sa.Engine,
) -> None:
    now = levelled(engine)
    now.go_on()
    now.people.undo(OLGA, "cdn.up.1", "it was too much")
    now.go_on()
    assert (statuses(now)["cdn.person.1"], now.zones.level) == ("succeeded", "aggressive")


def test_an_undo_leaves_a_level_that_a_person_has_set_since(engine: sa.Engine) -> None:
    now = levelled(engine)
    now.go_on()
    now.zones.level = "simplified"
    now.people.undo(OLGA, "cdn.up.1", "it was too much")
    now.go_on()
    assert (statuses(now)["cdn.person.1"], now.zones.level) == ("held", "simplified")


def test_a_person_may_ask_only_for_a_level_that_the_target_allows(engine: sa.Engine) -> None:
    now = Installation(engine, LEVELLED)
    with pytest.raises(BadRequest, match="'simplified' is not known at cdn: there is basic, aggr"):
        now.people.run(OLGA, "set_cache_level", "cdn", to={"cache_level": "simplified"}, why="x")
