"""DigitalOcean's operations on managed databases, in the shapes of its OpenAPI document.

There is one cluster, of Valkey. Writes answer without a body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import redis

from service.sandbox.core.routes import Route
from service.sandbox.core.tokens import Tokens
from service.sandbox.core.wire import Answer, Call, Json, as_object
from service.sandbox.digitalocean.cluster import SIZES, Cluster, ClusterRefusedError
from service.sandbox.digitalocean.routes import not_found, page, refusal

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

Args = Mapping[str, str]
NAME = "quizmentor-cache"
NOBODY = ("127.0.0.1", 1)
"""The address of a cluster behind which no server stands: a port where nobody listens."""


def list_clusters(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/databases."""
    return Answer(200, page(call, "databases", [_cluster_json(cloud, call)]))


def get_cluster(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/databases/{id}."""
    _cluster(cloud, args)
    return Answer(200, {"database": _cluster_json(cloud, call)})


def list_options(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/databases/options: what is sold, without prices."""
    small = [size for size, gb in SIZES.items() if gb < 2]  # noqa: PLR2004 - GB for a standby
    layouts = [
        {"num_nodes": 1, "sizes": list(SIZES)},
        {"num_nodes": 2, "sizes": [size for size in SIZES if size not in small]},
    ]
    valkey = {"regions": ["nyc1"], "versions": ["8"], "layouts": layouts}
    return Answer(200, {"options": {"valkey": valkey}})


def resize(cloud: Cloud, call: Call, args: Args) -> Answer:
    """PUT /v2/databases/{id}/resize: begins a resize."""
    cluster, body = _cluster(cloud, args), as_object(call.body)
    with _refusals():
        seconds = cloud.config.action_seconds
        cluster.resize(body.get("size"), body.get("num_nodes"), call.now, seconds)
    return Answer(202)


def get_policy(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/databases/{id}/eviction_policy."""
    return Answer(200, {"eviction_policy": _cluster(cloud, args).policy})


def set_policy(cloud: Cloud, call: Call, args: Args) -> Answer:
    """PUT /v2/databases/{id}/eviction_policy."""
    cluster = _cluster(cloud, args)
    with _refusals():
        cluster.set_policy(as_object(call.body).get("eviction_policy"), call.now)
    _work_by(cluster)
    return Answer(204)


def _work_by(cluster: Cluster) -> None:
    """Let the server behind the cluster, where there is one, work by the cluster's policy."""
    if cluster.host:
        password = cluster.password or None
        with redis.Redis(cluster.host, cluster.port, password=password, socket_timeout=5.0) as one:
            one.config_set("maxmemory-policy", cluster.policy.replace("_", "-"))


def _cluster(cloud: Cloud, args: Args) -> Cluster:
    if args["cluster_id"] != cloud.config.valkey_cluster:
        raise not_found()
    return cloud.state(Cluster)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except ClusterRefusedError as error:
        raise refusal(error.status, error.error_id, str(error)) from None


def _cluster_json(cloud: Cloud, call: Call) -> Json:
    cluster = cloud.state(Cluster)
    status = cluster.status(call.now)
    return {
        "id": cloud.config.valkey_cluster,
        "name": NAME,
        "engine": cluster.engine,
        "version": "8",
        "semantic_version": "8.1.4",
        "num_nodes": cluster.nodes,
        "size": cluster.size,
        "region": "nyc1",
        "status": status,
        "created_at": "2026-01-05T00:00:00Z",
        "tags": [],
        "db_names": None,
        "connection": _connection(cloud, call, cluster),
        "private_connection": _connection(cloud, call, cluster),
        "maintenance_window": {"day": "sunday", "hour": "03:00:00", "pending": False},
    }


def _connection(cloud: Cloud, call: Call, cluster: Cluster) -> Json:
    """The server's address; user and password only for a token that may see them."""
    host, port = (cluster.host, cluster.port) if cluster.host else NOBODY
    shown: dict[str, Any] = {
        "protocol": "rediss" if not cluster.host else "redis",
        "host": host,
        "port": port,
        "ssl": not cluster.host,
        "database": "",
    }
    if cloud.state(Tokens).missing(call, ("database:view_credentials",)):
        return {**shown, "user": "", "password": "", "uri": ""}
    password = cluster.password or "sandbox-password"
    return {
        **shown,
        "user": "default",
        "password": password,
        "uri": f"{shown['protocol']}://default:{password}@{host}:{port}",
    }


_ONE = "/v2/databases/<cluster_id>"
ROUTES = (
    Route("GET", "/v2/databases", list_clusters, ("database:read",)),
    Route("GET", "/v2/databases/options", list_options, ("database:read",)),
    Route("GET", _ONE, get_cluster, ("database:read",)),
    Route("PUT", f"{_ONE}/resize", resize, ("database:update",)),
    Route("GET", f"{_ONE}/eviction_policy", get_policy, ("database:read",)),
    Route("PUT", f"{_ONE}/eviction_policy", set_policy, ("database:update",)),
)
