"""What all operations of Cloudflare's API share: the envelope, the token, the zone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from service.sandbox.cloudflare.zone import Zone
from service.sandbox.core.routes import Handler
from service.sandbox.core.wire import Answer, Call, Refusal

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

Args = Mapping[str, str]
ONE = "/client/v4/zones/<zone>"
"""The beginning of the pattern of every operation on a zone."""


def success(result: Any) -> Answer:
    """An answer that succeeded, in Cloudflare's envelope."""
    return Answer(200, {"result": result, "success": True, "errors": [], "messages": []})


def failure(status: int, code: int, message: str, **more: Any) -> Answer:
    """A refusal in the same envelope, with one error."""
    error = {"code": code, "message": message, **more}
    body = {"result": None, "success": False, "errors": [error], "messages": []}
    return Answer(status, body)


def refusal(status: int, code: int, message: str) -> Refusal:
    """The same, to be raised."""
    return Refusal(failure(status, code, message))


def forbidden(_missing: list[str]) -> Answer:
    """The answer to a token that may not do this, or that is not known."""
    return failure(403, 10000, "Authentication error")


def no_such_operation() -> Answer:
    """The answer for a path or method that the vendor, or this sandbox, does not have."""
    return failure(400, 7000, "No route for that URI")


def with_token(handler: Handler) -> Handler:
    """An operation of the API, which needs a token. The edge needs none."""

    def guarded(cloud: Cloud, call: Call, args: Args) -> Answer:
        if not call.token:
            chain = [{"code": 6111, "message": "Invalid format for Authorization header"}]
            return failure(400, 6003, "Invalid request headers", error_chain=chain)
        return handler(cloud, call, args)

    return guarded


def zone_of(cloud: Cloud, args: Args) -> Zone:
    """The zone that the path names.

    Raises:
        Refusal: there is no such zone, or the token's account does not have it.
    """
    zone = cloud.state(Zone)
    if args["zone"] != cloud.config.cloudflare_zone:
        raise refusal(
            404,
            7003,
            f"Could not route to /zones/{args['zone']}, perhaps your object identifier is invalid?",
        )
    return zone
