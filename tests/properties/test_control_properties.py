"""Whatever order alerts, people, vendors, crashes and clocks come in: a person wins.

Each sequence runs on the real stores and the real engine (`tests/properties/installation.py`). What
must hold is judged by a witness outside of the product (`tests/properties/witness.py`) and, between
two steps, by what is on record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.catalogue.app_platform.target import AppTarget
from service.catalogue.supabase.target import SupabaseTarget
from service.domain.decisions.approval import ACT, APPROVED, HOLD, REJECTED, Approval
from service.domain.decisions.budget import Budget
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.controls import HOLD as KEEP
from service.domain.decisions.controls import LOCK, PAUSE
from service.domain.decisions.policy import APPROVE, Freeze, Limit, Policy
from service.domain.decisions.returns import Return
from service.domain.people import Refusal
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from service.domain.windows import Window
from service.ports.admission import Delivery
from service.triggers.people.asked import Scope
from tests.databases import Databases, SqliteFiles
from tests.fakes.alerts import alert, notification
from tests.properties.installation import FAULTS, OLGA, PAUL, Installation, opened

CPU, TRAFFIC, SLOW = "High CPU Usage", "Request Rate", "Slow Queries"
API = AppTarget(
    "api", "app-1", "api", 2, 6, ("professional-xs", "professional-s", "professional-m"), limit=8
)
DATABASE = SupabaseTarget("database", "project-1", ("ci_micro", "ci_small", "ci_medium"))
BUDGET = Budget(70.0, (("api", 60.0),), "approve", ("api", "database"))
"""Both cost 34 dollars at first. An instance is 12 more, the database's next sizes 5 and 50."""
LIMITS = (Limit(4, 3_600.0), Limit(2, 600.0, "target", 900.0))
FREEZE = Freeze(Window(start=21 * 60, end=22 * 60), ("database",), "backups")
"""Half an hour after the clock begins."""


def rule_book(budget: Budget = BUDGET, otherwise: str = HOLD) -> RuleBook:
    """Three rules: one that acts, one that asks and waits, and one of another target."""
    policy = Policy("act", (FREEZE,), LIMITS, Approval(wait_s=300.0, otherwise=otherwise), budget)

    def rule(name: str, alertname: str, action: str, target: str, **more: object) -> Rule:
        facts = {"settle": timedelta(seconds=60), "policy": policy, **more}
        matcher = Matcher("alertname", MatchOp.EQUAL, alertname)
        return Rule(name, (matcher,), action, target, timedelta(seconds=300), **facts)  # type: ignore[arg-type]

    asks = replace(policy, mode=APPROVE)
    return RuleBook(
        rules=(
            rule(
                "high-cpu",
                CPU,
                "horizontal_scale",
                "api",
                options={"step": 1},
                policy=replace(policy, returns=Return(600.0)),
            ),
            rule(
                "traffic",
                TRAFFIC,
                "horizontal_scale",
                "api",
                options={"step": 2},
                policy=asks,
                after=timedelta(minutes=2),
            ),
            rule("slow", SLOW, "scale_database", "database"),
        ),
        targets={"api": API, "database": DATABASE},
        hash="0123456789ab",
        policy=policy,
    )


# ---- What may happen ----


@dataclass(frozen=True)
class Send:
    """A sender says that an alert of one instance fires, or has resolved."""

    name: str
    instance: str = "a"
    firing: bool = True

    def __call__(self, now: Installation) -> None:
        began = datetime.fromtimestamp(now.clock.time(), UTC)
        told = alert(self.name, self.instance, firing=self.firing, starts_at=began)
        now.deliver(Delivery(notification(told), now.clock.time()))


@dataclass(frozen=True)
class Wait:
    seconds: float

    def __call__(self, now: Installation) -> None:
        now.wait(self.seconds)


@dataclass(frozen=True)
class Work:
    """One of the things that there are to do goes on for so many turns."""

    which: int = 0
    turns: int = 1_000

    def __call__(self, now: Installation) -> None:
        now.work(self.which, self.turns)


