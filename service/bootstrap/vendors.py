"""Builds the clients of the vendors: of the real ones, or of the sandbox in their place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from service.bootstrap.pager import SANDBOX_TOKEN, secret_of
from service.catalogue.registry import KINDS
from service.catalogue.spec import Tools, Work
from service.ports import Clock, Messenger, Metrics
from service.ports.bills import Bills
from service.ports.nginx import Nginx
from service.ports.notes import NoNotes, Notes
from service.ports.supabase import DatabaseSql
from service.ports.watchdogs import Heartbeat
from service.providers import cloudflare, digitalocean, slack, supabase
from service.providers.cloudflare import CloudflareApi
from service.providers.digitalocean import DigitalOceanClient
from service.providers.digitalocean_account import DigitalOceanAccount
from service.providers.digitalocean_apps import DigitalOceanApps
from service.providers.digitalocean_bill import DigitalOceanBills
from service.providers.digitalocean_droplets import DigitalOceanDroplets
from service.providers.health import HttpHealthProbe
from service.providers.heartbeat import HttpHeartbeat
from service.providers.nginx import LocalNginx, NginxCommand
from service.providers.nginx_sandbox import SandboxNginx
from service.providers.postgresql import PostgresDatabase
from service.providers.postgresql_views import PostgresViews
from service.providers.prometheus import PrometheusMetrics
from service.providers.redis_cache import RedisCache
from service.providers.slack import SlackMessenger
from service.providers.spaces import SpacesBuckets
from service.providers.supabase import SupabaseCompute
from service.providers.supabase_sandbox import SandboxSql
from service.providers.valkey import DigitalOceanValkey
from service.providers.valkey_cluster import ValkeyCluster
from service.settings import Settings


@dataclass(frozen=True)
class Vendors:
    """The client of each vendor, made when it is first used. With SANDBOX_URL, all use the
    sandbox."""

    settings: Settings

    def address(self, vendor: str, real: str) -> str:
        """A vendor's own address `real`, or the one below SANDBOX_URL."""
        base = self.settings.sandbox_url.rstrip("/")
        return f"{base}/{vendor}" if base else real

    def secret(self, variable: str) -> str:
        """The secret in this setting, or the sandbox's token if SANDBOX_URL is set."""
        return secret_of(self.settings, self.settings.secret(variable))

    @cached_property
    def digitalocean(self) -> DigitalOceanClient:
        """DigitalOcean's client, for apps and droplets."""
        endpoint = self.address("digitalocean", digitalocean.ENDPOINT)
        return DigitalOceanClient(token=self.secret("DIGITALOCEAN_TOKEN"), endpoint=endpoint)

    @cached_property
    def supabase(self) -> SupabaseCompute:
        """Supabase's management API."""
        address, token = self.address("supabase", supabase.ENDPOINT), "SUPABASE_ACCESS_TOKEN"
        return SupabaseCompute(token=self.secret(token), base_url=address, sql=self._sql())

    def _sql(self) -> DatabaseSql | None:
        """The way to a project's databases over SQL; None where no setting says how."""
        if self.settings.sandbox_url:
            token = self.secret("SUPABASE_ACCESS_TOKEN")
            return SandboxSql(base_url=self.address("supabase", ""), token=token)
        template = self.settings.supabase_sql_url.get_secret_value()
        if not template:
            return None
        from service.providers.supabase_sql import SupabaseSql  # noqa: PLC0415 - loads psycopg

        return SupabaseSql(template)

    @cached_property
    def app_database(self) -> PostgresDatabase:
        """The application's database. Nothing stands in for it in the sandbox."""
        url = self.settings.app_database_url.get_secret_value()
        return PostgresDatabase(url=url, own_url=_own_postgresql(self.settings))

    @cached_property
    def app_views(self) -> PostgresViews:
        """The schema `runbook` in the application's database."""
        return PostgresViews(self.app_database)

    @cached_property
    def nginx(self) -> Nginx:
        """The nginx of this machine, or the sandbox's."""
        if self.settings.sandbox_url:
            return SandboxNginx(base_url=self.address("nginx", ""))
        return LocalNginx(NginxCommand(self.settings.nginx_words))

    @cached_property
    def cloudflare(self) -> CloudflareApi:
        """Cloudflare's API. In the sandbox, its edge and the site's own server are there too."""
        return CloudflareApi(
            token=self.secret("CLOUDFLARE_API_TOKEN"),
            base_url=self.address("cloudflare", cloudflare.ENDPOINT),
            edge_url=self.address("cloudflare/edge", ""),
            origin_url=self.address("cloudflare/origin", ""),
        )

    @cached_property
    def cache(self) -> RedisCache:
        """The application's cache. Nothing stands in for it in the sandbox."""
        settings = self.settings
        return RedisCache(url=settings.app_cache_url.get_secret_value(), own_url=settings.redis_url)

    @cached_property
    def buckets(self) -> SpacesBuckets:
        """Spaces. In the sandbox it is at one address, whatever a target's region is."""
        settings = self.settings
        if settings.sandbox_url:
            address = self.address("spaces", "")
            return SpacesBuckets(key=SANDBOX_TOKEN, secret=SANDBOX_TOKEN, endpoint=address)
        return SpacesBuckets(
            key=settings.spaces_key.get_secret_value(),
            secret=settings.spaces_secret.get_secret_value(),
        )

    @cached_property
    def valkey(self) -> DigitalOceanValkey:
        """Managed Valkey. It is told of runbookd's own Redis, so that it knows it again."""
        return DigitalOceanValkey(self.digitalocean, own_url=self.settings.redis_url)

    @cached_property
    def valkey_cluster(self) -> ValkeyCluster:
        """The application's own cluster. Nothing stands in for it in the sandbox."""
        settings = self.settings
        urls = settings.cache_cluster_urls.get_secret_value()
        return ValkeyCluster(urls=urls, own_url=settings.redis_url)

    @cached_property
    def slack(self) -> SlackMessenger:
        """The Slack bot, which writes to SLACK_CHANNEL."""
        return SlackMessenger(
            token=self.secret("SLACK_BOT_TOKEN"),
            channel=self.settings.slack_channel,
            base_url=self.address("slack/api/", slack.ENDPOINT),
            buttons=bool(self.settings.slack_signing_secret.get_secret_value()),
        )


