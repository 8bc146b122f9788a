"""Who may post alerts, by name: the credentials that the settings give to each source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import SecretStr

from service.bootstrap.loopback import is_loopback
from service.domain.credentials import (
    SHORTEST_SECRET,
    Credential,
    one_secret_of_two,
    read_pairs,
    read_tokens,
)
from service.domain.rules.scopes import DEFAULT_SCOPE, Scopes
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Sender:
    """The credentials of one source, and the settings that hold them."""

    source: str
    tokens_from: str
    basic_from: str
    tokens: tuple[Credential, ...]
    basic: tuple[Credential, ...]

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """Bearer and basic credentials together."""
        return (*self.tokens, *self.basic)


def senders_of(settings: Settings) -> tuple[Sender, ...]:
    """One sender for each source. It has no credentials if its settings are empty."""
    return (
        _sender(
            settings, "alertmanager", settings.alertmanager_tokens, settings.alertmanager_basic
        ),
        _sender(settings, "grafana", settings.grafana_tokens, settings.grafana_basic),
    )


def sender_doubts(settings: Settings, scopes: Scopes) -> Iterator[str]:
    """Warnings about credentials, and about their scopes in the rules: allowed, but likely a
    mistake."""
    if settings.open_webhooks:
        if scopes.stated:
            yield "OPEN_WEBHOOKS asks for no credential, so the scopes of the rules hold nothing."
        return
    senders = senders_of(settings)
    for sender in senders:
        for one, other in one_secret_of_two(sender.credentials):
            yield f"{one} and {other} have the same secret for {sender.source}; {one} counts."
    names = list(dict.fromkeys(each.name for sender in senders for each in sender.credentials))
    yield from _scope_doubts(names, scopes)


def _scope_doubts(names: list[str], scopes: Scopes) -> Iterator[str]:
    if scopes.by_name is None:
        if len(names) > 1:
            yield (
                f"Each of the credentials {', '.join(names)} may earn every rule and resolve every "
                "alert. Write `scopes` in the rules file to say which of them may do what."
            )
        return
    for name in scopes.by_name:
        if name not in names and name != DEFAULT_SCOPE:
            there_are = ", ".join(names) or "none"
            yield f"The rules have a scope for {name}, but the credentials are: {there_are}."
    for name in names:
        if scopes.of(name).earns_nothing:
            how = (
                "by its scope"
                if name in scopes.by_name or DEFAULT_SCOPE in scopes.by_name
                else f"because no scope names it and there is no scope {DEFAULT_SCOPE}"
            )
            yield f"The credential {name} may earn no rule, {how}: nothing follows from its alerts."


def _sender(
    settings: Settings, source: str, tokens: Iterable[SecretStr], basic: Iterable[SecretStr]
) -> Sender:
    pairs = read_pairs(_plain(basic))
    return Sender(
        source=source,
        tokens_from=f"{source.upper()}_TOKENS",
        basic_from=f"{source.upper()}_BASIC",
        tokens=read_tokens(
            _plain(tokens),
            source,
            shortest=1 if is_loopback(settings.host) else SHORTEST_SECRET,
            taken=[each.name for each in pairs],
        ),
        basic=pairs,
    )


def _plain(secrets: Iterable[SecretStr]) -> list[str]:
    return [secret.get_secret_value() for secret in secrets]
