"""What all of DigitalOcean's operations share: error bodies and pages. Also the account."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call, Json, Refusal, whole_number

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

DEFAULT_PAGE = 20
LARGEST_PAGE = 200
"""DigitalOcean's documented page sizes."""

UNAUTHORIZED = Answer(401, {"id": "unauthorized", "message": "Unable to authenticate you."})


def refusal(status: int, error_id: str, message: str) -> Refusal:
    """A refusal with DigitalOcean's error body."""
    body = {"id": error_id, "message": message, "request_id": str(uuid.uuid4())}
    return Refusal(Answer(status, body))


def not_found() -> Refusal:
    """The vendor's refusal for anything that does not exist."""
    return refusal(404, "not_found", "The resource you were accessing could not be found.")


def forbidden(_missing: list[str]) -> Answer:
    """The answer to a token without the scopes. The vendor does not name them."""
    message = "You are not authorized to perform this operation"
    return Answer(403, {"id": "Forbidden", "message": message})


def no_such_operation() -> Answer:
    """The answer for a path or method that the vendor, or this sandbox, does not have."""
    return not_found().answer


def page(call: Call, key: str, items: Sequence[Any]) -> Json:
    """One page of a list, with the vendor's `links` and `meta`."""
    size = min(_positive(call, "per_page", DEFAULT_PAGE), LARGEST_PAGE)
    number = _positive(call, "page", 1)
    last = max(1, -(-len(items) // size))
    shown = items[(number - 1) * size : number * size]
    return {
        key: list(shown),
        "links": _links(call, number=number, last=last, size=size),
        "meta": {"total": len(items)},
    }


def _positive(call: Call, name: str, default: int) -> int:
    text = call.first(name)
    if text is None:
        return default
    number = whole_number(text)
    if not number:
        raise refusal(400, "bad_request", f"{name} must be a whole number from 1.")
    return number


def _links(call: Call, *, number: int, last: int, size: int) -> Json:
    def url(page_number: int) -> str:
        return f"{call.base_url}{call.path}?page={page_number}&per_page={size}"

    pages: Json = {}
    if number > 1:
        pages |= {"first": url(1), "prev": url(min(number - 1, last))}
    if number < last:
        pages |= {"next": url(number + 1), "last": url(last)}
    return {"pages": pages} if pages else {}


def account(cloud: Cloud, call: Call, args: Mapping[str, str]) -> Answer:
    """GET /v2/account."""
    body = {
        "droplet_limit": 25,
        "floating_ip_limit": 5,
        "email": "ops@quizmentor.invalid",
        "name": "QuizMentor sandbox",
        "uuid": "00000000-0000-4000-8000-000000000001",
        "email_verified": True,
        "status": "active",
        "status_message": "",
    }
    return Answer(200, {"account": body})


ROUTES = (Route("GET", "/v2/account", account),)
