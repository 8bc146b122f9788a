"""A balancer by nginx: as a target, and as it is written in a rule file."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from service.catalogue.prices import PriceList
from service.catalogue.shapes import Shape, Text
from service.catalogue.spec import Noted
from service.domain.durations import parse_duration

NAME = "nginx"
PRICES = PriceList("nginx", {})
"""A file costs nothing."""

MAIN = "/etc/nginx/nginx.conf"
"""Debian's main file."""
CHECK_PORT = 8199
CONNECT_S, SEND_S, READ_S = 2, 10, 8
"""Seconds. A server that hangs is replaced by another only within `retry_for`, so it is given up
before that is over. The runbook's 5, 60 and 60 s would never leave time for another server."""
RETRY_FOR_S, TRIES = 10, 2
MAX_FAILS, FAIL_TIMEOUT_S = 3, 30
"""The runbook's own."""
KEEPALIVE = 32
"""The runbook's own; idle connections to the servers that each process of nginx keeps."""
MOST_SERVERS = 32
"""A verification asks each of them, one after the other."""
_LONGEST_S = 3_600

NO_BACKUP = ("ip_hash", "random")
"""The methods with which nginx takes no server as a backup."""

_PATH = r"^/[A-Za-z0-9._/-]+\.conf$"
_HOST = r"^[A-Za-z0-9.:-]+$"
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_Port = Annotated[int, Field(ge=1, le=65_535)]
_Conf = Annotated[
    str, Field(pattern=_PATH, description="a path from the root that ends with .conf")
]
_Time = Annotated[str, Field(description="a duration such as 10s")]


@dataclass(frozen=True, slots=True)
class NginxTarget:
    """One file of nginx that passes requests on to servers.

    `file` is the file that runbookd writes, `main` nginx's main file, which includes it. `servers`
    are as nginx writes them, such as `10.0.0.11:8080 weight=2 backup`. `names` are the host names
    that it answers to; empty for all. Times are in seconds. At `check_port` it tells this machine
    which file is in force, and passes one request to each server. `trusted_proxies` are networks.
    `health_path` is what each server is asked for.
    """

    name: str
    file: str
    main: str
    servers: tuple[str, ...]
    method: str = "least_conn"
    names: tuple[str, ...] = ()
    listen: int = 80
    certificate: str = ""
    certificate_key: str = ""
    max_fails: int = MAX_FAILS
    fail_timeout_s: int = FAIL_TIMEOUT_S
    keepalive: int = KEEPALIVE
    connect_timeout_s: int = CONNECT_S
    send_timeout_s: int = SEND_S
    read_timeout_s: int = READ_S
    tries: int = TRIES
    retry_for_s: int = RETRY_FOR_S
    retry_500: bool = False
    trusted_proxies: tuple[str, ...] = ()
    check_port: int = CHECK_PORT
    health_path: str = "/"
    service: str = ""

    @property
    def kind(self) -> str:
        """The kind of resource."""
        return NAME

    @property
    def resource(self) -> str:
        """The nginx that one run at a time may change: it loads all of its files together."""
        return f"nginx:{self.main}"

    @property
    def sizes(self) -> tuple[str, ...]:
        """It has no sizes."""
        return ()

    @property
    def bounds(self) -> str:
        """How many servers it has."""
        return f"{len(self.servers)} {'server' if len(self.servers) == 1 else 'servers'}"

    @property
    def addresses(self) -> tuple[str, ...]:
        """Host and port of each server, without what else is said of it."""
        return tuple(each.partition(" ")[0] for each in self.servers)

    @property
    def console(self) -> str:
        """Where it answers: nginx has no page of its own."""
        host = next((each for each in self.names if "*" not in each and each != "_"), "127.0.0.1")
        scheme, usual = ("https", 443) if self.certificate else ("http", 80)
        return (
            f"{scheme}://{host}/" if self.listen == usual else f"{scheme}://{host}:{self.listen}/"
        )


class ServerShape(Shape):
    """One server in a rule file."""

    host: Annotated[
        str, Field(pattern=_HOST, description="a host name or an address, such as 10.0.0.11")
    ]
    port: _Port
    weight: Annotated[int, Field(ge=1, le=100)] = 1
    backup: bool = False


class NginxShape(Shape):
    """A balancer in a rule file."""

    kind: str
    file: _Conf | None = None
    main: _Conf = MAIN
    servers: list[ServerShape] | None = None
    method: Literal["least_conn", "round_robin", "ip_hash", "random"] = "least_conn"
    names: list[Text] = Field(default_factory=list)
    listen: _Port | None = None
    certificate: Text | None = None
    certificate_key: Text | None = None
    max_fails: Annotated[int, Field(ge=1, le=100)] = MAX_FAILS
    fail_timeout: _Time = f"{FAIL_TIMEOUT_S}s"
    keepalive: Annotated[int, Field(ge=1, le=10_000)] = KEEPALIVE
    connect_timeout: _Time = f"{CONNECT_S}s"
    send_timeout: _Time = f"{SEND_S}s"
    read_timeout: _Time = f"{READ_S}s"
    tries: Annotated[int, Field(ge=1, le=10)] = TRIES
    retry_for: _Time = f"{RETRY_FOR_S}s"
    retry_500: bool = False
    trusted_proxies: list[Text] = Field(default_factory=list)
    check_port: _Port = CHECK_PORT
    health_path: Annotated[
        str,
        Field(pattern=r"^/[A-Za-z0-9._~/-]*$", description="a path such as /health"),
    ] = "/"
    service: Text | None = None


