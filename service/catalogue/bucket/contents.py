"""Tells what is in an object from what was in it, and keeps it as a text. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, dataclass

from service.ports.bucket import Contents, Place, Stored

NO_OBJECT = "none"
"""What stands for the digest where there is no object."""
MOST_BYTES = 65_536
"""The largest object that is put, and the largest that is replaced: an undo keeps it in the
database. A configuration has some hundred bytes, and a page without pictures some thousand."""
LARGE = "large:"
"""How the value of an object begins that is larger than that."""
_DIGEST = 16


def digest_of(contents: Contents) -> str:
    """The hash of the bytes and of what they are served with: sixteen signs of a SHA-256."""
    served = json.dumps(
        [sorted(contents.headers.items()), sorted(contents.metadata.items())], ensure_ascii=True
    )
    sha = hashlib.sha256(served.encode() + b"\n" + contents.body)
    return sha.hexdigest()[:_DIGEST]


def value_of(stored: Stored | None) -> str:
    """The value that people are shown and an undo names."""
    if stored is None:
        return NO_OBJECT
    return LARGE + stored.etag if stored.contents is None else digest_of(stored.contents)


def note_of(digest: str) -> str:
    """The name under which these contents are kept."""
    return f"object {digest}"


def dump(contents: Contents) -> str:
    """The contents as one text."""
    return json.dumps(
        {
            "body": base64.b64encode(contents.body).decode(),
            "headers": dict(contents.headers),
            "metadata": dict(contents.metadata),
        }
    )


@dataclass(frozen=True, slots=True)
class Version:
    """A former version that the bucket keeps, so that runbookd need not."""

    place: Place
    key: str
    version: str

    def dump(self) -> str:
        """The same as one text."""
        return json.dumps(asdict(self))


def load(text: str) -> Contents | Version:
    """The contents that `dump` made the text of, or where the bucket keeps them."""
    kept = json.loads(text)
    if "version" in kept:
        return Version(Place(**kept["place"]), kept["key"], kept["version"])
    return Contents(base64.b64decode(kept["body"]), kept["headers"], kept["metadata"])
