"""QuizMentor's metrics in Prometheus' text format, with the runbook's names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from service.sandbox.digitalocean.app_seed import LOADED_COMPONENT
from service.sandbox.quizmentor import load as quizmentor
from service.sandbox.quizmentor.load import BUCKETS_MS

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

DROPLET_INSTANCE = "worker-vm"
"""The droplet's name as a scrape target. It is the name of its target in the rule pack."""


def render(cloud: Cloud) -> bytes:
    """The whole exposition. The caller has locked the cloud and moved it to the present."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_QuizMentor(cloud))
    return generate_latest(registry)


class _QuizMentor(Collector):
    """Reads a cloud once, for one exposition."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not read the cloud."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Each metric family with its present values."""
        yield self._cpu()
        yield self._memory()
        yield from self._requests()
        yield self._latency()
        yield from self._database()
        yield from self._cache()

    def _cpu(self) -> Metric:
        family = GaugeMetricFamily(
            "cpu_usage", "CPU in use, in percent.", labels=["instance", "service"]
        )
        app_id = self._cloud.config.app_id
        percent = self._cloud.cpu_percent(app_id, LOADED_COMPONENT)
        for number in range(self._cloud.instances(app_id, LOADED_COMPONENT)):
            family.add_metric([f"{LOADED_COMPONENT}-{number}", LOADED_COMPONENT], percent)
        return family

    def _memory(self) -> Metric:
        family = GaugeMetricFamily(
            "memory_usage", "Memory in use, in percent.", labels=["instance", "service"]
        )
        cloud = self._cloud
        # The exporter on a machine that is off does not answer.
        if cloud.droplets[cloud.config.droplet_id].status == "active":
            percent = quizmentor.memory_percent(cloud.load, cloud.capacity())
            family.add_metric([DROPLET_INSTANCE, "worker"], percent)
        return family

    def _requests(self) -> Iterable[Metric]:
        meter = self._cloud.meter
        total = CounterMetricFamily(
            "http_requests", "Requests answered, by status.", labels=["service", "code"]
        )
        total.add_metric([LOADED_COMPONENT, "200"], meter.requests - meter.errors)
        total.add_metric([LOADED_COMPONENT, "500"], meter.errors)
        yield total
        errors = CounterMetricFamily(
            "http_request_errors", "Requests that failed.", labels=["service"]
        )
        errors.add_metric([LOADED_COMPONENT], meter.errors)
        yield errors

    def _latency(self) -> Metric:
        family = HistogramMetricFamily(
            "http_request_duration_milliseconds",
            "Time to answer a request, in milliseconds.",
            labels=["service"],
        )
        meter = self._cloud.meter
        bounds = [*(f"{bound:g}" for bound in BUCKETS_MS), "+Inf"]
        buckets = list(zip(bounds, meter.latency_buckets, strict=True))
        family.add_metric([LOADED_COMPONENT], buckets, sum_value=meter.latency_sum_ms)
        return family

    def _database(self) -> Iterable[Metric]:
        load, capacity = self._cloud.load, self._cloud.capacity()
        yield GaugeMetricFamily(
            "db_connections_available",
            "Database connections still free.",
            value=quizmentor.db_connections_available(load, capacity),
        )
        yield GaugeMetricFamily(
            "db_connections_in_use",
            "Database connections open.",
            value=quizmentor.db_connections_in_use(load, capacity),
        )

    def _cache(self) -> Iterable[Metric]:
        meter = self._cloud.meter
        yield CounterMetricFamily("cache_hits", "Cache look-ups that hit.", value=meter.cache_hits)
        yield CounterMetricFamily("cache_requests", "Cache look-ups.", value=meter.cache_requests)
