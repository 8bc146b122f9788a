"""Spaces, and other stores that speak S3, over botocore. It is loaded when it is first used.

A write names the ETag that it replaces (If-Match), or that there must be none (If-None-Match). The
SDK repeats nothing: whoever calls looks first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from service.bounded import Bounded, Overdue
from service.domain.errors import FailureKind
from service.ports.bucket import HEADERS, NEW, Contents, Listed, Place, Stored
from service.providers.errors import Call, busy, from_status, never_sent, no_answer, reading
from service.providers.waits import Timeouts

SETTING = "SPACES_KEY and SPACES_SECRET"
TIMEOUTS = Timeouts()
"""`read` is for each piece of an answer, which is 64 KB at most. So a look, which is two requests,
has its own bound."""
_EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
_NOT_THAT_ONE = ("PreconditionFailed", "NoSuchKey")
_GONE = ("NoSuchKey", "NoSuchVersion")
_UNVERSIONED = "null"
"""The version of an object that was put before its bucket kept versions. The next one replaces
it."""
_NOT_PUT = (
    "Expires",
    "WebsiteRedirectLocation",
    "StorageClass",
    "TagCount",
    "ObjectLockMode",
    "SSECustomerAlgorithm",
)
"""What GetObject answers of an object that has it, and `put` does not send. A list leaves out the
storage class where it is the usual one."""
_LATER = ("SlowDown", "ServiceUnavailable", "RequestTimeout", "ConditionalRequestConflict")
"""Refusals that end by themselves; the store has done nothing."""


class SpacesBuckets:
    """The buckets that one pair of keys opens (`ports.bucket.Buckets`). Safe for threads.

    `endpoint` is asked instead of the places' own addresses, where it is given.
    """

    def __init__(self, *, key: str, secret: str, endpoint: str = "") -> None:
        self._key = key
        self._secret = secret
        self._endpoint = endpoint
        self._client_of = lru_cache(maxsize=16)(self._made)

    def look(self, place: Place, key: str, most: int, version: str = "") -> Stored | None:
        """GetObject, whose bytes are read where they are few, and its access list."""
        which = {"Bucket": place.bucket, "Key": key, **({"VersionId": version} if version else {})}
        call = self._call(f"read {key} in {place.bucket}", repeatable=True)
        client = self._client(call, place)
        try:
            # Neither a store that sends a byte now and then nor two slow answers last longer.
            return Bounded(TIMEOUTS.total)(lambda: _looked(call, client, which, most))
        except Overdue:
            raise no_answer(call, f"no answer within {TIMEOUTS.total:.0f} s") from None

    def listed(self, place: Place, prefix: str, most: int) -> tuple[Listed, ...]:
        """ListObjectsV2, one page."""
        call = self._call(f"list {prefix} in {place.bucket}", repeatable=True)
        client = self._client(call, place)
        which = {"Bucket": place.bucket, "Prefix": prefix, "MaxKeys": most}
        try:
            return Bounded(TIMEOUTS.total)(lambda: _listed(call, client, which))
        except Overdue:
            raise no_answer(call, f"no answer within {TIMEOUTS.total:.0f} s") from None

    def put(self, place: Place, key: str, contents: Contents, etag: str, *, public: bool) -> bool:
        """PutObject with the condition. A private object is put without an access list, which
        stores refuse that have none."""
        call = self._call(f"put {key} in {place.bucket}", repeatable=False)
        client = self._client(call, place)
        condition = {"IfNoneMatch": "*"} if etag == NEW else {"IfMatch": etag}
        access = {"ACL": "public-read"} if public else {}
        with _asking(call):
            try:
                client.put_object(
                    Bucket=place.bucket,
                    Key=key,
                    Body=contents.body,
                    Metadata=dict(contents.metadata),
                    **contents.headers,
                    **condition,
                    **access,
                )
            except client.exceptions.ClientError as problem:
                # A store answers 404 where the object of If-Match is gone.
                if _code(problem) in _NOT_THAT_ONE:
                    return False
                raise
        return True

    def _call(self, operation: str, *, repeatable: bool) -> Call:
        return Call("spaces", operation, repeatable, SETTING, self._secret)

    def _client(self, call: Call, place: Place) -> Any:
        if not self._key or not self._secret:
            sentence = (
                f"{SETTING} are not both set, so buckets are off as targets. Set both to a pair of "
                "keys that may read and write this bucket."
            )
            raise call.error(FailureKind.PERMANENT, sentence)
        try:
            return self._client_of(place)
        except ImportError as missing:
            sentence = (
                "botocore is not installed, so buckets are off as targets. Nothing was sent. "
                "Install it: pip install 'runbookd[spaces]'."
            )
            raise call.error(FailureKind.PERMANENT, sentence) from missing
        except ValueError as problem:
            sentence = f"{place.endpoint} is no address of a store. Correct the target's endpoint."
            raise call.error(FailureKind.PERMANENT, sentence) from problem

    def _made(self, place: Place) -> Any:
        import botocore.session  # noqa: PLC0415 - 32 MB that only a target of this kind needs
        from botocore.config import Config  # noqa: PLC0415 - as above

        return botocore.session.Session().create_client(
            "s3",
            endpoint_url=self._endpoint or place.endpoint,
            region_name=place.region,
            aws_access_key_id=self._key,
            aws_secret_access_key=self._secret,
            config=Config(
                connect_timeout=TIMEOUTS.connect,
                read_timeout=TIMEOUTS.read,
                retries={"total_max_attempts": 1},
                # Spaces knows no checksums of newer SDKs, and no name of a host for each bucket is
                # needed.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path"},
            ),
        )


def _contents(body: bytes, found: Mapping[str, Any]) -> Contents:
    headers = {name: str(found[name]) for name in HEADERS if found.get(name)}
    return Contents(body, headers, dict(found.get("Metadata", {})))


def _looked(call: Call, client: Any, which: Mapping[str, str], most: int) -> Stored | None:
    with _asking(call):
        try:
            found = client.get_object(**which)
            with found["Body"] as stream:
                size = int(found["ContentLength"])
                body = stream.read() if size <= most else None
            access = client.get_object_acl(**which)
        except client.exceptions.ClientError as problem:
            if _code(problem) in _GONE:
                return None
            raise
    with reading(call):
        return Stored(
            etag=str(found["ETag"]),
            size=size,
            contents=None if body is None else _contents(body, found),
            public=any(each["Grantee"].get("URI") == _EVERYBODY for each in access["Grants"]),
            version=str(found.get("VersionId", "")).removeprefix(_UNVERSIONED),
            more=tuple(_lost(found, access["Grants"])),
        )


def _listed(call: Call, client: Any, which: Mapping[str, Any]) -> tuple[Listed, ...]:
    with _asking(call):
        page = client.list_objects_v2(**which)
    with reading(call):
        found = page.get("Contents", [])
        return tuple(Listed(str(each["Key"]), int(each["Size"])) for each in found)


def _lost(found: Mapping[str, Any], grants: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What the object has and a put does not give it again."""
    yield from (name for name in _NOT_PUT if found.get(name))
    for each in grants:
        everybody = each["Grantee"].get("URI") == _EVERYBODY and each["Permission"] == "READ"
        if not everybody and each["Permission"] != "FULL_CONTROL":
            yield "a grant"


