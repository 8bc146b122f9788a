"""Who may post alerts at all, from the settings: asked before anything is served."""

from __future__ import annotations

import ipaddress

from service.settings import Settings, SettingsInvalid


def check_doors(settings: Settings) -> None:
    """Refuse doors that would be open to everybody, or shut to everybody.

    Raises:
        SettingsInvalid: with what to set.
    """
    if settings.open_webhooks and not is_loopback(settings.host):
        sentence = (
            f"OPEN_WEBHOOKS is set and HOST={settings.host} is not loopback: anybody who reaches "
            "this machine could have things scaled. Set HOST=127.0.0.1, or give the senders "
            "secrets (ALERTMANAGER_TOKENS, GRAFANA_TOKENS) and leave OPEN_WEBHOOKS out."
        )
        raise SettingsInvalid((sentence,))
    if not settings.open_webhooks and not has_webhook_secret(settings):
        sentence = (
            "No sender could post: set at least one of ALERTMANAGER_TOKENS, ALERTMANAGER_BASIC, "
            "GRAFANA_TOKENS, GRAFANA_BASIC (or OPEN_WEBHOOKS=1, on loopback only)."
        )
        raise SettingsInvalid((sentence,))


def has_webhook_secret(settings: Settings) -> bool:
    """Whether any sender has a secret to show."""
    return bool(
        settings.alertmanager_tokens
        or settings.alertmanager_basic
        or settings.grafana_tokens
        or settings.grafana_basic
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host` (127.0.0.0/8, ::1, localhost)."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
