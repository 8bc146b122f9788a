"""A worker that dies where a test says: everything else of it is the production worker.

A failpoint is `<when>:<what>`. Of a step: `done:resize` is after its function ran and before its
record, `recorded:resize` after the record. Of a vendor write: `before:resize` is after its fence
and before it is sent, `after:resize` after the vendor took it. `during:await_online` is the first
look that sees a cluster on its way, `during:build_index` the first that sees a build wait, and
`during:await_replicas` the third that sees a replica come up, `during:make_way` within the
transaction in which an emergency starts that was signed. `pause:resize` is where
`before:resize` is: the write waits there until the test lets it go on. `late:resize` waits too,
with a lease that nobody looks after any more. Each goes off once, in whichever
process comes there first.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.bootstrap import vendors
from service.bootstrap.worker import build_worker
from service.catalogue.context import Record
from service.catalogue.spec import Tools
from service.catalogue.steps.timings import Timings
from service.engine import durable, lease, off_round, off_watch, worker
from service.ports.app_database import Progress
from service.ports.scenarios import Begun
from service.ports.supabase import Replica
from service.ports.valkey import ClusterState
from service.providers.cloudflare import CloudflareApi
from service.providers.digitalocean_apps import DigitalOceanApps
from service.providers.digitalocean_droplets import DigitalOceanDroplets
from service.providers.nginx_sandbox import SandboxNginx
from service.providers.postgresql import PostgresDatabase
from service.providers.redis_cache import RedisCache
from service.providers.supabase import SupabaseCompute
from service.providers.valkey import DigitalOceanValkey
from service.providers.valkey_cluster import ValkeyCluster
from service.settings import load_settings
from service.store import scenarios

QUICK = Timings(
    poll_min_s=0.05,
    poll_max_s=0.2,
    settle_unknown_s=0.6,
    settle_disruptive_s=0.3,
    power_deadline_s=6.0,
    safe_budget_s=2.0,
    resend_min_s=0.2,
    resend_max_s=1.0,
    server_begins_s=0.3,
    replica_listing_s=0.6,
)
"""For a sandbox whose actions take a tenth of a second."""
PAGE_AFTER_S = 3.0
"""A minute, for droplets that are off, in such a sandbox."""
LOOKS = 3
"""Looks at a replica that comes up: the first one is the setup's, and the others are the wait's."""
_WAITS = ("pause", "late")
_POLL_S = 0.01


@dataclass(frozen=True)
class Failpoint:
    """Where to die or to wait; `once` is the file that says it was reached."""

    text: str
    once: Path

    @property
    def passed(self) -> Path:
        """The file that lets what waits here go on."""
        return self.once.with_name(f"{self.once.name}-passed")

    def reach(self, when: str, what: str) -> None:
        """Die or wait here, if here is where."""
        if f"{when}:{what}" != self.text or not self._first():
            return
        if when not in _WAITS:
            os.kill(os.getpid(), signal.SIGKILL)
        while not self.passed.exists():
            time.sleep(_POLL_S)

    def _first(self) -> bool:
        try:
            self.once.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def work(environment: Mapping[str, str], failpoint: Failpoint, log: Path) -> None:
    """Be a worker process until it is ended."""
    _write_output_to(log)
    _arm(failpoint)
    _hasten()
    build_worker(load_settings(environment)).serve()


def _write_output_to(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for output in (1, 2):
        os.dup2(descriptor, output)


def _arm(failpoint: Failpoint) -> None:
    _arm_steps(failpoint, durable.run_step)
    _arm_write(failpoint, DigitalOceanDroplets, "act", lambda args: str(args[1]))
    _arm_write(failpoint, DigitalOceanApps, "update_app", lambda _: "update_app")
    _arm_write(failpoint, SandboxNginx, "write", lambda _: "write")
    _arm_write(failpoint, SandboxNginx, "reload", lambda _: "reload")
    _arm_write(failpoint, RedisCache, "replace_settings", lambda _: "replace_settings")
    _arm_write(failpoint, RedisCache, "unlink", lambda _: "unlink")
    _arm_write(failpoint, CloudflareApi, "purge", lambda _: "purge")
    _arm_write(failpoint, CloudflareApi, "set_cache_rules", lambda _: "set_cache_rules")
    _arm_write(failpoint, CloudflareApi, "set_cache_level", lambda _: "set_cache_level")
    _arm_write(failpoint, DigitalOceanValkey, "resize", lambda _: "resize")
    _arm_write(failpoint, ValkeyCluster, "migrating", lambda _: "migrating")
    _arm_write(failpoint, ValkeyCluster, "move_keys", lambda _: "move_keys")
    _arm_write(failpoint, SupabaseCompute, "setup_replica", lambda _: "setup_replica")
    _arm_wait(failpoint)
    _arm_build(failpoint)
    _arm_replicas(failpoint)
    _arm_start(failpoint)
    if failpoint.text.startswith("late:"):
        _neglect_the_lease(failpoint)


def _arm_steps(failpoint: Failpoint, run_step: Callable[..., Record]) -> None:
    def armed(name: str, function: Callable[..., Record], *arguments: object) -> Record:
        def done() -> Record:
            record = function(*arguments)
            failpoint.reach("done", name)
            return record

        record = run_step(name, done)
        failpoint.reach("recorded", name)
        return record

    durable.run_step = armed


def _arm_write(
    failpoint: Failpoint, adapter: Any, method: str, name_of: Callable[[tuple[Any, ...]], str]
) -> None:
    write = getattr(adapter, method)

    def armed(self: Any, *args: Any, **parameters: Any) -> Any:
        name = name_of(args)
        failpoint.reach("before", name)
        failpoint.reach("pause", name)
        failpoint.reach("late", name)
        answer = write(self, *args, **parameters)
        failpoint.reach("after", name)
        return answer

    setattr(adapter, method, armed)


def _arm_wait(failpoint: Failpoint) -> None:
    """A look at a cluster that is on its way to another size is within the step that waits."""
    look = DigitalOceanValkey.get

    def armed(self: DigitalOceanValkey, cluster: str) -> ClusterState:
        found = look(self, cluster)
        if found.status == "resizing":
            failpoint.reach("during", "await_online")
        return found

    setattr(DigitalOceanValkey, "get", armed)  # noqa: B010 - mypy forbids to assign a method


def _arm_build(failpoint: Failpoint) -> None:
    """A look at how far an index is comes while the build goes on at the server."""
    look = PostgresDatabase.progress

    def armed(self: PostgresDatabase, schema: str, table: str) -> Progress | None:
        found = look(self, schema, table)
        if found is not None and found.waits_for is not None:
            failpoint.reach("during", "build_index")
        return found

    setattr(PostgresDatabase, "progress", armed)  # noqa: B010 - mypy forbids to assign a method


def _arm_replicas(failpoint: Failpoint) -> None:
    """A replica that comes up is seen by two steps; the one that waits for it looks often."""
    look = SupabaseCompute.replicas
    coming = Counter[str]()

    def armed(self: SupabaseCompute, project: str, organization: str) -> Sequence[Replica]:
        found = look(self, project, organization)
        coming.update(each.identifier for each in found if each.status != "ACTIVE_HEALTHY")
        if max(coming.values(), default=0) >= LOOKS:
            failpoint.reach("during", "await_replicas")
        return found

    setattr(SupabaseCompute, "replicas", armed)  # noqa: B010 - mypy forbids to assign a method


def _arm_start(failpoint: Failpoint) -> None:
    """What an emergency lifts and suspends is written within the transaction of its start."""
    make_way = scenarios._make_way

    def armed(*arguments: Any) -> Begun:
        begun = make_way(*arguments)
        failpoint.reach("during", "make_way")
        return begun

    setattr(scenarios, "_make_way", armed)  # noqa: B010 - mypy forbids to assign a function


def _neglect_the_lease(failpoint: Failpoint) -> None:
    renew = lease.LeaseKeeper.renew

    def stuck(self: lease.LeaseKeeper) -> None:
        if failpoint.once.exists():
            threading.Event().wait()
        renew(self)

    setattr(lease.LeaseKeeper, "renew", stuck)  # noqa: B010 - mypy forbids to assign a method


def _hasten() -> None:
    """Waits to suit the sandbox's."""
    lease.LATE_WRITE_S = 1.0
    worker.STOP_WAIT_S = 1
    off_watch.PAGE_AFTER_S = PAGE_AFTER_S
    off_round.FIRST_AGAIN_S = 0.2
    setattr(vendors, "Tools", functools.partial(Tools, timings=QUICK))  # noqa: B010 - mypy forbids to assign a type
