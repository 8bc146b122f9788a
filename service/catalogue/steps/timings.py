"""How long actions wait, in one place, so that tests and the sandbox can shorten all of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timings:
    """All in seconds, except `retry_attempts`, `write_attempts` and `fresh_reads`.

    Polling starts at `poll_min_s`, so that a quick vendor is seen quickly, and grows to
    `poll_max_s`, so that a slow one costs little of its rate limit (DigitalOcean: 250 requests a
    minute). Each deadline counts from the beginning of its step, and is followed by a last look.
    """

    poll_min_s: float = 0.2
    poll_max_s: float = 5.0
    deployment_deadline_s: float = 900.0
    """For a deployment to become active: scaling ships no new code, so there is no build."""
    health_deadline_s: float = 300.0
    """For replicas, droplets and databases to answer after a change."""
    snapshot_deadline_s: float = 3600.0
    """For a snapshot at the least."""
    snapshot_per_gb_s: float = 180.0
    """For each gigabyte of the disk: a snapshot takes 1 to 3 minutes for one that is in use
    (docs/vendors.md)."""
    snapshot_listing_s: float = 60.0
    """For a snapshot that was completed to appear in the list of snapshots."""
    shutdown_grace_s: float = 60.0
    """For a guest to shut down in order, before it is powered off hard."""
    power_deadline_s: float = 180.0
    """For a power action to take effect; also how long the vendor may stay unreachable while the
    droplet is off, before a person is told."""
    resize_deadline_s: float = 1800.0
    """For power-off and resize together; then the droplet is switched on, whatever its size."""
    resize_patience_s: float = 60.0
    """For the vendor to take a resize while the droplet is off; then it is switched on again at
    its old size."""
    resend_min_s: float = 2.0
    resend_max_s: float = 60.0
    """Between two power actions of one kind, the second because the first had no effect: doubled
    each time. Each second is one of an outage, and each request counts for the rate limit."""
    price_list_s: float = 10.0
    """For a vendor's price list, which a run can do without."""
    safe_budget_s: float = 45.0
    """For one pass of bringing a droplet back on after a failure; passes follow until it is on."""
    database_deadline_s: float = 900.0
    """For a database to be healthy after a resize, which takes about two minutes
    (docs/vendors.md)."""
    database_begins_s: float = 120.0
    """How long a database that shows its new size may still be about to restart. One restarted 36 s
    after the answer to the resize (docs/vendors.md)."""
    replica_deadline_s: float = 7200.0
    """For a read replica to be healthy: it is a copy of the whole database."""
    replica_listing_s: float = 120.0
    """How long after a lost answer to its setup a read replica may still appear in the list. A
    second one that nobody wanted would be billed, so this is long."""
    cluster_deadline_s: float = 3600.0
    """For a managed cluster to be online after a resize. The vendor makes new nodes and copies the
    data: it says to allow at least 5 minutes, and more for more data (docs/vendors.md)."""
    server_begins_s: float = 60.0
    """How long a cluster's server is asked in vain before the API alone is believed."""
    reload_deadline_s: float = 30.0
    """For nginx to work by a new file, and for one of its servers to answer. It takes a reload in
    some milliseconds; old processes may finish requests meanwhile."""
    purge_deadline_s: float = 60.0
    """For a purge to reach the edge that answers us. Cloudflare's takes seconds at most
    (docs/vendors.md)."""
    flush_deadline_s: float = 900.0
    """For a flush by prefix to walk over all keys. 20,000 keys took 2.6 s on a busy machine."""
    slots_deadline_s: float = 3600.0
    """For the slots of one step to move to other nodes: an hour, as for a managed cluster that
    copies its data. 1,024 slots without keys take some seconds."""
    settle_unknown_s: float = 15.0
    """How long after a write without an answer its effect may still appear; a request is given
    up after 10 s."""
    settle_disruptive_s: float = 3.0
    """The same while a droplet is being taken down and up: an action shows in its list at once,
    a second one is refused by the vendor, and each second is one of an outage."""
    fresh_read_s: float = 2.0
    """An app's answer that took longer is asked for again before it is written from: a person may
    have changed the app meanwhile."""
    fresh_reads: int = 3
    """Then a vendor that is always slow is written to all the same, and the verification tells
    whose change was lost."""
    retry_attempts: int = 5
    retry_budget_s: float = 60.0
    asked_wait_s: float = 300.0
    """The longest that a run waits after its plan because a vendor asks to wait. The vendors'
    limits by the minute are over by then (docs/vendors.md); a limit by the hour is not."""
    write_attempts: int = 3
    """How often a write is sent whose earlier sendings are shown to have had no effect."""
