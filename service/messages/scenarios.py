"""What a scenario tells people: one message that is edited, and one incident at the pager. Pure."""

from __future__ import annotations

from service.domain.alerts.dedup import run_dedup_key
from service.domain.durations import clock_time, lasted
from service.domain.scenarios.going import (
    ACTIVE,
    ENDED,
    FAILED,
    LEFT_OUT,
    NOT_NEEDED,
    OVER,
    PENDING,
    RUNNING,
    STEP_DONE,
    UNDER_WAY,
    UNSIGNED,
    WAITING,
    ScenarioNow,
    StepNow,
)
from service.domain.slack import SIGN_AS
from service.messages.announcements import SOURCE
from service.ports import Message, Page
from service.ports.scenarios import Stuck

_TITLE, _SUMMARY, _TEXT = 150, 1024, 2900
"""Characters of a title and a text in Slack, and of a summary at the pager (PagerDuty Events
v2)."""
_WORDS = {
    STEP_DONE: "Done",
    UNDER_WAY: "Under way",
    FAILED: "Failed",
    PENDING: "Waits",
    LEFT_OUT: "Left out",
    NOT_NEEDED: "Not needed",
}


def told(now: ScenarioNow) -> Message:
    """The message: what is done, under way and failed, and what to type."""
    scenario = now.scenario
    title = f"Scenario {scenario.name}: {_state(now)}"
    lines = [_started(now)]
    if now.asked is not None and now.state == WAITING:
        lines.append(_asks(now))
    if now.state == UNSIGNED:
        lines.append(_wants_signature(now))
    if way := _made_way(now):
        lines.append(way)
    lines += [line for each in now.steps if (line := _line(each, now))]
    if now.reason and now.state in (ACTIVE, *ENDED):
        lines.append(f"{now.reason[0].upper()}{now.reason[1:]}.")
    if now.state == ACTIVE and not now.goes_back:
        lines.append(f"It does not go back by itself: `runbookd undo {now.id}` takes it back.")
    if now.goes_back and now.due_at is not None:
        lines.append(
            f"It is in force until {clock_time(now.due_at)}{_early(now)}. Then it is taken back, "
            "unless an alert still asks for more."
        )
    if lacks := now.unsigned_after:
        lines.append(f"Still to sign: {', '.join(lacks)}. {_type_signoff(now)}.")
    return Message(
        title=title[:_TITLE],
        text="\n".join(lines)[:_TEXT],
        fields=tuple(_to_type(now)),
        context=f"scenario {now.id} · `runbookd scenarios {now.id}`",
        buttons=_sign_buttons(now),
    )


def _started(now: ScenarioNow) -> str:
    """Who has started it, and why; where a rule has, by which run, so that it can be explained."""
    by = f" See why: `runbookd explain {now.parent}`." if now.parent else ""
    return f"{_starter(now)} started it: {now.why.rstrip('. ')}.{by}"


def _made_way(now: ScenarioNow) -> str:
    """What an emergency has ended as it began; empty where that is nothing."""
    way = now.made_way
    said = [f"It lifted {', '.join(way.lifted)}."] if way.lifted else []
    if way.suspended:
        said.append(f"It suspended {', '.join(way.suspended)}: nothing more of that begins.")
    return " ".join(said)


def _starter(now: ScenarioNow) -> str:
    return f"Rule {now.by}" if now.parent else now.by


def stuck_key(run: str) -> str:
    """The incident of a scenario that does not go on."""
    return run_dedup_key(f"{run}.stuck")


def stuck(what: Stuck) -> Message:
    """That a scenario does not go on, and what to do."""
    text = (
        f"{_upper(what.why.rstrip('.'))}. Since {clock_time(what.since)} no further step of it "
        "begins, and nothing is taken back. Runs under way go on to their ends. It is looked at "
        "again by itself, at least each hour. What it has set is no longer held against rules "
        "where it cannot be read. Look at its targets; the worker's log has the whole error "
        f"(scenario_not_advanced). `runbookd cancel {what.run} --why WHY` ends it; put back by "
        "hand what it has changed."
    )
    return Message(
        title=f"Scenario {what.run} does not go on"[:_TITLE],
        text=text[:_TEXT],
        fields=(("See it", f"runbookd scenarios {what.run}"),),
        context=f"scenario {what.run} · `runbookd status`",
    )


