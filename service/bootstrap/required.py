"""Names the secrets that a worker needs and does not have, and what cannot work without them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from service.bootstrap.vendors import PORTS
from service.domain.rules.rules import Target
from service.settings import Settings, SettingsInvalid

_INSIST = (
    "The worker was not started. Set what is missing, set SANDBOX_URL to try things out, or insist "
    "with `runbookd worker --allow-missing`."
)


def missing_secrets(settings: Settings, targets: Collection[Target] | None) -> tuple[str, ...]:
    """A sentence for each secret that is not set, with what cannot work without it.

    `targets` are those of the rules, or None if the rules cannot be read here. A worker may run
    without them. The sandbox needs no secret.
    """
    return () if settings.sandbox_url else tuple(_missing(settings, targets))


def require_secrets(missing: Collection[str]) -> None:
    """Raise if a secret is missing.

    Raises:
        SettingsInvalid: each sentence, and how to start without the secrets.
    """
    if missing:
        raise SettingsInvalid((*missing, _INSIST))


def _missing(settings: Settings, targets: Collection[Target] | None) -> Iterator[str]:
    if not settings.pagerduty_routing_key.get_secret_value():
        yield "PAGERDUTY_ROUTING_KEY is not set: nobody can be paged."
    if not settings.slack_token.get_secret_value():
        yield "SLACK_BOT_TOKEN is not set: nothing can be told in Slack, and investigate fails."
    secrets = dict.fromkeys(
        port.secret for port in PORTS.values() if port.secret and not port.optional
    )
    unset = [name for name in secrets if not settings.secret(name).get_secret_value()]
    if targets is None:
        if len(unset) == len(secrets):
            yield f"Neither {' nor '.join(unset)} is set: nothing is scaled."
        return
    for name in unset:
        if reached := [each.name for each in targets if PORTS[each.kind].secret == name]:
            yield f"{name} is not set: {_all_of(reached)} cannot be scaled."


def _all_of(names: list[str]) -> str:
    return " and ".join(names)
