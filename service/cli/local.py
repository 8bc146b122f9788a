"""The reader of the local store."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from service.cli.beside import look_beside_dev
from service.cli.stored import open_stored
from service.domain.filters import BadFilter
from service.store.decode import load
from service.store.facts import TARGETS, FactStore
from service.store.filters import page_of
from service.store.pages import UnknownCursor
from service.store.queries import Queries

if TYPE_CHECKING:
    from service.domain.alerts.alert import Alert
    from service.domain.rules.rules import RuleBook


class LocalReader:
    """Reads the database of this environment."""

    def __init__(self) -> None:
        look_beside_dev()
        self._engine = open_stored()
        self._queries = Queries(self._engine)

    @cached_property
    def _book(self) -> RuleBook:
        from service.bootstrap.rules import load_rules
        from service.settings import load_settings

        return load_rules(load_settings())

    @cached_property
    def _rules(self) -> dict[str, Any]:
        """The targets that web decides by, as it stored them. Before its first start: those of the
        rules."""
        kept = load(FactStore(self._engine).get(TARGETS))
        if kept is not None:
            return dict(kept)
        from service.store.status import declared

        return declared(self._book)

    def page(self, what: str, filters: Mapping[str, str]) -> dict[str, Any]:
        """A page of alerts, decisions, runs or quarantined alerts."""
        try:
            return page_of(self._queries, what, filters).to_json()
        except UnknownCursor as unknown:
            raise BadFilter(f"after={unknown.args[0]!a} is no known cursor.") from None

    def run(self, run_id: str) -> dict[str, Any] | None:
        """One run with its steps and decisions."""
        return self._queries.run(run_id)

    def explain(self, of: str | None) -> dict[str, Any] | None:
        """What led to what. If the rules cannot be used, it says so and shows what is stored."""
        from service.store.explain import explain

        return explain(self._queries, of, self._consulted, time.time())

    def status(self, target: str | None) -> dict[str, Any]:
        """How things are now."""
        from service.store.status import status

        return status(self._engine, self._rules, time.time(), target)

    def levels(self, at: float | None, days: int) -> dict[str, Any]:
        """What should hold by the rules of this environment."""
        from service.domain.levels.told import levels_told
        from service.store.levels import acted

        book = self._book
        now = time.time() if at is None else at
        return levels_told(book.levels, book.hash, now, days, acted(self._engine))

    def targets(self) -> tuple[str, ...]:
        """The names of the targets in the rules."""
        return tuple(self._rules["targets"])

    def _consulted(self, alert: Alert) -> dict[str, Any]:
        from service.domain.rules.consulted import consulted, not_consulted
        from service.domain.rules.matching import RuleIndex
        from service.rulebook import RuleBookInvalid

        try:
            book = self._book
        except RuleBookInvalid as invalid:
            return not_consulted(str(invalid))
        return consulted(book, RuleIndex(book), alert)
