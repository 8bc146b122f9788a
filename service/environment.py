"""Single variables of the environment, for who must not load all settings to know one.

`service.settings` says what there is and checks it. The terminal that only asks a running service
needs an address and a token, and checking all settings takes it longer than the answer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from service.domain.errors import Told


class Unreadable(Told):
    """A file that holds a value cannot be used."""


def given(name: str, environment: Mapping[str, str] | None = None) -> str:
    """The value of NAME, or of the file that NAME_FILE names; empty when neither is set.

    Raises:
        Unreadable: the file cannot be read, or holds nothing.
    """
    values = os.environ if environment is None else environment
    if values.get(name):
        return values[name]
    path = values.get(f"{name}_FILE")
    return content(path, f"{name}_FILE names") if path else ""


def content(path: str, who: str) -> str:
    """What a file holds, without blanks around it. `who` begins the sentence when that fails.

    Raises:
        Unreadable: it cannot be read, or holds nothing.
    """
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Unreadable(f"{who} {path}, which cannot be read: {why}") from None
    if not text:
        raise Unreadable(f"{who} {path}, which is empty")
    return text
