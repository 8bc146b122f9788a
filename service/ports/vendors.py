"""The vendors: every method raises `service.domain.errors.VendorError`, and nothing of an SDK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from service.domain.observation import (
    AppState,
    ComponentHealth,
    ComputeState,
    Deployment,
    DropletAction,
    DropletSize,
    DropletState,
    ServiceHealth,
)


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def time(self) -> float:
        """Seconds since the epoch: for instants that are stored or shown. It may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, never going back: for how long something lasts."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class AppPlatform(Protocol):
    """DigitalOcean App Platform (docs/vendors.md)."""

    def get_app(self, app_id: str) -> AppState:
        """The app as specified now."""
        ...

    def update_app(self, app_id: str, spec: Mapping[str, Any]) -> str:
        """Send the whole spec back without shipping new code; the id of its deployment."""
        ...

    def get_deployment(self, app_id: str, deployment_id: str) -> Deployment:
        """One deployment."""
        ...

    def list_deployments(self, app_id: str) -> Sequence[Deployment]:
        """The newest deployments, newest first (one page)."""
        ...

    def health(self, app_id: str) -> Mapping[str, ComponentHealth]:
        """Replicas wanted and ready, by component."""
        ...


class Droplets(Protocol):
    """DigitalOcean droplets (docs/vendors.md)."""

    def get(self, droplet_id: str) -> DropletState:
        """The droplet now."""
        ...

    def snapshot_names(self, droplet_id: str) -> Sequence[str]:
        """Names of the snapshots that exist."""
        ...

    def list_actions(self, droplet_id: str) -> Sequence[DropletAction]:
        """The newest actions, newest first (one page)."""
        ...

    def get_action(self, droplet_id: str, action_id: int) -> DropletAction:
        """One action."""
        ...

    def act(self, droplet_id: str, action: str, **parameters: Any) -> DropletAction:
        """Ask for an action: snapshot(name), shutdown, power_off, power_on, resize(size, disk)."""
        ...

    def sizes(self) -> Mapping[str, DropletSize]:
        """The sizes on offer, by slug."""
        ...


class DatabaseCompute(Protocol):
    """The Supabase management API (docs/vendors.md)."""

    def get(self, project: str) -> ComputeState:
        """The project's compute size and status now, with the vendor's prices."""
        ...

    def resize(self, project: str, variant: str) -> None:
        """Ask for another compute size; about two minutes of downtime follow."""
        ...

    def health(self, project: str) -> Sequence[ServiceHealth]:
        """Database and pooler."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """A page to the person on call (PagerDuty Events v2).

    `severity` is critical, error, warning or info. `links` are (href, text) pairs.
    """

    dedup_key: str
    summary: str
    source: str
    severity: str
    component: str = ""
    group: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    links: Sequence[tuple[str, str]] = ()


class Pager(Protocol):
    """PagerDuty Events v2: safe to repeat, because identity is the dedup_key."""

    def trigger(self, page: Page) -> None:
        """Open the incident of `page.dedup_key`, or add to it."""
        ...

    def resolve(self, dedup_key: str) -> None:
        """Close the incident; dropped by the vendor when none is open."""
        ...

    def change(self, summary: str, source: str, details: Mapping[str, Any]) -> None:
        """Record a change event: shown beside incidents, wakes nobody."""
        ...


@dataclass(frozen=True, slots=True)
class MessageRef:
    """Where a message is, so that it can be edited and answered in its thread."""

    channel: str
    ts: str


@dataclass(frozen=True, slots=True)
class Message:
    """A chat message: `text` is what a notification and a plain client show.

    `fields` are short label/value pairs, `context` a last small line. `links` are (href, text)
    pairs: nothing else in a message becomes a link.
    """

    title: str
    text: str
    fields: Sequence[tuple[str, str]] = ()
    context: str = ""
    links: Sequence[tuple[str, str]] = ()


class Messenger(Protocol):
    """Slack."""

    def post(self, message: Message, thread: MessageRef | None = None) -> MessageRef:
        """Post, in a thread where one is given."""
        ...

    def update(self, ref: MessageRef, message: Message) -> None:
        """Replace a message by another."""
        ...


class Metrics(Protocol):
    """Prometheus' HTTP API."""

    def query(self, expression: str) -> float | None:
        """The value of an instant query that yields one sample; None when there is no data."""
        ...


class HealthProbe(Protocol):
    """A plain HTTP health check of what was changed."""

    def check(self, url: str) -> str | None:
        """None when `url` answers 2xx; otherwise one sentence that says what it did instead."""
        ...
