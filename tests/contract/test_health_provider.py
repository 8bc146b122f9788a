from __future__ import annotations

import time

import pytest

from service.providers.health import HttpHealthProbe
from service.providers.waits import Timeouts
from tests.contract.loopback import Loopback, closed_port


@pytest.fixture
def probe() -> HttpHealthProbe:
    return HttpHealthProbe()


@pytest.mark.parametrize("status", [200, 204, 299])
def test_any_2xx_is_healthy(vendor: Loopback, probe: HttpHealthProbe, status: int) -> None:
    vendor.answers(status, b"")

    assert probe.check(f"{vendor.url}/health") is None


@pytest.mark.parametrize("status", [302, 404, 500, 503])
def test_anything_else_is_told(vendor: Loopback, probe: HttpHealthProbe, status: int) -> None:
    vendor.answers(status, b"", {"Location": "/elsewhere"})

    found = probe.check(f"{vendor.url}/health")

    assert found == f"{vendor.url}/health answered {status} instead of 2xx."
    assert len(vendor.seen) == 1


def test_an_endless_body_does_not_hold_the_probe(vendor: Loopback, probe: HttpHealthProbe) -> None:
    vendor.trickles(0.05)
    began = time.monotonic()

    assert probe.check(vendor.url) is None
    assert time.monotonic() - began < 5


def test_silence_is_told(vendor: Loopback) -> None:
    vendor.hangs()
    quick = HttpHealthProbe(timeouts=Timeouts(connect=1.0, read=0.4))

    assert "did not answer within" in (quick.check(vendor.url) or "")


def test_a_closed_connection_is_told(vendor: Loopback, probe: HttpHealthProbe) -> None:
    vendor.hangs_up()

    assert "could not be asked" in (probe.check(vendor.url) or "")


@pytest.mark.parametrize("url", ["", "api/health", "http://[", "ftp://h/x", "http://h:99999999/"])
def test_an_address_that_is_none_is_told_and_not_raised(probe: HttpHealthProbe, url: str) -> None:
    assert probe.check(url) is not None


def test_no_secret_of_the_address_is_repeated(probe: HttpHealthProbe) -> None:
    url = f"http://user:hunter2@127.0.0.1:{closed_port()}/health?key=hunter3"

    found = probe.check(url) or ""

    assert "/health" in found
    assert "hunter" not in found