@dataclass(frozen=True)
class Reach:
    """One of the executions goes on until it gives way there."""

    at: str
    which: int = 0

    def __call__(self, now: Installation) -> None:
        now.reach(self.which, self.at)


@dataclass(frozen=True)
class Die:
    """A worker is killed; its run is taken up again."""

    which: int = 0

    def __call__(self, now: Installation) -> None:
        now.die(self.which)


@dataclass(frozen=True)
class Adopt:
    """A run is taken up although its worker was only stopped."""

    which: int = 0

    def __call__(self, now: Installation) -> None:
        now.adopt(self.which)


@dataclass(frozen=True)
class NextWrite:
    """The next write at a vendor is refused, lost, or the end of its process."""

    fault: str

    def __call__(self, now: Installation) -> None:
        now.next_write(self.fault)


@dataclass(frozen=True)
class Put:
    """A person puts a pause, a lock or a hold in force."""

    kind: str
    target: str | None
    lasts: str

    def __call__(self, now: Installation) -> None:
        with suppress(Refusal):
            now.put(self.kind, Scope(self.target), self.lasts)


@dataclass(frozen=True)
class Lift:
    """A person ends all pauses, locks or holds."""

    kind: str

    def __call__(self, now: Installation) -> None:
        now.lift(self.kind)


@dataclass(frozen=True)
class Ask:
    """A person asks for a change."""

    action: str
    target: str
    to: tuple[tuple[str, int | str], ...] = ()
    step: int | None = None
    override: str = ""

    def __call__(self, now: Installation) -> None:
        with suppress(Refusal):
            now.people.run(
                OLGA,
                self.action,
                self.target,
                to=dict(self.to) or None,
                step=self.step,
                why="a big exam",
                override=self.override,
            )


@dataclass(frozen=True)
class AboutRun:
    """A person undoes, retries or cancels one of the runs."""

    verb: str
    which: int

    def __call__(self, now: Installation) -> None:
        statuses = _MAY_BE[self.verb]
        query = "SELECT id, status FROM runs WHERE target IS NOT NULL ORDER BY created_at DESC, id"
        runs = [run for run, status in now.rows(query) if status in statuses]
        if runs:
            with suppress(Refusal):
                getattr(now.people, self.verb)(OLGA, runs[self.which % len(runs)], "on second look")


_MAY_BE = {
    "undo": ("succeeded", "failed"),
    "retry": ("failed", "held", "cancelled"),
    "cancel": ("queued", "running"),
}
"""The statuses of the runs that each of these may be said of."""


@dataclass(frozen=True)
class Decide:
    """A person approves or rejects what waits."""

    state: str
    which: int = 0

    def __call__(self, now: Installation) -> None:
        waiting = now.approvals.waiting()
        if waiting:
            with suppress(Refusal):
                now.people.decide(PAUL, waiting[self.which % len(waiting)].id, self.state, "read")


@dataclass(frozen=True)
class PersonSets:
    """A person changes a target at its vendor."""

    target: str
    value: int | str

    def __call__(self, now: Installation) -> None:
        if self.target == "database":
            now.database.person_sets(str(self.value))
        elif isinstance(self.value, int):
            now.apps.person_sets(instance_count=self.value)
        else:
            now.apps.person_sets(instance_size_slug=self.value)


@dataclass(frozen=True)
class Look:
    """A worker begins to look at what the targets cost."""

    def __call__(self, now: Installation) -> None:
        now.look_at_costs()


@dataclass(frozen=True)
class Busy:
    """How busy the API's instances are from now on, in percent of their CPU."""

    percent: float

    def __call__(self, now: Installation) -> None:
        now.busy(self.percent)


@dataclass(frozen=True)
class TakeBack:
    """A worker begins to look whether something that alerts added can be taken back."""

    def __call__(self, now: Installation) -> None:
        now.take_back()