@dataclass(frozen=True, slots=True)
class Port:
    """How a kind of target is reached.

    `secret` is the setting with the vendor's token, empty for what needs none. `build` makes the
    kind's port (`ports/<kind>.py`). `optional` is whether its targets are just off while the secret
    is not set, and a worker starts without it. Beside the sandbox they are on where its kind has a
    stand-in there.
    """

    secret: str
    build: Callable[[Vendors], Any]
    optional: bool = False


def _own_postgresql(settings: Settings) -> str:
    """The address of runbookd's own database as psycopg takes it; empty where that is SQLite."""
    url = sa.make_url(settings.effective_database_url)
    if url.get_backend_name() != "postgresql":
        return ""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


PORTS: Mapping[str, Port] = {
    "app_platform": Port("DIGITALOCEAN_TOKEN", lambda vs: DigitalOceanApps(vs.digitalocean)),
    "droplet": Port("DIGITALOCEAN_TOKEN", lambda vs: DigitalOceanDroplets(vs.digitalocean)),
    "nginx": Port("", lambda vs: vs.nginx),
    "supabase": Port("SUPABASE_ACCESS_TOKEN", lambda vs: vs.supabase),
    "cloudflare_zone": Port("CLOUDFLARE_API_TOKEN", lambda vs: vs.cloudflare),
    "valkey": Port("DIGITALOCEAN_TOKEN", lambda vs: vs.valkey),
    "valkey_cluster": Port("CACHE_CLUSTER_URLS", lambda vs: vs.valkey_cluster, optional=True),
    "app_database": Port("APP_DATABASE_URL", lambda vs: vs.app_database, optional=True),
    "cache": Port("APP_CACHE_URL", lambda vs: vs.cache, optional=True),
    "digitalocean_account": Port(
        "DIGITALOCEAN_TOKEN", lambda vs: DigitalOceanAccount(vs.digitalocean)
    ),
    "bucket": Port("SPACES_SECRET", lambda vs: vs.buckets, optional=True),
}
"""One line for each kind of the catalogue. `tests/unit/catalogue/test_registry.py` compares the
two."""


def build_works(
    settings: Settings,
    clock: Clock,
    notes: Notes | None = None,
    needed: Callable[[], Collection[str] | None] = lambda: None,
) -> Mapping[str, Work]:
    """What can be done with the targets of each kind, on the vendors that the settings name.
    `needed` tells the ids of what the rules name as targets, None where they cannot be read."""
    vendors = Vendors(settings)
    tools = Tools(
        HttpHealthProbe(), clock, notes=notes or NoNotes(), needed=needed, buckets=vendors.buckets
    )
    return {kind.name: kind.work(PORTS[kind.name].build(vendors), tools) for kind in KINDS}


def build_bills(settings: Settings) -> tuple[Bills, ...]:
    """The accounts whose bill can be read: DigitalOcean's. None without its token."""
    if not (settings.sandbox_url or settings.secret("DIGITALOCEAN_TOKEN").get_secret_value()):
        return ()
    return (DigitalOceanBills(Vendors(settings).digitalocean),)


def build_messenger(settings: Settings) -> Messenger:
    """The messenger of a worker: Slack."""
    return Vendors(settings).slack


def build_metrics(settings: Settings) -> Metrics | None:
    """Prometheus. None if PROMETHEUS_URL is not set."""
    if not settings.prometheus_url:
        return None
    return PrometheusMetrics(
        base_url=settings.prometheus_url, token=settings.prometheus_token.get_secret_value()
    )


def build_heartbeat(settings: Settings) -> Heartbeat | None:
    """The address that is called while all is well. None if HEARTBEAT_URL is not set."""
    url = settings.heartbeat_url.get_secret_value()
    return HttpHeartbeat(url) if url else None
