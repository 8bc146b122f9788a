"""A managed Valkey cluster to another size, standby or eviction policy (runbook, Redis Scaling).

The runbook's `CONFIG SET` and `--cluster create` do not exist on a managed cluster. The vendor's
API does what they meant: a resize makes new nodes within minutes, and a policy holds at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.scale_cache import POLICY, SIZE, STANDBYS
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import poll, read
from service.catalogue.valkey.plan import ONLINE
from service.catalogue.valkey.target import PRICES, ValkeyTarget
from service.domain.capacity.three_way import AlreadyThere, Conflict, merge
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind, StepFailed, TargetChanged, VendorError
from service.ports.valkey import ClusterState, ServerFacts, ValkeyClusters

RESIZING = "resizing"
"""The vendor's word for a cluster on its way to another size or number of nodes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the servers say, runbookd's own and the cluster's.

    `own` is whether they are the same; None where that is not known. `facts` is None where the
    cluster's server could not be asked. `why` is a sentence about what could not be asked.
    """

    own: bool | None
    facts: ServerFacts | None
    why: str


def ask_servers(clusters: ValkeyClusters, cluster: str) -> Asked:
    """Ask both servers, once each. What cannot be asked stays unknown."""
    why: list[str] = []
    facts, own_ids = None, None
    try:
        facts = clusters.server(cluster)
    except VendorError as problem:
        why.append(problem.sentence)
    try:
        own_ids = clusters.own()
    except VendorError as problem:
        why.append(problem.sentence)
    if own_ids is None or (own_ids and facts is None):
        return Asked(None, facts, " ".join(why))
    return Asked(bool(facts and own_ids & facts.ids), facts, " ".join(why))


def seen_by_doctor(clusters: ValkeyClusters, target: ValkeyTarget) -> str:
    """What doctor tells of a target.

    Raises:
        VendorError: the cluster cannot be read, or it is runbookd's own Redis.
    """
    state = clusters.get(target.cluster)
    asked = ask_servers(clusters, target.cluster)
    if asked.own:
        raise _own_store(target.cluster, state.name)
    facts = asked.facts
    server = (
        f"its server has {facts.keys:,} keys, {facts.keys - facts.expiring:,} of them without a "
        "time to live"
        if facts
        else f"its server could not be asked, so a person approves what depends on it. {asked.why}"
    )
    return (
        f"DigitalOcean knows cluster {state.name}, {state.size} with {state.nodes - 1} standbys, "
        f"{state.policy}, {state.status}; {server}"
    )


def _own_store(cluster: str, name: str) -> VendorError:
    return VendorError(
        "valkey",
        f"look at cluster {cluster}",
        FailureKind.PERMANENT,
        f"Cluster {name} is the Redis that runbookd itself works with: the server behind REDIS_URL "
        "says so by its id. Every run on it is held. Give runbookd a Redis of its own, or take the "
        "target out of the rules.",
    )


class ClusterWork:
    """The steps set_policy, resize, await_online and verify over one port."""

    def __init__(self, clusters: ValkeyClusters, tools: Tools) -> None:
        self._clusters = clusters
        self._clock = tools.clock
        self._timings = tools.timings

    def observe(self, target: ValkeyTarget) -> Record:
        """Size, standbys, policy and status; what its server says, and whether it is our own."""
        state = self._read(target.cluster)
        asked = ask_servers(self._clusters, target.cluster)
        facts = asked.facts
        return {
            "name": state.name,
            "engine": state.engine,
            SIZE: state.size,
            STANDBYS: state.nodes - 1,
            POLICY: state.policy,
            "status": state.status,
            "own": asked.own,
            "keys": facts and facts.keys,
            "expiring": facts and facts.expiring,
            "used_bytes": facts and facts.used_bytes,
            "why": asked.why,
            "source": PRICES.stand_in("its API names none of clusters"),
        }

    def steps(self) -> Mapping[str, StepFunction]:
        """set_policy, resize, await_online, verify."""
        return {
            "set_policy": self._set_policy,
            "resize": self._resize,
            "await_online": self._await_online,
            "verify": self._verify,
        }

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """Says how the cluster was left; the vendor keeps it serving meanwhile."""
        cluster = plan.wanted["cluster"]
        try:
            state = self._read(cluster)
        except VendorError as problem:
            return f"How cluster {cluster} was left is not known. {problem} Look at it by hand."
        before, after = plan.wanted["before"], plan.wanted["after"]
        return (
            f"Cluster {state.name} is {state.status} at {_shown(_values(state))} now (before: "
            f"{_shown(before)}, wanted: {_shown(after)})."
        )

    def _read(self, cluster: str) -> ClusterState:
        return read(lambda: self._clusters.get(cluster), clock=self._clock, timings=self._timings)

    def _not_our_own(self, step: str, plan: Plan) -> None:
        """Refuse runbookd's own Redis right before a write: an address may have moved since.

        Raises:
            StepFailed: it is.
            VendorError: that cannot be told any more. A plan that a person approved without
                knowing it goes on.
        """
        asked = ask_servers(self._clusters, plan.wanted["cluster"])
        if asked.own:
            raise StepFailed(
                step, _own_store(plan.wanted["cluster"], plan.wanted["cluster"]).sentence
            )
        if asked.own is None and not plan.wanted["unknown"]:
            raise VendorError(
                "valkey",
                f"look at cluster {plan.wanted['cluster']}",
                FailureKind.TEMPORARY,
                "Whether the cluster is runbookd's own Redis could be told when this run looked, "
                f"and not any more, so nothing was sent. {asked.why}",
            )

    def _set_policy(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        cluster = plan.wanted["cluster"]
        before, after = (plan.wanted[key][POLICY] for key in ("before", "after"))
        intent = context.intent("set_policy")

        def look() -> Applied | Pending[None]:
            found = self._clusters.get(cluster).policy
            merged = merge({POLICY: before}, {POLICY: found}, {POLICY: after})
            if isinstance(merged, AlreadyThere):
                return Applied({POLICY: after})
            if isinstance(merged, Conflict):
                raise TargetChanged("set_policy", _person(cluster, merged))
            self._not_our_own("set_policy", plan)
            return Pending(None)

        def send(_: None) -> Record:
            self._clusters.set_policy(cluster, after)
            return {POLICY: after, "sent": True}

        what = f"setting the eviction policy of cluster {cluster} to {after}"
        return apply_once(context, intent, Write("set_policy", what, look, send), self._timings)

    def _resize(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Ask for size and nodes, unless the cluster has them or is already on its way."""
        cluster = plan.wanted["cluster"]
        before, after = (_nodes_of(plan.wanted[key]) for key in ("before", "after"))
        self._wait_while_busy(context, plan)
        intent = context.intent("resize")

        def look() -> Applied | Pending[None]:
            state = self._clusters.get(cluster)
            merged = merge(before, _nodes_of(_values(state)), after)
            if isinstance(merged, AlreadyThere) or state.status == RESIZING:
                return Applied({**after})
            if isinstance(merged, Conflict):
                raise TargetChanged("resize", _person(cluster, merged))
            self._not_our_own("resize", plan)
            return Pending(None)

        def send(_: None) -> Record:
            self._clusters.resize(cluster, after[SIZE], after[STANDBYS] + 1)
            context.progress(f"Asked for {_shown(after)}; the vendor makes the nodes, in minutes.")
            return {**after, "sent": True}

        what = f"resizing cluster {cluster} to {_shown(after)}"
        return apply_once(context, intent, Write("resize", what, look, send), self._timings)

    def _wait_while_busy(self, context: StepContext, plan: Plan) -> None:
        """What the cluster is in the middle of is let through: its end shows what it was."""
        cluster = plan.wanted["cluster"]
        last: list[ClusterState] = []

        def look() -> bool | None:
            last[:] = [self._clusters.get(cluster)]
            return True if last[0].status == ONLINE else None

        poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.cluster_deadline_s,
            late=lambda: StepFailed(
                "resize",
                f"Cluster {cluster} has been {_status(last)} for {self._minutes()}, so no resize "
                "was asked for. Look at it in the vendor's control panel.",
            ),
        )

    def _await_online(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Wait for the size and the nodes, and for the cluster to be online with them.

        The cluster stays online as it was for some seconds after the answer to a resize.
        """
        cluster = plan.wanted["cluster"]
        before, after = (_nodes_of(plan.wanted[key]) for key in ("before", "after"))
        last: list[ClusterState] = []

        def look() -> ClusterState | None:
            state = self._clusters.get(cluster)
            last[:] = [state]
            merged = merge(before, _nodes_of(_values(state)), after)
            if isinstance(merged, Conflict):
                raise StepFailed("await_online", _person(cluster, merged))
            there = isinstance(merged, AlreadyThere) and state.status == ONLINE
            return state if there else None

        poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.cluster_deadline_s,
            late=lambda: StepFailed(
                "await_online",
                f"Cluster {cluster} was to be {ONLINE} with {_shown(after)} and is "
                f"{_status(last)} after {self._minutes()}. Look at it in the vendor's control "
                "panel now.",
            ),
        )
        return {**after, "status": ONLINE}

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """The API shows all that is wanted, and the server itself works by the policy.

        A server that cannot be asked is believed to work by what the API shows, after a while.
        """
        cluster, after = plan.wanted["cluster"], plan.wanted["after"]
        last: list[str] = []
        until = context.clock.monotonic() + self._timings.server_begins_s

        def look() -> Record | None:
            state = self._clusters.get(cluster)
            found = _values(state)
            if found != after or state.status != ONLINE:
                last[:] = [f"it is {state.status} with {_shown(found)}"]
                return None
            try:
                facts = self._clusters.server(cluster)
            except VendorError as problem:
                last[:] = [problem.sentence]
                gone = context.clock.monotonic() >= until
                proof = f"not by the server: {problem.clause}"
                return {**after, "proof": proof} if gone else None
            if facts.policy != after[POLICY]:
                last[:] = [f"its server still works by {facts.policy}"]
                return None
            return {**after, "proof": "the server says which policy it works by"}

        return poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.health_deadline_s,
            late=lambda: StepFailed(
                "verify",
                f"Cluster {cluster} was to be {_shown(after)}, but after "
                f"{self._timings.health_deadline_s / 60:.0f} minutes {''.join(last)}. Look at it "
                "in the vendor's control panel now.",
            ),
        )

    def _minutes(self) -> str:
        return f"{self._timings.cluster_deadline_s / 60:.0f} minutes"


def _values(state: ClusterState) -> dict[str, Any]:
    return {SIZE: state.size, STANDBYS: state.nodes - 1, POLICY: state.policy}


def _nodes_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What one resize sets."""
    return {SIZE: values[SIZE], STANDBYS: values[STANDBYS]}


def _shown(values: Mapping[str, Any]) -> str:
    policy = f", {values[POLICY]}" if POLICY in values else ""
    return f"{values[SIZE]} with {values[STANDBYS]} standbys{policy}"


def _person(cluster: str, found: Conflict) -> str:
    return (
        f"A person changed cluster {cluster}: {found}. It was left so, and nothing of this run was "
        "set over it."
    )


def _status(last: list[ClusterState]) -> str:
    return f"{last[0].status} with {_shown(_values(last[0]))}" if last else "unreadable"
