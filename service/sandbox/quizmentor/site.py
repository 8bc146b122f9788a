"""QuizMentor itself, as far as a load test uses it: log in, get a quiz, submit it, see the results.

It answers as fast as its instances can. They share one queue: each request takes its part of the
capacity, and waits for those before it. A queue that is too long is refused with 503, as a balancer
does. Scaling the app in the sandbox changes the capacity at once.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections import Counter, OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from service.sandbox.core.wire import Answer, Call, Json, as_object
from service.sandbox.quizmentor.load import RPS_PER_VCPU

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

PASSWORD = "password"  # noqa: S105 - the runbook's, of its test user
ALONE_S = 0.02
"""Seconds that a request takes without a queue."""
LONGEST_WAIT_S = 2.0
"""Seconds in the queue, twice the KPI's p99. Whoever would wait longer is refused at once."""
MOST_RESULTS = 10_000
"""Users whose answers are kept; the oldest go first."""
MOST_PHASES = 100
QUIZ = [0, 1, 2, 3, 0]
"""The right answers."""
_KEY = b"a sandbox has no secrets"


class SiteControlError(ValueError):
    """Why the control refuses a body."""


@dataclass(slots=True)
class Site:
    """What QuizMentor keeps. `free_at` is when its queue is empty."""

    rps_per_vcpu: float = RPS_PER_VCPU
    free_at: float = 0.0
    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    submitted: OrderedDict[str, list[int]] = field(default_factory=OrderedDict)


def visit(cloud: Cloud, call: Call, phase: str) -> Answer:
    """Answer a request, which comes `takes_s` later. The caller has locked the cloud and moved it
    to `call.now`, and waits without the lock. `phase` is the load test's own word for the count."""
    site = cloud.state(Site)
    given = _queued(cloud, site, call.now)
    if given is None:
        takes_s = ALONE_S + site.free_at - call.now
        given = replace(_answer(site, call), takes_s=takes_s)
    known = {name for name, _, _ in site.counts}
    if phase in known or len(known) < MOST_PHASES:
        site.counts[phase, call.path, given.status] += 1
    return given


def capacity_rps(cloud: Cloud) -> float:
    """Requests a second that the instances answer."""
    capacity = cloud.capacity()
    return capacity.instances * capacity.vcpus * cloud.state(Site).rps_per_vcpu


def _queued(cloud: Cloud, site: Site, now: float) -> Answer | None:
    """Take a place in the queue; the refusal where it is too long."""
    if site.free_at - now > LONGEST_WAIT_S:
        return Answer(503, {"error": "QuizMentor is overloaded."})
    site.free_at = max(now, site.free_at) + 1.0 / capacity_rps(cloud)
    return None


def _answer(site: Site, call: Call) -> Answer:
    asked = f"{call.method} {call.path}"
    if asked == "POST /auth/login":
        return _login(as_object(call.body))
    email = _email_of(call.token)
    if email is None:
        return Answer(401, {"error": "Log in first."})
    if asked == "GET /api/quiz":
        questions = [{"id": number, "choices": 4} for number in range(len(QUIZ))]
        return Answer(200, {"questions": questions})
    if asked == "POST /api/quiz/submit":
        return _submit(site, email, as_object(call.body).get("answers"))
    if asked == "GET /api/quiz/results":
        return _results(site.submitted.get(email))
    return Answer(404, {"error": "There is no such page."})


def _results(answers: list[int] | None) -> Answer:
    if answers is None:
        return Answer(404, {"error": "Nothing was submitted."})
    return Answer(200, {"answers": answers, "score": _score(answers)})


def _login(body: Json) -> Answer:
    email, password = body.get("email"), body.get("password")
    if not isinstance(email, str) or not email or password != PASSWORD:
        return Answer(401, {"error": "The user or the password is wrong."})
    return Answer(200, {"token": f"{email.encode().hex()}.{_signature(email)}"})


def _submit(site: Site, email: str, answers: Any) -> Answer:
    if (
        not isinstance(answers, list)
        or len(answers) != len(QUIZ)
        or not all(type(each) is int for each in answers)
    ):
        return Answer(422, {"error": f"answers is a list of {len(QUIZ)} numbers."})
    site.submitted[email] = answers
    site.submitted.move_to_end(email)
    while len(site.submitted) > MOST_RESULTS:
        site.submitted.popitem(last=False)
    return Answer(200, {"score": _score(answers)})


def _score(answers: list[int]) -> int:
    return sum(given == right for given, right in zip(answers, QUIZ, strict=True))


def _signature(email: str) -> str:
    return hmac.new(_KEY, email.encode(), hashlib.sha256).hexdigest()[:32]


def _email_of(token: str) -> str | None:
    """Whose token it is; None of one that was never given."""
    named, _, signature = token.partition(".")
    try:
        email = bytes.fromhex(named).decode()
    except ValueError:
        return None
    is_ours = hmac.compare_digest(signature.encode(), _signature(email).encode())
    return email if email and is_ours else None


def site_json(cloud: Cloud) -> Json:
    """What the control shows: the capacity, and what was asked by phase, path and status."""
    site = cloud.state(Site)
    return {
        "rps_per_vcpu": site.rps_per_vcpu,
        "capacity_rps": capacity_rps(cloud),
        "requests": [
            {"phase": phase, "path": path, "status": status, "count": count}
            for (phase, path, status), count in sorted(site.counts.items())
        ],
    }


def change_site(cloud: Cloud, body: Any, _now: float) -> None:
    """Set `rps_per_vcpu`; begin to count anew with `{"requests": []}`."""
    site, given = cloud.state(Site), as_object(body)
    if unknown := set(given) - {"rps_per_vcpu", "requests"}:
        raise SiteControlError(f"unknown field {min(unknown)!r}.")
    if "rps_per_vcpu" in given:
        value = given["rps_per_vcpu"]
        number = not isinstance(value, bool) and isinstance(value, int | float)
        if not number or not math.isfinite(value) or value <= 0:
            raise SiteControlError("rps_per_vcpu is a number above 0.")
        site.rps_per_vcpu = float(value)
    if "requests" in given:
        site.counts.clear()
