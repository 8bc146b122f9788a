"""What admission reads from and writes to the journal and the gate, and what it answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from service.domain.alerts.alert import Alert, Notification, Quarantined
from service.domain.alerts.episodes import Episode
from service.domain.alerts.floods import Rate
from service.domain.decisions.claims import Cooldown
from service.domain.decisions.controls import Control
from service.domain.decisions.decision import Decision
from service.domain.decisions.demoted import Demotion
from service.domain.decisions.requests import Request


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notification to admit. `received_at` is in seconds since the epoch.

    `replay` marks alerts that a person sent again from storage. `kept_as` is the id of a
    notification on record whose alerts are judged again, because what held them is over.
    `credential` is the name of the credential that it came with, empty in open mode and for a
    replay. `address` is that of the peer: the sender, or the proxy before it. Neither is a part of
    any identity. `id` is that of the notification, once it has one.
    """

    notification: Notification
    received_at: float
    replay: bool = False
    kept_as: str = ""
    id: str = ""
    credential: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Verdicted:
    """The decision on one alert, with the id of its episode."""

    alert: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one delivery, after the commit."""

    delivery: str
    verdicts: tuple[Verdicted, ...]
    quarantined: tuple[Quarantined, ...]


@dataclass(slots=True)
class EpisodeRecord:
    """The newest episode of an alert, as the journal has it and as this batch changes it.

    `verdicts` maps each rule to the [decision id, key] of its last decision. `due_at` (seconds
    since the epoch) is when a guard that holds it lets go, and it is judged again. `seen` counts
    the notifications of this batch. `labels_hash` stands for the labels with which the alert fired
    (`service.domain.alerts.alert`), None for an episode that an earlier version stored.
    """

    id: str
    open: bool
    last_seen: float
    resolved_at: float | None
    verdicts: dict[str, tuple[str, str]]
    due_at: float | None = None
    seen: int = 0
    inserted: bool = False
    newest: bool = True
    labels_hash: int | None = None

    def episode(self) -> Episode:
        """As the domain's rules see it."""
        return Episode(self.id, self.open, self.last_seen, self.resolved_at)


@dataclass(frozen=True, slots=True)
class Sought:
    """What a batch asks of the record besides, because of keys that few rules have.

    `turning` are the alerts of which it wants to know when they began to fire and resolved.
    `giving_up` are the rules of which it wants to know how many changes were in vain. `demotions`
    is whether it wants to know which rules have demoted themselves.
    """

    turning: Collection[int] = ()
    giving_up: Collection[str] = ()
    demotions: bool = False


NOTHING_MORE = Sought()


@dataclass(frozen=True, slots=True)
class OnRecord:
    """What a batch is decided by: the newest episode of each alert that has one, the cooldowns, and
    the pauses and locks that nobody has ended.

    `turns` are when alerts began to fire and resolved, oldest first (`service.domain.alerts.
    flapping`), of those that were asked for. `in_vain` are, by rule and target, the changes in a
    row without effect whose alerts still fire (`service.domain.decisions.expected`). `demotions`
    are those in force, by rule.
    """

    episodes: dict[int, EpisodeRecord]
    cooldowns: dict[str, Cooldown]
    controls: tuple[Control, ...] = ()
    turns: dict[int, tuple[float, ...]] = field(default_factory=dict)
    in_vain: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    demotions: dict[str, Demotion] = field(default_factory=dict)


@dataclass(slots=True)
class NewEpisode:
    """An episode to insert; `record` may still change while the batch is worked through."""

    identity: int
    alert: Alert
    delivery: str
    first_seen: float
    record: EpisodeRecord