def _code(problem: Any) -> str:
    return str(problem.response.get("Error", {}).get("Code", ""))


@contextmanager
def _asking(call: Call) -> Iterator[None]:
    """Turn what botocore raises into what it means."""
    from botocore import exceptions  # noqa: PLC0415 - the client has loaded it already

    try:
        yield
    except exceptions.ClientError as problem:
        error = problem.response.get("Error", {})
        answer = problem.response.get("ResponseMetadata", {})
        code = _code(problem)
        words = f"{code}: {error.get('Message', '')}".rstrip(": ")
        status = int(answer.get("HTTPStatusCode", 0))
        wait = _seconds(answer.get("HTTPHeaders", {}).get("retry-after", ""))
        if code in _LATER:
            raise busy(call, status, words, wait) from problem
        raise from_status(call, status, words, wait) from problem
    except (
        exceptions.EndpointConnectionError,
        exceptions.ConnectTimeoutError,
        exceptions.ProxyConnectionError,
    ) as problem:
        raise never_sent(call, problem) from problem
    except exceptions.ParamValidationError as problem:
        raise call.error(FailureKind.PERMANENT, f"Nothing was sent: {problem}.") from problem
    except (exceptions.BotoCoreError, OSError) as problem:
        raise no_answer(call, problem) from problem


def _seconds(text: str) -> float | None:
    return float(text) if text.isdecimal() else None
