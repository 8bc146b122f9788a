"""The cookies of the console: who has signed in until when, and that a form is one of our own.

A session needs no table and no key of the server. Its cookie holds the token that was given, the
session's end and a seal made with the token. Each request asks the doorkeeper about the token, so a
session ends with its token, in every process. Whoever reads the table of tokens finds digests in
it, and cannot make a cookie from a digest.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Any
from urllib.parse import urlsplit

from flask import Response

from service.web.open_mode import is_this_machine

SESSION = "runbookd_session"
FORM = "runbookd_form"
"""The names of the cookies: who has signed in, and what the tokens of forms are made from."""
PATH = "/console"
"""Browsers send both cookies to the console only."""
SESSION_S = 8 * 3_600
"""Seconds that a session lasts: a shift."""
_LONGEST = 4_096
"""Characters of a cookie that is looked at; browsers keep no longer ones."""


def sealed(secret: bytes, ends: int) -> str:
    """The cookie of a session with this token that ends at `ends` (seconds since the epoch)."""
    kept = base64.urlsafe_b64encode(secret).decode()
    return f"{kept}.{ends}.{_seal(secret, ends)}"


def opened(cookie: str, now: float) -> bytes | None:
    """The token in a session's cookie; None when the session is over or the cookie is not ours."""
    parts = cookie.split(".")
    if len(cookie) > _LONGEST or len(parts) != 3:  # noqa: PLR2004 - token, end and seal
        return None
    kept, until, seal = parts
    if not (until.isascii() and until.isdecimal() and kept.isascii() and seal.isascii()):
        return None
    try:
        secret = base64.b64decode(kept, altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    ends = int(until[:12])
    if not secret or ends <= now or not hmac.compare_digest(seal, _seal(secret, ends)):
        return None
    return secret


def new_nonce() -> str:
    """What the tokens of one browser's forms are made from."""
    return secrets.token_urlsafe(32)


def form_token(nonce: str, session: str) -> str:
    """The token that each form of this browser and session carries."""
    return _mac(nonce.encode("utf-8", "replace"), f"form {session}")


def is_own_form(nonce: str, session: str, given: str) -> bool:
    """Whether a form carries the token that it was given."""
    expected = form_token(nonce, session)
    return bool(nonce) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def from_elsewhere(environ: dict[str, Any]) -> bool:
    """Whether the browser says that a page of another origin sent this request."""
    origin, host = environ.get("HTTP_ORIGIN"), environ.get("HTTP_HOST")
    if origin is not None and origin.partition("://")[2] != host:
        return True
    return environ.get("HTTP_SEC_FETCH_SITE", "same-origin") not in ("same-origin", "none")


def keep(response: Response, name: str, value: str, host: str, lasts_s: int | None = None) -> None:
    """Give the browser a cookie that no script reads and no other site can have sent.

    Beyond this machine it is sent over HTTPS only. `host` is the request's Host header.
    """
    response.set_cookie(
        name,
        value,
        max_age=lasts_s,
        path=PATH,
        secure=wants_https(host),
        httponly=True,
        samesite="Strict",
    )


def wants_https(host: str) -> bool:
    """Whether this host is beyond this machine, so that a cookie may only travel over HTTPS."""
    return not is_this_machine(host)


def own_path(path: str) -> str:
    """The page to go to after a sign-in: a path of the console, else the first page."""
    parts = urlsplit(path)
    own = parts.path == PATH or parts.path.startswith(f"{PATH}/")
    if parts.scheme or parts.netloc or not own or "\\" in path or not path.isprintable():
        return PATH
    return path


def _seal(secret: bytes, ends: int) -> str:
    return _mac(secret, f"runbookd console until {ends}")


def _mac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