Step = Callable[[Installation], None]
_targets = st.sampled_from(["api", "api", "database", None])
_few = st.integers(0, 2)
_counts = [(("replicas", count),) for count in (1, 2, 3, 5, 8)]
_sizes = [(("size", size),) for size in DATABASE.sizes]
_WEIGHTED: list[tuple[int, st.SearchStrategy[Step]]] = [
    (
        6,
        st.builds(
            Send,
            st.sampled_from([CPU, CPU, TRAFFIC, SLOW]),
            st.sampled_from("ab"),
            st.sampled_from([True, True, True, True, False]),
        ),
    ),
    (7, st.builds(Work, _few)),
    (4, st.builds(Work, _few, st.integers(1, 40))),
    (5, st.builds(Wait, st.sampled_from([61.0, 130.0, 301.0, 301.0, 901.0, 3_601.0]))),
    (
        2,
        st.builds(
            Put,
            st.sampled_from([PAUSE, PAUSE, LOCK, KEEP]),
            _targets,
            st.sampled_from(["1m", "10m", "10m", "8h"]),
        ),
    ),
    (1, st.builds(Lift, st.sampled_from([PAUSE, PAUSE, LOCK, KEEP]))),
    (3, st.builds(AboutRun, st.sampled_from(["undo", "undo", "undo", "retry", "cancel"]), _few)),
    (3, st.builds(Decide, st.sampled_from([APPROVED, APPROVED, REJECTED]), _few)),
    (1, st.builds(PersonSets, st.just("api"), st.sampled_from([1, 2, 3, 5, "professional-s"]))),
    (1, st.builds(PersonSets, st.just("database"), st.sampled_from(DATABASE.sizes))),
    (
        2,
        st.builds(
            Ask,
            st.just("horizontal_scale"),
            st.just("api"),
            to=st.sampled_from(_counts),
            override=st.sampled_from(["", "", "it is urgent"]),
        ),
    ),
    (
        1,
        st.builds(
            Ask, st.just("horizontal_scale"), st.just("api"), step=st.sampled_from([-2, -1, 1, 2])
        ),
    ),
    (
        1,
        st.builds(
            Ask,
            st.just("vertical_scale"),
            st.just("api"),
            to=st.just((("size", "professional-s"),)),
        ),
    ),
    (
        1,
        st.builds(Ask, st.just("scale_database"), st.just("database"), to=st.sampled_from(_sizes)),
    ),
    (1, st.builds(Die, _few)),
    (1, st.builds(Adopt, _few)),
    (2, st.builds(NextWrite, st.sampled_from(sorted(FAULTS)))),
    (1, st.builds(Look)),
    (1, st.builds(Busy, st.sampled_from([10.0, 10.0, 60.0, 95.0]))),
    (3, st.builds(TakeBack)),
]
_steps = st.one_of([each for weight, each in _WEIGHTED for _ in range(weight)])
_sequences = st.lists(_steps, min_size=20, max_size=45)
_books = st.builds(
    rule_book,
    st.builds(replace, st.just(BUDGET), over=st.sampled_from(["approve", "approve", "hold"])),
    st.sampled_from([HOLD, HOLD, ACT]),
)


@dataclass(frozen=True)
class Drain:
    """The workers do all that is left."""

    def __call__(self, now: Installation) -> None:
        now.drain()


_THEN: tuple[Step, ...] = (
    Drain(),
    Decide(APPROVED),
    Drain(),
    AboutRun("undo", 0),
    Drain(),
    Lift(PAUSE),
    Lift(LOCK),
    Wait(3_601.0),
    Drain(),
)
"""What people do in the end, whatever was before."""


# ---- What must hold ----


