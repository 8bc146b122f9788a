"""`POST /_sandbox/valkey`: sets which server stands behind the cluster, and its state."""

from __future__ import annotations

from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.core.wire import Json, one_of
from service.sandbox.digitalocean.cluster import Cluster

HELD = ("", "creating", "migrating", "forking")
"""The vendor's other words for a cluster's state; empty for none of them."""
MOST_PORT = 65_535
_FIELDS = ("port", "password", "held", "end")


class ClusterControlError(ValueError):
    """Why a change of the cluster is refused, in one sentence."""


def cluster_json(cloud: Cloud) -> Json:
    """The cluster as it is. Never shows a password."""
    cluster = cloud.state(Cluster)
    return {
        "size": cluster.size,
        "nodes": cluster.nodes,
        "policy": cluster.policy,
        "ordered": list(cluster.ordered) if cluster.ordered else None,
        "port": cluster.port,
        "held": cluster.held,
    }


def change_cluster(cloud: Cloud, body: Any, now: float) -> None:
    """Set everything that the body names, or nothing if a value is wrong.

    `port` is that of a Valkey on this machine, which stands behind the cluster from then on; 0 for
    none. `password` is the one that it asks for. `held` is a state in which the vendor takes no
    change. `end` true ends the resize that is under way.

    Raises:
        ClusterControlError: the body makes no sense.
    """
    if not isinstance(body, dict) or not body or not set(body) <= set(_FIELDS):
        raise ClusterControlError(f"The body sets {' or '.join(_FIELDS)}.")
    cluster = cloud.state(Cluster)
    port, password = body.get("port", cluster.port), body.get("password", cluster.password)
    held = body.get("held", cluster.held)
    if type(port) is not int or not 0 <= port <= MOST_PORT:
        raise ClusterControlError(f"port must be a whole number from 0 to {MOST_PORT}.")
    if not isinstance(password, str):
        raise ClusterControlError("password must be a text.")
    if not one_of(held, HELD):
        raise ClusterControlError(f"held must be one of {', '.join(HELD[1:])}, or empty.")
    if not isinstance(body.get("end", False), bool):
        raise ClusterControlError("end must be true or false.")
    if body.get("end"):
        cluster.ends_at = now
    cluster.port, cluster.host = port, "127.0.0.1" if port else ""
    cluster.password, cluster.held = password, held
