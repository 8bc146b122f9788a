"""Managed Valkey clusters: the vendor's API of databases, and the servers behind it.

A server is asked with INFO alone, which changes nothing. Its password comes with the API's answer
and is used at once: it is neither stored nor told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.domain.errors import FailureKind, VendorError
from service.ports.valkey import ClusterState, ServerFacts
from service.providers.digitalocean import DigitalOceanClient
from service.providers.errors import Call, never_sent, no_answer, reading, refused
from service.providers.redis_identity import ids_of
from service.providers.scopes import READ_CLUSTER, UPDATE_CLUSTER

CONNECT_S, ANSWER_S = 3.0, 5.0
"""Seconds. A server whose firewall does not know this worker lets it wait."""


class DigitalOceanValkey:
    """Clusters (`service.ports.valkey.ValkeyClusters`). Safe for threads.

    `own_url` is the address of runbookd's own Redis, empty without one.
    """

    def __init__(self, client: DigitalOceanClient, *, own_url: str = "") -> None:
        self._client = client
        self._own_url = own_url

    def get(self, cluster: str) -> ClusterState:
        """The cluster, and its eviction policy where it has one."""
        found = self._cluster(cluster)
        call = self._client.call(f"read cluster {cluster}", READ_CLUSTER)
        with reading(call):
            state = ClusterState(
                cluster=str(found["id"]),
                name=str(found["name"]),
                engine=str(found["engine"]),
                size=str(found["size"]),
                nodes=int(found["num_nodes"]),
                status=str(found.get("status") or "unknown"),
                policy="",
            )
        return _with_policy(state, self._policy(cluster) if state.engine == "valkey" else "")

    def server(self, cluster: str) -> ServerFacts:
        """What the primary's INFO says, asked at the cluster's public address, then at its private
        one."""
        found = self._cluster(cluster)
        operation = f"ask the server of cluster {cluster}"
        problem: VendorError | None = None
        for address in (found.get("connection") or {}, found.get("private_connection") or {}):
            if not address.get("host"):
                continue
            secret = str(address.get("password") or "")
            call = Call("valkey", operation, repeatable=True, secret=secret)
            try:
                return _facts(call, _info(call, _client_at(call, address)))
            except VendorError as error:
                problem = problem or error
        unnamed = Call("valkey", operation, repeatable=True)
        raise problem or no_answer(unnamed, "the API names no address of it")

    def own(self) -> frozenset[str]:
        """The ids of runbookd's own Redis."""
        if not self._own_url or self._own_url.startswith("unix://"):
            return frozenset()
        call = Call("redis", "ask runbookd's own Redis who it is", repeatable=True)
        try:
            client = redis.Redis.from_url(self._own_url, **_BOUNDED)
        except ValueError:
            # What is wrong with it would be told with a part of the password.
            sentence = "REDIS_URL is no address of a Redis, so who runbookd's own is, is not known."
            raise call.error(FailureKind.PERMANENT, sentence) from None
        return _ids(call, _info(call, client))

    def resize(self, cluster: str, size: str, nodes: int) -> None:
        """Ask for a size and a number of nodes: both are required, so both are always sent."""
        call = self._client.call(f"resize cluster {cluster}", UPDATE_CLUSTER, repeatable=False)
        body = {"size": size, "num_nodes": nodes}
        self._client.tell(call, lambda sdk: sdk.databases.update_cluster_size(cluster, body))

    def set_policy(self, cluster: str, policy: str) -> None:
        """Set the eviction policy."""
        call = self._client.call(
            f"set the eviction policy of cluster {cluster}", UPDATE_CLUSTER, repeatable=False
        )
        body = {"eviction_policy": policy}
        self._client.tell(call, lambda sdk: sdk.databases.update_eviction_policy(cluster, body))

    def _cluster(self, cluster: str) -> Mapping[str, Any]:
        call = self._client.call(f"read cluster {cluster}", READ_CLUSTER)
        answer = self._client.ask(call, lambda sdk: sdk.databases.get_cluster(cluster), "database")
        found: Mapping[str, Any] = answer["database"]
        return found

    def _policy(self, cluster: str) -> str:
        call = self._client.call(f"read the eviction policy of cluster {cluster}", READ_CLUSTER)
        answer = self._client.ask(
            call, lambda sdk: sdk.databases.get_eviction_policy(cluster), "eviction_policy"
        )
        return str(answer["eviction_policy"])


_BOUNDED: dict[str, Any] = {
    "socket_connect_timeout": CONNECT_S,
    "socket_timeout": ANSWER_S,
    "retry": Retry(NoBackoff(), 0),
    "decode_responses": True,
}
"""One try in bounded time: who calls decides on repeats."""


def _with_policy(state: ClusterState, policy: str) -> ClusterState:
    return ClusterState(
        state.cluster, state.name, state.engine, state.size, state.nodes, state.status, policy
    )


def _client_at(call: Call, address: Mapping[str, Any]) -> redis.Redis:
    if not address.get("password"):
        scope = " and ".join(READ_CLUSTER.scopes)
        raise call.error(
            FailureKind.PERMANENT,
            "DigitalOcean named no password of the cluster's server. The token in the setting "
            f"DIGITALOCEAN_TOKEN needs the scope {scope}.",
        )
    with reading(call):
        return redis.Redis(
            host=str(address["host"]),
            port=int(address["port"]),
            username=str(address.get("user") or "default"),
            password=str(address["password"]),
            ssl=bool(address.get("ssl")),
            **_BOUNDED,
        )


def _info(call: Call, client: redis.Redis) -> Mapping[str, Any]:
    """All sections of INFO.

    Raises:
        VendorError: it did not answer, or refused the password.
    """
    try:
        found: Mapping[str, Any] = client.info("everything")
    except redis.AuthenticationError as problem:
        raise refused(call, None, str(problem)) from problem
    except (redis.ConnectionError, redis.TimeoutError) as problem:
        raise never_sent(call, problem) from problem
    except redis.RedisError as problem:
        raise refused(call, None, str(problem)) from problem
    finally:
        client.close()
    return found


def _ids(call: Call, info: Mapping[str, Any]) -> frozenset[str]:
    """Its run, and the replications that it belongs to: a standby shares those of its primary."""
    with reading(call):
        _ = info["run_id"], info["master_replid"]
    return ids_of(info)


def _facts(call: Call, info: Mapping[str, Any]) -> ServerFacts:
    with reading(call):
        spaces = [
            value
            for name, value in info.items()
            if name.startswith("db") and isinstance(value, Mapping) and "expires" in value
        ]
        return ServerFacts(
            ids=_ids(call, info),
            keys=sum(int(each["keys"]) for each in spaces),
            expiring=sum(int(each["expires"]) for each in spaces),
            used_bytes=int(info["used_memory"]),
            policy=str(info["maxmemory_policy"]).replace("-", "_"),
        )