def _check_no_claim_is_without_a_run(now: Installation) -> None:
    """A claim that is taken is a run's that has not ended, or an approval's that waits."""
    pending = now.pending()
    unended = {row[0] for row in now.rows("SELECT id FROM runs WHERE ended_at IS NULL")}
    asked = {row[0] for row in now.rows("SELECT run FROM approvals WHERE state = 'waiting'")}
    busy = now.rows("SELECT key, run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL)
    for key, run in busy:
        assert run in unended | asked, f"{key} is taken by {run}, which has ended"
    assert unended <= pending, f"nobody will ever execute {unended - pending}"


_ENDS_BY_ITSELF = ("paused", "person_lock", "person_hold", "frozen", "young", "blast_radius")
"""The guards that let go by time or by a person's word."""


def _check_whoever_was_held_is_judged_again(now: Installation) -> None:
    """The newest decision of each alert that fires is not a hold that is over."""
    query = (
        "SELECT a.id, d.rule, d.guard, d.until, d.last_at FROM alerts a "
        "JOIN decisions d ON d.alert = a.id WHERE a.open AND a.newest ORDER BY d.last_at, d.id"
    )
    newest = {(row[0], row[1]): row[2:] for row in now.rows(query)}
    for (episode, rule), (guard, until, last_at) in newest.items():
        if guard not in _ENDS_BY_ITSELF or until is None:
            continue
        held = f"{episode} was held by {guard} under {rule} at {last_at - now.clock.time():g}"
        assert until > now.clock.time(), f"{held} until {until - now.clock.time():g}"
        assert last_at >= now.witness.ended_at, f"{held}, and a person has ended one since"


def _check(now: Installation) -> None:
    now.rounds()
    assert now.witness.broken == []
    _check_no_claim_is_without_a_run(now)
    _check_whoever_was_held_is_judged_again(now)


def _run(now: Installation, steps: Sequence[Step]) -> None:
    for step in (*steps, *_THEN):
        step(now)
        _check(now)
    left = now.rows("SELECT id, status FROM runs WHERE ended_at IS NULL")
    assert left == [], "all runs end"


# ---- The tests ----


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SqliteFiles:
    """Copies of one migrated file."""
    return SqliteFiles(tmp_path_factory.mktemp("sqlite"))


_OUT = "horizontal_scale"
_LARGER = Ask("scale_database", "database", (("size", "ci_small"),))


def _to(replicas: int) -> Ask:
    return Ask(_OUT, "api", (("replicas", replicas),))


_PLANNED = "recorded:prepare"
_ADDED: list[Step] = [Send(CPU), Work(), Send(CPU, firing=False), Busy(10.0), Wait(601.0)]
"""An alert has added an instance and is over, and it has been calm for long enough."""
PINNED: dict[str, list[Step]] = {
    "a person's run is approved although another has asked since": [
        _to(8),
        Work(),
        _to(3),
        Work(),
        Decide(APPROVED),
        Work(),
    ],
    "two requests of people are put off": [PersonSets("api", 3), _to(4), _to(5), Work(), Work()],
    "a run is cancelled while it finds that it has to wait": [
        PersonSets("api", 3),
        _to(5),
        Reach("looked"),
        AboutRun("cancel", 0),
        Work(),
    ],
    "two additions fit alone and not together": [
        _to(4),
        Work(),
        _to(5),
        Reach(_PLANNED),
        _LARGER,
        Reach(_PLANNED, 1),
        Reach("done:update_app"),
        Work(1),
        Work(0),
    ],
    "the first of them has ended": [
        _to(4),
        Work(),
        _to(5),
        Reach(_PLANNED),
        _LARGER,
        Reach(_PLANNED, 1),
        Work(0),
        Work(0),
    ],
    "a run ends while somebody looks at what its target costs": [
        _to(4),
        Work(),
        Wait(901.0),
        Look(),
        Reach("looked"),
        _to(5),
        Work(0),
        Work(0),
        _LARGER,
        Work(0),
    ],
    "a limit is reached, and a person undoes": [
        _to(3),
        Work(),
        _to(4),
        Work(),
        AboutRun("undo", 0),
        Work(),
    ],
    "a limit is reached, and its pause ends": [
        _to(3),
        Work(),
        _to(4),
        Work(),
        Send(CPU),
        Work(),
        Wait(901.0),
        Work(),
    ],
    "a pause ends by itself": [Put(PAUSE, "api", "10m"), Send(CPU), Wait(601.0), Work()],
    "a pause comes between the plan and the write, and is lifted": [
        Send(CPU),
        Reach(_PLANNED),
        Put(PAUSE, "api", "8h"),
        Work(),
        Lift(PAUSE),
        Work(),
    ],
    "a lock is lifted": [Put(LOCK, "api", "8h"), Send(CPU), Wait(61.0), Lift(LOCK), Work()],
    "a freeze window closes": [Wait(3_601.0), Send(SLOW), Work(), Wait(3_601.0), Work()],
    "an alert grows old enough": [Send(TRAFFIC), Wait(130.0), Work(), Decide(APPROVED), Work()],
    "the plan is another one by the time that it is approved": [
        Send(TRAFFIC),
        Wait(130.0),
        Work(),
        PersonSets("api", 3),
        Wait(61.0),
        Decide(APPROVED),
        Work(),
    ],
    "a stopped worker goes on when a person has taken back what another wrote for it": [
        _LARGER,
        Reach("begun:resize"),
        Work(0, 2),
        Adopt(),
        Work(1),
        PersonSets("database", "ci_micro"),
        Wait(200.0),
        Work(0),
    ],
    "a person changes the target after the plan": [
        Send(CPU),
        Reach(_PLANNED),
        PersonSets("api", 5),
        Work(),
    ],
    "a person changes what is then undone": [
        Send(CPU),
        Work(),
        PersonSets("api", 5),
        Wait(61.0),
        AboutRun("undo", 0),
        Work(),
    ],
    "a stopped worker goes on when another has ended its run": [
        Send(CPU),
        Reach("begun:update_app"),
        Work(0, 2),
        Adopt(),
        Work(1),
        PersonSets("api", 5),
        Work(0),
    ],
    "load falls, and what alerts added is taken back": [
        *_ADDED,
        TakeBack(),
        Work(0),
        Work(0),
        Wait(601.0),
        TakeBack(),
        Work(0),
        Work(0),
    ],
    "an alert fires again right before something is taken back": [
        *_ADDED,
        TakeBack(),
        Work(0),
        Reach(_PLANNED),
        Send(CPU),
        Work(0),
    ],
    "a person sets more before something is taken back": [
        *_ADDED,
        PersonSets("api", 5),
        *(step for _ in range(2) for step in (TakeBack(), Work(0), Work(0), Wait(601.0))),
    ],
    "a person has more set, and an alert adds to it": [
        *_ADDED,
        _to(4),
        Work(),
        Send(CPU),
        Work(),
        Send(CPU, firing=False),
        *(step for _ in range(13) for step in (Wait(3_601.0), TakeBack(), Work(0), Work(0))),
    ],
    "a person wants fewer than the floor": [_to(1), Work(), Ask(_OUT, "api", step=-2), Work()],
}
"""Sequences that chance finds rarely."""


@pytest.mark.parametrize("steps", [pytest.param(each, id=name) for name, each in PINNED.items()])
def test_a_sequence_that_chance_finds_rarely_lets_a_person_win(
    databases: Databases, steps: list[Step]
) -> None:
    with databases.borrowed() as url, opened(url) as engine:
        _run(Installation(engine, rule_book()), steps)


def _any_lets_a_person_win(files: SqliteFiles, book: RuleBook, steps: Sequence[Step]) -> None:
    with files.borrowed() as url, opened(url) as engine:
        _run(Installation(engine, book), steps)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(_books, _sequences)
def test_any_sequence_lets_a_person_win(
    files: SqliteFiles, book: RuleBook, steps: list[Step]
) -> None:
    _any_lets_a_person_win(files, book, steps)


@pytest.mark.long
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(_books, _sequences)
def test_many_more_of_them_let_a_person_win(
    files: SqliteFiles, book: RuleBook, steps: list[Step]
) -> None:
    _any_lets_a_person_win(files, book, steps)
