"""A managed Valkey cluster and its action in a rule file."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.catalogue.valkey.target import ValkeyTarget
from tests.fakes.clusters import CLUSTER
from tests.unit.rulebook_files import load, told

SIZES = "[db-s-1vcpu-1gb, db-s-1vcpu-2gb, db-s-2vcpu-4gb]"


def cache(options: str = "{}", cluster: str = CLUSTER, sizes: str = SIZES) -> str:
    """A cluster on line 2, and one rule that scales it, with its options on line 8."""
    return (
        f"targets:\n  cache: {{kind: valkey, cluster: {cluster}, sizes: {sizes}}}\nrules:\n"
        "  - name: full\n    match: [alertname=Full]\n    action: scale_cache\n"
        f"    target: cache\n    with: {options}\n    cooldown: 30m\n"
    )


@pytest.mark.parametrize(
    "options",
    [
        "{}",
        "{size: db-s-2vcpu-4gb}",
        "{size: db-s-1vcpu-2gb, standbys: 1, eviction_policy: volatile_lru}",
        "{standbys: 0, exact: true}",
    ],
)
def test_a_cluster_and_its_rule_are_in_order(tmp_path: Path, options: str) -> None:
    book = load(tmp_path, cache(options))
    (target,) = book.targets.values()
    assert isinstance(target, ValkeyTarget)
    assert (target.cluster, target.bounds) == (CLUSTER, "db-s-1vcpu-1gb … db-s-2vcpu-4gb")
    assert not book.warnings


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        (cache("{size: db-s-4vcpu-8gb}"), 8, "db-s-4vcpu-8gb is not on the ladder of cache"),
        (
            cache("{size: db-s-1vcpu-1gb, standbys: 1}"),
            8,
            "A standby needs nodes with at least 2 GB of memory, and db-s-1vcpu-1gb has less.",
        ),
        (cache("{standbys: 2}"), 8, "standbys"),
        (cache("{eviction_policy: allkeys_lfu}"), 8, "eviction_policy"),
        (cache("{exact: true}"), 8, "exact, and no value that it belongs to"),
        (cache("{maxmemory: 4gb}"), 8, "maxmemory"),
        (cache(sizes="[db-s-1vcpu-2gb, db-s-1vcpu-1gb]"), 2, "sizes must rise in price"),
        (cache(sizes="[db-s-1vcpu-2gb]"), 2, "a ladder needs at least two"),
        (cache(sizes="[db-s-1vcpu-2gb, s-1vcpu-2gb]"), 2, "s-1vcpu-2gb is a size of droplet"),
        (cache(cluster="''"), 2, "cluster"),
    ],
)
def test_what_a_cluster_or_its_rule_cannot_have_is_refused_with_its_line(
    tmp_path: Path, text: str, place: int, sentence: str
) -> None:
    errors = [each for each in told(tmp_path, text) if sentence in each]
    assert errors, told(tmp_path, text)
    assert f"1.yml:{place}:" in errors[0]


def test_a_name_in_the_place_of_the_id_is_doubted(tmp_path: Path) -> None:
    book = load(tmp_path, cache(cluster="quizmentor-cache"))
    assert any("does not look like the id of a cluster" in each for each in book.warnings)


def cluster(options: str, more: str = "") -> str:
    """A cluster of one's own on line 2, and one rule that scales it, with its options on line 8."""
    return (
        f"targets:\n  cluster: {{kind: valkey_cluster{more}}}\nrules:\n"
        "  - name: full\n    match: [alertname=Full]\n    action: scale_cache\n"
        f"    target: cluster\n    with: {options}\n    cooldown: 30m\n"
    )


@pytest.mark.parametrize(
    "options",
    [
        "{maxmemory: 3gb}",
        "{maxmemory: none, exact: true}",
        "{shards: 4}",
        "{eviction_policy: volatile_lfu, maxmemory: 512mb, shards: 6}",
    ],
)
def test_a_cluster_of_ones_own_and_its_rule_are_in_order(tmp_path: Path, options: str) -> None:
    book = load(tmp_path, cluster(options))
    assert book.targets["cluster"].kind == "valkey_cluster"
    assert not book.warnings


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        (cluster("{}"), 8, "has no ladder of sizes to climb. Name maxmemory, shards or eviction"),
        (cluster("{size: db-s-1vcpu-2gb}"), 8, "size is of a managed cluster (kind valkey)"),
        (cluster("{standbys: 1}"), 8, "standbys is of a managed cluster"),
        (cluster("{maxmemory: 3GB}"), 8, "maxmemory"),
        (cluster("{maxmemory: 3}"), 8, "maxmemory"),
        (cluster("{shards: 0}"), 8, "shards"),
        (cluster("{shards: two}"), 8, "shards"),
        (cluster("{eviction_policy: lru}"), 8, "eviction_policy"),
        (cluster("{shards: 4}", ", urls: 'redis://:secret-not-real@host'"), 2, "urls"),
        (cache("{shards: 4}"), 8, "shards is of a cluster that you run yourself"),
        (cache("{eviction_policy: volatile_lfu}"), 8, "not volatile_lfu"),
    ],
)
def test_what_a_rule_cannot_ask_of_a_cluster_is_refused_with_its_line(
    tmp_path: Path, text: str, place: int, sentence: str
) -> None:
    errors = [each for each in told(tmp_path, text) if sentence in each]
    assert errors, told(tmp_path, text)
    assert f"1.yml:{place}:" in errors[0]
    assert "secret-not-real" not in " ".join(errors)
