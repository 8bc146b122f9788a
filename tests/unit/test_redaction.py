"""What is hidden where text is shown."""

from __future__ import annotations

import json

import pytest

from service.domain.redaction import redactor, shown_address, shown_addresses
from service.settings import redactor_of, where_given


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://db.internal:5432/app", "postgresql://db.internal:5432/app"),
        ("postgresql://user:pw@db:5432/app", "postgresql://db:5432/app"),
        ("postgresql://db/app?user=u&password=pw", "postgresql://db/app"),
        ("redis://:pw@cache/0", "redis://cache/0"),
        ("redis://:p@w/x:y@cache/0", "redis://cache/0"),
        ("redis://cache/0?password=p@w", "redis://***"),
        ("redis://user:p?w@cache/0", "redis://***"),
        ("https://token@prometheus.example/path?key=pw#part", "https://prometheus.example/path"),
        ("sqlite:////var/lib/runbookd.db", "sqlite:////var/lib/runbookd.db"),
    ],
)
def test_of_an_address_only_its_place_is_shown(address: str, shown: str) -> None:
    assert shown_addresses(f"cannot reach {address} now") == f"cannot reach {shown} now"


@pytest.mark.parametrize(
    "value",
    [
        "host=db password=hunter-not-real dbname=x",
        ":hunter-not-real@host:6379",
        "user:hunter-not-real@prometheus:9090",
        "postgresql:user:hunter-not-real@host/db",
    ],
)
def test_of_what_should_be_an_address_and_is_none_nothing_is_shown(value: str) -> None:
    hide = redactor(set(), {value})
    assert "hunter" not in shown_address(value)
    assert "hunter" not in hide(f"cannot use {value}: hunter-not-real was refused")
    (given,) = (one for one in where_given({"DATABASE_URL": value}) if one.name == "DATABASE_URL")
    assert given.shown.startswith("*** (no address")


def test_known_secrets_are_hidden_wherever_they_stand_and_links_of_alerts_stay() -> None:
    hide = redactor({"first-not-real", "first-not-real-2"}, {"redis://:pw-not-real@cache/0"})
    link = "http://prometheus.example/graph?g0.expr=up@node"
    said = f"first-not-real-2 first-not-real pw-not-real redis://:pw-not-real@cache/0 {link}"
    assert hide(said) == f"*** *** *** redis://cache/0 {link}"


def test_a_secret_is_hidden_in_json_too() -> None:
    hide = redactor({'a"b\\c-ü-not-real'}, set())
    assert "not-real" not in hide(json.dumps({"said": 'a"b\\c-ü-not-real'}))


def test_every_secret_of_the_settings_is_known_even_of_settings_that_cannot_be_used() -> None:
    hide = redactor_of(
        {
            "PORT": "http",
            "API_TOKENS": "one-not-real, two-not-real",
            "GRAFANA_BASIC": "grafana:three-not-real",
            "SLACK_BOT_TOKEN": "four-not-real",
            "DATABASE_URL": "postgresql://db/app?password=five%2Dnot-real",
        }
    )
    said = "one-not-real two-not-real three-not-real four-not-real five%2Dnot-real five-not-real"
    assert "real" not in hide(said)
