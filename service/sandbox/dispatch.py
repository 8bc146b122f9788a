"""Handles one vendor call: injected faults, authorization, rate limits, the vendor, the record."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import replace

from service.sandbox.cloud import Cloud
from service.sandbox.core.faults import Fault
from service.sandbox.core.names import vendor_module, vendor_names
from service.sandbox.core.vendors import Vendor
from service.sandbox.core.wire import Answer, Call

Sleep = Callable[[float], None]

VENDORS: dict[str, Vendor] = {
    name: importlib.import_module(vendor_module(name)).VENDOR for name in vendor_names()
}
"""The vendors by name. The name is also the first part of a vendor's paths here."""


def dispatch(cloud: Cloud, call: Call, sleep: Sleep = time.sleep) -> Answer | None:
    """Answer a call. None means that the connection is closed without an answer.

    `call.now` is set here. A fault's latency is slept after the vendor has acted, or before it if
    the request is slow. The time that an answer takes by itself is slept after it too. The cloud is
    not locked meanwhile.
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
    slow_s = fault.latency_s if fault and fault.slow == "answer" else 0.0
    own_s = answer.takes_s if answer else 0.0
    if latency_s := max(slow_s, own_s):
        sleep(latency_s)
    return answered


def _act(cloud: Cloud, call: Call, fault: Fault | None) -> tuple[Answer | None, bool]:
    if fault and fault.drop == "before":
        return None, False
    if fault and fault.answer:
        return fault.answer, False
    refused, headers = cloud.limits.check(call) if cloud.config.rate_limits else (None, {})
    answer = refused or VENDORS[call.vendor].answer(cloud, call)
    return replace(answer, headers={**headers, **answer.headers}), answer.acted
