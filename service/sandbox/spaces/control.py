"""`POST /_sandbox/spaces`: whether the bucket keeps versions, and an object that a person puts."""

from __future__ import annotations

from mimetypes import guess_type
from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.core.wire import Json
from service.sandbox.spaces.store import BUCKET, Store

_NO_TYPE = "binary/octet-stream"
"""What S3 says of an object whose owner has named no type."""
_FIELDS = ("versioned", "put")


class SpacesControlError(ValueError):
    """Why a change of the bucket is refused, in one sentence."""


def spaces_json(cloud: Cloud) -> Json:
    """The bucket as it is; an object is its text, where it is one."""
    store = cloud.state(Store)
    return {
        "bucket": BUCKET,
        "versioned": store.versioned,
        "objects": {
            key: {
                "text": versions[-1].body.decode(errors="replace"),
                "etag": versions[-1].etag,
                "public": versions[-1].public,
                "headers": dict(versions[-1].headers),
                "versions": len(versions),
            }
            for key, versions in store.objects.items()
        },
    }


def change_spaces(cloud: Cloud, body: Any, now: float) -> None:
    """Set `versioned`; `put` a text under a key, as a person would at the vendor,
    with the content type of its ending.

    Raises:
        SpacesControlError: the body says something else.
    """
    if not isinstance(body, dict) or (unknown := sorted(set(body) - set(_FIELDS))):
        wrong = unknown if isinstance(body, dict) else body
        raise SpacesControlError(f"Say {' or '.join(_FIELDS)}, not {wrong!r}.")
    store = cloud.state(Store)
    versioned, put = body.get("versioned", store.versioned), body.get("put", {})
    if not isinstance(versioned, bool):
        raise SpacesControlError("versioned is true or false.")
    if not isinstance(put, dict) or not all(isinstance(each, str) for each in put.values()):
        raise SpacesControlError('put is keys with their texts, such as {"a.json": "{}"}.')
    store.versioned = versioned
    for key, text in put.items():
        type_, _ = guess_type(key, strict=True)
        headers = {"content-type": type_ or _NO_TYPE}
        store.put(key, text.encode(), headers, {}, public=False, now=now)
