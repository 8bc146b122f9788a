"""Without which secrets a worker refuses to start."""

from __future__ import annotations

import pytest

from service.bootstrap.required import missing_secrets
from service.catalogue.app_platform.target import AppTarget
from service.catalogue.supabase.target import SupabaseTarget
from service.domain.rules.rules import Target
from service.settings import load_settings
from tests.fakes.runs import EDGE

APP = AppTarget("api", "app-1", "api", 2, 10)
DATABASE = SupabaseTarget("database", "ref", ("ci_micro", "ci_small"))
TOLD = {"PAGERDUTY_ROUTING_KEY": "x", "SLACK_BOT_TOKEN": "x"}
DO, SUPABASE = {"DIGITALOCEAN_TOKEN": "x"}, {"SUPABASE_ACCESS_TOKEN": "x"}


@pytest.mark.parametrize(
    ("given", "targets", "missing"),
    [
        ({}, [], ["PAGERDUTY_ROUTING_KEY", "SLACK_BOT_TOKEN"]),
        (TOLD, [], []),
        (TOLD, [APP], ["DIGITALOCEAN_TOKEN"]),
        (TOLD | DO, [APP, DATABASE], ["SUPABASE_ACCESS_TOKEN"]),
        (TOLD | DO | SUPABASE, [APP, DATABASE], []),
        # A worker may be without rules; one that can reach no vendor at all can't do anything.
        (TOLD, None, ["Neither"]),
        (TOLD | SUPABASE, None, []),
        ({"SANDBOX_URL": "http://127.0.0.1:9"}, [APP, DATABASE], []),
    ],
)
def test_each_missing_secret_is_named_with_what_cannot_work(
    given: dict[str, str], targets: list[Target] | None, missing: list[str]
) -> None:
    sentences = missing_secrets(load_settings(given), targets)
    assert [each.split()[0] for each in sentences] == missing
    assert all(each.endswith(".") for each in sentences)


def test_a_balancer_needs_no_secret() -> None:
    assert missing_secrets(load_settings(TOLD | DO), [EDGE, APP]) == ()
