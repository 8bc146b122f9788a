"""The balloon vendor: one balloon, which can be read and inflated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.sandbox.cloud import Cloud
from service.sandbox.core.routes import Route
from service.sandbox.core.vendors import Vendor
from service.sandbox.core.wire import Answer, Call


@dataclass(slots=True)
class Balloon:
    """The one balloon."""

    size: str = "toy-small"


def read(cloud: Cloud, call: Call, args: Mapping[str, str]) -> Answer:
    """GET /balloons/<toy>."""
    return Answer(200, {"size": cloud.state(Balloon).size})


def inflate(cloud: Cloud, call: Call, args: Mapping[str, str]) -> Answer:
    """PUT /balloons/<toy>."""
    cloud.state(Balloon).size = call.body["size"]
    return Answer(200, {})


VENDOR = Vendor(
    (Route("GET", "/balloons/<toy>", read), Route("PUT", "/balloons/<toy>", inflate)),
    Answer(401, {"message": "no token"}),
    lambda: Answer(404, {"message": "not found"}),
)
