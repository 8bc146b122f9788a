"""Replays: the rules of now decide about alerts of the past, or about a saved payload."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from service.bootstrap.rules import build_admitter, in_force, load_rules
from service.bootstrap.stores import Stores
from service.domain.alerts.alert import Notification
from service.domain.errors import Told
from service.domain.rules.rules import RuleBook
from service.intake.parse import PayloadRefused, parse_notification
from service.ports.admission import Delivery, Receipt
from service.settings import Settings
from service.store.ids import new_id
from service.store.queries import AlertFilter
from service.store.replays import Replays
from service.triggers.alerts.candidates import RulesInForce
from service.triggers.alerts.preview import Preview, preview


class ReplayImpossible(Told):
    """There is nothing to replay. The message says why."""


@dataclass(frozen=True, slots=True)
class Replayer:
    """Previews or executes what alerts of the past would lead to now."""

    settings: Settings
    stores: Stores
    book: RuleBook

    def stored(self, wanted: AlertFilter, limit: int) -> list[Notification]:
        """The newest `limit` alerts that pass the filter, oldest first, grouped as they arrived."""
        page = self.stores.queries.alerts(wanted, limit)
        return self._loaded([item["id"] for item in page.items])

    def by_id(self, alert_ids: Sequence[str]) -> list[Notification]:
        """Load the alerts with these ids, grouped as they arrived.

        Raises:
            ReplayImpossible: one of them is not stored.
        """
        unknown = [each for each in alert_ids if self.stores.queries.alert(each) is None]
        if unknown:
            raise ReplayImpossible(f"There is no alert {', '.join(unknown)}.")
        return self._loaded(alert_ids)

    def preview(self, notifications: Sequence[Notification]) -> list[Preview]:
        """What would be decided now. Nothing is stored, claimed or queued."""
        deliveries = _deliveries(notifications, time.time())
        grace_s = self.settings.refire_grace_s
        return previewed(self.stores.engine, grace_s, deliveries, in_force(self.book))

    def execute(self, notifications: Sequence[Notification]) -> list[Receipt]:
        """Admit them as the web process does, under every guard, marked as a replay."""
        now = time.time()
        rules = in_force(self.book)
        admitter = build_admitter(self.stores, lambda: rules)
        return admitter.admit(_deliveries(notifications, now), now)

    def _loaded(self, alert_ids: Sequence[str]) -> list[Notification]:
        return Replays(self.stores.engine).notifications(alert_ids)


def previewed(
    engine: sa.Engine,
    refire_grace_s: float,
    deliveries: Sequence[Delivery],
    rules: RulesInForce,
) -> list[Preview]:
    """What these rules would decide now, for these senders and as a replay where it is one. Nothing
    is stored, claimed or queued."""
    with Replays(engine).reading() as reading:
        return preview(
            deliveries,
            reading=reading,
            rules=rules,
            now=time.time(),
            refire_grace_s=refire_grace_s,
            new_id=new_id,
        )


def build_replayer(settings: Settings) -> Replayer:
    """A replayer on the settings' database and rules. The tables must be up to date.

    Raises:
        RuleBookInvalid: the rules have errors.
    """
    return Replayer(settings, Stores(settings), load_rules(settings))


def read_payload(path: Path, source: str) -> Notification:
    """A saved payload, as if `source` had sent it now.

    Raises:
        ReplayImpossible: it cannot be read or understood.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ReplayImpossible(f"{path} cannot be read: {error.strerror}.") from None
    try:
        return parse_notification(
            body, source=source, content_type="application/json", received_at=datetime.now(UTC)
        )
    except PayloadRefused as refused:
        raise ReplayImpossible(f"{path}: {refused.sentence}") from None


def _deliveries(notifications: Sequence[Notification], now: float) -> list[Delivery]:
    return [Delivery(each, now, replay=True) for each in notifications]
