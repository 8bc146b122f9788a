"""What is hidden wherever text is shown: secrets, and what an address carries besides its place."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

HIDDEN = "***"
SHORTEST_HIDDEN = 4
"""Characters of a secret that is looked for in text; a shorter one would hide parts of words."""

_ADDRESS = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*://)(\S+)")
_SECRET_KEY = re.compile(r"pass|secret|token|key|auth", re.IGNORECASE)


def shown_addresses(text: str) -> str:
    """Text in which each address (`scheme://…`) has no user, no password and no query."""
    return _ADDRESS.sub(lambda found: found[1] + _place(found[2]), text)


def shown_address(value: str) -> str:
    """A value that should be an address, as far as it may be shown: nothing of what is none."""
    if not value or _ADDRESS.match(value):
        return shown_addresses(value)
    return f"{HIDDEN} (no address: it does not begin with a scheme such as https://)"


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes known secrets out of text that may hold any of them; all else stays, so that an alert's
    links are shown whole. `replaced` are pairs: what is looked for, and what is shown instead."""

    replaced: tuple[tuple[str, str], ...] = ()

    def __call__(self, text: str) -> str:
        """The text as it may be shown."""
        for secret, shown in self.replaced:
            text = text.replace(secret, shown)
        return text


def redactor(secrets: set[str], addresses: set[str]) -> Redactor:
    """A redactor of these secrets, of these addresses, and of the secrets within them."""
    found = secrets.union(*map(_secrets_of, addresses))
    pairs = {each: HIDDEN for each in found if len(each) >= SHORTEST_HIDDEN}
    pairs |= {each: shown_address(each) for each in addresses if each}
    # As JSON writes them too; the longest first, because one may be a part of another.
    pairs |= {json.dumps(each)[1:-1]: shown for each, shown in pairs.items()}
    return Redactor(tuple(sorted(pairs.items(), key=lambda pair: -len(pair[0]))))


def _place(rest: str) -> str:
    """Host, port and path. A password may hold any sign, so in doubt nothing is shown."""
    before, at, after = rest.rpartition("@")
    if at and re.search("[?#]", before):
        return HIDDEN
    return re.split("[?#]", after, maxsplit=1)[0]


def _secrets_of(address: str) -> set[str]:
    """The password and the secret-looking parameters of one address, encoded and decoded.

    Where it is no address, also whatever stands where one of them usually does.
    """
    if not _ADDRESS.match(address):
        named = re.findall(r"(\w+)\s*=\s*([^\s&]+)", address)
        before = address.rpartition("@")[0].rpartition(":")[2]
        return {value for key, value in named if _SECRET_KEY.search(key)} | ({before} - {""})
    rest = address.partition("://")[2]
    password = rest.rpartition("@")[0].partition(":")[2]
    query = rest.partition("?")[2].partition("#")[0]
    raw = [pair.partition("=")[2] for pair in query.split("&") if _SECRET_KEY.search(pair)]
    decoded = [value for key, value in parse_qsl(query) if _SECRET_KEY.search(key)]
    return {password, unquote(password), *raw, *decoded} - {""}
