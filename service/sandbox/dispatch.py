"""The way of a vendor call: trouble on order, authorisation, limits, the vendor, the record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from service.sandbox.cloud import Cloud
from service.sandbox.core.faults import Fault
from service.sandbox.core.routes import Handler, Route
from service.sandbox.core.wire import Answer, Call, Refusal
from service.sandbox.digitalocean import apps as digitalocean_apps
from service.sandbox.digitalocean import droplets as digitalocean_droplets
from service.sandbox.digitalocean import routes as digitalocean
from service.sandbox.pagerduty import events as pagerduty
from service.sandbox.slack import api as slack
from service.sandbox.supabase import addons as supabase_addons
from service.sandbox.supabase import common as supabase_common
from service.sandbox.supabase import database as supabase_database
from service.sandbox.supabase import projects as supabase_projects

Sleep = Callable[[float], None]


class Vendor:
    """One vendor's operations, what it answers the unauthorised, and for what it doesn't have."""

    def __init__(
        self,
        routes: tuple[Route, ...],
        unauthorized: Answer | None,
        unknown: Callable[[], Answer],
    ) -> None:
        self._handlers = {f"{one.method} {one.pattern}": one.handler for one in routes}
        self._map = Map(
            [
                Rule(one.pattern, methods=[one.method], endpoint=f"{one.method} {one.pattern}")
                for one in routes
            ],
            redirect_defaults=False,
            strict_slashes=False,
            merge_slashes=False,
        )
        self._unauthorized = unauthorized
        self._unknown = unknown

    def answer(self, cloud: Cloud, call: Call) -> Answer:
        """What the vendor answers, having acted on the cloud or not."""
        if self._unauthorized and not call.token:
            return self._unauthorized
        try:
            handler, args = self._find(call)
        except HTTPException:
            return self._unknown()
        try:
            return handler(cloud, call, args)
        except Refusal as refusal:
            return refusal.answer

    def _find(self, call: Call) -> tuple[Handler, Mapping[str, Any]]:
        endpoint, args = self._map.bind("").match(call.path, call.method)
        return self._handlers[endpoint], args


VENDORS = {
    "digitalocean": Vendor(
        digitalocean.ROUTES + digitalocean_apps.ROUTES + digitalocean_droplets.ROUTES,
        digitalocean.UNAUTHORIZED,
        digitalocean.no_such_operation,
    ),
    "supabase": Vendor(
        supabase_projects.ROUTES + supabase_addons.ROUTES + supabase_database.ROUTES,
        supabase_common.UNAUTHORIZED,
        supabase_common.no_such_operation,
    ),
    "pagerduty": Vendor(pagerduty.ROUTES, None, pagerduty.no_such_operation),
    "slack": Vendor(slack.ROUTES, slack.UNAUTHORIZED, slack.no_such_operation),
}
"""By the name that is also the prefix of their paths here."""


def dispatch(cloud: Cloud, call: Call, sleep: Sleep = time.sleep) -> Answer | None:
    """Answer a call; None means: close the connection without an answer.

    `call.now` is set here. A delay is waited out without holding the cloud: after the act, or
    before it where the request is the slow one.
    """
    with cloud.at_now():
        fault = cloud.faults.take(call)
    if fault and fault.slow == "request":
        sleep(fault.latency_s)
    with cloud.at_now() as now:
        call = replace(call, now=now, outcome=fault.outcome if fault else "")
        answer, acted = _act(cloud, call, fault)
        answered = None if fault and fault.drop else answer
        cloud.recorder.record(
            call,
            answered.status if answered else None,
            acted=acted,
            fault=fault.id if fault else None,
        )
    if fault and fault.slow == "answer" and fault.latency_s:
        sleep(fault.latency_s)
    return answered


def _act(cloud: Cloud, call: Call, fault: Fault | None) -> tuple[Answer | None, bool]:
    if fault and fault.drop == "before":
        return None, False
    if fault and fault.answer:
        return fault.answer, False
    refused, headers = cloud.limits.check(call) if cloud.config.rate_limits else (None, {})
    answer = refused or VENDORS[call.vendor].answer(cloud, call)
    return replace(answer, headers={**headers, **answer.headers}), answer.acted
