"""A cluster of one's own to other memory, another eviction policy or more shards (runbook, Redis
Scaling).

The runbook's `CONFIG SET` reaches one node, and its `--cluster create` makes a cluster once. Here
every node is set and read back, and new nodes get slots while the cluster serves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.scale_cache import MEMORY, POLICY
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import poll, read
from service.catalogue.valkey_cluster import slots
from service.catalogue.valkey_cluster.moving import Moving
from service.catalogue.valkey_cluster.plan import MOST_STEPS, MOVES
from service.catalogue.valkey_cluster.seen import OK, seen_together
from service.catalogue.valkey_cluster.target import (
    ClusterTarget,
    memory_bytes,
    memory_text,
)
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind, StepFailed, TargetChanged, VendorError
from service.ports.valkey_cluster import ClusterNodes, Member, NodeState
from service.retry import call_with_retries

LOOKS = 2
"""How often a node is asked before it counts as away. One lost answer proves nothing, and a run
that is held looks again anyway."""
SERVER_NAMES = {MEMORY: "maxmemory", POLICY: "maxmemory-policy"}
"""The servers' names of what is set."""


def seen_by_doctor(nodes: ClusterNodes, target: ClusterTarget) -> str:
    """What doctor tells of a cluster.

    Raises:
        VendorError: a node does not answer, is runbookd's own Redis, or is no node of the cluster.
    """
    own = nodes.own()
    states = [nodes.node(address) for address in nodes.addresses()]
    seen = seen_together(states, {}, own)
    said = [f"{each} is runbookd's own Redis" for each in seen["own"]]
    said += [f"{each} is no node of a cluster" for each in seen["single"]]
    said += [f"CACHE_CLUSTER_URLS does not name {each}" for each in seen["unnamed"]]
    said += seen["trouble"]
    if said or not seen["nodes"]:
        raise VendorError(
            "valkey",
            f"look at cluster {target.name}",
            FailureKind.PERMANENT,
            f"The cluster answers, and every run on it is held: "
            f"{'; '.join(said) or 'no node belongs to a cluster yet'}.",
        )
    shards = [each for each in seen["nodes"] if each["primary"] and each["ranges"]]
    keys = sum(each["keys"] for each in shards)
    lasting = keys - sum(each["expiring"] for each in shards)
    return (
        f"every node says that the cluster is ok: nodes {len(seen['nodes'])}, shards "
        f"{len(shards)}; {keys:,} keys, {lasting:,} of them without a time to live; new nodes that "
        f"wait to join: {len(seen['new'])}"
    )


