"""Who is let in as whom, by the tokens of the environment and by those that are stored."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from service.bootstrap.access import tokens_of_people
from service.domain.named_tokens import mistaken_tokens, read_tokens, token_doubts
from service.domain.people import Person, Role
from service.settings import load_settings
from service.store.tokens import digest_of, new_secret
from service.web.auth import Unauthorized
from service.web.people import Doorkeeper, _without

BOB = Person("bob", frozenset({Role.OPERATOR}))
SECRET = new_secret()
OPEN = {"OPEN_WEBHOOKS": "1"}
SENDER = {"ALERTMANAGER_TOKENS": "test-sender-not-real"}


class Stored:
    """Bob's stored token until it is revoked; `asked` counts the queries."""

    def __init__(self) -> None:
        self.good, self.asked = True, 0
        self.wall, self.steady = 1_000.0, 50.0

    def table(self, now: float) -> Mapping[str, Person]:
        assert now == self.wall
        self.asked += 1
        return {digest_of(SECRET.encode()): BOB} if self.good else {}

    def keeper(self, tokens: str = "test-reader", **environment: str) -> Doorkeeper:
        given = {"API_TOKENS": tokens, **environment} if tokens else environment
        settings = load_settings(given)
        return Doorkeeper(
            tokens_of_people(settings),
            _without(settings),
            self.table,
            lambda: self.wall,
            lambda: self.steady,
        )


def refused(found: Person | Unauthorized) -> bool:
    return isinstance(found, Unauthorized)


# ---- Without a token ----


@pytest.mark.parametrize(
    ("environment", "role"),
    [
        (OPEN, Role.ADMIN),
        (SENDER, Role.VIEWER),
        ({**OPEN, **SENDER}, Role.VIEWER),
        ({**OPEN, "GRAFANA_BASIC": "grafana:test-not-real"}, Role.VIEWER),
    ],
    ids=["open mode", "a sender has a secret", "open and a secret", "open and a password"],
)
def test_only_open_mode_makes_everybody_admin(environment: dict[str, str], role: Role) -> None:
    found = Stored().keeper("", **environment).person(None, "127.0.0.1")
    assert isinstance(found, Person)
    assert (found.roles, found.address) == (frozenset({role}), "127.0.0.1")


def test_with_api_tokens_nobody_is_let_in_without_one() -> None:
    assert refused(Stored().keeper("test-reader", **OPEN).person(None, "127.0.0.1"))


def test_without_api_tokens_a_stored_token_says_who_asks_and_a_wrong_one_is_refused() -> None:
    keeper = Stored().keeper("", **SENDER)
    assert keeper.person(f"Bearer {SECRET}", "") == BOB
    assert refused(keeper.person("Bearer wrong", ""))


def test_in_open_mode_a_stored_token_says_who_asks_and_a_wrong_one_does_no_harm() -> None:
    keeper = Stored().keeper("", **OPEN)
    assert keeper.person(f"Bearer {SECRET}", "") == BOB
    found = keeper.person("Bearer wrong", "")
    assert isinstance(found, Person)
    assert found.may(Role.ADMIN)


# ---- Tokens of the environment ----


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
        ("9f:3e7a:c1", "9f:3e7a:c1", Person("token-1", frozenset({Role.VIEWER}))),
        ("old secret:x", "old secret:x", Person("token-1", frozenset({Role.VIEWER}))),
        ("a::b", "a::b", Person("token-1", frozenset({Role.VIEWER}))),
    ],
)
def test_an_entry_says_whose_secret_it_is_and_any_other_form_is_a_readers(
    entry: str, secret: str, person: Person
) -> None:
    keeper = Stored().keeper(entry)
    assert keeper.person(f"Bearer {secret}", "") == person
    assert mistaken_tokens([entry]) == ()


