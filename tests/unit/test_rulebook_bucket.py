"""Objects of a bucket in a rule file: what is refused and warned of, by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.catalogue.bucket.contents import MOST_BYTES
from service.catalogue.bucket.target import BucketTarget
from service.catalogue.request_json import dump_request, load_request
from service.rulebook import load_rulebook
from tests.fakes.runs import request_for
from tests.unit.rulebook_files import PACK, load, told

STATIC_PACK = PACK.with_name("static.yml")
CONFIG = "config: {key: a.json, bodies: {static: on it}}"


def with_bucket(
    objects: str = CONFIG,
    options: str = "{object: config, body: static}",
    where: str = "bucket: quizmentor, region: nyc3",
) -> str:
    """A bucket on line 2, and one rule about it on lines 4 to 9."""
    return (
        f"targets:\n  frontend: {{kind: bucket, {where}, objects: {{{objects}}}}}\nrules:\n"
        "  - name: overloaded\n    match: [alertname=Overloaded]\n    action: put_object\n"
        f"    target: frontend\n    with: {options}\n    cooldown: 10m\n"
    )


def test_a_bucket_is_at_spaces_where_no_other_store_is_named(tmp_path: Path) -> None:
    target = load(tmp_path, with_bucket()).targets["frontend"]
    assert isinstance(target, BucketTarget)
    assert target.endpoint == "https://nyc3.digitaloceanspaces.com"
    assert target.console == "https://cloud.digitalocean.com/spaces/quizmentor"
    assert target.bounds == "a.json as static"
    assert target.contents("config", "static").headers == {"ContentType": "application/json"}


def test_a_bucket_of_another_store_keeps_its_address(tmp_path: Path) -> None:
    text = with_bucket(where='bucket: q-1, region: eu, endpoint: "https://s3.example.com/"')
    target = load(tmp_path, text).targets["frontend"]
    assert target.console == "https://s3.example.com"
    assert target.resource == "bucket:https://s3.example.com/q-1"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            with_bucket(options="{object: config, body: statik}"),
            "1.yml:8: rule overloaded: with: object config of frontend has no body 'statik'",
        ),
        (
            with_bucket(options="{object: other, body: static}"),
            "1.yml:8: rule overloaded: with: target frontend names no object 'other'",
        ),
        (
            with_bucket(options="{object: config}"),
            "1.yml:8: rule overloaded: with: put_object needs object and body",
        ),
        (
            with_bucket(options="{object: config, body: static, text: hello}"),
            "1.yml:8: rule overloaded: with: unknown key text; known: body, object.",
        ),
        (with_bucket(where="region: nyc3"), "1.yml:2: target frontend: bucket is missing"),
        (with_bucket(where="bucket: quiz"), "1.yml:2: target frontend: region is missing"),
        (
            with_bucket(where="bucket: Quiz_1, region: nyc3"),
            "bucket must be the name of a bucket: 3 to",
        ),
        (with_bucket(objects=""), "1.yml:2: target frontend: objects is missing"),
        (with_bucket("config: {bodies: {static: a}}"), "config: key is missing"),
        (with_bucket("config: {key: /a, bodies: {static: a}}"), "must not begin with /"),
        (with_bucket("config: {key: a}"), "config: bodies is missing"),
        (
            with_bucket(f"{CONFIG}, other: {{key: a.json, bodies: {{b: c}}}}"),
            "key a.json is another object's too",
        ),
        (
            with_bucket(f"{CONFIG}, an-object-whose-name-is-long: {{key: b, bodies: {{b: c}}}}"),
            "'an-object-whose-name-is-long' must be at most 16",
        ),
        (
            with_bucket("config: {key: a, bodies: {Static Mode: a}}"),
            "body 'Static Mode' must be at most 16",
        ),
        (
            with_bucket(f"config: {{key: a, bodies: {{static: {'x' * (MOST_BYTES + 1)}}}}}"),
            "all bodies together have 65,537 bytes; at most 65,536 fit",
        ),
        (
            with_bucket('config: {key: a, cache_control: "a\\nb", bodies: {static: a}}'),
            "cache_control must be one line of at most 200 ASCII signs",
        ),
    ],
)
def test_what_cannot_be_put_is_refused_by_file_and_line(
    tmp_path: Path, text: str, sentence: str
) -> None:
    assert sentence in "\n".join(told(tmp_path, text))


def test_the_shipped_file_puts_static_mode_and_is_pinned_as_it_is_read() -> None:
    book = load_rulebook([STATIC_PACK], {})
    target = book.targets["frontend"]
    assert isinstance(target, BucketTarget)
    assert target.contents("config", "static").headers["CacheControl"] == "no-cache"
    request = request_for("put_object", target, options={"object": "config", "body": "static"})
    assert load_request(dump_request(request)).on == target