def build_balancer(name: str, shape: NginxShape, noted: Noted) -> NginxTarget | None:
    """The target; None when its file or its servers are missing or wrong."""
    if shape.file is None and "file" not in noted.wrong:
        noted.missing("file", "the file that runbookd writes, such as /etc/nginx/conf.d/edge.conf")
    _check_paths(shape, noted)
    _check_certificate(shape, noted)
    _check_names(shape, noted)
    servers = tuple(_servers(shape, noted))
    times = _times(shape, noted)
    if shape.file is None or not servers or times is None:
        return None
    if times["read_timeout_s"] >= times["retry_for_s"] and shape.tries > 1:
        noted.doubt(
            "read_timeout",
            f"a server that hangs is given up after {times['read_timeout_s']} s, and by then the "
            f"{times['retry_for_s']} s of retry_for are over: its requests go to no other server. "
            "Make read_timeout shorter, or retry_for longer.",
        )
    return NginxTarget(
        name,
        shape.file,
        shape.main,
        servers,
        method=shape.method,
        names=tuple(shape.names),
        listen=shape.listen or (443 if shape.certificate else 80),
        certificate=shape.certificate or "",
        certificate_key=shape.certificate_key or "",
        max_fails=shape.max_fails,
        keepalive=shape.keepalive,
        tries=shape.tries,
        retry_500=shape.retry_500,
        trusted_proxies=tuple(_networks(shape, noted)),
        check_port=shape.check_port,
        health_path=shape.health_path,
        service=shape.service or "",
        **times,
    )


def _check_paths(shape: NginxShape, noted: Noted) -> None:
    for key, path in (("file", shape.file), ("main", shape.main)):
        if path is not None and (".." in path.split("/") or "//" in path):
            noted.at(key, f"{key} {path} must not go through .. or //.")
    if shape.file is not None and shape.file == shape.main:
        noted.at("file", "file must not be nginx's main file, which belongs to you.")
    listen = shape.listen or (443 if shape.certificate else 80)
    if listen == shape.check_port:
        noted.at("check_port", f"check_port {shape.check_port} is also the port of clients.")


def _check_certificate(shape: NginxShape, noted: Noted) -> None:
    if (shape.certificate is None) != (shape.certificate_key is None):
        noted.at("certificate", "certificate and certificate_key belong together; one is missing.")
    for key in ("certificate", "certificate_key"):
        path = getattr(shape, key)
        if path is not None and not re.fullmatch(r"/[A-Za-z0-9._/-]+", path):
            noted.at(key, f"{key} must be a path from the root, not {path!r}.")


def _check_names(shape: NginxShape, noted: Noted) -> None:
    for each in shape.names:
        if each != "_" and not _HOST_NAME.fullmatch(each.removeprefix("*.")):
            noted.at("names", f"{each!r} is no host name.")


def _servers(shape: NginxShape, noted: Noted) -> Iterator[str]:
    """The servers as nginx writes them."""
    given = shape.servers or ()
    if not given:
        if "servers" not in noted.wrong:
            noted.missing("servers", "at least one, such as {host: 10.0.0.11, port: 8080}")
        return
    if len(given) > MOST_SERVERS:
        noted.at("servers", f"servers has {len(given)} servers; at most {MOST_SERVERS} fit.")
    if all(each.backup for each in given):
        noted.at("servers", "every server is a backup; at least one must serve from the beginning.")
    if any(each.backup for each in given) and shape.method in NO_BACKUP:
        noted.at("method", f"nginx takes no server as a backup with {shape.method}.")
    for address, times in Counter(map(_address, given)).items():
        if times > 1:
            noted.at("servers", f"servers names {address} {times} times; give it a weight instead.")
    for each in given:
        if not _is_host(each.host):
            noted.at("servers", f"{each.host!r} is neither a host name nor an address.")
        weight = f" weight={each.weight}" if each.weight != 1 else ""
        yield f"{_address(each)}{weight}{' backup' if each.backup else ''}"


def _is_host(host: str) -> bool:
    if _HOST_NAME.fullmatch(host):
        return True
    try:
        return ipaddress.ip_address(host).version == 6  # noqa: PLR2004 - IP's own number
    except ValueError:
        return False


def _address(server: ServerShape) -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host.lower()
    return f"{host}:{server.port}"


def _times(shape: NginxShape, noted: Noted) -> dict[str, int] | None:
    """The durations in whole seconds; None when one is wrong."""
    keys = ("fail_timeout", "connect_timeout", "send_timeout", "read_timeout", "retry_for")
    times = {f"{key}_s": _seconds(key, getattr(shape, key), noted) for key in keys}
    return {key: at for key, at in times.items() if at} if all(times.values()) else None


def _seconds(key: str, text: str, noted: Noted) -> int:
    """Whole seconds; 0 when the text is wrong, which is noted."""
    try:
        seconds = parse_duration(text).total_seconds()
    except ValueError as problem:
        noted.at(key, f"{key}: {problem}.")
        return 0
    if not 1 <= seconds <= _LONGEST_S:
        noted.at(key, f"{key} must be from 1s to 1h, not {text}.")
        return 0
    return int(seconds)


def _networks(shape: NginxShape, noted: Noted) -> Sequence[str]:
    found: list[str] = []
    for each in shape.trusted_proxies:
        try:
            network = ipaddress.ip_network(each)
        except ValueError:
            noted.at("trusted_proxies", f"{each!r} is no address or network, such as 10.0.0.0/8.")
            continue
        if network.prefixlen == 0:
            noted.at("trusted_proxies", f"{each} trusts everybody; name your own proxies.")
        found.append(str(network))
    return found
