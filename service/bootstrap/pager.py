"""Builds the pager. A module of its own, so that the web process loads no other vendor's SDK."""

from __future__ import annotations

from pydantic import SecretStr

from service.ports import Pager
from service.providers import pagerduty
from service.providers.pagerduty import PagerDutyPager
from service.settings import Settings

SANDBOX_TOKEN = "sandbox"  # noqa: S105 - the sandbox takes any
"""The token for the sandbox, which accepts any."""

SANDBOX_KEY = "sandbox-routing-key-32-character"
"""The routing key for the sandbox. PagerDuty's keys have 32 characters."""


def build_pager(settings: Settings) -> Pager:
    """PagerDuty, or the sandbox in its place."""
    base = settings.sandbox_url.rstrip("/")
    return PagerDutyPager(
        routing_key=SANDBOX_KEY if base else settings.pagerduty_routing_key.get_secret_value(),
        base_url=f"{base}/pagerduty" if base else pagerduty.ENDPOINT,
    )


def secret_of(settings: Settings, secret: SecretStr) -> str:
    """The secret to send to a vendor, or the sandbox's token if SANDBOX_URL is set."""
    return SANDBOX_TOKEN if settings.sandbox_url else secret.get_secret_value()
