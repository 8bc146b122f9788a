"""The ports of the development service: free ones, or a sentence about the one that is not."""

from __future__ import annotations

import errno
import ipaddress
import socket

from service.dev.refusal import DevRefused


def choose_port(variable: str, host: str, port: int) -> int:
    """The port to listen on; 0 asks for any free one.

    Raises:
        DevRefused: something else listens there, or `host` is not of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.create_server((host, port), family=family) as bound:
            free: int = bound.getsockname()[1]
            return free
    except OSError as error:
        raise DevRefused(_sentence(variable, host, port, error)) from None


def loopback_of(host: str) -> str:
    """Where to reach, from this machine, what listens on `host`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"  # noqa: PLR2004 - IP's version


def _sentence(variable: str, host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is in use on {host}, so nothing was started. End what listens there, "
            f"or set {variable} to another port."
        )
    return f"{variable}={port} cannot be listened on at {host} ({error.strerror or error})."
