from __future__ import annotations

import base64

import pytest

from service.settings import load_settings
from service.web.auth import Credentials, webhook_credentials

TOKENS = Credentials(tokens=(b"test-token-one", "prüfung-two".encode()), variables="X_TOKENS")
BASIC = Credentials(basic=(b"am:test-password", "grünfink:pässword".encode()), variables="X_BASIC")
BOTH = Credentials(tokens=(b"test-token-one",), basic=(b"am:test-password",))


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


def wsgi(header: str) -> str:
    """As a server hands a header's bytes over: as if they were Latin-1."""
    return header.encode().decode("latin-1")


@pytest.mark.parametrize(
    ("door", "header"),
    [
        (TOKENS, "Bearer test-token-one"),
        (TOKENS, "bearer   test-token-one "),
        (TOKENS, wsgi("Bearer prüfung-two")),
        (BASIC, basic("am:test-password")),
        (BASIC, basic("grünfink:pässword")),
        (BOTH, "Bearer test-token-one"),
        (BOTH, basic("am:test-password")),
    ],
)
def test_each_of_several_secrets_lets_in(door: Credentials, header: str) -> None:
    assert door.refuse(header) is None


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer test-token-on",
        "Bearer test-token-one2",
        "test-token-one",
        "Token test-token-one",
        basic("am:test-passwor"),
        basic("test-token-one"),
        "Basic not base64!",
        "Basic ====",
        "Bearer \xff\xfe",
        wsgi("Bearer тест"),
        "Bearer \u20ac",
    ],
)
def test_anything_else_is_refused_with_a_sentence_and_a_challenge(header: str | None) -> None:
    refused = BOTH.refuse(header)
    assert refused is not None
    assert refused.sentence.endswith(".")
    assert refused.challenge == 'Bearer realm="runbookd", Basic realm="runbookd"'


def test_a_refusal_never_repeats_what_was_sent() -> None:
    refused = TOKENS.refuse("Bearer test-token-wrong")
    assert refused is not None
    assert "test-token-wrong" not in refused.sentence


def test_a_door_without_secrets_lets_nobody_in_and_says_what_to_set() -> None:
    refused = webhook_credentials(load_settings({}), "grafana").refuse("Bearer anything")
    assert refused is not None
    assert "GRAFANA_TOKENS or GRAFANA_BASIC" in refused.sentence


def test_an_open_door_asks_for_nothing() -> None:
    door = webhook_credentials(load_settings({"OPEN_WEBHOOKS": "true"}), "alertmanager")
    assert door.refuse(None) is None


def test_each_source_has_its_own_secrets() -> None:
    settings = load_settings({"ALERTMANAGER_TOKENS": "test-am", "GRAFANA_TOKENS": "test-grafana"})
    assert webhook_credentials(settings, "alertmanager").refuse("Bearer test-am") is None
    assert webhook_credentials(settings, "grafana").refuse("Bearer test-am") is not None


NAMED = {
    "ALERTMANAGER_TOKENS": "prod:test-secret-one,test-secret-two,a b:test-three",
    "ALERTMANAGER_BASIC": "am:test-password",
}


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Bearer test-secret-one", "prod"),
        ("Bearer prod:test-secret-one", "prod"),
        ("Bearer test-secret-two", "alertmanager-2"),
        ("Bearer a b:test-three", "alertmanager-3"),
        (basic("am:test-password"), "am"),
    ],
)
def test_a_secret_lets_in_under_the_name_of_its_credential(header: str, name: str) -> None:
    door = webhook_credentials(load_settings(NAMED), "alertmanager")
    assert door.refuse(header) is None
    assert door.name_of(header) == name


@pytest.mark.parametrize(
    "header",
    ["Bearer prod", "Bearer prod:", "Bearer test-three", "Bearer am:test-password"],
)
def test_neither_a_name_alone_nor_the_secret_of_another_scheme_lets_in(header: str) -> None:
    door = webhook_credentials(load_settings(NAMED), "alertmanager")
    assert door.refuse(header) is not None


def test_a_pair_of_basic_authentication_is_no_token_without_its_user() -> None:
    door = webhook_credentials(load_settings(NAMED), "alertmanager")
    assert door.refuse(basic("test-password")) is not None


def test_an_open_door_names_nobody() -> None:
    settings = load_settings({**NAMED, "OPEN_WEBHOOKS": "1"})
    assert webhook_credentials(settings, "alertmanager").name_of("Bearer test-secret-one") == ""
