"""The operations of Spaces that runbookd needs: list, read an object and its access list, put one.

The answers are those of S3: XML for refusals, headers for what an object is served with. Signatures
are not checked, only that a request has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import quote
from xml.sax.saxutils import escape

from service.sandbox.cloud import Cloud
from service.sandbox.core.routes import Route
from service.sandbox.core.vendors import Vendor
from service.sandbox.core.wire import Answer, Call, Refusal
from service.sandbox.spaces.store import BUCKET, UNVERSIONED, Store, StoredObject

_EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
_SERVED = (
    "content-type",
    "cache-control",
    "content-encoding",
    "content-disposition",
    "content-language",
)
"""Headers of a put that an object is served with."""
_MOST_LISTED = 1_000
_META = "x-amz-meta-"
_XML = {"Content-Type": "application/xml"}


def list_objects(cloud: Cloud, call: Call, args: Mapping[str, str]) -> Answer:
    """ListObjectsV2, the first page: the keys below a prefix in their order, 1,000 at most."""
    store = _store(cloud, call, args)
    if call.first("list-type") != "2":
        raise _refused(501, "NotImplemented", "The sandbox lists by ListObjectsV2.")
    prefix = call.first("prefix") or ""
    most = min(_MOST_LISTED, int(call.first("max-keys") or _MOST_LISTED))
    keys = sorted(key for key in store.objects if key.startswith(prefix))
    encoded = call.first("encoding-type") == "url"
    found = "".join(_entry(key, store.objects[key][-1], encoded) for key in keys[:most])
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>'
        f"<Name>{BUCKET}</Name><Prefix>{escape(quote(prefix) if encoded else prefix)}</Prefix>"
        f"{'<EncodingType>url</EncodingType>' if encoded else ''}"
        f"<KeyCount>{len(keys[:most])}</KeyCount><MaxKeys>{most}</MaxKeys>"
        f"<IsTruncated>{str(len(keys) > most).lower()}</IsTruncated>{found}</ListBucketResult>"
    )
    return Answer(200, text, _XML)


def _entry(key: str, found: StoredObject, encoded: bool) -> str:
    at = datetime.fromtimestamp(found.at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return (
        f"<Contents><Key>{escape(quote(key) if encoded else key)}</Key>"
        f"<LastModified>{at}</LastModified><ETag>{escape(found.etag)}</ETag>"
        f"<Size>{len(found.body)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def read(cloud: Cloud, call: Call, args: Mapping[str, str]) -> Answer:
    """GetObject; with the query `acl`, GetObjectAcl. Both may name a `versionId`."""
    store = _store(cloud, call, args)
    version = call.first("versionId") or ""
    found = store.find(args["key"], version)
    if found is None:
        code = "NoSuchVersion" if version else "NoSuchKey"
        raise _refused(404, code, "The specified key does not exist.")
    if "acl" in call.query:
        return Answer(200, _access(found), _XML)
    headers = {
        **{name.title(): value for name, value in found.headers.items()},
        **{f"{_META}{name}": value for name, value in found.metadata.items()},
        "ETag": found.etag,
        "Last-Modified": formatdate(found.at, usegmt=True),
    }
    return Answer(200, found.body, {**headers, **_version(found, store)})


def put(cloud: Cloud, call: Call, args: Mapping[str, str]) -> Answer:
    """PutObject, under If-Match or If-None-Match where the request has one."""
    store = _store(cloud, call, args)
    headers = {name.lower(): value for name, value in call.headers.items()}
    found = store.find(args["key"])
    if (wanted := headers.get("if-match")) is not None:
        if found is None:
            raise _refused(404, "NoSuchKey", "The specified key does not exist.")
        if found.etag.strip('"') != wanted.strip('"'):
            raise _unmet()
    if headers.get("if-none-match") == "*" and found is not None:
        raise _unmet()
    made = store.put(
        args["key"],
        call.raw,
        {name: headers[name] for name in _SERVED if name in headers},
        {name[len(_META) :]: each for name, each in headers.items() if name.startswith(_META)},
        public=headers.get("x-amz-acl") == "public-read",
        now=call.now,
    )
    return Answer(200, b"", {"ETag": made.etag, **_version(made, store)})


def _store(cloud: Cloud, call: Call, args: Mapping[str, str]) -> Store:
    if not call.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 "):
        raise _refused(403, "AccessDenied", "Access Denied.")
    if args["bucket"] != BUCKET:
        raise _refused(404, "NoSuchBucket", "The specified bucket does not exist.")
    return cloud.state(Store)


def _version(found: StoredObject, store: Store) -> dict[str, str]:
    known = store.versioned or found.version != UNVERSIONED
    return {"x-amz-version-id": found.version} if known else {}


def _access(found: StoredObject) -> str:
    owner = "<ID>sandbox</ID><DisplayName>sandbox</DisplayName>"
    schema = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    grants = (
        f'<Grant><Grantee {schema} xsi:type="CanonicalUser">{owner}</Grantee>'
        "<Permission>FULL_CONTROL</Permission></Grant>"
    )
    if found.public:
        grants += (
            f'<Grant><Grantee {schema} xsi:type="Group"><URI>{_EVERYBODY}</URI></Grantee>'
            "<Permission>READ</Permission></Grant>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><AccessControlPolicy>'
        f"<Owner>{owner}</Owner><AccessControlList>{grants}</AccessControlList>"
        "</AccessControlPolicy>"
    )


def _unmet() -> Refusal:
    words = "At least one of the pre-conditions you specified did not hold"
    return _refused(412, "PreconditionFailed", words)


def _refused(status: int, code: str, words: str) -> Refusal:
    return Refusal(_error(status, code, words))


def _error(status: int, code: str, words: str) -> Answer:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><Error>'
        f"<Code>{code}</Code><Message>{escape(words)}</Message></Error>"
    )
    return Answer(status, text, _XML)


VENDOR = Vendor(
    (
        Route("GET", "/<bucket>", list_objects),
        Route("GET", "/<bucket>/<path:key>", read),
        Route("PUT", "/<bucket>/<path:key>", put),
    ),
    None,  # A signature is no bearer token; the operations ask for it themselves.
    lambda: _error(501, "NotImplemented", "The sandbox has no such operation."),
)
