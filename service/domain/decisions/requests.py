"""Requests: what may become a run, whoever asks for it.

A request is made when its claim has been won, and pinned: a run acts on what was decided, and not
on what the rules say by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.domain.decisions.claims import NOTIFY
from service.domain.decisions.controls import Subject
from service.domain.decisions.directions import MAY_REMOVE
from service.domain.decisions.policy import Policy
from service.domain.links import Link
from service.domain.rules.rules import Target

ALERT = "alert"
"""A firing alert asks, by a rule. The request stands while one of its alerts fires."""
REPLAY = "replay"
"""A person replays a stored alert. Nobody else need ask for it."""
LEVEL = "level"
"""A schedule, a calendar or growth says what should hold now."""
RETURN = "return"
"""What alerts added is taken back in calm."""
PERSON = "person"
"""A person asks, and always means it. It also ends the claims of such requests."""
PLAN = "plan"
"""Ends the claims of people's requests that only plan."""
SCENARIO = "scenario"
"""A step of a scenario."""
JOB = "job"
"""A chore of the rules is due, or a person has it done now."""

HELD = "runbookd.held"
"""`by` of a request that tells of a hold. No rule can have this name, nor the next ones."""
QUARANTINED = "runbookd.quarantined"
"""`by` of a request that tells of alerts that could not be read."""
SHADOWED = "runbookd.shadow"
"""`by` of a request that tells of a page which a rule in shadow would have sent."""
REFUSED = "runbookd.refused"
"""`by` of a request that tells of what a sender's credential may not do."""
STEADIED = "runbookd.steadied"
"""`by` of a request that tells of an alert which its rule holds until it is steady."""
NOTICES = (HELD, QUARANTINED, SHADOWED, REFUSED, STEADIED)
"""`by` of all requests that only tell people of alerts that lead to nothing."""

ORIGINS = (ALERT, REPLAY, LEVEL, RETURN, PERSON, SCENARIO, JOB)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks, and why.

    `kind` is one of ORIGINS. `by` is the name of the rule, level, scenario, job or person. `why` is
    one line for people: the alert and its value, or what the person said. `alerts` are the ids of
    the alerts that earned the run. `links` are what the first of them names to read on.
    `notification` is the id of the one that brought the first of them, so that log lines of the run
    and of the sender's request can be put together.
    """

    kind: str
    by: str
    why: str
    alerts: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    notification: str = ""

    @property
    def replayed(self) -> bool:
        """Whether it is a replay."""
        return self.kind == REPLAY

    @property
    def needs_alert(self) -> bool:
        """Whether the request is over once no alert of its kind fires any more."""
        return self.kind == ALERT

    @property
    def shares_its_claim(self) -> bool:
        """Whether others wait for the same claim. Of people's requests and of a job's each has the
        next number."""
        return self.kind not in (PERSON, JOB)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one attribute of the target (`replicas`, `size`) shall become.

    `by` is how many steps up or, below zero, down from whatever it is when the worker looks. `to`
    is the value itself. One of them is given. With `least`, `to` is the least that there shall be:
    what is there of more stays.
    """

    attribute: str
    by: int = 0
    to: int | str | None = None
    least: bool = False

    @property
    def removes(self) -> bool:
        """Whether it asks for less; of an absolute value only a look can tell."""
        return self.by < 0


@dataclass(frozen=True, slots=True)
class Held:
    """What levels want of one attribute that a request changes.

    `of` is the attribute of the level, which is another one where the vendor scales by itself.
    `base` is the value without what alerts have added to it. `says` is what holds, in words, and
    `until` (seconds since the epoch) when something else does.
    """

    attribute: str
    of: str
    base: int | str
    says: str
    until: float


@dataclass(frozen=True, slots=True)
class Request:
    """What a claim entitles one run to do. All of it is plain JSON, pinned when it was decided.

    `id` is the run's: claim and generation. `on` is the target, None for a page or a message. Then
    `subject` is what it is about: the incident's dedup_key for a page, the claim for a message;
    and `severity` is what the rule overrides the alerts' own severity with. `direction` is which
    way the claim is. `options` are the action's own. `wanted` is what the target shall become,
    several attributes at once. `cooldown_s` and `settle_s` are in seconds. `parent` is the run
    that this one is a part of, `step` which part. `policy` is how far it may go. `override` is why
    a person wants it although a pause, a freeze window or the settling of the target would hold it;
    empty where these hold it. `expects` are values that the target must still have.
    `approved` is the hash of the plan that a person has approved. `hold_s` is for how long the
    value is held once a person's run has set it, in seconds, and `pin` whether nothing may be added
    to it meanwhile. `held` is what levels want, where they ask.
    """

    id: str
    action: str
    origin: Origin
    claim: str
    rules_hash: str
    direction: str = NOTIFY
    on: Target | None = None
    wanted: tuple[Wanted, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    cooldown_s: float = 0.0
    settle_s: float = 0.0
    subject: str = ""
    severity: str | None = None
    parent: str = ""
    step: str = ""
    policy: Policy = field(default_factory=Policy)
    override: str = ""
    expects: tuple[Wanted, ...] = ()
    approved: str = ""
    hold_s: float = 0.0
    pin: bool = False
    held: tuple[Held, ...] = ()

    @property
    def target(self) -> Target:
        """The target, for those who know that there is one.

        Raises:
            TypeError: there is none.
        """
        if self.on is None:
            raise TypeError(f"{self.action} of run {self.id} has no target")
        return self.on

    @property
    def removes(self) -> bool:
        """Whether it asks for less of something and for more of nothing, or may take away."""
        less = bool(self.wanted) and all(each.removes for each in self.wanted)
        return less or self.direction in MAY_REMOVE

    @property
    def undoes(self) -> bool:
        """Whether a person, or a scenario at its end, puts back what another run has changed."""
        return self.origin.kind in (PERSON, SCENARIO) and bool(self.expects)

    @property
    def only_plans(self) -> bool:
        """Whether a person only wants to see what would be done."""
        return self.origin.kind == PERSON and self.claim.rpartition(".")[2] == PLAN

    @property
    def subject_of_controls(self) -> Subject:
        """The change that pauses and locks are asked about."""
        return Subject(self.target.name, self.origin.by, self.direction, self.action)
