"""Named objects of a bucket: as a target, and as they are written in a rule file."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from service.catalogue.bucket.contents import MOST_BYTES, digest_of
from service.catalogue.prices import PriceList
from service.catalogue.shapes import A_BUCKET, BucketName, Region, Shape, Text, Url
from service.catalogue.spec import Noted
from service.ports.bucket import Contents, Place, spaces

NAME = "bucket"
PRICES = PriceList("Spaces", {})
"""One small object more or less costs nothing beside the subscription."""
MOST_OBJECTS = 10
"""A look reads each of them."""

_OBJECT = r"^[a-z0-9][a-z0-9-]{0,15}$"
_BASE64 = "base64"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HEADER = "one line of at most 200 ASCII signs"
_Header = Annotated[str, Field(pattern=r"^[ -~]{1,200}$", description=_HEADER)]


@dataclass(frozen=True, slots=True)
class BucketTarget:
    """Objects of one bucket, and text assets below a prefix, and nothing else of it.

    `objects` maps a name to its `key`, `content_type`, `cache_control`, whether a new one is
    `public`, and the `bodies` that may be put there, by name, those of files among them. All of it
    is plain JSON. `assets` is the prefix, empty where no assets may be compressed.
    """

    name: str
    bucket: str
    endpoint: str
    region: str
    objects: Mapping[str, Any] = field(default_factory=dict, hash=False)
    service: str = ""
    assets: str = ""

    @property
    def kind(self) -> str:
        """The kind of resource."""
        return NAME

    @property
    def resource(self) -> str:
        """The bucket, which one run at a time may change."""
        return f"bucket:{self.endpoint}/{self.bucket}"

    @property
    def sizes(self) -> tuple[str, ...]:
        """It has no sizes."""
        return ()

    @property
    def bounds(self) -> str:
        """What may be put, and where."""
        parts = [f"{each['key']} as {' or '.join(each['bodies'])}" for each in self._each]
        return ", ".join([*parts, *([f"text below {self.assets} in gzip"] if self.assets else [])])

    @property
    def _each(self) -> Iterable[Mapping[str, Any]]:
        return self.objects.values()

    @property
    def console(self) -> str:
        """The bucket's page at DigitalOcean, or the address of another store."""
        if self.endpoint == spaces(self.region):
            return f"https://cloud.digitalocean.com/spaces/{self.bucket}"
        return self.endpoint

    @property
    def place(self) -> Place:
        """Where the bucket is."""
        return Place(self.endpoint, self.region, self.bucket)

    def contents(self, object_: str, body: str) -> Contents:
        """What is put as this object by this name."""
        each = self.objects[object_]
        headers = {"ContentType": each["content_type"], "CacheControl": each["cache_control"]}
        return Contents(
            bytes_of(each["bodies"][body]), {name: text for name, text in headers.items() if text}
        )

    def body_with(self, object_: str, digest: str) -> str:
        """The name of the body with this digest; empty where none of the target's has it."""
        bodies = self.objects[object_]["bodies"]
        return next((b for b in bodies if digest_of(self.contents(object_, b)) == digest), "")


def bytes_of(body: str | Mapping[str, str]) -> bytes:
    """The bytes of a body as a target keeps it: a text, or what is no text in base64."""
    return body.encode() if isinstance(body, str) else base64.b64decode(body[_BASE64])


