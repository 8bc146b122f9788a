"""What the settings and the scopes of the rules say of senders, and hardly mean."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from service.bootstrap.senders import sender_doubts, senders_of
from service.domain.rules.scopes import EVERYTHING, NOTHING, UNSTATED, Scope, Scopes
from service.settings import load_settings

TWO = {"ALERTMANAGER_TOKENS": "prod:test-secret-one", "GRAFANA_TOKENS": "dev:test-secret-two"}
SLOW = Scope(frozenset({"slow"}))


def doubts(given: Mapping[str, str], scopes: Scopes) -> list[str]:
    return list(sender_doubts(load_settings(dict(given)), scopes))


def test_each_source_has_its_credentials_by_name() -> None:
    given = {**TWO, "ALERTMANAGER_BASIC": "am:test-password"}
    alertmanager, grafana = senders_of(load_settings(given))
    assert [each.name for each in alertmanager.credentials] == ["prod", "am"]
    assert [each.name for each in grafana.credentials] == ["dev"]


def test_beyond_loopback_a_short_part_after_the_colon_is_no_secret() -> None:
    given = {"ALERTMANAGER_TOKENS": "a-secret-of-before:xyz"}
    (here, _) = senders_of(load_settings(given))
    (beyond, _) = senders_of(load_settings({**given, "HOST": "192.0.2.7"}))
    assert here.tokens[0].secrets == ("a-secret-of-before:xyz", "xyz")
    assert beyond.tokens[0].secrets == ("a-secret-of-before:xyz",)


@pytest.mark.parametrize("given", [{"ALERTMANAGER_TOKENS": "test-secret-one"}, {}])
def test_without_scopes_one_credential_is_nothing_to_warn_of(given: dict[str, str]) -> None:
    assert doubts(given, UNSTATED) == []


def test_without_scopes_several_credentials_are_told_to_have_all_rights() -> None:
    (said,) = doubts(TWO, UNSTATED)
    assert said.startswith("Each of the credentials prod, dev may earn every rule")


def test_a_scope_that_names_no_credential_is_told() -> None:
    scopes = Scopes.stating({"prod": EVERYTHING, "dev": SLOW, "grafana-dev": SLOW})
    assert doubts(TWO, scopes) == [
        "The rules have a scope for grafana-dev, but the credentials are: prod, dev."
    ]


def test_a_credential_that_no_scope_names_is_told_to_earn_nothing() -> None:
    (said,) = doubts(TWO, Scopes.stating({"prod": EVERYTHING}))
    assert said == (
        "The credential dev may earn no rule, because no scope names it and there is no scope "
        "default: nothing follows from its alerts."
    )


def test_a_default_scope_is_for_whoever_is_not_named() -> None:
    assert doubts(TWO, Scopes.stating({"prod": EVERYTHING, "default": SLOW})) == []


def test_a_scope_without_rules_is_told_to_earn_nothing() -> None:
    (said,) = doubts(TWO, Scopes.stating({"prod": EVERYTHING, "dev": NOTHING}))
    assert "dev may earn no rule, by its scope" in said


def test_two_names_for_one_secret_are_told() -> None:
    given = {"ALERTMANAGER_TOKENS": "prod:same-secret,dev:same-secret"}
    assert doubts(given, Scopes.stating({"default": EVERYTHING})) == [
        "prod and dev have the same secret for alertmanager; prod counts."
    ]


def test_in_open_mode_scopes_are_told_to_hold_nothing() -> None:
    (said,) = doubts({"OPEN_WEBHOOKS": "1"}, Scopes.stating({"prod": SLOW}))
    assert "the scopes of the rules hold nothing" in said
