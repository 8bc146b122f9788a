"""Who is let in as whom, by the tokens of the environment and by those that are stored."""

from __future__ import annotations

import pytest

from service.domain.named_tokens import read_tokens
from service.domain.people import Person, Role
from service.settings import load_settings
from service.web.auth import Unauthorized
from service.web.people import Doorkeeper, doorkeeper

BOB = Person("bob", frozenset({Role.OPERATOR}))


class Stored:
    """Bob's stored token until it is revoked; `asked` counts the queries."""

    def __init__(self) -> None:
        self.good, self.asked, self.now = True, 0, 1_000.0

    def person(self, secret: bytes, now: float) -> Person | None:
        self.asked += 1
        return BOB if self.good and secret == b"test-bob" else None

    def keeper(self, tokens: str) -> Doorkeeper:
        settings = load_settings({"API_TOKENS": tokens} if tokens else {})
        return doorkeeper(settings, self.person, lambda: self.now)


def test_without_tokens_everybody_is_admin() -> None:
    found = Stored().keeper("").person(None, "127.0.0.1")
    assert isinstance(found, Person)
    assert (found.name, found.may(Role.ADMIN), found.address) == ("local", True, "127.0.0.1")


@pytest.mark.parametrize(
    ("entry", "secret", "person"),
    [
        ("test-reader", "test-reader", Person("token-1", frozenset({Role.VIEWER}))),
        ("anna:operator:test-a", "test-a", Person("anna", frozenset({Role.OPERATOR}))),
        (
            "cfo:approver+finance:test:b",
            "test:b",
            Person("cfo", frozenset({Role.APPROVER}), frozenset({"finance"})),
        ),
        (
            "max:operator+approver+devops:test-c",
            "test-c",
            Person("max", frozenset({Role.OPERATOR, Role.APPROVER}), frozenset({"devops"})),
        ),
        ("a:b", "a:b", Person("token-1", frozenset({Role.VIEWER}))),
        ("anna:boss:test-d", "anna:boss:test-d", Person("token-1", frozenset({Role.VIEWER}))),
    ],
)
def test_an_entry_says_whose_secret_it_is_and_any_other_form_is_a_readers(
    entry: str, secret: str, person: Person
) -> None:
    assert Stored().keeper(entry).person(f"Bearer {secret}", "") == person


def test_an_entry_with_a_colon_that_is_no_named_token_is_told() -> None:
    doubts = [each.doubt for each in read_tokens(["plain", "anna:boss:test", "a:viewer:x"])]
    assert doubts[0] == doubts[2] == ""
    assert "Entry 2 of API_TOKENS has a colon" in doubts[1]


@pytest.mark.parametrize("header", [None, "", "Bearer ", "Bearer wrong", "Basic dGVzdC1hOg=="])
def test_whoever_shows_no_known_token_is_not_let_in(header: str | None) -> None:
    found = Stored().keeper("anna:operator:test-a").person(header, "")
    assert isinstance(found, Unauthorized)
    assert found.challenge == 'Bearer realm="runbookd"'


def test_a_stored_token_is_known_and_looked_up_once_a_second() -> None:
    stored = Stored()
    keeper = stored.keeper("test-reader")
    for _ in range(5):
        assert keeper.person("Bearer test-bob", "") == BOB
    assert stored.asked == 1
    stored.now += 1.0
    assert keeper.person("Bearer test-bob", "") == BOB
    assert stored.asked == 2


def test_a_revoked_token_is_refused_within_a_second() -> None:
    stored = Stored()
    keeper = stored.keeper("test-reader")
    assert keeper.person("Bearer test-bob", "") == BOB
    stored.good = False
    stored.now += 1.0
    assert isinstance(keeper.person("Bearer test-bob", ""), Unauthorized)


def test_strangers_do_not_fill_the_memory() -> None:
    stored = Stored()
    keeper = stored.keeper("test-reader")
    for number in range(2_000):
        keeper.person(f"Bearer guess-{number}", "")
    assert len(keeper._known) <= 256
