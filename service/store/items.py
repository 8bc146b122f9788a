"""Stored rows as the plain values that the read API, the console and the command line show.

Times are ISO 8601 in UTC, so that all of them tell the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping as Row

from service.catalogue.pinned import alerts_of, why_of
from service.domain.decisions.decision import Check, Decision, Stage, Verdict
from service.domain.decisions.decision_json import decision_json, moment
from service.domain.decisions.expected import CLEARED, RESULTS
from service.store.decode import load


def alert_item(row: Row) -> dict[str, Any]:
    """One episode of an alert."""
    return {
        "id": row["id"],
        "source": row["source"],
        "fingerprint": row["fingerprint"],
        "name": row["name"],
        "kind": row["kind"],
        "status": "firing" if row["resolved_at"] is None else "resolved",
        **load(row["body"]),
        "first_seen": moment(row["first_seen"]),
        "last_seen": moment(row["last_seen"]),
        "resolved_at": moment(row["resolved_at"]),
        "times_seen": row["times_seen"],
        "newest": bool(row["newest"]),
        "notification": row["delivery"],
        **sender_of(row),
    }


def delivery_item(row: Row) -> dict[str, Any]:
    """One notification."""
    return {
        "id": row["id"],
        "source": row["source"],
        "format": row["format"],
        "receiver": row["receiver"],
        "group_key": row["group_key"],
        "group_labels": load(row["group_labels"]),
        "received_at": moment(row["received_at"]),
        "alerts": row["alerts"],
        "truncated": row["truncated"],
        "notes": load(row["notes"]) or [],
        "replay": bool(row["replay"]),
        **sender_of(row),
    }


def sender_of(row: Row) -> dict[str, Any]:
    """Who sent a notification: the name of its credential, and the address that it came from."""
    return {"credential": row["credential"], "address": row["address"]}


def decision_item(row: Row) -> dict[str, Any]:
    """One verdict, with every guard that was asked."""
    decision = Decision(
        verdict=Verdict(row["verdict"]),
        rule=row["rule"],
        action=row["action"],
        target=row["target"],
        direction=row["direction"],
        reason=row["reason"],
        guard=row["guard"],
        checks=tuple(Check(**check) for check in load(row["checks"])),
        until=row["until"],
        run=row["run"],
        stage=Stage(row["stage"]),
    )
    return {
        "id": row["id"],
        "alert": row["alert"],
        "notification": row["delivery"],
        **decision_json(decision),
        "rules_hash": row["rules_hash"],
        "decided_at": moment(row["decided_at"]),
        "last_at": moment(row["last_at"]),
        "times": row["times"],
    }


def run_item(row: Row) -> dict[str, Any]:
    """One run, without its steps."""
    pinned = load(row["ask"])
    return {
        "id": row["id"],
        "claim": row["claim"],
        "action": row["action"],
        "rule": row["rule"],
        "target": row["target"],
        "direction": row["direction"],
        "resource": row["resource"],
        "status": row["status"],
        "reason": row["reason"],
        "attempt": row["attempt"],
        "why": why_of(pinned),
        "alerts": list(alerts_of(pinned)),
        "parent": pinned.get("parent") or None,
        "step": pinned.get("step") or None,
        "plan": load(row["plan"]),
        "checks": load(row["checks"]) or [],
        "replay": bool(row["replay"]),
        "created_at": moment(row["created_at"]),
        "started_at": moment(row["started_at"]),
        "ended_at": moment(row["ended_at"]),
    }


def outcome_item(row: Row) -> dict[str, Any]:
    """What became of one verified change. `took_s` is how long the alerts fired, in seconds."""
    cleared_at = row["cleared_at"]
    return {
        "run": row["run"],
        "rule": row["rule"],
        "target": row["target"],
        "direction": row["direction"],
        "result": row["result"],
        "asked_at": moment(row["asked_at"]),
        "ended_at": moment(row["ended_at"]),
        "due_at": moment(row["due_at"]),
        "judged_at": moment(row["judged_at"]),
        "cleared_at": moment(cleared_at),
        "recurred_at": moment(row["recurred_at"]),
        "took_s": None if cleared_at is None else round(cleared_at - row["asked_at"], 1),
    }


def outcomes_item(rows: Sequence[Row]) -> dict[str, Any]:
    """What became of the changes of one rule, a row for each result. The times to mitigate are in
    seconds, from the first alert until the last had resolved; None where nothing has cleared."""
    count = {row["result"]: row["count"] for row in rows}
    cleared = next((row for row in rows if row["result"] == CLEARED), None)
    return {
        "verified": sum(count.values()),
        **{result: count.get(result, 0) for result in RESULTS},
        "recurred": sum(row["recurred"] for row in rows),
        "time_to_mitigate_s": None
        if cleared is None
        else {
            "mean": round(cleared["took_s"] / cleared["count"], 1),
            "longest": round(cleared["longest_s"], 1),
        },
    }


def step_item(row: Row) -> dict[str, Any]:
    """One step of a run, with its times."""
    return {
        "position": row["position"],
        "name": row["name"],
        "attempt": row["attempt"],
        "status": row["status"],
        "started_at": moment(row["started_at"]),
        "ended_at": moment(row["ended_at"]),
        "detail": load(row["detail"]),
    }


def quarantine_item(row: Row) -> dict[str, Any]:
    """One alert that could not be understood, as it came."""
    return {
        "id": row["id"],
        "notification": row["delivery"],
        "index": row["position"],
        "reason": row["reason"],
        "raw": row["raw"],
    }


def approval_item(row: Row) -> dict[str, Any]:
    """One plan that waits, or waited, for a person."""
    plan = load(row["plan"])
    terms = load(row["terms"])
    return {
        "id": row["id"],
        "state": row["state"],
        "run": row["run"],
        "target": row["target"],
        "why": row["why"],
        "what": plan["what"],
        "before": plan["before"],
        "after": plan["after"],
        "price_before": plan["price_before"],
        "price_after": plan["price_after"],
        "downtime": plan["downtime"],
        "plan": row["plan_hash"],
        "from": terms["of"],
        "otherwise": terms["otherwise"],
        "asked_at": moment(row["asked_at"]),
        "until": moment(row["until"]),
        "decided_at": moment(row["decided_at"]),
        "decided_by": row["decided_by"],
        "decided_why": row["decided_why"],
        "next_run": row["next_run"],
    }
