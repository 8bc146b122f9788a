"""The pager: the one vendor that the web process may call too, so it loads no other SDK."""

from __future__ import annotations

from pydantic import SecretStr

from service.ports import Pager
from service.providers import pagerduty
from service.providers.pagerduty import PagerDutyPager
from service.settings import Settings

SANDBOX_TOKEN = "sandbox"  # noqa: S105 - the sandbox takes any
"""Sent to the sandbox where the real vendor would want a secret."""


SANDBOX_KEY = "sandbox-routing-key-32-character"
"""The same for the pager, whose keys have 32 characters."""


def build_pager(settings: Settings) -> Pager:
    """PagerDuty, or the sandbox standing in for it."""
    base = settings.sandbox_url.rstrip("/")
    return PagerDutyPager(
        routing_key=SANDBOX_KEY if base else settings.pagerduty_routing_key.get_secret_value(),
        base_url=f"{base}/pagerduty" if base else pagerduty.ENDPOINT,
    )


def secret_of(settings: Settings, secret: SecretStr) -> str:
    """What is sent to a vendor: its secret, or anything where the sandbox stands in for it."""
    return SANDBOX_TOKEN if settings.sandbox_url else secret.get_secret_value()
