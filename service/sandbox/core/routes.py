"""An operation of a vendor: which request it answers, and what it does to the cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.sandbox.cloud import Cloud
from service.sandbox.core.tokens import Scopes
from service.sandbox.core.wire import Answer, Call

Handler = Callable[[Cloud, Call, Mapping[str, str]], Answer]
"""Acts on the cloud, which its caller holds locked and settled at `call.now`."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of a vendor; `pattern` in werkzeug's syntax, `<name>` for a path part.

    `scopes` are what its token must be allowed.
    """

    method: str
    pattern: str
    handler: Handler
    scopes: Scopes = ()
