"""Names of entries. Who may see an entry is part of its key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

MOST_TAGS = 32
"""Of one entry. Each costs a look-up with each read of Redis, and 32 of the longest fit in half of
the 16 KB that Cloudflare allows the header Cache-Tag."""
LONGEST_TAG = 128
"""Characters of a tag. Cloudflare purges tags of up to 1,024, and the namespace comes in front."""
LONGEST_KEY = 200
"""Characters of a key as it is stored. A longer one is replaced by its digest."""

_NAMESPACE = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_TAG = re.compile(r"[!-+\--~]+", re.ASCII)
"""Printable ASCII without space and comma: what the header Cache-Tag may hold."""


@dataclass(frozen=True, slots=True)
class Key:
    """The name of one entry. Make it with `Key.shared` or `Key.personal`.

    `text` is the same for the same parts and differs for any others, on every machine. `user_tag`
    is the tag of all entries of the person who alone may see this one, or None where everybody may.
    """

    text: str
    user_tag: str | None = None

    @classmethod
    def shared(cls, *parts: str | int) -> Key:
        """A key of what everybody may see.

        Raises:
            ValueError: there is no part, or a part is empty.
            TypeError: a part is neither a text nor a whole number.
        """
        return cls(_short("s:" + _joined(parts)))

    @classmethod
    def personal(cls, user: str | int, *parts: str | int) -> Key:
        """A key of what only `user` may see. A CDN is told not to store it.

        Raises:
            ValueError: the user or a part is empty, or there is no part.
            TypeError: the user or a part is neither a text nor a whole number; None for "nobody is
                logged in" is one, because all of them would share one entry.
        """
        return cls(_short(f"u:{_part(user)}:" + _joined(parts)), user_tag(user))

    @property
    def tag(self) -> str:
        """A tag that this entry alone has, by which a CDN can purge it."""
        return "key-" + hashlib.sha256(self.text.encode()).hexdigest()[:32]


def user_tag(user: str | int) -> str:
    """The tag of all personal entries of `user`."""
    return "user-" + hashlib.sha256(_part(user).encode()).hexdigest()[:32]


def checked_namespace(namespace: str) -> str:
    """The namespace, if it may stand in front of keys and tags.

    Raises:
        ValueError: it is not 1 to 32 of a-z, 0-9, _ and -, with a letter first.
    """
    if not _NAMESPACE.fullmatch(namespace):
        raise ValueError(
            f"{namespace!r} is no namespace of a cache: write 1 to 32 characters of a-z, 0-9, _ "
            "and -, and begin with a letter"
        )
    return namespace


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags in lower case and in order, each once. Cloudflare does not tell cases apart.

    Raises:
        ValueError: a tag is empty, too long or has characters that Cache-Tag may not hold; or
            there are more than MOST_TAGS.
        TypeError: `tags` is one text, whose letters would become the tags.
    """
    if isinstance(tags, str):
        raise TypeError(f"tags is the text {tags!r}: give a tuple of tags, as in ({tags!r},)")
    found = tuple(sorted({_tag(each) for each in tags}))
    if len(found) > MOST_TAGS:
        raise ValueError(f"an entry has {len(found)} tags: {MOST_TAGS} are the most")
    return found


def _tag(tag: str) -> str:
    if not isinstance(tag, str) or not _TAG.fullmatch(tag) or len(tag) > LONGEST_TAG:
        raise ValueError(
            f"{tag!r} is no tag: write 1 to {LONGEST_TAG} printable ASCII characters without "
            "spaces and commas"
        )
    return tag.lower()


def _joined(parts: tuple[str | int, ...]) -> str:
    if not parts:
        raise ValueError("a key needs at least one part, such as Key.shared('question', 42)")
    return ":".join(_part(each) for each in parts)


def _part(part: str | int) -> str:
    """A part with everything escaped that could be mistaken for the mark between two parts."""
    if isinstance(part, bool) or not isinstance(part, str | int):
        raise TypeError(f"{part!r} is no part of a key: give a text or a whole number")
    if part == "":
        raise ValueError("a part of a key is empty")
    # A number and the text of it are two keys: 42 is n42 and "42" is 42. "n42" as a text is %n42.
    if isinstance(part, int):
        return f"n{part}"
    quoted = quote(part, safe="", errors="surrogatepass")
    return f"%{quoted}" if quoted.startswith("n") else quoted


def _short(text: str) -> str:
    if len(text) <= LONGEST_KEY:
        return text
    # No quoted part begins with %s, so this is never the key of other parts.
    return text[:2] + "%sha256:" + hashlib.sha256(text.encode()).hexdigest()