def stuck_page(what: Stuck) -> Page:
    """The page of the same."""
    return Page(
        dedup_key=stuck_key(what.run),
        summary=f"Scenario {what.run} does not go on: {what.why}"[:_SUMMARY],
        source=SOURCE,
        severity="critical",
        details={
            "run": what.run,
            "since": clock_time(what.since),
            "what to type": f"runbookd cancel {what.run} --why WHY",
        },
    )


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def reminder(now: ScenarioNow) -> Message:
    """That sign-offs are missing a day after it began."""
    lacks = ", ".join(now.unsigned_after)
    text = (
        f"{_starter(now)} started scenario {now.id} a day ago: {now.why}. The sign-off of {lacks} "
        f"is still missing. Read what became of it: `runbookd checklist {now.id}`. Then "
        f"{_type_signoff(now)}."
    )
    return Message(
        title=f"Scenario {now.scenario.name}: sign-offs are missing"[:_TITLE],
        text=text[:_TEXT],
        context=f"scenario {now.id} · `runbookd scenarios {now.id}`",
        buttons=_sign_buttons(now),
    )


def _sign_buttons(now: ScenarioNow) -> tuple[tuple[str, str, str], ...]:
    """A button for each role that may sign now, with the plan that was read."""
    return tuple(
        (f"Sign as {role}", f"{SIGN_AS}{role}", f"{now.id} {now.plan_hash}")
        for role in now.may_sign
    )


def _wants_signature(now: ScenarioNow) -> str:
    why = f"{now.reason[:1].upper()}{now.reason[1:]}"
    return f"{why}. No step begins before that. {_type_signoff(now)}."


def _type_signoff(now: ScenarioNow) -> str:
    return f"`runbookd signoff {now.id} --as ROLE --why WHY`"


def page(now: ScenarioNow) -> Page:
    """One incident for each scenario that was started."""
    return Page(
        dedup_key=run_dedup_key(now.id),
        summary=f"Scenario {now.id} {now.page}. See it: `runbookd scenarios {now.id}`."[:_SUMMARY],
        source=SOURCE,
        severity="critical" if now.scenario.emergency else "error",
        details={
            "scenario": now.scenario.name,
            "run": now.id,
            "started by": f"{now.starter}: {now.why}",
            "steps": {each.step.id: _word(each) for each in now.steps},
            "what to type": f"runbookd undo {now.id}",
        },
    )


def _state(now: ScenarioNow) -> str:
    if now.state == RUNNING:
        over = sum(each.state in OVER for each in now.steps)
        return f"under way, {over} of {len(now.steps)} steps over"
    if now.state == WAITING:
        return "waits for approval"
    if now.state == UNSIGNED:
        return "waits for sign-offs"
    if now.state == ACTIVE:
        return "in force" if not now.failed else "in force, and not complete"
    return now.state


def _early(now: ScenarioNow) -> str:
    """What ends it before its time."""
    return "" if now.scenario.early is None else f", or until {now.scenario.early.said}"


def _covers(now: ScenarioNow) -> str:
    """What is approved with it: how many dollars in all, and for how long."""
    dollars, covers_s = now.scenario.dollars, now.scenario.covers_s
    if dollars is None or covers_s is None:
        return ""
    return f" What is approved covers at most ${dollars:,.10g}, for {lasted(covers_s)}."


def _asks(now: ScenarioNow) -> str:
    asked, terms = now.asked, now.scenario.approval
    if asked is None or terms is None:
        return ""
    dollars = "" if asked.dollars is None else f" It adds ${asked.dollars:,.10g} a month."
    of = " or ".join(terms.of)
    return (
        f"It waits for {of} until {clock_time(asked.until)}, because {asked.why}."
        f"{'' if '$' in asked.why else dollars}{_covers(now)} `runbookd approve {now.id}` or "
        f"`runbookd reject {now.id}`."
    )


def _line(step: StepNow, now: ScenarioNow) -> str:
    what = f"{step.step.action} of {step.step.target}" if step.step.target else step.step.action
    plan = step.child.plan if step.child is not None else None
    plan = plan or (step.plan.plan if step.plan is not None else None)
    change = f": {plan.change}" if plan is not None else ""
    why = f" ({step.reason.rstrip('.')})" if step.reason and step.state != STEP_DONE else ""
    back = f"; {step.back_state}" if step.back_state else ""
    back_why = f" ({step.back_reason.rstrip('.')})" if step.back_reason else ""
    return f"• {_word(step)}: {step.step.id}, {what}{change}{why}{back}{back_why}"


def _word(step: StepNow) -> str:
    return _WORDS[step.state]


def _to_type(now: ScenarioNow) -> list[tuple[str, str]]:
    if now.state in (RUNNING, WAITING, UNSIGNED):
        return [("Stop it", f"runbookd cancel {now.id} --why WHY")]
    waits = ("", PENDING) if now.suspended else ("",)
    if any(each.changed and each.back_state in waits for each in now.steps):
        return [("Take it back", f"runbookd undo {now.id}")]
    return []
