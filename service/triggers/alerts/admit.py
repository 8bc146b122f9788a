"""One batch of notifications becomes verdicts and queued runs, in one transaction.

A batch is what waits at one moment: in a storm many requests share one commit, and each is
answered after it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence

import structlog

from service.domain.decisions.claims import Cooldown
from service.domain.errors import StoreConflict, StoreLost, StoreUnavailable
from service.ports.admission import Delivery, Gate, GateReply, Journal, Receipt
from service.triggers.alerts.batch import Batch
from service.triggers.alerts.candidates import Matched, RulesInForce, claims_of, match_delivery

_log = structlog.get_logger(__name__)

_CONFLICT_TRIES = 20
"""How often a transaction is begun again because another process wrote the same rows first;
each time at least one of those has committed, so it ends."""


class Admitter:
    """Admits batches of deliveries: what the web process and a replay share.

    `rules` is asked for each batch, because they may be reloaded; `new_id` makes ids that
    sort by time; `refire_grace_s` is in seconds.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        gate: Gate,
        rules: Callable[[], RulesInForce],
        new_id: Callable[[str], str],
        refire_grace_s: float,
    ) -> None:
        self._journal = journal
        self._gate = gate
        self._rules = rules
        self._new_id = new_id
        self._refire_grace_s = refire_grace_s

    def admit(self, batch: Sequence[Delivery], now: float) -> list[Receipt]:
        """Decide on a batch and commit it; one receipt for each delivery, in order.

        Raises:
            StoreUnavailable: nothing was kept; the claims held in Redis were given back.
        """
        rules = self._rules()
        wanted = [match_delivery(delivery, rules) for delivery in batch]
        claims = sorted(claims_of(wanted))
        token = secrets.token_hex(8)
        gate = self._gate.ask(claims, token) if claims else GateReply({}, available=True)
        try:
            receipts, cooldowns = self._commit(batch, wanted, gate, rules, now)
        except BaseException:
            self._gate.give_back(claims, token)
            raise
        # In a storm nearly every claim is in cooldown, and Redis knows: that round trip would tell
        # nothing.
        news = [each for each in cooldowns if gate.cooling.get(each.key) != each.run]
        untaken = set(claims).difference(each.key for each in cooldowns)
        if news or untaken:
            self._tell_gate(news, untaken, token, now)
        return receipts

    def _tell_gate(
        self, news: Sequence[Cooldown], untaken: Collection[str], token: str, now: float
    ) -> None:
        """After the commit nothing may fail any more: everything is kept."""
        try:
            if news:
                self._gate.settle(news, token, now)
            if untaken:
                self._gate.give_back(untaken, token)
        except Exception:
            _log.exception("gate_not_told", consequence="Redis learns it with the next decision")

    def _commit(
        self,
        batch: Sequence[Delivery],
        wanted: Sequence[tuple[Matched, ...]],
        gate: GateReply,
        rules: RulesInForce,
        now: float,
    ) -> tuple[list[Receipt], list[Cooldown]]:
        was_lost = False
        for _ in range(_CONFLICT_TRIES):
            try:
                with self._journal.transaction() as transaction:
                    work = Batch(
                        transaction=transaction,
                        book=rules.book,
                        gate=gate,
                        now=now,
                        refire_grace_s=self._refire_grace_s,
                        new_id=self._new_id,
                    )
                    receipts = work.decide(batch, wanted)
                return receipts, work.settled_cooldowns()
            except StoreLost as error:
                if was_lost:
                    sentence = f"the database closes its connections ({error}); send it again"
                    raise StoreUnavailable(sentence) from error
                was_lost = True
            except StoreConflict:
                continue
        raise StoreUnavailable(
            "the database was too busy: other processes kept writing the same alerts; "
            "nothing was kept, send it again"
        )
