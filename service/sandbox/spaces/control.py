"""`POST /_sandbox/spaces`: whether the bucket keeps versions, and an object that a person puts."""

from __future__ import annotations

from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.core.wire import Json
from service.sandbox.spaces.store import BUCKET, Store

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
    """Set `versioned`; `put` a text under a key, as a person would at the vendor.

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
    texts = isinstance(put, dict) and all(isinstance(each, str) for each in put.values())
    if not texts:
        raise SpacesControlError('put is keys with their texts, such as {"a.json": "{}"}.')
    store.versioned = versioned
    for key, text in put.items():
        store.put(key, text.encode(), {}, {}, public=False, now=now)
