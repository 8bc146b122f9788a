"""What the origin says of a path before the edge may keep it for everybody. Pure.

A rule with `mode: cache` overrides what the origin says. Where an answer is one person's, the edge
would give it to all. So one answer of each such path is looked at before the rule is set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from service.domain.decisions.planning import PlanHeld
from service.ports.cloudflare_zone import Answered

MOST = 20
"""Answers that one look asks for: twice as many as there are rules on the plan Free."""
BUDGET_S = 20.0
"""Seconds in which the samples of one look begin. A page that hangs must not hold up a run."""
UNAUTHORIZED, REDIRECTS, FIRST_ERROR = 401, 300, 400
"""Statuses: who asks must be known; an answer that leads elsewhere; the first that is an error."""
_PERSONAL = ("private", "no-store")
_BY_PERSON = ("authorization", "cookie", "*")
"""What an answer varies by, where it depends on who asks. The edge looks at none of them."""
_NAMED = 3
"""Rules that a sentence names."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One path to ask for: the rule that would cache it, its address, and the host that is meant,
    which is empty where it is the address's own."""

    rule: str
    url: str
    host: str


def covers(pattern: str, path: str) -> bool:
    """Whether a rule's path is about this one."""
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return path == pattern


def due(origin: str, made: Sequence[Mapping[str, Any]], changing: Iterable[str]) -> list[Sample]:
    """What to ask for: of the rules of a set, those that cache and are among the `changing`."""
    names, base = set(changing), origin.rstrip("/")
    own = urlsplit(origin).netloc
    return [
        Sample(
            rule["name"],
            base + (rule.get("sample") or rule["path"].removesuffix("*")),
            "" if rule["host"] == own else rule["host"],
        )
        for rule in made
        if rule["mode"] == "cache" and rule["name"] in names
    ]


def record_of(sample: Sample, answered: Answered) -> dict[str, str]:
    """What one answer says against keeping it, and why it proves nothing, where it does not."""
    personal = _personal(answered)
    error = answered.status >= FIRST_ERROR and answered.status != UNAUTHORIZED
    return {
        "rule": sample.rule,
        "url": sample.url,
        "personal": "" if error else personal,
        "untold": f"it answers {answered.status}" if error else "",
    }


def unread(sample: Sample, why: str) -> dict[str, str]:
    """The record of a path that could not be asked for."""
    return {"rule": sample.rule, "url": sample.url, "personal": "", "untold": why}


def _personal(answered: Answered) -> str:
    """The header by which an answer is one person's; empty where none says so."""
    if answered.sets_cookie:
        return "Set-Cookie"
    directives = [each.partition("=")[0] for each in _words(answered.cache_control)]
    if found := next((each for each in _PERSONAL if each in directives), ""):
        return f"Cache-Control: {found}"
    varies = _words(answered.vary)
    if found := next((each for each in _BY_PERSON if each in varies), ""):
        return f"Vary: {found.title()}"
    return f"status {UNAUTHORIZED}, WWW-Authenticate" if answered.status == UNAUTHORIZED else ""


def _words(header: str) -> list[str]:
    return [each.strip().lower() for each in header.split(",")]


def held(target: str, name: str, records: Sequence[Mapping[str, str]]) -> PlanHeld | None:
    """Why a set is not put in force: an answer that it would keep is one person's."""
    found = [each for each in records if each["personal"]]
    if not found:
        return None
    named = ", ".join(
        f"{each['url']} answers with {each['personal']} (rule {each['rule']})"
        for each in found[:_NAMED]
    )
    more = f", and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return PlanHeld(
        "personal_answer",
        f"{named}{more}. The set {name} would keep it at the edge and give it to everybody, so the "
        f"cache rules of {target} were left as they are. Write mode: respect or bypass, or correct "
        "what the origin sends.",
        facts={"rules": [each["rule"] for each in found]},
    )


def told(origin: str, records: Sequence[Mapping[str, str]] | None) -> str:
    """What was sampled, for the plan; empty where the set caches nothing that is new."""
    if records is None:
        return " Not sampled: the target names no origin." if not origin else ""
    asked = [each["rule"] for each in records if not each["untold"]]
    untold = [f"{each['rule']} ({each['untold']})" for each in records if each["untold"]]
    parts = [
        f" Sampled, and nobody's own: {', '.join(asked)}." if asked else "",
        f" Not sampled: {', '.join(untold)}." if untold else "",
    ]
    return "".join(parts)