@dataclass(slots=True)
class NewDecision:
    """A decision to insert; `times` and `last_at` count repeats of it in the same batch."""

    id: str
    alert: str
    delivery: str
    decision: Decision
    decided_at: float
    last_at: float
    times: int = 1


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to insert and enqueue, to be started `delay_s` seconds from now.

    `partition` is the vendor resource, or the incident: runs of one partition follow one another.
    """

    request: Request
    partition: str
    created_at: float
    delay_s: float = 0.0


@dataclass(slots=True)
class IncidentRecord:
    """A group of alerts as the pager knows it.

    `paged` is True while an incident is open there; `members` are the alerts' identities,
    `added` those that this batch adds, `removed` those that another incident tells of from now on.
    """

    dedup_key: str
    rule: str
    severity: str | None
    source: str
    receiver: str
    group_labels: Mapping[str, str]
    paged: bool = False
    members: set[int] = field(default_factory=set)
    added: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)
    exists: bool = False


@dataclass(slots=True)
class Changes:
    """Everything that one batch writes, in one go."""

    rules_hash: str
    deliveries: list[tuple[str, Delivery]] = field(default_factory=list)
    episodes: list[NewEpisode] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)
    """Episodes that are no longer the newest of their alert."""
    touched: dict[str, EpisodeRecord] = field(default_factory=dict)
    decisions: dict[str, NewDecision] = field(default_factory=dict)
    repeats: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Decisions on record that were only repeated: times and last_at, by id."""
    incidents: dict[str, IncidentRecord] = field(default_factory=dict)
    runs: dict[str, NewRun] = field(default_factory=dict)
    turns: dict[int, tuple[float, ...]] = field(default_factory=dict)
    """When alerts began to fire and resolved, of those that have done so in this batch."""
    ends: dict[str, str] = field(default_factory=dict)
    """Why an episode ended, where its sender gives a reason that is no measurement, by id; empty
    where an episode that had one has ended again without."""


@dataclass(frozen=True, slots=True)
class GateReply:
    """What Redis knows of the claims asked for.

    `cooling` maps each claim that is in cooldown to the run before it. `available` is False when
    Redis did not answer: the decision is then made on SQL alone, and says so. `asked` is False in a
    preview, since asking would hold what is free.
    """

    cooling: Mapping[str, str]
    available: bool
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer to a claim: whether it was won, and the cooldown in force either way."""

    won: bool
    cooldown: Cooldown


class Gate(Protocol):
    """The cooldown gate in Redis: a fast first look, never the authority."""

    def ask(self, claims: Collection[str], token: str) -> GateReply:
        """In one round trip: which claims are in cooldown. `token` holds the free ones for 15 s."""
        ...

    def settle(self, cooldowns: Collection[Cooldown], token: str, now: float) -> None:
        """After the commit: tell Redis what SQL decided; what is free is given back."""
        ...

    def give_back(self, claims: Collection[str], token: str) -> None:
        """After a failed commit: compare-and-delete what `token` holds."""
        ...


class Transaction(Protocol):
    """One SQL transaction of admission; leaving it without an exception commits."""

    def read(
        self, identities: Collection[int], claims: Collection[str], more: Sought = NOTHING_MORE
    ) -> OnRecord:
        """What is on record of these alerts and claims, in one round trip unless a pause or a lock
        is in force. Nobody else changes the episodes meanwhile. `more` costs nothing where it is
        empty."""
        ...

    def cooldowns(self, claims: Collection[str]) -> dict[str, Cooldown]:
        """The cooldowns on record."""
        ...

    def claim(self, keys: Collection[str], now: float) -> dict[str, Claimed]:
        """Take each claim that is free at `now`, all in one statement; one winner for each among
        any number of callers. Claims that are taken are locked until the commit as well."""
        ...

    def incidents(
        self, dedup_keys: Collection[str], identities: Collection[int]
    ) -> dict[str, IncidentRecord]:
        """The incidents on record, with their members among `identities`, and the floods that any
        of these are members of; nobody else changes them meanwhile."""
        ...

    def count_incidents(self, fresh: Mapping[str, int], minute: int) -> dict[str, Rate]:
        """Count so many new incidents of each sender in a minute since the epoch; the rates after
        that. Nobody else counts for these senders until the commit."""
        ...

    def incidents_of(self, identities: Collection[int]) -> dict[int, list[str]]:
        """The dedup_keys of the incidents that each alert belongs to."""
        ...

    def write(self, changes: Changes, *, last: bool = False) -> None:
        """Everything but the runs. With `last` nothing else follows in this transaction, and it
        may be committed with the changes."""
        ...

    def open_members(self, dedup_keys: Collection[str]) -> dict[str, int]:
        """How many alerts of each incident fire, by what is written."""
        ...

    def enqueue(self, runs: Collection[NewRun]) -> None:
        """Insert the runs and put them on the worker's queue."""
        ...


class Journal(Protocol):
    """The SQL side of admission."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Begin.

        Raises:
            StoreUnavailable: the database cannot be used; nothing was kept.
            StoreConflict: another process wrote the same rows first; begin again.
            StoreLost: the connection was closed; begin again, once.
        """
        ...