class NodesWork:
    """The steps set_eviction_policy, set_maxmemory, keep, join, move_slots_… and verify."""

    def __init__(self, nodes: ClusterNodes, tools: Tools) -> None:
        self._nodes = nodes
        self._clock = tools.clock
        self._timings = tools.timings

    def observe(self, target: ClusterTarget) -> Record:
        """What every node says. One that is away is named, and does not fail the look."""
        own = read(self._nodes.own, clock=self._clock, timings=self._timings)
        states, away = self._states(self._nodes.addresses())
        return seen_together(states, away, own)

    def steps(self) -> Mapping[str, StepFunction]:
        """All steps; those that move slots by their numbers."""
        moving = {
            f"{MOVES}{number}": partial(self._move_slots, number)
            for number in range(1, MOST_STEPS + 1)
        }
        return {
            f"set_{POLICY}": partial(self._set, POLICY),
            f"set_{MEMORY}": partial(self._set, MEMORY),
            "keep": self._keep,
            "join": self._join,
            **moving,
            "verify": self._verify,
        }

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """Says what each node has now. A slot on its way is served by both of its nodes, so nothing
        has to be taken back."""
        states, away = self._states([*plan.wanted["ids"]])
        said = [_said(each) for each in states]
        said += [f"{address}: not known, it did not answer" for address in sorted(away)]
        on_their_way = {slot for each in states if each.view for slot in each.view.leaving}
        served = (
            f" {len(on_their_way)} slots are on their way and are served by both nodes."
            if on_their_way
            else ""
        )
        return f"The nodes have now: {'; '.join(said)}.{served}"

    def _states(self, addresses: Sequence[str]) -> tuple[list[NodeState], dict[str, str]]:
        """The nodes that answer, and a sentence about each that does not."""
        states, away = [], {}
        for address in addresses:
            try:
                states.append(self._node(address, attempts=LOOKS))
            except VendorError as problem:
                away[address] = problem.sentence
        return states, away

    def _node(self, address: str, *, attempts: int | None = None) -> NodeState:
        return call_with_retries(
            lambda: self._nodes.node(address),
            clock=self._clock,
            attempts=attempts or self._timings.retry_attempts,
            budget_s=self._timings.retry_budget_s,
        )

    def _checked(self, step: str, address: str, plan: Plan, own: frozenset[str]) -> NodeState:
        """A node right before a write to it: still the plan's, and not our own Redis.

        Raises:
            StepFailed: it is our own.
            TargetChanged: the address leads to another node.
            VendorError: it does not answer.
        """
        state = self._nodes.node(address)
        if state.ids & own:
            raise StepFailed(
                step,
                f"Node {address} is the Redis that runbookd itself works with: the server behind "
                "REDIS_URL says so by its id. Nothing was sent to it. Give runbookd a Redis of its "
                "own, or take the target out of the rules.",
            )
        if state.view is None or state.view.me != plan.wanted["ids"][address]:
            raise TargetChanged(
                step,
                f"Address {address} leads to another node than when this run looked. Nothing was "
                "sent to it.",
            )
        return state

    def _set(
        self,
        name: str,
        context: StepContext,
        request: Request,
        plan: Plan,
        done: Mapping[str, Record],
    ) -> Record:
        """Set one node after the other. A node that has it already is left."""
        set_now = {}
        for address, (before, after) in sorted(plan.wanted["set"][name].items()):
            self._set_one(name, address, before, after, context, plan)
            set_now[address] = after
        return {"set": set_now}

    def _set_one(
        self, name: str, address: str, before: str, after: str, context: StepContext, plan: Plan
    ) -> None:
        step = f"set_{name}"

        def look() -> Applied | Pending[None]:
            own = self._nodes.own()
            found = _value(self._checked(step, address, plan, own), name)
            if found == after:
                return Applied({})
            if found != before:
                raise TargetChanged(
                    step,
                    f"Somebody has changed node {address}: {name} was {before} when this run "
                    f"looked, and is {found} now. That node was left so.",
                )
            return Pending(None)

        def send(_: None) -> Record:
            self._nodes.set(address, SERVER_NAMES[name], _for_server(name, after))
            return {"sent": True}

        write = Write(step, f"setting {name} of node {address} to {after}", look, send)
        # A node's own intent: where the second one refuses, the first one has been written to.
        intent = context.intent(_intent(name, address, plan))
        apply_once(context, intent, write, self._timings)

    def _keep(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Have each node that has a file of settings write it. To do it again changes nothing."""
        context.intent("keep")
        for address in plan.wanted["kept"]:

            def write(address: str = address) -> None:
                self._checked("keep", address, plan, self._nodes.own())
                context.fence()
                self._nodes.keep(address)

            read(write, clock=context.clock, timings=self._timings)
        return {"kept": plan.wanted["kept"]}

    def _join(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Have each new node meet the cluster, and wait until all nodes know each other."""
        new, everybody = plan.wanted["new"], [*plan.wanted["ids"]]
        known = [address for address in everybody if address not in new]
        for address in new:
            self._join_one(address, known, context, plan)
        self._await(
            "join",
            context,
            lambda states: _strangers(states, plan),
            f"{' and '.join(new)} was to join the cluster",
        )
        return {"joined": new}

    def _join_one(
        self, address: str, known: Sequence[str], context: StepContext, plan: Plan
    ) -> None:
        host = self._contact(known)

        def look() -> Applied | Pending[None]:
            state = self._checked("join", address, plan, self._nodes.own())
            members = state.view.members if state.view else ()
            if any(each.id == host.id for each in members):
                return Applied({})
            # A node on its way in knows the others by passing names, with the flag handshake.
            if len(members) > 1 and not any("handshake" in each.flags for each in members):
                raise TargetChanged("join", f"Node {address} has joined another cluster since.")
            if state.keys:
                raise TargetChanged("join", f"Node {address} has got keys since, so it was left.")
            return Pending(None)

        def send(_: None) -> Record:
            self._nodes.meet(address, host)
            # The answer comes before the two have met.
            return {"sent": True}

        what = f"having node {address} join the cluster"
        intent = context.intent(_intent("join", address, plan))
        apply_once(context, intent, Write("join", what, look, send), self._timings)

    def _contact(self, known: Sequence[str]) -> Member:
        """A primary of the cluster, by the address at which other nodes reach it. A node does not
        always know its own, so it is the last choice."""
        look = partial(self._nodes.view, known[0])
        view = read(look, clock=self._clock, timings=self._timings)
        members = sorted(view.members, key=lambda each: each.id == view.me)
        return next(each for each in members if "master" in each.flags)

    def _move_slots(
        self,
        number: int,
        context: StepContext,
        request: Request,
        plan: Plan,
        done: Mapping[str, Record],
    ) -> Record:
        """Some of the plan's slots, to their new owners."""
        step = f"{MOVES}{number}"
        pieces = list(slots.pieces(plan.wanted["moves"], number))
        addresses = {node: address for address, node in plan.wanted["ids"].items()}
        own = read(self._nodes.own, clock=self._clock, timings=self._timings)
        for node in sorted({id_ for each in pieces for id_ in (each.source, each.target)}):
            read(
                partial(self._checked, step, addresses[node], plan, own),
                clock=self._clock,
                timings=self._timings,
            )
        intent = context.intent(step)
        moving = Moving(
            self._nodes,
            context,
            self._timings,
            step=step,
            addresses=addresses,
            unsure=intent.repeated,
        )
        try:
            return dict(moving.bring(pieces))
        except (StepFailed, VendorError):
            if not moving.may_have_written:
                context.withdraw(intent.name)
            raise

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Every node has what is wanted, says that the cluster is ok, and names the same owners."""
        self._await(
            "verify",
            context,
            lambda states: [*_strangers(states, plan), *_not_yet(states, plan)],
            "The cluster was to be as wanted",
        )
        return {**plan.wanted["after"], "nodes": len(plan.wanted["ids"])}

    def _await(
        self,
        step: str,
        context: StepContext,
        wrong: Callable[[Sequence[NodeState]], list[str]],
        wanted: str,
    ) -> None:
        """Look at all nodes until nothing is wrong with any of them."""
        addresses = self._nodes.addresses()
        last: list[str] = []

        def look() -> bool | None:
            states = [self._nodes.node(address) for address in addresses]
            last[:] = wrong(states)
            return None if last else True

        poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.health_deadline_s,
            late=lambda: StepFailed(
                step,
                f"{wanted}, but after {self._timings.health_deadline_s / 60:.0f} minutes "
                f"{'; '.join(last) or 'not every node answered'}. Look at CLUSTER NODES of these "
                "nodes.",
            ),
        )


def _strangers(states: Sequence[NodeState], plan: Plan) -> list[str]:
    """What is wrong with who knows whom, in sentences without a full stop."""
    seen = seen_together(states, {}, frozenset())
    alone = [each["address"] for each in seen["new"] if each["address"] in plan.wanted["new"]]
    said = [f"{address} knows no other node" for address in alone]
    said += seen["trouble"]
    return [*said, *(f"CACHE_CLUSTER_URLS does not name {each}" for each in seen["unnamed"])]


def _not_yet(states: Sequence[NodeState], plan: Plan) -> list[str]:
    """What is not as the plan wants it, in sentences without a full stop."""
    said = []
    seen = seen_together(states, {}, frozenset())
    for name, writes in plan.wanted["set"].items():
        said += [
            f"{each.address} has {name} {_value(each, name)}"
            for each in states
            if each.address in writes and _value(each, name) != writes[each.address][1]
        ]
    if not seen["agree"]:
        said.append("the nodes do not agree on who owns which slots")
    owners = {slot: node["id"] for node in seen["nodes"] for slot in slots.slots_of(node["ranges"])}
    for move in plan.wanted["moves"]:
        elsewhere = [
            each for each in slots.slots_of(move["slots"]) if owners.get(each) != move["to"]
        ]
        if elsewhere:
            said.append(f"{len(elsewhere):,} slots have another owner than planned")
    return said


def _intent(what: str, address: str, plan: Plan) -> str:
    """The name of a write to one node. The table of intents has room for 32 signs, which an address
    may fill alone."""
    return f"{what[:8]} {plan.wanted['ids'][address][:16]}"


def _value(state: NodeState, name: str) -> str:
    return memory_text(state.maxmemory) if name == MEMORY else state.policy.replace("-", "_")


def _for_server(name: str, value: str) -> str:
    return str(memory_bytes(value)) if name == MEMORY else value.replace("_", "-")


def _said(state: NodeState) -> str:
    good = "" if state.state == OK else f", cluster_state {state.state}"
    return f"{state.address}: {_value(state, MEMORY)}, {_value(state, POLICY)}{good}"
