"""A cluster of one's own over redis-py: Redis from 6.2 on, or Valkey. Each node is asked by itself.

redis-py's own cluster client is for clients: it follows redirects and leaves out nodes that are
away. Here each node has to answer for itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.domain.errors import FailureKind
from service.ports.valkey_cluster import Member, NodeState, View
from service.providers.errors import Call, reading
from service.providers.redis_errors import asking
from service.providers.redis_identity import ids_of

SETTING = "CACHE_CLUSTER_URLS"
TIMEOUT_S = 5.0
"""Seconds for a connection, and for each answer: as for a cache of one server."""
MOVE_S = 4.0
"""Seconds that a node waits for another one while keys move. It is less than our own wait, so that
the node's answer comes before we give up."""
_OPEN_SLOT = re.compile(r"\[(\d+)-([<>])-([0-9a-f]+)\]")


class ValkeyCluster:
    """The nodes (`service.ports.valkey_cluster.ClusterNodes`). Safe for threads.

    `urls` are the addresses with their passwords, parted by spaces or commas. `own_url` is
    runbookd's own Redis, empty where there is none.
    """

    def __init__(self, *, urls: str, own_url: str = "", timeout_s: float = TIMEOUT_S) -> None:
        self._urls = urls
        self._own_url = own_url
        self._timeout_s = timeout_s
        self._made: dict[str, redis.Redis] = {}

    def addresses(self) -> Sequence[str]:
        """Host and port of each, in the order of the setting."""
        call = Call("valkey", "read its addresses", repeatable=True, setting=SETTING)
        return list(self._parts(call))

    def node(self, address: str) -> NodeState:
        """INFO, CLUSTER INFO and CLUSTER NODES."""
        call = self._call(address, f"read what node {address} says of itself")
        with asking(call, SETTING):
            info = self._client(call, address).info()
        view, state = None, ""
        if info.get("cluster_enabled"):
            view = self.view(address)
            with asking(call, SETTING):
                said = _say(self._client(call, address), "CLUSTER INFO")
            state = str(said.get("cluster_state", ""))
        return _state(call, address, info, view, state)

    def view(self, address: str) -> View:
        """CLUSTER NODES."""
        call = self._call(address, f"read which nodes {address} knows")
        with asking(call, SETTING):
            text = _say(self._client(call, address), "CLUSTER NODES")
        with reading(call):
            return view_of(text)

    def own(self) -> frozenset[str]:
        """What INFO of our own Redis says."""
        if not self._own_url:
            return frozenset()
        call = Call("redis", "ask runbookd's own Redis who it is", repeatable=True)
        client = self._from_url(call, self._own_url, "REDIS_URL")
        try:
            with asking(call, SETTING):
                return ids_of({**client.info("server"), **client.info("replication")})
        finally:
            client.close()

    def set(self, address: str, name: str, value: str) -> None:
        """CONFIG SET."""
        self._tell(address, f"set {name} of node {address} to {value}", ("CONFIG SET", name, value))

    def keep(self, address: str) -> None:
        """CONFIG REWRITE. To do it twice changes nothing."""
        operation = f"write the settings of node {address} to its file"
        self._tell(address, operation, ("CONFIG REWRITE",), repeatable=True)

    def meet(self, address: str, member: Member) -> None:
        """CLUSTER MEET, at the address and the bus port by which nodes reach `member`."""
        host, port = _split(member.at)
        operation = f"have node {address} join {member.at}"
        self._tell(address, operation, ("CLUSTER MEET", host, port, member.bus))

    def importing(self, address: str, slots: Sequence[int], source: str) -> None:
        """CLUSTER SETSLOT … IMPORTING."""
        self._set_slots(address, slots, "IMPORTING", source)

    def migrating(self, address: str, slots: Sequence[int], target: str) -> None:
        """CLUSTER SETSLOT … MIGRATING."""
        self._set_slots(address, slots, "MIGRATING", target)

    def assign(self, address: str, slots: Sequence[int], owner: str) -> None:
        """CLUSTER SETSLOT … NODE. A node that still has keys of a slot refuses to give it away."""
        self._set_slots(address, slots, "NODE", owner)

    def keys_in(self, address: str, slots: Sequence[int], count: int) -> Sequence[Sequence[bytes]]:
        """CLUSTER GETKEYSINSLOT of each."""
        call = self._call(address, f"list keys of slots at node {address}")
        commands = [("CLUSTER GETKEYSINSLOT", slot, count) for slot in slots]
        found = self._all(call, address, commands)
        return [[_bytes(key) for key in keys] for keys in found]

    def move_keys(self, address: str, to: str, member: Member, keys: Sequence[bytes]) -> None:
        """MIGRATE with REPLACE. While a slot moves, its owner makes no new key of it, so a key that
        both have was sent before, and the owner's is the newer one."""
        host, port = _split(member.at)
        url = self._url(self._call(address, f"move keys to node {to}"), to)
        signed: tuple[Any, ...] = ()
        if password := unquote(urlsplit(url).password or ""):
            signed = ("AUTH2", unquote(urlsplit(url).username or "default"), password)
        limit_ms = int(min(MOVE_S, self._timeout_s * 0.8) * 1000)
        command = ("MIGRATE", host, port, "", 0, limit_ms, "REPLACE", *signed, "KEYS", *keys)
        self._tell(address, f"move {len(keys)} keys from node {address} to {to}", command)

    def close(self) -> None:
        """Close the connections."""
        for client in self._made.values():
            client.close()

    def _set_slots(self, address: str, slots: Sequence[int], word: str, node: str) -> None:
        what = f"set {len(slots)} slots of node {address} to {word} {node[:8]}"
        commands = [("CLUSTER SETSLOT", slot, word, node) for slot in slots]
        self._all(self._call(address, what, repeatable=False), address, commands)

    def _tell(
        self, address: str, operation: str, command: tuple[Any, ...], *, repeatable: bool = False
    ) -> None:
        call = self._call(address, operation, repeatable=repeatable)
        client = self._client(call, address)
        with asking(call, SETTING):
            _say(client, *command)

    def _all(self, call: Call, address: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The answers to several commands, sent together; the first refusal is raised."""
        client = self._client(call, address)
        with asking(call, SETTING), client.pipeline(transaction=False) as pipeline:
            for command in commands:
                _say(pipeline, *command)
            answers = pipeline.execute(raise_on_error=False)
            for each in answers:
                if isinstance(each, Exception):
                    raise each
        return list(answers)

    def _parts(self, call: Call) -> dict[str, str]:
        """Each address with its URL.

        Raises:
            VendorError: there is none, or one that leads nowhere.
        """
        given = [each for each in re.split(r"[\s,]+", self._urls) if each]
        if not given:
            raise call.error(
                FailureKind.PERMANENT,
                f"{SETTING} is not set, so the cluster is off as a target. Set it to the addresses "
                "of all its nodes.",
            )
        found: dict[str, str] = {}
        for number, url in enumerate(given, 1):
            if not (address := _address_of(url)):
                # What is wrong with it would be told with a part of the password.
                raise call.error(
                    FailureKind.PERMANENT,
                    f"Address {number} of {SETTING} is no address of a node, so none was asked. "
                    "Write redis://user:password@host:6379, with %2F, %23, %3F, %40, %2C and %20 "
                    "for the signs / # ? @ , and spaces in the password.",
                )
            found[address] = url
        return found

    def _client(self, call: Call, address: str) -> redis.Redis:
        if address not in self._made:
            self._made[address] = self._from_url(call, self._url(call, address), SETTING)
        return self._made[address]

    def _url(self, call: Call, address: str) -> str:
        """Its URL. A plan may be older than the setting."""
        if (url := self._parts(call).get(address)) is None:
            sentence = f"{SETTING} does not name node {address} any more, so it was not asked."
            raise call.error(FailureKind.PERMANENT, sentence)
        return url

    def _from_url(self, call: Call, url: str, setting: str) -> redis.Redis:
        try:
            client = redis.Redis.from_url(
                url,
                socket_timeout=self._timeout_s,
                socket_connect_timeout=self._timeout_s,
                retry=Retry(NoBackoff(), 0),
                # The fewest commands: an account needs the right to each.
                driver_info=None,
            )
        except ValueError:
            sentence = f"{setting} is no address of a Redis, so nothing was asked."
            raise call.error(FailureKind.PERMANENT, sentence) from None
        # redis-py leaves out the bus port, and one of two nodes that have the same address.
        client.set_response_callback("CLUSTER NODES", _text)
        return client

    def _call(self, address: str, operation: str, *, repeatable: bool = True) -> Call:
        urls = [each for each in re.split(r"[\s,]+", self._urls) if each]
        secret = next(
            (unquote(urlsplit(url).password or "") for url in urls if _address_of(url) == address),
            "",
        )
        return Call("valkey", operation, repeatable, SETTING, secret)


def _say(to: Any, *command: Any) -> Any:
    """A command by its words; redis-py has no types here."""
    return to.execute_command(*command)


def view_of(text: str) -> View:
    """The answer of CLUSTER NODES: a line for each node, and the open slots on one's own line.

    Raises:
        ValueError: it has another form.
    """
    members, me = [], ""
    leaving: dict[int, str] = {}
    coming: dict[int, str] = {}
    for line in text.splitlines():
        node, address, flags, primary, _, _, _, link, *slots = line.split(" ")
        ranges: list[tuple[int, int]] = []
        for each in slots:
            if found := _OPEN_SLOT.fullmatch(each):
                (leaving if found[2] == ">" else coming)[int(found[1])] = found[3]
            elif each:
                first, _, last = each.partition("-")
                ranges.append((int(first), int(last or first)))
        at, _, buses = address.partition(",")[0].partition("@")
        marks = {*flags.split(",")}
        if "myself" in marks:
            me = node
        elif link != "connected":
            marks.add("disconnected")
        copied = "" if primary == "-" else primary
        members.append(Member(node, at, int(buses or 0), frozenset(marks), copied, tuple(ranges)))
    if not me:
        raise ValueError("no line of the node itself")
    return View(me, tuple(members), leaving, coming)


def _state(
    call: Call, address: str, info: Mapping[str, Any], view: View | None, state: str
) -> NodeState:
    with reading(call):
        spaces = [
            value
            for name, value in info.items()
            if name.startswith("db") and isinstance(value, Mapping) and "expires" in value
        ]
        return NodeState(
            address=address,
            ids=ids_of(info),
            view=view,
            state=state,
            maxmemory=int(info["maxmemory"]),
            policy=str(info["maxmemory_policy"]),
            has_file=bool(info["config_file"]),
            keys=sum(int(each["keys"]) for each in spaces),
            expiring=sum(int(each["expires"]) for each in spaces),
            used_bytes=int(info["used_memory"]),
            machine_bytes=int(info.get("total_system_memory") or 0),
        )


def _address_of(url: str) -> str:
    """Host and port of an address; empty where it has none."""
    try:
        host, port = urlsplit(url).hostname, urlsplit(url).port or 6379
    except ValueError:
        return ""
    if not host or not url.startswith(("redis://", "rediss://")):
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _split(at: str) -> tuple[str, int]:
    host, _, port = at.rpartition(":")
    return host.strip("[]"), int(port)


def _text(value: Any, **_options: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
