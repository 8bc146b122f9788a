"""Scopes: which rules a sender's credential may earn, and whether its resolves count.

The rules file states them for credentials by name. A credential that it does not name has the
scope `default`, and may earn nothing where there is none. Where the file states no scopes at all,
every credential may earn every rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

DEFAULT_SCOPE = "default"
"""The scope of every credential that has none of its own."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one credential may do. `rules` are the names of the rules it may earn, None for all."""

    rules: frozenset[str] | None = None
    may_resolve: bool = True

    def may_earn(self, rule: str) -> bool:
        """Whether an alert that it sends may lead to what this rule does."""
        return self.rules is None or rule in self.rules

    @property
    def earns_nothing(self) -> bool:
        """Whether there is no rule that it may earn."""
        return self.rules is not None and not self.rules


EVERYTHING = Scope()
NOTHING = Scope(frozenset(), may_resolve=False)


@dataclass(frozen=True, slots=True)
class Scopes:
    """The scopes of a rule book, by credential; None where its files state none."""

    by_name: Mapping[str, Scope] | None = field(default=None, hash=False)

    @classmethod
    def stating(cls, by_name: Mapping[str, Scope]) -> Scopes:
        """These scopes, and nothing for whoever is not named."""
        return cls(MappingProxyType(dict(by_name)))

    @property
    def stated(self) -> bool:
        """Whether there are any."""
        return self.by_name is not None

    def of(self, credential: str) -> Scope:
        """The scope of a credential.

        Everything, where no credential was asked for: in open mode, and when a person replays.
        """
        if self.by_name is None or not credential:
            return EVERYTHING
        return self.by_name.get(credential) or self.by_name.get(DEFAULT_SCOPE, NOTHING)

    def limits(self, credential: str) -> bool:
        """Whether what this credential may do is stated."""
        return self.by_name is not None and bool(credential)


UNSTATED = Scopes()
"""Of a rule book whose files state no scopes."""
