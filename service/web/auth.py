"""Who may post: bearer tokens and basic passwords, several of each at once for rotation.

Secrets are compared as bytes and in constant time. `hmac.compare_digest` raises on text beyond
ASCII, and a header may hold any bytes that a stranger sends.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from service.bootstrap.senders import senders_of
from service.domain.credentials import Credential
from service.settings import Settings

HAS_AUTHENTICATED = "runbookd.has_authenticated"
"""The key in a WSGI environment of the function to call once the request's secret is accepted. A
server that limits connections of strangers sets it."""


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """Why a request is not let in, and the schemes that would be."""

    sentence: str
    challenge: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secrets of one endpoint. With `open_`, everyone is let in.

    `variables` are what an operator sets to let somebody in, for the refusal. `names` are the
    credentials' names, by (scheme, secret).
    """

    tokens: tuple[bytes, ...] = ()
    basic: tuple[bytes, ...] = ()
    open_: bool = False
    variables: str = ""
    names: Mapping[tuple[str, bytes], str] = field(default_factory=dict, repr=False)

    def refuse(self, header: str | None) -> Unauthorized | None:
        """None when the Authorization header (as WSGI gives it) lets in; otherwise why not."""
        if self.open_:
            return None
        if not self.tokens and not self.basic:
            return Unauthorized(
                f"No secret is configured for this address: set {self.variables} and send it.",
                self._challenge(),
            )
        if not header:
            return Unauthorized("The Authorization header is missing.", self._challenge())
        if self._accepts(header):
            return None
        return Unauthorized("The Authorization header is not one that is known.", self._challenge())

    def name_of(self, header: str | None) -> str:
        """The name of the credential in a header that lets in; empty in open mode."""
        if self.open_ or not header:
            return ""
        # Only what was compared in constant time and accepted is looked up.
        scheme, given = _presented(header)
        return self.names.get((scheme, given or b""), "")

    def _accepts(self, header: str) -> bool:
        scheme, given = _presented(header)
        if scheme == "bearer":
            return _known(given, self.tokens)
        return scheme == "basic" and _known(given, self.basic)

    def _challenge(self) -> str:
        schemes = ["Bearer"] if self.tokens or not self.basic else []
        if self.basic:
            schemes.append("Basic")
        return ", ".join(f'{scheme} realm="runbookd"' for scheme in schemes)


def webhook_credentials(settings: Settings, source: str) -> Credentials:
    """The secrets of a webhook; each source has its own."""
    (sender,) = (each for each in senders_of(settings) if each.source == source)
    tokens, basic = _by_secret(sender.tokens), _by_secret(sender.basic)
    return Credentials(
        tokens=tuple(tokens),
        basic=tuple(basic),
        open_=settings.open_webhooks,
        variables=f"{sender.tokens_from} or {sender.basic_from}",
        names={
            **{("bearer", secret): name for secret, name in tokens.items()},
            **{("basic", secret): name for secret, name in basic.items()},
        },
    )


def sent_bearer(header: str) -> bytes | None:
    """The bearer token of an Authorization header; None when it has another scheme."""
    scheme, _, rest = header.strip().partition(" ")
    return _bytes(rest.strip()) if scheme.lower() == "bearer" else None


def _by_secret(credentials: Iterable[Credential]) -> dict[bytes, str]:
    """The names by what is accepted. Where two accept the same secret, the first one counts."""
    found: dict[bytes, str] = {}
    for each in credentials:
        for secret in each.secrets:
            found.setdefault(secret.encode(), each.name)
    return found


def _presented(header: str) -> tuple[str, bytes | None]:
    """The scheme in small letters, and the secret; None where it cannot be read."""
    scheme, _, rest = header.strip().partition(" ")
    kind = scheme.lower()
    return kind, _decoded(rest.strip()) if kind == "basic" else _bytes(rest.strip())


def _known(given: bytes | None, secrets: tuple[bytes, ...]) -> bool:
    """Compared with each of them, also after a match, so that time tells nothing."""
    if given is None:
        return False
    matches = [hmac.compare_digest(given, secret) for secret in secrets]
    return any(matches)


def _bytes(text: str) -> bytes:
    """The bytes that were sent: WSGI hands them over as if they were Latin-1."""
    return text.encode("latin-1", "replace")


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(_bytes(text), validate=True)
    except binascii.Error:
        return None
