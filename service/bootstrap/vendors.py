"""The vendors: the real ones, or the sandbox standing in for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.bootstrap.pager import secret_of
from service.catalogue.base import Scaler
from service.catalogue.horizontal_scale import HorizontalScale
from service.catalogue.supabase.scale_database import ScaleDatabase
from service.catalogue.vertical_scale import VerticalScale
from service.domain.rules.rules import ActionName
from service.ports import Clock, Messenger, Metrics
from service.providers import digitalocean, slack, supabase
from service.providers.digitalocean import DigitalOceanClient
from service.providers.digitalocean_apps import DigitalOceanApps
from service.providers.digitalocean_droplets import DigitalOceanDroplets
from service.providers.health import HttpHealthProbe
from service.providers.prometheus import PrometheusMetrics
from service.providers.slack import SlackMessenger
from service.providers.supabase import SupabaseCompute
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each vendor is; the pager's is in `service.bootstrap.pager`."""

    digitalocean: str = digitalocean.ENDPOINT
    supabase: str = supabase.ENDPOINT
    slack: str = slack.ENDPOINT


def addresses(settings: Settings) -> Addresses:
    """The vendors' own addresses, or those below SANDBOX_URL."""
    base = settings.sandbox_url.rstrip("/")
    if not base:
        return Addresses()
    return Addresses(
        digitalocean=f"{base}/digitalocean",
        supabase=f"{base}/supabase",
        slack=f"{base}/slack/api/",
    )


def build_messenger(settings: Settings) -> Messenger:
    """Slack."""
    return SlackMessenger(
        token=secret_of(settings, settings.slack_token),
        channel=settings.slack_channel,
        base_url=addresses(settings).slack,
    )


def build_metrics(settings: Settings) -> Metrics | None:
    """Prometheus, where PROMETHEUS_URL is set."""
    if not settings.prometheus_url:
        return None
    return PrometheusMetrics(
        base_url=settings.prometheus_url, token=settings.prometheus_token.get_secret_value()
    )


def build_scalers(settings: Settings, clock: Clock) -> Mapping[ActionName, Scaler]:
    """The verbs that change something, each on its vendor."""
    where = addresses(settings)
    client = DigitalOceanClient(
        token=secret_of(settings, settings.digitalocean_token), endpoint=where.digitalocean
    )
    apps, droplets = DigitalOceanApps(client), DigitalOceanDroplets(client)
    database = SupabaseCompute(
        token=secret_of(settings, settings.supabase_token), base_url=where.supabase
    )
    probe = HttpHealthProbe()
    return {
        ActionName.HORIZONTAL_SCALE: HorizontalScale(apps, probe, clock),
        ActionName.VERTICAL_SCALE: VerticalScale(apps, droplets, probe, clock),
        ActionName.SCALE_DATABASE: ScaleDatabase(database, clock),
    }
