"""Says in words what differs between two files for nginx. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from service.catalogue.nginx.config import Directive, UnreadableConfig, parse_config

MOST_TOLD = 6
"""Differences that are told one by one; more would hide the point of a message."""
_OURS = "config"
"""The part of the path of the place that tells a file's digest, which always differs."""

_Settings = dict[tuple[str, ...], str]


def difference(old: str, new: str) -> str:
    """What the new text changes, in one sentence; empty where it changes nothing that counts.

    A text that cannot be read differs as a whole.
    """
    try:
        before, after = _settings(old), _settings(new)
    except UnreadableConfig:
        return "Replaces the whole file."
    told = list(_told(before, after))
    rest = len(told) - MOST_TOLD
    shown = "; ".join(told[:MOST_TOLD])
    more = f"; and {rest} more" if rest > 0 else ""
    return f"{shown[0].upper()}{shown[1:]}{more}." if told else ""


def servers_of(text: str) -> list[str]:
    """The addresses of the servers that a file names, in order.

    Raises:
        UnreadableConfig: the text is no configuration.
    """
    return [
        server.args[0]
        for upstream in parse_config(text).directives
        if upstream.name == "upstream"
        for server in upstream.block or ()
        if server.name == "server" and server.args
    ]


def _told(before: _Settings, after: _Settings) -> Iterator[str]:
    for key, value in after.items():
        if key not in before:
            yield f"adds {_named(key, value)}"
        elif before[key] != value:
            yield f"changes {key[-1]} from {before[key] or 'nothing'} to {value or 'nothing'}"
    for key, value in before.items():
        if key not in after:
            yield f"removes {_named(key, value)}"


def _named(key: tuple[str, ...], value: str) -> str:
    return f"{key[-1]} {value}".strip()


def _settings(text: str) -> _Settings:
    """Each directive by its path. A server is told by its address, others by their place."""
    found: _Settings = {}
    for path, each in _flat(parse_config(text).directives, ()):
        if _OURS in " ".join(path) or "/server/" in " ".join(path):
            continue
        if each.name == "server" and each.args:
            found[(*path, f"server {each.args[0]}")] = " ".join(each.args[1:])
        elif each.name in ("proxy_set_header", "set_real_ip_from"):
            found[(*path, f"{each.name} {each.args[0]}")] = " ".join(each.args[1:])
        else:
            found[(*path, each.name)] = " ".join(each.args)
    return found


def _flat(
    directives: tuple[Directive, ...], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Directive]]:
    for each in directives:
        if each.block is None:
            yield path, each
        else:
            yield from _flat(each.block, (*path, " ".join((each.name, *each.args))))
