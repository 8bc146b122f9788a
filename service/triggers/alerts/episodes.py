"""The episodes of one batch: what each notification makes of the newest episode of its alert."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Set

from service.domain.alerts.alert import AlertKind, labels_hash
from service.domain.alerts.episodes import Transition, transition
from service.domain.decisions.decision import Check
from service.domain.decisions.resolves import refused_resolve
from service.domain.rules.scopes import Scopes
from service.intake.kinds import STATE_REASON
from service.ports.admission import Changes, Delivery, EpisodeRecord, NewEpisode
from service.triggers.alerts.candidates import Matched

_OPENING = (Transition.OPENED, Transition.RESOLVED_UNSEEN)


class Episodes:
    """Finds, begins and ends the episodes of a batch; `resolved` are the identities that ended.

    `known` are the newest episodes as they were read, and as the batch changes them.
    """

    def __init__(
        self,
        *,
        changes: Changes,
        scopes: Scopes,
        now: float,
        refire_grace_s: float,
        new_id: Callable[[str], str],
    ) -> None:
        self._changes = changes
        self._scopes = scopes
        self._now = now
        self._grace_s = refire_grace_s
        self._new_id = new_id
        self._known: dict[int, EpisodeRecord] = {}
        self._asked: dict[str, set[str]] = {}
        self.resolved: set[int] = set()

    def begin(self, known: Mapping[int, EpisodeRecord]) -> None:
        """The newest episodes on record."""
        self._known = dict(known)

    def is_open(self, identity: int) -> bool:
        """Whether that alert fires."""
        known = self._known.get(identity)
        return known is not None and known.open

    def take(
        self, delivery_id: str, delivery: Delivery, matched: Matched
    ) -> tuple[EpisodeRecord, Transition]:
        """The episode that a notification is about, and what it means for that."""
        identity = self._kept_under(delivery, matched)
        known = self._known.get(identity)
        newest = known.episode() if known else None
        what = transition(newest, matched.alert, self._now, self._grace_s)
        if delivery.replay and what is Transition.REOPENED:
            what = Transition.OPENED
        if what is Transition.RESOLVED:
            self.resolved.add(identity)
        if known is None or what in _OPENING:
            known = self._open(delivery_id, delivery, matched, identity)
        elif not (delivery.replay and what is Transition.REPEATED):
            # Only a sender's own word is a sign that the alert still fires.
            self._go_on(known, what, delivery, matched)
        if self._scopes.stated:
            asked = self._asked.setdefault(known.id, set())
            asked.update(each.rule.name for each in matched.candidates)
        return known, what

    def refused_resolve(self, delivery: Delivery, matched: Matched) -> Check | None:
        """Why a resolve must not end the open episode; None where there is none, or it may."""
        if matched.alert.firing:
            return None
        refused = self._why_not_ended(delivery, matched)
        own = self._known.get(matched.apart) if matched.apart is not None else None
        # Whoever may earn nothing by an alert may still end what he began himself.
        return None if own is not None and own.open else refused

    def keep_beside(self, delivery_id: str, delivery: Delivery, matched: Matched) -> EpisodeRecord:
        """A closed episode beside the open one, for a resolve that must not end that."""
        record = EpisodeRecord(
            id=self._new_id("a"),
            open=False,
            last_seen=self._now,
            resolved_at=self._now,
            verdicts={},
            seen=1,
            inserted=True,
            newest=False,
            labels_hash=_labels(delivery, matched),
        )
        self._changes.episodes.append(
            NewEpisode(matched.identity, matched.alert, delivery_id, self._now, record)
        )
        return record

    def _go_on(
        self, known: EpisodeRecord, what: Transition, delivery: Delivery, matched: Matched
    ) -> None:
        known.due_at = None
        if not delivery.kept_as:
            known.last_seen = max(known.last_seen, delivery.received_at)
            known.seen += 1
        if matched.alert.firing and self._speaks_for(delivery, known):
            known.labels_hash = _labels(delivery, matched)
        if what is Transition.REOPENED:
            known.open, known.resolved_at = True, None
            self._changes.ends[known.id] = ""
        elif what is Transition.RESOLVED:
            known.open, known.resolved_at = False, self._now
            if reason := matched.alert.annotations.get(STATE_REASON):
                self._changes.ends[known.id] = reason
        if not known.inserted:
            self._changes.touched[known.id] = known

    def _open(
        self, delivery_id: str, delivery: Delivery, matched: Matched, identity: int
    ) -> EpisodeRecord:
        """A new episode. One that a replay begins is over at once: no sender knows of it, so
        none would ever resolve it, and its incident would hold back the next real page."""
        alert = matched.alert
        fires = alert.firing and alert.kind is not AlertKind.TEST and not delivery.replay
        former = self._known.get(identity)
        if former is not None:
            former.newest = False
            if not former.inserted:
                self._changes.superseded.append(former.id)
        record = EpisodeRecord(
            id=self._new_id("a"),
            open=fires,
            last_seen=self._now,
            resolved_at=None if alert.firing and not delivery.replay else self._now,
            verdicts={},
            seen=1,
            inserted=True,
            labels_hash=_labels(delivery, matched),
        )
        self._known[identity] = record
        self._changes.episodes.append(NewEpisode(identity, alert, delivery_id, self._now, record))
        return record

    def _kept_under(self, delivery: Delivery, matched: Matched) -> int:
        """The identity of the episode that a notification is about.

        What its sender may earn nothing by is kept apart, unless it ends the real alert: the rules
        may have changed since that was decided on.
        """
        if matched.apart is None:
            return matched.identity
        known = self._known.get(matched.identity)
        may_end = not matched.alert.firing and known is not None and known.open
        ends = may_end and self._why_not_ended(delivery, matched) is None
        return matched.identity if ends else matched.apart

    def _why_not_ended(self, delivery: Delivery, matched: Matched) -> Check | None:
        known = self._known.get(matched.identity)
        if matched.alert.firing or known is None or not known.open:
            return None
        labels = known.labels_hash
        return refused_resolve(
            self._scopes.of(delivery.credential),
            delivery.credential,
            self._rules_of(known),
            same_labels=labels is None or labels == _labels(delivery, matched),
        )

    def _speaks_for(self, delivery: Delivery, known: EpisodeRecord) -> bool:
        """Whether the sender's word on the alert's labels counts more than the word before.

        A sender of less scope may have come first, with this fingerprint and labels of its own.
        """
        if not self._scopes.limits(delivery.credential):
            return False
        return all(map(self._scopes.of(delivery.credential).may_earn, self._rules_of(known)))

    def _rules_of(self, known: EpisodeRecord) -> Set[str]:
        """The rules by which an episode was decided on, in this batch too."""
        return known.verdicts.keys() | self._asked.get(known.id, set())


def identities_of(alerts: Collection[Matched]) -> set[int]:
    """What is read for these alerts: a resolve may be about either of two episodes."""
    found = {each.identity for each in alerts if each.apart is None or not each.alert.firing}
    found.update(each.apart for each in alerts if each.apart is not None)
    return found


def _labels(delivery: Delivery, matched: Matched) -> int:
    return labels_hash(matched.alert, delivery.notification.format)
