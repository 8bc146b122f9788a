"""Open mode: without secrets, programs on this machine may post, but no web page in a browser may.

A browser on this machine can reach loopback, and any web page can make it post. Two headers show
that a request is from a web page. Browsers add Origin to such a request, and senders never send it.
Host names the page's own host when its DNS name resolves to this machine (DNS rebinding). The
content type must be JSON, because a browser posts other types to another origin without asking
first (CORS preflight).
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from service.intake.text import shown
from service.web.answers import Answer, refusal

_OPEN = "without secrets (OPEN_WEBHOOKS)"
_INSTEAD = "Nothing was kept. To let other senders in, give this source a secret (README.md)."


def turn_away(environ: dict[str, Any], own_host: str) -> Answer | None:
    """The refusal of an alert that a web page may have sent. None for all others.

    `own_host` is the host on which this process listens (HOST).
    """
    host, origin = environ.get("HTTP_HOST"), environ.get("HTTP_ORIGIN")
    if host is not None and not is_this_machine(host, own_host):
        said = f"alerts are taken for this machine only, and this request was for {shown(host)}"
        return refusal(403, f"{_OPEN.capitalize()} {said}. {_INSTEAD}")
    if origin is not None and origin.partition("://")[2] != host:
        said = f"no web page may post alerts, and this request came from {shown(origin)}"
        return refusal(403, f"{_OPEN.capitalize()} {said}. {_INSTEAD}")
    if not environ.get("CONTENT_TYPE"):
        said = f"{_OPEN} alerts have to come as application/json"
        return refusal(415, f"The Content-Type header is missing, and {said}. Nothing was kept.")
    return None


def turn_away_change(
    environ: dict[str, Any], own_host: str, *, forms: bool = False
) -> Answer | None:
    """The same for a request that changes something, while the API needs no token.

    `forms` is for the console. Its bodies are forms, and each carries a token of its own.
    """
    host, origin = environ.get("HTTP_HOST"), environ.get("HTTP_ORIGIN")
    without = "Without API_TOKENS"
    if host is not None and not is_this_machine(host, own_host):
        return refusal(
            403,
            f"{without} only this machine may change anything, and this request was for "
            f"{shown(host)}. Nothing was changed.",
        )
    if origin is not None and origin.partition("://")[2] != host:
        return refusal(
            403,
            f"{without} no web page may change anything, and this request came from "
            f"{shown(origin)}. Nothing was changed.",
        )
    if forms:
        return None
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if environ.get("CONTENT_LENGTH") not in (None, "", "0") and kind != "application/json":
        return refusal(415, "The body has to come as application/json. Nothing was changed.")
    return None


def turn_away_reader(environ: dict[str, Any], own_host: str) -> Answer | None:
    """The refusal of whoever reads without a token by a name that is not this machine's: it may be
    a web page whose name was made to lead here. None for all others."""
    host = environ.get("HTTP_HOST")
    if host is None or is_this_machine(host, own_host):
        return None
    return refusal(
        403,
        f"Without a token only this machine may read, and this request was for {shown(host)}. Ask "
        "for localhost, or show a token: runbookd token new NAME makes one.",
    )


def is_this_machine(host: str, own_host: str = "localhost") -> bool:
    """Whether a Host header names this machine: `own_host`, or an address of loopback."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name in ("localhost", own_host.lower()) or ip_address(name).is_loopback
    except ValueError:
        return False
