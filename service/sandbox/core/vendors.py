"""A vendor of the sandbox: its operations, and its answers when a call may or can do none of
them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from service.sandbox.cloud import Cloud
from service.sandbox.core.routes import Route
from service.sandbox.core.tokens import Tokens
from service.sandbox.core.wire import Answer, Call, Refusal


class Vendor:
    """One vendor: its operations and its refusals.

    `unauthorized` is the answer to a call without a token, None if the vendor needs none. `unknown`
    makes the answer for an operation that does not exist, and `forbidden` the one for a token
    without the scopes that it gets. `unknown_token` is the answer to a wrong token, where it
    differs from `unauthorized`.
    """

    def __init__(
        self,
        routes: tuple[Route, ...],
        unauthorized: Answer | None,
        unknown: Callable[[], Answer],
        forbidden: Callable[[list[str]], Answer] = lambda missing: Answer(403),
        unknown_token: Answer | None = None,
    ) -> None:
        self._routes = {f"{one.method} {one.pattern}": one for one in routes}
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
        self._forbidden = forbidden
        self._unknown_token = unknown_token

    def answer(self, cloud: Cloud, call: Call) -> Answer:
        """Act on the cloud, or refuse, and return the vendor's answer."""
        tokens = cloud.state(Tokens)
        try:
            route, args = self._find(call)
        except HTTPException:
            return self._stranger(tokens, call) or self._unknown()
        if not route.open and (refused := self._stranger(tokens, call)):
            return refused
        if missing := tokens.missing(call, route.scopes):
            return self._forbidden(missing)
        try:
            return route.handler(cloud, call, args)
        except Refusal as refusal:
            return refusal.answer

    def _stranger(self, tokens: Tokens, call: Call) -> Answer | None:
        """The refusal of a call without a token that the vendor knows; None where it may go on."""
        if self._unauthorized and not call.token:
            return self._unauthorized
        if self._unauthorized and tokens.is_unknown(call):
            return self._unknown_token or self._unauthorized
        return None

    def _find(self, call: Call) -> tuple[Route, Mapping[str, Any]]:
        endpoint, args = self._map.bind("").match(call.path, call.method)
        return self._routes[endpoint], args
