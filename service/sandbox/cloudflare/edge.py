"""The edge: `GET /cloudflare/edge/<host>/<path>` is what a visitor of the site gets, and
`GET /cloudflare/origin/<host>/<path>` what the site's own server answers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from service.sandbox.cloudflare.common import Args
from service.sandbox.cloudflare.zone import Zone
from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud


def visit(cloud: Cloud, call: Call, args: Args) -> Answer:
    """A page of the site. The edge keeps a copy of each until it is purged."""
    query = urlencode(call.query, doseq=True)
    address = f"{args['host']}/{args['path']}{'?' if query else ''}{query}"
    status, age = cloud.state(Zone).visit(address, call.now)
    headers = {"CF-Cache-Status": status, **({"Age": str(age)} if status == "HIT" else {})}
    return Answer(200, "a page of the site", headers)


def origin(cloud: Cloud, call: Call, args: Args) -> Answer:
    """A page of the site's own server. Everybody may share it, unless the control says otherwise
    of its path."""
    told = cloud.state(Zone).origin.get(f"/{args['path']}", {})
    headers = told.get("headers", {"Cache-Control": "public, max-age=300"})
    return Answer(told.get("status", 200), "a page of the site", headers)


ROUTES = (
    Route("GET", "/origin/<host>/<path:path>", origin),
    Route(
        "GET",
        "/origin/<host>/",
        lambda cloud, call, args: origin(cloud, call, {**args, "path": ""}),
    ),
    Route("GET", "/edge/<host>/<path:path>", visit),
    Route(
        "GET", "/edge/<host>/", lambda cloud, call, args: visit(cloud, call, {**args, "path": ""})
    ),
)
