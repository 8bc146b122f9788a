"""Who gets in, judged from the settings and from what is bound."""

from __future__ import annotations

import pytest

from service.bootstrap.access import judge_access
from service.settings import load_settings

TOKEN = "test-token-not-real"
CLOSED = {"ALERTMANAGER_TOKENS": TOKEN, "API_TOKENS": TOKEN}
OUTSIDE = ["0.0.0.0", "::", "192.0.2.7", "", "example.com"]  # noqa: S104 - what is asked about


@pytest.mark.parametrize("host", OUTSIDE)
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"OPEN_WEBHOOKS": "1", "API_TOKENS": TOKEN}, "OPEN_WEBHOOKS is set"),
        ({"ALERTMANAGER_TOKENS": TOKEN}, "API_TOKENS is not set"),
        ({"API_TOKENS": TOKEN}, "No sender could post"),
        ({**CLOSED, "GRAFANA_TOKENS": "x"}, "GRAFANA_TOKENS holds a secret of fewer than 16"),
        ({**CLOSED, "API_TOKENS": f"{TOKEN},fifteen-letters"}, "API_TOKENS holds a secret"),
        ({**CLOSED, "GRAFANA_BASIC": "a-long-user-name:short"}, "GRAFANA_BASIC holds a secret"),
    ],
)
def test_beyond_loopback_nothing_is_open_and_no_secret_is_short(
    host: str, given: dict[str, str], sentence: str
) -> None:
    (refusal,) = judge_access(load_settings(given), [host]).refusals
    assert refusal.startswith(sentence)


@pytest.mark.parametrize("host", OUTSIDE)
def test_beyond_loopback_long_secrets_everywhere_are_enough(host: str) -> None:
    given = {**CLOSED, "GRAFANA_BASIC": f"grafana:{TOKEN}"}
    assert judge_access(load_settings(given), [host]).refusals == ()


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.7"])
@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (f"anna:boss:{TOKEN}", "Roles are viewer, operator, approver, admin;"),
        ("anna:operator:", "has no secret"),
    ],
)
def test_a_mistaken_token_of_a_person_ends_the_start_everywhere(
    host: str, entry: str, sentence: str
) -> None:
    settings = load_settings({**CLOSED, "API_TOKENS": f"{TOKEN},{entry}"})
    (refusal,) = judge_access(settings, [host]).refusals
    assert refusal.startswith("Entry 2 of API_TOKENS")
    assert sentence in refusal


def test_one_address_beyond_loopback_is_enough_to_be_refused() -> None:
    settings = load_settings({"OPEN_WEBHOOKS": "1", "API_TOKENS": TOKEN})
    assert judge_access(settings, ["127.0.0.1", "10.0.0.1"]).refusals


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost", "/run/web.sock"])
def test_on_this_machine_alone_open_webhooks_and_short_secrets_are_taken(host: str) -> None:
    for given in ({"OPEN_WEBHOOKS": "1"}, {"ALERTMANAGER_TOKENS": "x"}):
        assert judge_access(load_settings(given), [host]).refusals == ()


def test_a_short_secret_that_was_in_use_is_told_and_still_taken() -> None:
    settings = load_settings({**CLOSED, "ALERTMANAGER_TOKENS": "short"})
    access = judge_access(settings, ["192.0.2.7"], keeps_short_secrets=True)
    assert access.refusals == ()
    (warning,) = access.warnings
    assert "refused by the next minor version" in warning
    assert "short," not in warning, "the secret itself is not told"


def test_beyond_loopback_what_follows_a_colon_has_to_be_long_to_be_a_secret_of_its_own() -> None:
    settings = load_settings(
        {**CLOSED, "ALERTMANAGER_TOKENS": f"prod:{TOKEN},{TOKEN}:xyz", "HOST": "192.0.2.7"}
    )
    access = judge_access(settings)
    assert access.refusals == ()
    (warning,) = access.warnings
    assert warning.startswith("Entry 2 of ALERTMANAGER_TOKENS is accepted only as it is written.")
    assert TOKEN not in warning


def test_a_part_that_counts_on_this_machine_is_refused_where_others_may_try_it() -> None:
    """HOST says loopback, and gunicorn was told to listen elsewhere."""
    settings = load_settings({**CLOSED, "ALERTMANAGER_TOKENS": f"{TOKEN}:xyz"})
    (refusal,) = judge_access(settings, ["192.0.2.7"]).refusals
    assert refusal.startswith("ALERTMANAGER_TOKENS holds a secret of fewer than 16")
