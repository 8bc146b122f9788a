"""Requests come back from the queue as they went in, also those that an earlier version pinned."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from service.catalogue.app_platform.target import AppTarget
from service.catalogue.pinned import alerts_of
from service.catalogue.registry import NotInCatalogue, target_fields
from service.catalogue.request_json import dump_request, load_request
from service.domain.decisions.requests import PERSON, REPLAY, Origin, Request, Wanted
from tests.fakes.runs import API, DATABASE, WORKER, request_for, telling_for

LINKS = (("https://grafana.example/d/1?a=b", "High Error Rate: dashboard"),)
TELL = telling_for(
    "page_oncall",
    "errors-0123456789abcdef.notify.1",
    "runbookd/0123456789abcdef",
    origin=Origin(REPLAY, "errors", 'High Error Rate: 3 % → "<b>"', ("a-1", "a-2"), LINKS),
    severity="critical",
)
WITHOUT_LINKS = replace(TELL, origin=replace(TELL.origin, links=()))


EVERY_FIELD = request_for(
    "horizontal_scale",
    API,
    origin=Origin(PERSON, "ops", "the launch"),
    claim="api.person.7",
    direction="person",
    wanted=(Wanted("replicas", to=4), Wanted("size", by=-1)),
    parent="viral-growth.3",
    step="out",
)


@pytest.mark.parametrize(
    "asked",
    [
        request_for("horizontal_scale", API, options={"step": 3}, replay=True),
        request_for("horizontal_scale", AppTarget("a", "b", "c", 1, 2, (), "http://a.example")),
        request_for("vertical_scale", API),
        request_for("vertical_scale", WORKER),
        request_for("scale_database", DATABASE),
        request_for("set_capacity", API, options={"replicas": 5}),
        request_for("set_capacity", API, options={"size": "professional-m", "exact": True}),
        TELL,
        EVERY_FIELD,
    ],
)
def test_a_request_survives_json(asked: Request) -> None:
    assert load_request(json.loads(json.dumps(dump_request(asked)))) == asked


def test_the_pinned_form_stays_as_it_is() -> None:
    """Runs queued by the version before must be understood after a deploy."""
    assert dump_request(request_for("vertical_scale", WORKER)) == {
        "version": 4,
        "id": "worker-vm.up.1",
        "action": "vertical_scale",
        "origin": {
            "kind": "alert",
            "by": "a-rule",
            "why": "High CPU Usage is 93",
            "alerts": ["alert-1"],
            "links": [],
        },
        "claim": "worker-vm.up",
        "direction": "up",
        "target": {
            "kind": "droplet",
            "name": "worker-vm",
            "droplet": "101",
            "sizes": ("s-1vcpu-1gb", "s-1vcpu-2gb", "s-2vcpu-2gb", "c-2"),
            "health_url": None,
            "service": "",
            "choices": (),
        },
        "wanted": [{"attribute": "size", "by": 1, "to": None}],
        "options": {},
        "cooldown_s": 600.0,
        "settle_s": 120.0,
        "subject": "",
        "severity": None,
        "parent": "",
        "step": "",
        "rules_hash": "0123456789ab",
        "policy": {
            "mode": "act",
            "freezes": [],
            "limits": [],
            "approval": {"of": ["approver"], "wait_s": 900.0, "otherwise": "hold"},
            "budget": None,
            "returns": None,
            "expected": None,
            "demoted": False,
        },
        "override": "",
        "expects": [],
        "approved": "",
        "hold_s": 0.0,
        "pin": False,
    }


CHANGE_1 = {
    "run_id": "api.out.1",
    "action": "horizontal_scale",
    "rule": "a-rule",
    "target": {"kind": "app_platform", **target_fields(API)},
    "direction": "out",
    "cooldown_s": 600.0,
    "settle_s": 120.0,
    "step": 3,
    "summary": "High CPU Usage is 93",
    "alerts": ["alert-1"],
    "rules_hash": "0123456789ab",
}
PAGE_1 = {
    "run_id": "errors-0123456789abcdef.notify.1",
    "action": "page_oncall",
    "rule": "errors",
    "subject": "runbookd/0123456789abcdef",
    "cooldown_s": 0.0,
    "severity": "critical",
    "summary": 'High Error Rate: 3 % → "<b>"',
    "alerts": ["a-1", "a-2"],
    "rules_hash": "0123456789ab",
    "replay": True,
}


@pytest.mark.parametrize(
    ("pinned", "meant"),
    [
        (CHANGE_1, request_for("horizontal_scale", API, options={"step": 3})),
        (
            {**CHANGE_1, "options": {"step": 2}, "replay": True},
            request_for("horizontal_scale", API, options={"step": 2}, replay=True),
        ),
        (
            {
                **CHANGE_1,
                "run_id": "api.up.1",
                "action": "vertical_scale",
                "direction": "up",
                "step": 1,
            },
            request_for("vertical_scale", API),
        ),
        (PAGE_1, WITHOUT_LINKS),
    ],
    ids=["a change", "a replay with options", "an action without a step", "a page"],
)
def test_what_version_1_pinned_is_read_as_a_request(pinned: dict[str, Any], meant: Request) -> None:
    assert load_request(json.loads(json.dumps(pinned))) == meant
    assert alerts_of(pinned) == meant.origin.alerts


def test_what_version_2_pinned_is_read_as_a_request_without_links() -> None:
    pinned = json.loads(json.dumps(dump_request(TELL)))
    del pinned["origin"]["links"]
    assert load_request({**pinned, "version": 2}) == WITHOUT_LINKS


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"action": "scale_everything"}, "There is no action 'scale_everything'"),
        ({"options": {"step": 0}}, "step: Input should be greater than or equal to 1"),
        ({"options": {"steps": 2}}, "steps: Extra inputs are not permitted"),
        ({"target": {"kind": "mainframe", "name": "m"}}, "no kind of target 'mainframe'"),
    ],
)
def test_what_the_catalogue_does_not_know_is_not_loaded(
    changes: dict[str, Any], sentence: str
) -> None:
    pinned = dump_request(request_for("horizontal_scale", API))
    with pytest.raises(NotInCatalogue, match=sentence):
        load_request({**pinned, **changes})


def test_what_the_catalogue_does_not_know_is_not_queued() -> None:
    asked = replace(request_for("horizontal_scale", API), options={"step": 251})
    with pytest.raises(NotInCatalogue, match="step"):
        dump_request(asked)


@pytest.mark.parametrize("asked", [TELL, request_for("scale_database", DATABASE)])
def test_fields_of_a_later_version_are_left_out(asked: Request) -> None:
    """After a deploy is taken back, its runs are still in the queue."""
    pinned = dump_request(asked)
    pinned["origin"] = {**pinned["origin"], "of_tomorrow": 1}
    assert load_request({**pinned, "of_tomorrow": 1}) == asked


def test_fields_of_a_later_target_are_left_out() -> None:
    asked = request_for("scale_database", DATABASE)
    pinned = dump_request(asked)
    pinned["target"] = {**pinned["target"], "of_tomorrow": 1}
    assert load_request(pinned) == asked


def test_who_needs_a_target_and_has_none_is_told_so() -> None:
    with pytest.raises(TypeError, match=r"page_oncall of run errors-.* has no target"):
        _ = TELL.target


def test_a_request_of_before_budgets_is_read_without_one() -> None:
    stored = dump_request(request_for("horizontal_scale", API))
    del stored["policy"]["budget"]
    assert load_request(stored).policy.budget is None
