"""What Slack sends: whether it is from Slack, and which person a Slack user is. Pure.

The form of the signature is Slack's, "Verifying requests from Slack": version v0, HMAC-SHA256.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Iterable, Iterator, Mapping

from service.domain.people import NAME_FORM, ROLES, Person, Role, is_name

OLDEST_S = 300.0
"""Seconds by which a request's time may differ from ours. Slack recommends five minutes."""
SHORTEST_SIGNING_SECRET = 16
"""Characters. Slack's own have 32."""
APPROVE, REJECT, PAUSE_IT, UNDO = "approve", "reject", "pause", "undo"
"""The buttons, by Slack's `action_id`."""
SIGN_AS = "sign_"
"""How the `action_id` of a sign-off begins; the role follows. Slack wants each id once in a row of
buttons."""
_USER = re.compile(r"[UW][A-Z0-9]{2,20}")
_SECONDS = re.compile(r"[0-9]{1,12}")


def signature_of(secret: str, timestamp: str, body: bytes) -> str:
    """The header `X-Slack-Signature` for a body that is sent at `timestamp`, as it is written."""
    signed = b"v0:" + timestamp.encode("latin-1", "replace") + b":" + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def unsigned(secret: str, timestamp: str, signature: str, now: float) -> str:
    """Why no body with these headers is taken; empty where the body has to be looked at.

    `now` is in seconds since the epoch.
    """
    if not secret:
        return "SLACK_SIGNING_SECRET is not set, so nothing from Slack is taken."
    if not timestamp or not signature:
        return "The request has no signature of Slack."
    if not _SECONDS.fullmatch(timestamp):
        return "The time of the request is not a number of seconds."
    if not math.isfinite(now) or abs(now - float(timestamp)) > OLDEST_S:
        return "The request is older than five minutes, or this machine's clock is wrong."
    return ""


def is_signed(secret: str, timestamp: str, signature: str, body: bytes) -> bool:
    """Whether Slack has signed this body. Compared in constant time."""
    right = signature_of(secret, timestamp, body).encode()
    return hmac.compare_digest(right, signature.encode("latin-1", "replace"))


def people_of(entries: Iterable[str]) -> Mapping[str, Person]:
    """The person behind each Slack user id, from entries such as `U012ABC=anna:approver+finance`.

    An entry that is mistaken (`mistaken_people`) lets nobody in.
    """
    found: dict[str, Person] = {}
    for each in _each(entries):
        if not isinstance(each, str):
            found.setdefault(*each)
    return found


def mistaken_people(entries: Iterable[str]) -> Iterator[str]:
    """Why an entry of SLACK_PEOPLE is refused, a sentence for each."""
    seen: set[str] = set()
    for each in _each(entries):
        if isinstance(each, str):
            yield each
        elif each[0] in seen:
            yield f"SLACK_PEOPLE names {each[0]} twice; one Slack user is one person."
        else:
            seen.add(each[0])


def _each(entries: Iterable[str]) -> Iterator[tuple[str, Person] | str]:
    for number, entry in enumerate(entries, start=1):
        yield _read(entry.strip(), f"Entry {number} of SLACK_PEOPLE")


def _read(entry: str, place: str) -> tuple[str, Person] | str:
    user, _, rest = entry.partition("=")
    name, _, said = rest.partition(":")
    words = [word for word in said.split("+") if word]
    if not _USER.fullmatch(user):
        return (
            f"{place} begins with no Slack user id. Write it as U012ABC=anna:approver. Slack shows "
            "the id in a person's profile, under Copy member ID."
        )
    if not is_name(name):
        return f"{place} has no name that can be used: a name is {NAME_FORM}."
    if not any(word in ROLES for word in words):
        return f"{place} gives {name} no role that is known. Roles are {', '.join(ROLES)}."
    roles = frozenset(Role(word) for word in words if word in ROLES)
    groups = frozenset(word for word in words if word not in ROLES)
    return user, Person(name, roles, groups, via="slack", address=user)
