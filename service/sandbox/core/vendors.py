"""A vendor of the sandbox: its operations, and how it answers whatever is none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from service.sandbox.cloud import Cloud
from service.sandbox.core.routes import Handler, Route
from service.sandbox.core.wire import Answer, Call, Refusal


class Vendor:
    """One vendor's operations, what it answers the unauthorised, and for what it doesn't have."""

    def __init__(
        self,
        routes: tuple[Route, ...],
        unauthorized: Answer | None,
        unknown: Callable[[], Answer],
    ) -> None:
        self._handlers = {f"{one.method} {one.pattern}": one.handler for one in routes}
        self._map = Map(
            [
                Rule(one.pattern, methods=[one.method], endpoint=f"{one.method} {one.pattern}")
                for one in routes
            ],
            redirect_defaults=False,
            strict_slashes=False,
            merge_slashes=False,
        )
        self._unauthorized = unauthorized
        self._unknown = unknown

    def answer(self, cloud: Cloud, call: Call) -> Answer:
        """What the vendor answers, having acted on the cloud or not."""
        if self._unauthorized and not call.token:
            return self._unauthorized
        try:
            handler, args = self._find(call)
        except HTTPException:
            return self._unknown()
        try:
            return handler(cloud, call, args)
        except Refusal as refusal:
            return refusal.answer

    def _find(self, call: Call) -> tuple[Handler, Mapping[str, Any]]:
        endpoint, args = self._map.bind("").match(call.path, call.method)
        return self._handlers[endpoint], args