def kept_as(body: bytes) -> str | dict[str, str]:
    """The same the other way round, for the bytes of a file."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {_BASE64: base64.b64encode(body).decode()}


class ObjectShape(Shape):
    """One object in a rule file."""

    key: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    content_type: _Header = "application/json"
    cache_control: _Header | None = Field(None, description=_HEADER)
    public: bool = False
    bodies: dict[str, str] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)


class BucketShape(Shape):
    """Objects of a bucket in a rule file."""

    kind: str
    bucket: BucketName | None = Field(None, description=A_BUCKET)
    region: Region | None = Field(None, description="a region such as nyc3")
    endpoint: Url | None = None
    objects: dict[str, ObjectShape] = Field(default_factory=dict)
    assets: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    service: Text | None = None


def build_bucket(name: str, shape: BucketShape, noted: Noted) -> BucketTarget | None:
    """The target; None where its bucket, its region, or both objects and assets are missing."""
    if shape.bucket is None and "bucket" not in noted.wrong:
        noted.missing("bucket", "the bucket's name, such as quizmentor")
    if shape.region is None and "region" not in noted.wrong:
        noted.missing("region", "the region of the bucket, such as nyc3")
    if not shape.objects and not shape.assets and "objects" not in noted.wrong:
        noted.missing(
            "objects",
            "what may be put, such as {config: {key: …, bodies: {…}}}. A bucket may also have "
            "assets alone",
        )
    if len(shape.objects) > MOST_OBJECTS:
        noted.at("objects", f"objects has {len(shape.objects)}; at most {MOST_OBJECTS} fit.")
    files = _files(shape, noted)
    for sentence in _wrong(shape, files):
        noted.at("objects", sentence)
    if (shape.assets is not None) and not _is_prefix(shape.assets):
        noted.at(
            "assets", f"assets {shape.assets!r} must be a prefix such as assets/: it ends with /."
        )
    if shape.bucket is None or shape.region is None or not (shape.objects or shape.assets):
        return None
    endpoint = (shape.endpoint or spaces(shape.region)).rstrip("/")
    if endpoint.startswith("http://"):
        noted.doubt(
            "endpoint",
            f"endpoint {endpoint} is not encrypted: whoever is between can read and change what "
            "is put. Use https.",
        )
    return BucketTarget(
        name,
        shape.bucket,
        endpoint,
        shape.region,
        {name: _plain(each, files[name]) for name, each in shape.objects.items()},
        shape.service or "",
        shape.assets or "",
    )


def _is_prefix(text: str) -> bool:
    return text.endswith("/") and not text.startswith("/") and not _CONTROL.search(text)


def _files(shape: BucketShape, noted: Noted) -> dict[str, dict[str, bytes]]:
    """The bytes of the files that each object names, by the names of the bodies."""
    return {
        object_: {
            body: found
            for body, name in each.files.items()
            if (found := noted.file("objects", name, MOST_BYTES)) is not None
        }
        for object_, each in shape.objects.items()
    }


def _plain(shape: ObjectShape, files: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "key": shape.key or "",
        "content_type": shape.content_type,
        "cache_control": shape.cache_control or "",
        "public": shape.public,
        "bodies": {**shape.bodies, **{name: kept_as(body) for name, body in files.items()}},
    }


def _wrong_bodies(name: str, each: ObjectShape) -> Iterator[str]:
    if not each.bodies and not each.files:
        yield (
            f"{name}: bodies is missing: at least one text by name, such as {{static: …}}, or one "
            "of files."
        )
    for body in each.bodies.keys() & each.files.keys():
        yield f"{name}: body {body} is a text and a file. Give it once."
    for body in (*each.bodies, *each.files):
        if not re.fullmatch(_OBJECT, body):
            yield f"{name}: body {body!r} must be at most 16 small letters, digits and hyphens."


def _wrong(shape: BucketShape, files: Mapping[str, Mapping[str, bytes]]) -> Iterator[str]:
    """What is wrong with the objects, each a sentence."""
    keys = [each.key for each in shape.objects.values()]
    for name, each in shape.objects.items():
        if not re.fullmatch(_OBJECT, name):
            yield f"{name!r} must be at most 16 small letters, digits and hyphens."
        if each.key is None:
            yield f"{name}: key is missing: the object's key, such as emergency/config.json."
        elif _CONTROL.search(each.key) or each.key.startswith("/"):
            yield f"{name}: key {each.key!r} must not begin with / or hold control signs."
        elif keys.count(each.key) > 1:
            yield f"{name}: key {each.key} is another object's too. Give one object both bodies."
        yield from _wrong_bodies(name, each)
    texts = [text.encode() for each in shape.objects.values() for text in each.bodies.values()]
    total = sum(map(len, [*texts, *(body for some in files.values() for body in some.values())]))
    if total > MOST_BYTES:
        yield (
            f"all bodies together have {total:,} bytes; at most {MOST_BYTES:,} fit, because each "
            "run keeps them."
        )
