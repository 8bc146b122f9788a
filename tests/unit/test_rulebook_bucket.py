"""Objects of a bucket in a rule file: what is refused and warned of, by file and line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from service.catalogue.bucket.contents import MOST_BYTES, digest_of
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


def with_assets(assets: str, options: str) -> str:
    """A bucket without objects on line 2, and one rule about its assets on lines 4 to 9."""
    return (
        f"targets:\n  frontend: {{kind: bucket, bucket: quiz, region: nyc3{assets}}}\nrules:\n"
        "  - name: large\n    match: [alertname=Large]\n    action: compress_assets\n"
        f"    target: frontend\n    with: {options}\n    cooldown: 10m\n"
    )


@pytest.mark.parametrize(
    ("assets", "options", "sentence"),
    [
        (", assets: assets", "{}", "1.yml:2: target frontend: assets 'assets' must be a prefix"),
        (", assets: /", "{}", "1.yml:2: target frontend: assets '/' must be a prefix such as"),
        ("", "{}", "1.yml:2: target frontend: objects is missing"),
        (
            ", assets: a/",
            "{prefix: b/}",
            "1.yml:8: rule large: with: prefix must begin with a/, the assets of frontend.",
        ),
        (", assets: a/", "{most: 21}", "1.yml:8: rule large: with: most must be"),
        (", assets: a/", "{most: 0}", "1.yml:8: rule large: with: most must be"),
        (
            ", objects: {config: {key: a.json, bodies: {static: a}}}",
            "{}",
            "rule large: with: target frontend names no assets. Give it a prefix",
        ),
    ],
)
def test_assets_that_cannot_be_compressed_are_refused_by_file_and_line(
    tmp_path: Path, assets: str, options: str, sentence: str
) -> None:
    assert sentence in "\n".join(told(tmp_path, with_assets(assets, options)))


def test_a_bucket_may_name_assets_alone_and_is_pinned_with_them(tmp_path: Path) -> None:
    target = load(tmp_path, with_assets(", assets: assets/", "{most: 5}")).targets["frontend"]
    assert isinstance(target, BucketTarget)
    assert (target.assets, target.bounds) == ("assets/", "text below assets/ in gzip")
    request = request_for("compress_assets", target, options={"prefix": "", "most": 5})
    assert load_request(json.loads(json.dumps(dump_request(request)))).on == target


def test_the_shipped_file_puts_static_mode_and_is_pinned_as_it_is_read() -> None:
    book = load_rulebook([STATIC_PACK], {})
    target = book.targets["frontend"]
    assert isinstance(target, BucketTarget)
    assert target.contents("config", "static").headers["CacheControl"] == "no-cache"
    request = request_for("put_object", target, options={"object": "config", "body": "static"})
    assert load_request(dump_request(request)).on == target


# ---- Bodies from files ----

PAGE = "<html>We will be right back.</html>"
FILED = "config: {key: index.html, content_type: text/html, files: {static: %s}}"


def filed(folder: Path, name: str) -> list[str]:
    return told(folder, with_bucket(FILED % name))


def test_a_body_from_a_file_beside_the_rules_is_read_hashed_and_pinned_as_it_was(
    tmp_path: Path,
) -> None:
    page = tmp_path / "emergency" / "static.html"
    page.parent.mkdir()
    page.write_text(PAGE)
    book = load(tmp_path, with_bucket(FILED % "emergency/static.html"))
    target = book.targets["frontend"]
    assert isinstance(target, BucketTarget)
    assert target.contents("config", "static").body == PAGE.encode()
    assert target.bounds == "index.html as static"
    digest = digest_of(target.contents("config", "static"))
    request = request_for("put_object", target, options={"object": "config", "body": "static"})
    queued = json.loads(json.dumps(dump_request(request)))
    page.write_text("another page")
    pinned = load_request(queued).on
    assert isinstance(pinned, BucketTarget)
    assert digest_of(pinned.contents("config", "static")) == digest
    assert pinned.body_with("config", digest) == "static"
    again = load(tmp_path, with_bucket(FILED % "emergency/static.html"))
    assert again.hash != book.hash, "a file that has changed makes other rules"


def test_a_file_that_is_no_text_is_put_byte_by_byte(tmp_path: Path) -> None:
    bytes_ = bytes(range(256))
    (tmp_path / "logo.png").write_bytes(bytes_)
    target = load(tmp_path, with_bucket(FILED % "logo.png")).targets["frontend"]
    request = request_for("put_object", target, options={"object": "config", "body": "static"})
    pinned = load_request(json.loads(json.dumps(dump_request(request)))).on
    assert isinstance(pinned, BucketTarget)
    assert pinned == target
    assert pinned.contents("config", "static").body == bytes_


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../secret", "'../secret' must be a path below the rule file's folder"),
        ("a/../../secret", "must be a path below the rule file's folder"),
        ("/etc/passwd", "must be a path below the rule file's folder"),
        (".env", "must be a path below the rule file's folder"),
        ("'${HOME}'", "1.yml:2"),
        ("missing.html", "missing.html cannot be read: No such file or directory"),
        ("folder", "folder is no plain file"),
        ("circle", "circle"),
        ("pipe", "pipe is no plain file"),
        ("link", "link leads out of the rule file's folder by a link"),
        ("linked/secret", "linked/secret leads out of the rule file's folder by a link"),
        ("large", "large has more than 65,536 bytes"),
    ],
)
def test_a_file_that_is_elsewhere_or_cannot_be_kept_is_refused_by_file_and_line(
    tmp_path: Path, name: str, said: str
) -> None:
    outside = tmp_path / "outside"
    home = tmp_path / "rules"
    for each in (outside, home, home / "folder"):
        each.mkdir()
    (outside / "secret").write_text("not yours")
    (home / "link").symlink_to(outside / "secret")
    (home / "linked").symlink_to(outside)
    (home / "circle").symlink_to("circle")
    os.mkfifo(home / "pipe")
    (home / "large").write_bytes(b"x" * (MOST_BYTES + 1))
    errors = "\n".join(filed(home, name))
    assert said in errors
    assert "1.yml:2: target frontend" in errors
    assert "not yours" not in errors


def test_a_link_that_stays_in_the_folder_is_followed(tmp_path: Path) -> None:
    """Mounted configuration is made of such links."""
    (tmp_path / "v2").mkdir()
    (tmp_path / "v2" / "page.html").write_text(PAGE)
    (tmp_path / "page.html").symlink_to("v2/page.html")
    target = load(tmp_path, with_bucket(FILED % "page.html")).targets["frontend"]
    assert isinstance(target, BucketTarget)
    assert target.contents("config", "static").body == PAGE.encode()


def test_a_name_is_a_text_or_a_file_and_both_count_for_the_bound(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("x" * (MOST_BYTES - 1))
    both = "config: {key: a, bodies: {static: a}, files: {static: page.html}}"
    assert any(
        "body static is a text and a file" in each for each in told(tmp_path, with_bucket(both))
    )
    more = "config: {key: a, bodies: {normal: ab}, files: {static: page.html}}"
    said = "\n".join(told(tmp_path, with_bucket(more)))
    assert "all bodies together have 65,537 bytes; at most 65,536 fit" in said
