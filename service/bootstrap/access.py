"""Who gets in: judged from the settings and from what is bound, before anything is served."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from service.domain.named_tokens import read_tokens
from service.settings import Settings, SettingsInvalid

SHORTEST_SECRET = 16
"""Characters of a secret that others than this machine may try. Sixteen random letters and digits
are 95 bits; `openssl rand -hex 16` makes 32."""

_BEYOND = "beyond loopback"


@dataclass(frozen=True, slots=True)
class Access:
    """What stands against serving: `refusals` end the start, `warnings` are told at every start."""

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def judge_access(
    settings: Settings, hosts: Sequence[str] | None = None, *, keeps_short_secrets: bool = False
) -> Access:
    """Judge who could get in at `hosts`, the hosts that are listened on (default: HOST).

    A short secret is a refusal, or a warning where the installation `keeps_short_secrets`: it had
    kept alerts before short secrets were refused.
    """
    outside = [host for host in hosts or (settings.host,) if not is_loopback(host)]
    refusals = [*_nobody_could_post(settings)]
    if not outside:
        return Access(tuple(refusals))
    refusals += _everybody_could(settings, outside[0])
    short = tuple(_short_secrets(settings, keeps_short_secrets))
    if keeps_short_secrets:
        return Access(tuple(refusals), short)
    return Access((*refusals, *short))


def require_access(access: Access) -> None:
    """Raise if somebody could get in who must not, or nobody could.

    Raises:
        SettingsInvalid: with what to set.
    """
    if access.refusals:
        raise SettingsInvalid(access.refusals)


def has_webhook_secret(settings: Settings) -> bool:
    """Whether any sender has a secret to show."""
    return bool(
        settings.alertmanager_tokens
        or settings.alertmanager_basic
        or settings.grafana_tokens
        or settings.grafana_basic
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`.

    That is 127.0.0.0/8, ::1, localhost, and a path: a Unix socket.
    """
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _nobody_could_post(settings: Settings) -> Iterator[str]:
    if not settings.open_webhooks and not has_webhook_secret(settings):
        yield (
            "No sender could post: set at least one of ALERTMANAGER_TOKENS, ALERTMANAGER_BASIC, "
            "GRAFANA_TOKENS, GRAFANA_BASIC (or OPEN_WEBHOOKS=1, on loopback only)."
        )


def _everybody_could(settings: Settings, host: str) -> Iterator[str]:
    if settings.open_webhooks:
        yield (
            f"OPEN_WEBHOOKS is set and web would listen on {host}, {_BEYOND}: anybody who reaches "
            "this machine could have things scaled. Listen on 127.0.0.1 (HOST), or give the "
            "senders secrets (ALERTMANAGER_TOKENS, GRAFANA_TOKENS) and leave OPEN_WEBHOOKS out."
        )
    if not settings.api_tokens:
        yield (
            f"API_TOKENS is not set and web would listen on {host}, {_BEYOND}: anybody who "
            "reaches this machine could read all alerts, runs and metrics. Set API_TOKENS, or "
            "listen on 127.0.0.1 (HOST)."
        )


def _short_secrets(settings: Settings, kept: bool) -> Iterator[str]:
    for name, secrets in (
        ("ALERTMANAGER_TOKENS", settings.alertmanager_tokens),
        ("ALERTMANAGER_BASIC", map(_password, settings.alertmanager_basic)),
        ("GRAFANA_TOKENS", settings.grafana_tokens),
        ("GRAFANA_BASIC", map(_password, settings.grafana_basic)),
        ("API_TOKENS", map(_api_secret, settings.api_tokens)),
    ):
        if any(len(secret.get_secret_value()) < SHORTEST_SECRET for secret in secrets):
            end = " It is still taken, and will be refused by the next minor version." * kept
            yield (
                f"{name} holds a secret of fewer than {SHORTEST_SECRET} characters, which can be "
                f"guessed {_BEYOND}. Replace it, for example by what `openssl rand -hex 16` "
                f"says.{end}"
            )


def _api_secret(entry: SecretStr) -> SecretStr:
    """What is secret of `name:role:secret`."""
    (token,) = read_tokens([entry.get_secret_value()])
    return SecretStr(token.secret.decode())


def _password(pair: SecretStr) -> SecretStr:
    """What is secret of `user:password`."""
    return SecretStr(pair.get_secret_value().partition(":")[2])
