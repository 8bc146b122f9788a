"""Finds in a file for nginx what works in a test and fails in an incident. Pure.

`nginx -t` takes all of it. Each finding was seen with nginx 1.22.1 and real servers.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from service.catalogue.nginx.config import Config, Directive, UnreadableConfig, parse_config
from service.domain.findings import Finding

_HEALTH = re.compile(r"health.?check", re.IGNORECASE)
_ACTIVE_CHECKS = ("health_check", "check")
"""The directives of NGINX Plus and of a module from elsewhere that really ask servers."""
_COMMENT_REACH = 1
"""Lines below a comment that it is about."""


@dataclass(frozen=True, slots=True)
class _Proxying:
    """A block that passes requests on, with the blocks around it, the outermost first."""

    around: tuple[Directive, ...]
    by: Directive
    group: str

    def effective(self, name: str) -> tuple[Directive, ...]:
        """The directives of that name in force here: those of the innermost block that has any."""
        for block in reversed(self.around):
            if found := tuple(each for each in block.block or () if each.name == name):
                return found
        return ()

    @property
    def behind_proxy(self) -> bool:
        """Whether the addresses of proxies in front are named."""
        return bool(self.effective("set_real_ip_from"))

    @property
    def encrypts(self) -> bool:
        """Whether the server listens with TLS."""
        return any("ssl" in each.args for each in self.effective("listen"))


@dataclass(frozen=True, slots=True)
class _File:
    config: Config
    upstreams: dict[str, Directive]
    proxying: tuple[_Proxying, ...]


def find_faults(text: str) -> list[Finding]:
    """The findings, by line. A text that cannot be read has one."""
    try:
        config = parse_config(text)
    except UnreadableConfig as problem:
        return [Finding(problem.line, "unreadable", problem.sentence)]
    upstreams = {
        each.args[0]: each
        for _, each in _walk(config.directives)
        if each.name == "upstream" and each.args
    }
    proxying = tuple(
        _Proxying(around, each, group)
        for around, each in _walk(config.directives)
        if each.name == "proxy_pass" and (group := _group(each)) in upstreams
    )
    file = _File(config, upstreams, proxying)
    found = {finding for rule in _RULES for finding in rule(file)}
    return sorted(found, key=lambda each: (each.line, each.name))


def _walk(
    directives: tuple[Directive, ...], around: tuple[Directive, ...] = ()
) -> Iterator[tuple[tuple[Directive, ...], Directive]]:
    top = around or (Directive("", (), 0, directives),)
    for each in directives:
        yield top, each
        if each.block is not None:
            yield from _walk(each.block, (*top, each))


def _group(passing: Directive) -> str:
    """The name of the upstream that `proxy_pass` passes to."""
    return re.sub(r"^https?://", "", passing.args[0]).partition("/")[0] if passing.args else ""


def _names(file: _File) -> Iterator[Finding]:
    for name, upstream in file.upstreams.items():
        servers = [each for each in upstream.block or () if each.name == "server" and each.args]
        named = [each for each in servers if "resolve" not in each.args and _is_name(each.args[0])]
        if named:
            hosts = ", ".join(each.args[0] for each in named)
            yield Finding(
                named[0].line,
                "names",
                f"upstream {name} names servers ({hosts}) that are looked up once, when nginx "
                "starts or reloads. One name that is missing then keeps nginx from starting, and a "
                "new address is not seen. Write addresses, or have the names in /etc/hosts.",
            )


def _is_name(server: str) -> bool:
    if server.startswith("unix:"):
        return False
    host = server[1:].partition("]")[0] if server.startswith("[") else server.rpartition(":")[0]
    try:
        ipaddress.ip_address(host or server)
    except ValueError:
        return host != "localhost"
    return False


def _keepalive(file: _File) -> Iterator[Finding]:
    for each in file.proxying:
        kept = [one for one in file.upstreams[each.group].block or () if one.name == "keepalive"]
        version = [one.args for one in each.effective("proxy_http_version")]
        headers = [one.args for one in each.effective("proxy_set_header")]
        if kept and (("1.1",) not in version or not any(_ends_connection(one) for one in headers)):
            yield Finding(
                kept[0].line,
                "keepalive",
                f"keepalive has no effect: the requests to {each.group} (line {each.by.line}) go "
                "out as HTTP/1.0 with `Connection: close`, each on a connection of its own. Add "
                '`proxy_http_version 1.1;` and `proxy_set_header Connection "";` beside it.',
            )


def _ends_connection(header: tuple[str, ...]) -> bool:
    return len(header) == len(("name", "value")) and (header[0].lower(), header[1]) == (
        "connection",
        "",
    )


def _health_check(file: _File) -> Iterator[Finding]:
    names = {each.name: each.line for _, each in _walk(file.config.directives)}
    if any(name in names for name in _ACTIVE_CHECKS):
        return
    for comment in file.config.comments:
        below = [each for each in names.items() if 0 < each[1] - comment.line <= _COMMENT_REACH]
        if _HEALTH.search(comment.text) and below:
            yield Finding(
                comment.line,
                "health-check",
                f"the comment says health check, and {below[0][0]} is none. nginx asks no server "
                "by itself: it only counts failed requests of clients (max_fails, fail_timeout). "
                "Correct the comment, and let an alert watch the servers.",
            )


def _retry_500(file: _File) -> Iterator[Finding]:
    for _, each in _walk(file.config.directives):
        if each.name == "proxy_next_upstream" and "http_500" in each.args:
            yield Finding(
                each.line,
                "retry-500",
                "http_500 sends a request that an error in the application answers to every "
                "server, and counts it against each of them. When all are out, every request gets "
                "502. Take http_500 away, unless a 500 means that the one server is ill. (POST is "
                "not sent twice either way, so its client gets the 500.)",
            )


def _retry_bounds(file: _File) -> Iterator[Finding]:
    for each in file.proxying:
        passed_on = each.effective("proxy_next_upstream")
        if any("off" in one.args for one in passed_on):
            continue
        lacking = [
            name
            for name in ("proxy_next_upstream_tries", "proxy_next_upstream_timeout")
            if all(one.args in (("0",), ("0s",)) for one in each.effective(name))
        ]
        if lacking:
            yield Finding(
                (*passed_on, each.by)[0].line,
                "retry-bounds",
                f"{' and '.join(lacking)} are not set, so one request may try every server, and "
                "wait for proxy_read_timeout at each. Set `proxy_next_upstream_tries 2;` and "
                "`proxy_next_upstream_timeout 10s;`.",
            )


def _forwarded_for(file: _File) -> Iterator[Finding]:
    for each in file.proxying:
        for header in each.effective("proxy_set_header"):
            if "$proxy_add_x_forwarded_for" in header.args and not each.behind_proxy:
                yield Finding(
                    header.line,
                    "forwarded-for",
                    "$proxy_add_x_forwarded_for keeps what the client itself has sent, so a client "
                    "can pretend to be another. Send $remote_addr, or name the proxies in front "
                    "with set_real_ip_from.",
                )


def _forwarded_proto(file: _File) -> Iterator[Finding]:
    for each in file.proxying:
        for header in each.effective("proxy_set_header"):
            is_proto = [one.lower() for one in header.args] == ["x-forwarded-proto", "$scheme"]
            if is_proto and not each.encrypts:
                yield Finding(
                    header.line,
                    "forwarded-proto",
                    "X-Forwarded-Proto is always http here, because this server has no TLS of its "
                    "own. Behind a proxy with TLS the application then makes wrong links, or "
                    "redirects for ever. Pass on what a trusted proxy says, by a map.",
                )


def _plain_http(file: _File) -> Iterator[Finding]:
    for each in file.proxying:
        if each.encrypts or each.behind_proxy:
            continue
        listens = each.effective("listen")
        at = listens[0] if listens else each.around[-1]
        yield Finding(
            at.line,
            "plain-http",
            "this server takes plain HTTP only, and names no proxy in front of it that has TLS. "
            "Listen with `443 ssl` and a certificate, or name the proxy with set_real_ip_from.",
        )


def _never_out(file: _File) -> Iterator[Finding]:
    for upstream in file.upstreams.values():
        for each in upstream.block or ():
            if each.name == "server" and "max_fails=0" in each.args:
                yield Finding(
                    each.line,
                    "never-out",
                    f"max_fails=0 keeps {each.args[0]} in, however often it fails: it goes on "
                    "getting its share of the requests. Set max_fails=3.",
                )


_RULES: tuple[Callable[[_File], Iterator[Finding]], ...] = (
    _names,
    _keepalive,
    _health_check,
    _retry_500,
    _retry_bounds,
    _forwarded_for,
    _forwarded_proto,
    _plain_http,
    _never_out,
)
