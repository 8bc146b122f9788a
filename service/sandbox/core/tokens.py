"""What each token may do. Until somebody sets tokens for a vendor, any token may do everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from service.sandbox.core.wire import Call, Json

Scopes = tuple[str, ...] | Callable[[Call], tuple[str, ...]]
"""The scopes that a call needs, or a function that finds them by the call."""


class TokensError(ValueError):
    """Why a request to set tokens is refused, in one sentence."""


@dataclass(slots=True)
class Tokens:
    """The tokens that were set, by vendor, each with its scopes."""

    known: dict[str, dict[str, frozenset[str]]] = field(default_factory=dict)

    def scopes_of(self, call: Call) -> frozenset[str] | None:
        """The scopes of a call's token. None if no tokens were set for this vendor.

        A token that is not known has no scopes.
        """
        ordered = self.known.get(call.vendor)
        return None if ordered is None else ordered.get(call.token, frozenset())

    def is_unknown(self, call: Call) -> bool:
        """Whether tokens were set for this vendor, and the call's is not one of them."""
        ordered = self.known.get(call.vendor)
        return ordered is not None and call.token not in ordered

    def missing(self, call: Call, needed: Scopes) -> list[str]:
        """The scopes that the call needs and its token does not have."""
        has = self.scopes_of(call)
        wanted = needed(call) if callable(needed) else needed
        return [] if has is None else [scope for scope in wanted if scope not in has]

    def shown(self) -> Json:
        """How many tokens were set, by vendor. Never shows a token."""
        return {vendor: len(tokens) for vendor, tokens in self.known.items()}

    def order(self, body: Any, vendors: Iterable[str]) -> None:
        """Set the tokens of the vendors that the body names. null allows any token again.

        Raises:
            TokensError: the body makes no sense.
        """
        known = set(vendors)
        if not isinstance(body, dict) or not body or not set(body) <= known:
            raise TokensError(f"The body names vendors: {', '.join(sorted(known))}.")
        for vendor, tokens in body.items():
            if tokens is not None and not _is_order(tokens):
                raise TokensError(
                    f"{vendor} must map each token to a list of scopes, or be null for any token."
                )
        for vendor, tokens in body.items():
            if tokens is None:
                self.known.pop(vendor, None)
            else:
                self.known[vendor] = {token: frozenset(scopes) for token, scopes in tokens.items()}


def _is_order(tokens: Any) -> bool:
    return isinstance(tokens, dict) and all(
        isinstance(scopes, list) and all(isinstance(each, str) for each in scopes)
        for scopes in tokens.values()
    )
