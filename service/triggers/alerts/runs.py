"""The runs that a batch earns, and the incidents it touches."""

from __future__ import annotations

from dataclasses import replace

from service.catalogue.actions import INVESTIGATE, PAGE_ONCALL
from service.catalogue.registry import action_spec, checked_options
from service.catalogue.spec import Effect
from service.domain.alerts.alert import Alert, Notification
from service.domain.alerts.floods import UPDATE_S, is_flood_key
from service.domain.alerts.incident import links_in
from service.domain.decisions.claims import Cooldown
from service.domain.decisions.requests import ALERT, REPLAY, Origin, Request
from service.domain.links import Link, shown_links
from service.domain.rules.rules import Rule, RuleBook
from service.intake.alertmanager import silence_link
from service.ports.admission import Changes, Delivery, IncidentRecord, NewRun
from service.triggers.alerts.candidates import Candidate, alert_line
from service.triggers.alerts.notices import Notice, shadow_notice


class RunMaker:
    """Collects the runs of one batch in its `changes`; alerts that come too late for one are added
    to it."""

    def __init__(self, book: RuleBook, changes: Changes, now: float, refire_grace_s: float) -> None:
        self._book = book
        self.changes = changes
        self._now = now
        self._grace_s = refire_grace_s
        self._causes: dict[str, dict[str, None]] = {}

    def start(
        self,
        candidate: Candidate,
        alert: Alert,
        episode: str,
        delivery: Delivery,
        cooldown: Cooldown,
    ) -> str:
        """A run that the claim just won entitles to; its id."""
        if action_spec(candidate.rule.action).effect is Effect.CALLS:
            # Only a rule in shadow comes here with a page: it has no incident.
            self.notice(shadow_notice(candidate, alert, episode), cooldown)
            return cooldown.run
        request = self._request(candidate, alert, episode, delivery, cooldown)
        if request.on is None:
            self._add(replace(request, subject=candidate.claim), f"message:{candidate.claim}")
        else:
            self._add(request, request.on.resource)
        return cooldown.run

    def started_targets(self, rule: Rule) -> tuple[str, ...]:
        """The targets of the scenario that a rule starts; none where it starts none."""
        scenario = self._book.scenarios.get(str(rule.options.get("scenario")))
        return () if scenario is None else scenario.targets

    def join(self, run: str, episode: str) -> None:
        """Name one more alert as a cause of a run that this batch has made."""
        causes = self._causes.get(run)
        if causes is not None:
            causes[episode] = None

    def finished(self) -> list[NewRun]:
        """The runs, each with all the alerts that are its cause."""
        return [
            replace(new, request=_caused_by(new.request, tuple(self._causes[run])))
            for run, new in self.changes.runs.items()
        ]

    def known_incident(self, candidate: Candidate) -> IncidentRecord | None:
        """The incident of a paging rule's group, where there is one."""
        return self.changes.incidents.get(candidate.incident or "")

    def incident(self, candidate: Candidate, delivery: Delivery) -> IncidentRecord:
        """The incident of a paging rule's group, made when there is none."""
        key = candidate.incident or ""
        known = self.known_incident(candidate)
        if known is None:
            notification = delivery.notification
            known = self.changes.incidents[key] = IncidentRecord(
                dedup_key=key,
                rule=candidate.rule.name,
                severity=candidate.rule.severity,
                source=notification.source,
                receiver=notification.receiver,
                group_labels=notification.group_labels,
            )
        return known

    def page(
        self,
        candidate: Candidate,
        incident: IncidentRecord,
        alert: Alert,
        episode: str,
        delivery: Delivery,
        cooldown: Cooldown,
    ) -> str:
        """A run that tells the pager the incident's state; its id."""
        request = self._request(candidate, alert, episode, delivery, cooldown)
        # The pager knows the flood: its count may be a minute old.
        waits = is_flood_key(incident.dedup_key) and incident.paged
        self._add(
            replace(request, subject=incident.dedup_key, severity=candidate.rule.severity),
            f"page:{incident.dedup_key}",
            delay_s=UPDATE_S if waits else 0.0,
        )
        return cooldown.run

    def resolve_page(self, incident: IncidentRecord, cooldown: Cooldown) -> None:
        """A run, after the refire grace, that resolves the incident if nothing fires again."""
        why = "the last alert of the incident has resolved"
        request = Request(
            id=cooldown.run,
            action=PAGE_ONCALL.name,
            origin=Origin(ALERT, incident.rule, why),
            claim=cooldown.key,
            rules_hash=self._book.hash,
            subject=incident.dedup_key,
            severity=incident.severity,
        )
        self._add(request, f"page:{incident.dedup_key}", delay_s=self._grace_s)

    def notice(self, notice: Notice, cooldown: Cooldown) -> None:
        """A run that tells people of alerts that lead to nothing."""
        request = Request(
            id=cooldown.run,
            action=INVESTIGATE.name,
            origin=Origin(ALERT, notice.by, notice.why, notice.alerts),
            claim=notice.claim,
            direction=INVESTIGATE.direction,
            rules_hash=self._book.hash,
            cooldown_s=notice.cooldown_s,
            subject=notice.subject,
        )
        self._add(request, f"message:{notice.claim}")

    def _request(
        self,
        candidate: Candidate,
        alert: Alert,
        episode: str,
        delivery: Delivery,
        cooldown: Cooldown,
    ) -> Request:
        """What an alert asks for by a rule."""
        rule = candidate.rule
        action = action_spec(rule.action)
        options = checked_options(rule.action, rule.options)
        kind = REPLAY if delivery.replay else ALERT
        return Request(
            id=cooldown.run,
            action=rule.action,
            origin=Origin(
                *(kind, rule.name, alert_line(alert), (episode,)),
                links=_links(alert, delivery.notification),
                notification=delivery.id,
            ),
            claim=candidate.claim,
            rules_hash=self._book.hash,
            direction=action.direction_of(options),
            on=self._book.target_of(rule),
            wanted=action.wanted(options),
            options=options,
            cooldown_s=rule.cooldown.total_seconds(),
            settle_s=rule.settle.total_seconds(),
            policy=rule.policy,
        )

    def _add(self, request: Request, partition: str, delay_s: float = 0.0) -> None:
        self.changes.runs[request.id] = NewRun(request, partition, self._now, delay_s)
        self._causes[request.id] = dict.fromkeys(request.origin.alerts)


def _caused_by(request: Request, alerts: tuple[str, ...]) -> Request:
    return replace(request, origin=replace(request.origin, alerts=alerts))


def _links(alert: Alert, notification: Notification) -> tuple[Link, ...]:
    """What an alert names to read on, and its sender."""
    sender = (notification.external_url, f"{notification.source}: the sender")
    silence = (silence_link(alert, notification), f"{alert.name or 'alert'}: silence")
    return shown_links([*links_in(alert), silence, sender])
