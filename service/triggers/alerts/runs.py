"""The runs that a batch earns, and the incidents it touches."""

from __future__ import annotations

from dataclasses import replace

from service.catalogue.actions import PAGE_ONCALL
from service.catalogue.registry import action_spec
from service.domain.alerts.alert import Alert
from service.domain.decisions.claims import Cooldown
from service.domain.decisions.planning import Ask, Tell
from service.domain.rules.rules import RuleBook
from service.ports.admission import Changes, Delivery, IncidentRecord, NewRun
from service.triggers.alerts.asks import Wish


class RunMaker:
    """Collects the runs of one batch; alerts that come too late for one are added to it."""

    def __init__(self, book: RuleBook, changes: Changes, now: float, refire_grace_s: float) -> None:
        self._book = book
        self._changes = changes
        self._now = now
        self._grace_s = refire_grace_s
        self._causes: dict[str, dict[str, None]] = {}

    def start(
        self, wish: Wish, alert: Alert, episode: str, delivery: Delivery, cooldown: Cooldown
    ) -> str:
        """A run that the claim just won entitles to; its id."""
        target = self._book.target_of(wish.rule)
        if target is None:
            ask: Ask | Tell = self._tell(wish, wish.claim, alert, episode, delivery, cooldown)
            partition = f"message:{wish.claim}"
        else:
            partition = target.resource
            ask = Ask(
                run_id=cooldown.run,
                action=wish.rule.action,
                rule=wish.rule.name,
                target=target,
                direction=action_spec(wish.rule.action).direction,
                cooldown_s=wish.rule.cooldown.total_seconds(),
                settle_s=wish.rule.settle.total_seconds(),
                options=wish.rule.options,
                summary=alert_line(alert),
                alerts=(episode,),
                rules_hash=self._book.hash,
                replay=delivery.replay,
            )
        self._add(NewRun(ask, wish.claim, partition, self._now))
        return cooldown.run

    def join(self, run: str, episode: str) -> None:
        """Name one more alert as a cause of a run that this batch has made."""
        causes = self._causes.get(run)
        if causes is not None:
            causes[episode] = None

    def finished(self) -> list[NewRun]:
        """The runs, each with all the alerts that are its cause."""
        return [
            replace(new, ask=replace(new.ask, alerts=tuple(self._causes[run])))
            for run, new in self._changes.runs.items()
        ]

    def known_incident(self, wish: Wish) -> IncidentRecord | None:
        """The incident of a paging rule's group, where there is one."""
        return self._changes.incidents.get(wish.incident or "")

    def incident(self, wish: Wish, delivery: Delivery) -> IncidentRecord:
        """The incident of a paging rule's group, made when there is none."""
        key = wish.incident or ""
        known = self.known_incident(wish)
        if known is None:
            notification = delivery.notification
            known = self._changes.incidents[key] = IncidentRecord(
                dedup_key=key,
                rule=wish.rule.name,
                severity=wish.rule.severity,
                source=notification.source,
                receiver=notification.receiver,
                group_labels=notification.group_labels,
            )
        return known

    def page(
        self,
        wish: Wish,
        incident: IncidentRecord,
        alert: Alert,
        episode: str,
        delivery: Delivery,
        cooldown: Cooldown,
    ) -> str:
        """A run that tells the pager the incident's state; its id."""
        tell = self._tell(wish, incident.dedup_key, alert, episode, delivery, cooldown)
        self._add(NewRun(tell, wish.claim, f"page:{incident.dedup_key}", self._now))
        return cooldown.run

    def resolve_page(self, incident: IncidentRecord, cooldown: Cooldown) -> None:
        """A run, after the refire grace, that resolves the incident if nothing fires again."""
        tell = Tell(
            run_id=cooldown.run,
            action=PAGE_ONCALL.name,
            rule=incident.rule,
            subject=incident.dedup_key,
            cooldown_s=0.0,
            severity=incident.severity,
            summary="the last alert of the incident has resolved",
            alerts=(),
            rules_hash=self._book.hash,
        )
        partition = f"page:{incident.dedup_key}"
        self._add(NewRun(tell, cooldown.key, partition, self._now, delay_s=self._grace_s))

    def _tell(
        self,
        wish: Wish,
        subject: str,
        alert: Alert,
        episode: str,
        delivery: Delivery,
        cooldown: Cooldown,
    ) -> Tell:
        return Tell(
            run_id=cooldown.run,
            action=wish.rule.action,
            rule=wish.rule.name,
            subject=subject,
            cooldown_s=wish.rule.cooldown.total_seconds(),
            severity=wish.rule.severity,
            summary=alert_line(alert),
            alerts=(episode,),
            rules_hash=self._book.hash,
            replay=delivery.replay,
        )

    def _add(self, run: NewRun) -> None:
        self._changes.runs[run.ask.run_id] = run
        self._causes[run.ask.run_id] = dict.fromkeys(run.ask.alerts)


def alert_line(alert: Alert) -> str:
    """An alert in one line for a person: its name and its summary."""
    name = alert.name or "unnamed alert"
    summary = alert.annotations.get("summary") or alert.annotations.get("description")
    return f"{name}: {summary}" if summary else name
