"""Installed as a platform does it, and as a wheel: into an environment of its own, outside of here.

pip goes by the machine's own configuration and cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.processes import ROOT, free_port, wait_until
from tests.stack import alert, notification
from tests.unit.cli.commandline import SANDBOX_IDS

pytestmark = pytest.mark.install

PATIENCE_S = 120.0
TOKEN = "test-token-not-real"
SECRETS = {"ALERTMANAGER_TOKENS": TOKEN, "API_TOKENS": TOKEN}


class Installed:
    """A checkout without anything that Git does not know, and a Python of its own."""

    def __init__(self, home: Path) -> None:
        self.checkout = home / "checkout"
        self.bin = home / "python" / "bin"
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for name in filter(None, listed.split("\0")):
            to = self.checkout / name
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to, follow_symlinks=False)
        subprocess.run([sys.executable, "-m", "venv", self.bin.parent], check=True)

    def pip(self, *arguments: str) -> None:
        pip = [str(self.bin / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, *arguments], cwd=self.checkout, check=True)

    def environment(self, **given: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        return {**kept, "PATH": path, **SANDBOX_IDS, **given}

    def procfile(self, process: str) -> str:
        """The line of the Procfile for a process."""
        lines = (self.checkout / "Procfile").read_text(encoding="utf-8").splitlines()
        return dict(line.split(": ", 1) for line in lines)[process]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """As a buildpack does it: this one file, in the checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no Git checkout, so nobody can tell what belongs to it")
    found = Installed(tmp_path_factory.mktemp("installed"))
    found.pip("install", "-r", "requirements.txt")
    return found


@contextmanager
def running(
    command: str, cwd: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    log = cwd / f"{command.split()[1]}.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def takes_an_alert(process: subprocess.Popen[str], port: int, cwd: Path) -> httpx.Response:
    """What an alert is answered once the service is ready."""
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz").is_success
        except httpx.TransportError:
            return process.poll() is not None

    assert wait_until(ready, PATIENCE_S)
    assert process.poll() is None, (cwd / "web.log").read_text(encoding="utf-8")
    return httpx.post(
        f"{url}/webhooks/alertmanager",
        json=notification(alert("High CPU Usage")),
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=30,
    )


def test_on_a_buildpack_platform_the_procfile_serves_on_all_interfaces(
    installed: Installed,
) -> None:
    port, cwd = free_port(), installed.checkout
    environment = installed.environment(PORT=str(port), **SECRETS)
    with running(installed.procfile("web"), cwd, environment) as web:
        answered = takes_an_alert(web, port, cwd)
        assert answered.json()["decisions"][0]["run"] == "api.out.1"
        assert f"Listening at: http://0.0.0.0:{port}" in (cwd / "web.log").read_text("utf-8")
        # No vendor is there to be called: nobody listens at this address.
        nowhere = installed.environment(SANDBOX_URL="http://127.0.0.1:1")
        with running(installed.procfile("worker"), cwd, nowhere):
            assert wait_until(
                lambda: httpx.get(f"http://127.0.0.1:{port}/readyz").json()["workers"] == 1,
                PATIENCE_S,
            )


def test_on_a_platform_without_secrets_it_is_refused_with_what_to_set(installed: Installed) -> None:
    environment = installed.environment(PORT=str(free_port()), ALERTMANAGER_TOKENS=TOKEN)
    refused = subprocess.run(
        ["bash", "-c", installed.procfile("web")],
        cwd=installed.checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert refused.returncode == 1
    assert "API_TOKENS is not set and web would listen on 0.0.0.0" in refused.stderr


def test_the_wheel_brings_its_rules_and_serves_outside_of_the_repository(
    installed: Installed, tmp_path: Path
) -> None:
    installed.pip("wheel", "--no-deps", "--wheel-dir", str(tmp_path), ".")
    (wheel,) = tmp_path.glob("*.whl")
    installed.pip("install", "--no-deps", "--force-reinstall", str(wheel))
    port = free_port()
    environment = installed.environment(PORT=str(port), HOST="127.0.0.1", **SECRETS)
    checked = subprocess.run(
        [installed.bin / "runbookd", "check"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "high-cpu" in checked.stdout
    assert ": valid." in checked.stdout
    with running("runbookd web", tmp_path, environment) as web:
        assert takes_an_alert(web, port, tmp_path).status_code == 200
