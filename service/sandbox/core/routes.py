"""One operation of a vendor: which request it answers, and what it does to the cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.sandbox.cloud import Cloud
from service.sandbox.core.tokens import Scopes
from service.sandbox.core.wire import Answer, Call

Handler = Callable[[Cloud, Call, Mapping[str, str]], Answer]
"""Acts on the cloud. The caller has locked it and moved it to `call.now`."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of a vendor.

    `pattern` is in werkzeug's syntax, with `<name>` for a part of the path. `scopes` are those that
    the token needs. `open` is for an address that is a secret of its own and takes no token.
    """

    method: str
    pattern: str
    handler: Handler
    scopes: Scopes = ()
    open: bool = False