@pytest.mark.parametrize("entry", ["9f:3e7a:c1", "a:b"])
def test_of_an_old_entry_with_colons_no_part_lets_anybody_in(entry: str) -> None:
    keeper = Stored().keeper(entry)
    for part in entry.split(":"):
        assert refused(keeper.person(f"Bearer {part}", ""))


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("anna:boss:test-secret", "names no role that is known. Roles are viewer, operator,"),
        ("anna:Operator:test-secret", "names no role that is known"),
        ("anna:boss+finance:test-secret", "names no role that is known"),
        ("anna:boss:", "names no role that is known"),
        ("anna:operator:", "has no secret: write it as name:role:secret."),
        ("anna:operator", "has no secret"),
        ("anna:operator+finance:", "has no secret"),
        ("anna::", "has no secret"),
        ("anna:", "has no secret"),
    ],
)
def test_a_mistaken_entry_is_refused_and_lets_nobody_in(entry: str, sentence: str) -> None:
    (said,) = mistaken_tokens(["plain", entry])
    assert said.startswith(f"Entry 2 of API_TOKENS {sentence}")
    assert not any(part and part in said for part in ("test-secret", "boss", "anna"))
    keeper = Stored().keeper(entry)
    for guess in (entry, *entry.split(":")):
        assert refused(keeper.person(f"Bearer {guess}", ""))


def test_what_is_hardly_meant_is_doubted() -> None:
    entries = ["plain", "anna:x9", "bob:operator+aprover:test-b", "a:viewer:x", "b:admin:x"]
    colon, near, twice = token_doubts(read_tokens(entries))
    assert colon.startswith("Entry 2 of API_TOKENS has a colon")
    assert near.startswith("Entry 3 of API_TOKENS: aprover of bob is taken as a group")
    assert twice == "a and b have the same secret in API_TOKENS; a counts."


def test_a_tokens_secret_is_not_shown_with_it() -> None:
    assert "test-secret" not in repr(read_tokens(["anna:admin:test-secret"]))


@pytest.mark.parametrize("header", [None, "", "Bearer ", "Bearer wrong", "Basic dGVzdC1hOg=="])
def test_whoever_shows_no_known_token_is_not_let_in(header: str | None) -> None:
    found = Stored().keeper("anna:operator:test-a").person(header, "")
    assert isinstance(found, Unauthorized)
    assert found.challenge == 'Bearer realm="runbookd"'


# ---- Stored tokens ----


def test_a_stored_token_is_known_and_the_table_is_read_once_a_second() -> None:
    stored = Stored()
    keeper = stored.keeper()
    for _ in range(5):
        assert keeper.person(f"Bearer {SECRET}", "") == BOB
    assert stored.asked == 1
    stored.steady += 1.0
    assert keeper.person(f"Bearer {SECRET}", "") == BOB
    assert stored.asked == 2


@pytest.mark.parametrize("set_by_s", [0.0, -3_600.0, 3_600.0])
def test_a_revoked_token_is_refused_within_a_second_also_when_the_clock_is_set(
    set_by_s: float,
) -> None:
    stored = Stored()
    keeper = stored.keeper()
    assert keeper.person(f"Bearer {SECRET}", "") == BOB
    stored.good = False
    stored.wall += set_by_s
    stored.steady += 1.0
    assert refused(keeper.person(f"Bearer {SECRET}", ""))


def test_guesses_of_any_other_form_cost_no_query() -> None:
    stored = Stored()
    keeper = stored.keeper()
    for number in range(500):
        assert refused(keeper.person(f"Bearer guess-{number}", ""))
        assert refused(keeper.person(f"Bearer {SECRET}x{number}", ""))
    assert stored.asked == 0


def test_guesses_of_the_right_form_cost_ten_queries_a_second_and_no_memory() -> None:
    stored = Stored()
    keeper = stored.keeper()
    for _ in range(1_000):
        assert refused(keeper.person(f"Bearer {new_secret()}", ""))
        stored.steady += 0.001
    assert stored.asked == 10


def test_while_others_guess_a_known_token_lets_in_and_a_new_one_does_soon() -> None:
    stored = Stored()
    stored.good = False
    keeper = stored.keeper()
    keeper.person(f"Bearer {new_secret()}", "")
    stored.good = True
    stored.steady += 0.1
    assert keeper.person(f"Bearer {SECRET}", "") == BOB
