"""Clusters of servers for tests: real nodes on loopback ports, joined or still alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from tests.processes import Process, free_port, wait_until
from tests.redis_servers import START_S

SLOTS = 16_384
PATIENCE_S = 60.0
"""How long a condition may take on a machine that is busy with other things."""
CLIENT_PAUSE_S = 0.005
"""Seconds between two reads of a client. Without a pause it would take a core for itself."""
THIRDS = ((0, 5460), (5461, 10922), (10923, 16383))
"""Who owns what among three nodes, as redis-cli hands them out."""

NEARLY = {
    0: [(0, 4095)],
    1: [(5461, 9556)],
    2: [(10923, 15118)],
    3: [(4096, 5460), (9557, 10922), (15119, 16383)],
}
"""Who owns what among four nodes: the last has a hundred slots less than its share, and the third a
hundred more."""
KEYS = {f"quiz:{number}": f"answer {number}" for number in range(3_000)}
"""What an application has in its cluster."""


@dataclass
class Node:
    """One server with cluster-enabled. With `file` it keeps its settings there."""

    port: int
    bus: int
    process: Process
    file: Path | None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"redis://{self.address}"

    @property
    def client(self) -> Any:
        return redis.Redis(
            port=self.port, socket_timeout=10.0, decode_responses=True, driver_info=None
        )

    def say(self, *command: Any) -> Any:
        with self.client as client:
            return client.execute_command(*command)

    @property
    def id(self) -> str:
        return str(self.say("CLUSTER MYID"))

    def setting(self, name: str) -> str:
        return str(self.say("CONFIG GET", name)[name])

    def answers(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.say("PING"))
        return False

    def is_ok(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.say("CLUSTER INFO")["cluster_state"] == "ok")
        return False


@dataclass
class RealCluster:
    """Nodes in the order in which they were started."""

    nodes: list[Node] = field(default_factory=list)

    @property
    def urls(self) -> str:
        return " ".join(each.url for each in self.nodes)

    def owners(self, seen_by: int) -> dict[int, int]:
        """How many slots each node owns, by its number, as one node sees it."""
        ids = [each.id for each in self.nodes]
        found = dict.fromkeys(range(len(ids)), 0)
        for each in self.nodes[seen_by].say("CLUSTER NODES").values():
            for lower, *upper in each["slots"]:
                count = int((upper or [lower])[0]) - int(lower) + 1
                found[ids.index(each["node_id"])] += count
        return found

    def join(self, owned: Mapping[int, Sequence[tuple[int, int]]], of: Mapping[int, int]) -> None:
        """Make them one cluster: the ranges that each owns, and the primary of each replica."""
        members = sorted({*owned, *of})
        for number, epoch in zip(members, range(1, 99), strict=False):
            self.nodes[number].say("CLUSTER SET-CONFIG-EPOCH", epoch)
        for number, ranges in owned.items():
            for first, last in ranges:
                self.nodes[number].say("CLUSTER ADDSLOTS", *range(first, last + 1))
        for number in members[1:]:
            host = self.nodes[members[0]]
            self.nodes[number].say("CLUSTER MEET", "127.0.0.1", host.port, host.bus)
        everybody = [self.nodes[each] for each in members]
        assert wait_until(lambda: self._all_known(everybody), PATIENCE_S)
        for replica, primary in of.items():
            self.nodes[replica].say("CLUSTER REPLICATE", self.nodes[primary].id)
        assert wait_until(lambda: all(each.is_ok() for each in everybody), PATIENCE_S)
        assert wait_until(lambda: self._agree(everybody, len(of)), PATIENCE_S)

    def _all_known(self, nodes: Sequence[Node]) -> bool:
        return all(
            len(known := each.say("CLUSTER NODES")) == len(nodes)
            and not any("handshake" in one["flags"] for one in known.values())
            for each in nodes
        )

    def _agree(self, nodes: Sequence[Node], replicas: int) -> bool:
        seen = []
        for node in nodes:
            known = node.say("CLUSTER NODES")
            copies = sum("slave" in each["flags"] for each in known.values())
            if copies != replicas or not all(each["connected"] for each in known.values()):
                return False
            seen.append({each["node_id"]: each["slots"] for each in known.values()})
        return all(each == seen[0] for each in seen)


@contextmanager
def nodes(
    executable: str,
    home: Path,
    count: int,
    *,
    with_files: Sequence[int] = (),
    timeout_ms: int = 5000,
) -> Iterator[RealCluster]:
    """Nodes that do not know each other yet; those with a number in `with_files` have a file.

    `timeout_ms` is how long a node may be silent before the others say that it has failed.
    """
    made = RealCluster()
    try:
        for number in range(count):
            directory = home / f"node-{number}"
            directory.mkdir(parents=True)
            port, bus = free_port(), free_port()
            file = directory / "server.conf" if number in with_files else None
            if file:
                file.write_text("maxmemory 0\n", encoding="utf-8")
            command = [executable, *([str(file)] if file else []), "--port", str(port)]
            # The bus is 10000 above the port by default, which another test may have.
            command += ["--cluster-port", str(bus), "--bind", "127.0.0.1"]
            command += ["--dir", str(directory), "--save", "", "--cluster-enabled", "yes"]
            command += [
                "--cluster-node-timeout",
                str(timeout_ms),
                "--repl-diskless-sync-delay",
                "0",
            ]
            node = Node(port, bus, Process("node", command, directory / "node.log", {}), file)
            node.process.start()
            made.nodes.append(node)
        assert wait_until(lambda: all(each.answers() for each in made.nodes), START_S)
        yield made
    finally:
        for node in made.nodes:
            node.process.kill()


def fill(node: Node, keys: Mapping[str, str]) -> None:
    """Write keys through the cluster, to whichever node owns each."""
    with redis.RedisCluster(port=node.port, host="127.0.0.1", socket_timeout=10.0) as client:
        for name, value in keys.items():
            client.set(name, value)


class Clients:
    """A client of the cluster that reads and writes all the time, as an application does."""

    def __init__(self, made: RealCluster) -> None:
        self._port = made.nodes[0].port
        self._over = threading.Event()
        self.wrong: list[str] = []
        self.done = 0
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Clients:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(PATIENCE_S)

    def _work(self) -> None:
        with redis.RedisCluster(port=self._port, host="127.0.0.1", socket_timeout=30.0) as client:
            while not self._over.wait(CLIENT_PAUSE_S):
                name = f"quiz:{self.done % len(KEYS)}"
                try:
                    if client.get(name) != KEYS[name].encode():
                        self.wrong.append(f"{name} is gone")
                    client.set(f"new:{self.done}", str(self.done))
                except redis.RedisError as problem:
                    self.wrong.append(f"{name}: {problem!r}")
                self.done += 1


def assert_nothing_is_lost(made: RealCluster, clients: Clients) -> None:
    assert clients.wrong == []
    assert clients.done > 0
    with redis.RedisCluster(port=made.nodes[0].port, host="127.0.0.1") as client:
        assert {name: client.get(name) for name in KEYS} == {
            name: value.encode() for name, value in KEYS.items()
        }
        assert all(
            client.get(f"new:{number}") == str(number).encode() for number in range(clients.done)
        )
    for node in made.nodes:
        known = node.say("CLUSTER NODES").values()
        assert not any(each["migrations"] for each in known)
