"""Judges who could post and read, by the settings and the bound hosts, before anything is
served."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from service.bootstrap.loopback import is_loopback
from service.bootstrap.senders import senders_of
from service.domain.credentials import SHORTEST_SECRET, Credential
from service.domain.named_tokens import NamedToken, mistaken_tokens, read_tokens
from service.domain.slack import SHORTEST_SIGNING_SECRET, mistaken_people
from service.settings import Settings, SettingsInvalid

_BEYOND = "beyond loopback"


@dataclass(frozen=True, slots=True)
class Access:
    """What is wrong with the access. `refusals` end the start; `warnings` are logged at each
    start."""

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def judge_access(
    settings: Settings, hosts: Sequence[str] | None = None, *, keeps_short_secrets: bool = False
) -> Access:
    """Judge who could get in at `hosts`, on which the process listens (default: HOST).

    A short secret is a refusal. It is a warning if the installation `keeps_short_secrets`, because
    it stored alerts before short secrets were refused.
    """
    outside = [host for host in hosts or (settings.host,) if not is_loopback(host)]
    refusals = [
        *_nobody_could_post(settings),
        *mistaken_tokens(_entries(settings)),
        *_mistaken_in_slack(settings),
    ]
    if not outside:
        return Access(tuple(refusals))
    refusals += _everybody_could(settings, outside[0])
    short = tuple(_short_secrets(settings, keeps_short_secrets))
    whole = tuple(_taken_as_a_whole(settings))
    if keeps_short_secrets:
        return Access(tuple(refusals), (*short, *whole))
    return Access((*refusals, *short), whole)


def require_access(access: Access) -> None:
    """Raise if there are refusals.

    Raises:
        SettingsInvalid: each refusal, with what to set.
    """
    if access.refusals:
        raise SettingsInvalid(access.refusals)


def has_webhook_secret(settings: Settings) -> bool:
    """Whether any sender has a secret."""
    return bool(
        settings.alertmanager_tokens
        or settings.alertmanager_basic
        or settings.grafana_tokens
        or settings.grafana_basic
    )


def tokens_of_people(settings: Settings) -> tuple[NamedToken, ...]:
    """The tokens that API_TOKENS gives to people."""
    return read_tokens(_entries(settings))


def is_open_mode(settings: Settings) -> bool:
    """Whether no sender has a secret and none is asked for; then nobody on this machine has one.

    Whoever has given one sender a secret has not meant to leave everything else open.
    """
    return settings.open_webhooks and not has_webhook_secret(settings)


def _nobody_could_post(settings: Settings) -> Iterator[str]:
    if not settings.open_webhooks and not has_webhook_secret(settings):
        yield (
            "No sender could post: set at least one of ALERTMANAGER_TOKENS, ALERTMANAGER_BASIC, "
            "GRAFANA_TOKENS, GRAFANA_BASIC (or OPEN_WEBHOOKS=1, on loopback only)."
        )


def _mistaken_in_slack(settings: Settings) -> Iterator[str]:
    yield from mistaken_people(settings.slack_people)
    secret = settings.slack_signing_secret.get_secret_value()
    if secret and len(secret) < SHORTEST_SIGNING_SECRET:
        yield (
            f"SLACK_SIGNING_SECRET has fewer than {SHORTEST_SIGNING_SECRET} characters, so it is "
            "not the one of Slack. Copy it from Basic Information of the app in Slack."
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
    for name, secrets in _secrets(settings):
        if any(len(secret) < SHORTEST_SECRET for secret in secrets):
            end = " It is still taken, and will be refused by the next minor version." * kept
            yield (
                f"{name} holds a secret of fewer than {SHORTEST_SECRET} characters, which can be "
                f"guessed {_BEYOND}. Replace it, for example by what `openssl rand -hex 16` "
                f"says.{end}"
            )


def _secrets(settings: Settings) -> Iterator[tuple[str, list[str]]]:
    """Each setting with its secrets, in every form that is accepted."""
    for sender in senders_of(settings):
        yield sender.tokens_from, _of_tokens(sender.tokens)
        yield sender.basic_from, [_password(secret) for secret in _of_tokens(sender.basic)]
    yield "API_TOKENS", [token.secret.decode() for token in tokens_of_people(settings)]


def _entries(settings: Settings) -> list[str]:
    return [secret.get_secret_value() for secret in settings.api_tokens]


def _of_tokens(credentials: Iterable[Credential]) -> list[str]:
    return [secret for each in credentials for secret in each.secrets]


def _password(pair: str) -> str:
    """The password of `user:password`."""
    return pair.partition(":")[2]


def _taken_as_a_whole(settings: Settings) -> Iterator[str]:
    for sender in senders_of(settings):
        for place, each in enumerate(sender.tokens, start=1):
            if each.as_a_whole:
                yield (
                    f"Entry {place} of {sender.tokens_from} is accepted only as it is written. "
                    f"What follows its colon has fewer than {SHORTEST_SECRET} characters and "
                    f"could be guessed {_BEYOND}, so it is no secret of its own. If the entry is "
                    "a name and a secret, use a longer secret. If it is a secret that holds a "
                    "colon, nothing has to be done; a name and a colon before it would name it."
                )
