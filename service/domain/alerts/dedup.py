"""The identity of an incident at the pager, computable from a notification alone.

Web, worker and a page of last resort must all arrive at the same key without asking a store:
that is what makes a page safe to repeat.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

PREFIX = "runbookd/"
"""So that our incidents are told from those of others who share the routing key."""


def dedup_key(
    *,
    source: str,
    rule: str,
    receiver: str,
    group_labels: Mapping[str, str],
    fingerprint: str,
) -> str:
    """One key per (source, rule, receiver, group); without group labels, per alert.

    41 characters, of which the vendor allows 255: stable over restarts, versions and the order of
    labels.
    """
    group: object = sorted(group_labels.items()) if group_labels else fingerprint
    # JSON, because a separator could be part of a label; ASCII, because a lone surrogate could be.
    identity = json.dumps([source, rule, receiver, group], ensure_ascii=True)
    return PREFIX + hashlib.blake2b(identity.encode("ascii"), digest_size=16).hexdigest()


def run_dedup_key(run_id: str) -> str:
    """The incident of one failed run."""
    return f"{PREFIX}run/{run_id}"


def bound_dedup_key(target: str, direction: str) -> str:
    """The incident of a target that can grow no further: one, however often it is asked to."""
    return f"{PREFIX}bound/{target}.{direction}"


def in_vain_dedup_key(rule: str, target: str, direction: str) -> str:
    """The incident of a rule whose changes of a target do not help."""
    return f"{PREFIX}in-vain/{rule}/{target}.{direction}"


def demoted_dedup_key(rule: str, target: str, direction: str) -> str:
    """The incident of what a rule that is demoted to shadow would have changed."""
    return f"{PREFIX}demoted/{rule}/{target}.{direction}"


def is_of_target(key: str) -> bool:
    """Whether it is an incident of a target that runbookd does nothing more for by itself. It stays
    open while the alerts that asked for it fire."""
    return key.startswith((f"{PREFIX}bound/", f"{PREFIX}in-vain/", f"{PREFIX}demoted/"))


def blocked_dedup_key(target: str, direction: str) -> str:
    """The incident of a target that nothing can be done for: one, however often it is tried."""
    return f"{PREFIX}blocked/{target}.{direction}"


def watchdog_dedup_key(alert: str) -> str:
    """The incident of a watchdog that is silent. Its name may have any characters, and be long."""
    digest = hashlib.blake2b(alert.encode("utf-8", "surrogatepass"), digest_size=16)
    return f"{PREFIX}watchdog/{digest.hexdigest()}"
