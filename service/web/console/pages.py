"""Pages of the console as HTML: every value escaped, and every moment in UTC.

The templates have an environment of their own, so that nothing else of the application can loosen
its rules: a name that is missing is an error, and invisible characters are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from flask import Response, g, request, url_for
from jinja2 import Environment, PackageLoader, StrictUndefined

from service.domain.commands import NO_UNDO
from service.domain.durations import away, lasted
from service.domain.links import is_web_address
from service.domain.people import Person
from service.domain.text import visible
from service.web.console.sessions import SESSION, form_token
from service.web.people import READER, shows_no_token
from service.web.permissions import allowed

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing inline and nothing from elsewhere, and no page of another site may frame ours."""
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    # Without a referrer a browser would send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


TRIED_AGAIN = ("failed", "held", "cancelled")
"""How a run has ended that may be asked for once more."""


def page(template: str, status: int = 200, /, **values: Any) -> Response:
    """A page as the answer. `values` are what the template is given beside the frame's own."""
    made = _environment().get_template(f"console/{template}")
    text = made.render(
        **values,
        person=g.person,
        signed_in=bool(g.session),
        form_token=form_token(g.nonce, g.session),
        path=request.full_path.removesuffix("?"),
        page_of_now=(request.endpoint or "").rpartition(".")[2],
    )
    # Here too, because what is refused before the body is read passes no `after_request`.
    headers = {**HEADERS, "Cache-Control": "no-store"}
    return Response(text, status, headers, content_type="text/html; charset=utf-8")


def may(verb: str) -> bool:
    """Whether the person who asks may do this, so that its button is shown."""
    person: Person = g.person or READER
    return not shows_no_token(person) and allowed(person, verb, "POST")


def doable(run: Mapping[str, Any]) -> list[str]:
    """What may be done with a run as it stands, by whoever asks: `cancel`, `undo`, `retry`."""
    if run["ended_at"] is None:
        fits = ["cancel"]
    else:
        undoable = run["wrote"] and run["action"] not in NO_UNDO
        fits = ["undo"] * undoable + ["retry"] * (run["status"] in TRIED_AGAIN)
    return [verb for verb in fits if may(verb)]


def session_cookie() -> str:
    """The session's cookie as it was sent; empty without one."""
    return request.cookies.get(SESSION, "")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("service.web.console"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "url_for": url_for,
        "may": may,
        "doable": doable,
        "ago": _ago,
        "when": _when,
        "took": _took,
        "is_link": is_web_address,
    }
    return made


def _shown(value: Any) -> Any:
    """A value as it is printed: nothing in strangers' text may hide or reorder what is read."""
    if value is None:
        return ""
    return visible(value) if type(value) is str else value


def _ago(moment: str | None) -> str:
    """How far a moment (ISO 8601) is from now, in words."""
    return away(datetime.fromisoformat(moment).timestamp(), g.now) if moment else ""


def _when(moment: str | None) -> str:
    """A moment (ISO 8601, UTC) by the clock, with its day where that is not today."""
    if not moment:
        return ""
    day, time = moment[:10], moment[11:19]
    return time if day == datetime.fromtimestamp(g.now, UTC).date().isoformat() else f"{day} {time}"


def _took(step: Mapping[str, str]) -> str:
    """How long a step took that has ended, in words."""
    began, ended = (datetime.fromisoformat(step[each]) for each in ("started_at", "ended_at"))
    return lasted((ended - began).total_seconds())
