"""The steps of the Containerfile, done in a clean directory, and what comes out of them started.

No container engine is needed: each stage has a folder in the place of its root, and its absolute
paths are put below that. pip goes by the machine's own configuration and cache.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.containerfile import Stage, read_stages, words
from tests.integration.test_install import SECRETS, running, takes_an_alert
from tests.processes import ROOT, free_port
from tests.unit.cli.commandline import SANDBOX_IDS

pytestmark = [pytest.mark.install, pytest.mark.long]
_OURS = re.compile(r"(?<![\w.])(/opt/runbookd|/var/lib/runbookd|/src)\b")
"""The absolute paths that the Containerfile makes."""


class Built:
    """Both stages in one folder, as if it were their root; `taken` is what the steps copied."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ
        }
        self.at = root

    def within(self, text: str) -> str:
        """The text with the Containerfile's paths below the root."""
        return _OURS.sub(lambda found: str(self.root) + found[1], text)

    def do(self, stage: Stage) -> None:
        """The steps of a stage, in order."""
        for keyword, rest in stage.steps:
            if keyword == "WORKDIR":
                self.at = Path(self.within(rest))
                self.at.mkdir(parents=True, exist_ok=True)
            elif keyword == "COPY" and not rest.startswith("--from="):
                *sources, to = rest.split()
                for source in sources:
                    self.copy(source, self.at / to)
            elif keyword == "ENV":
                name, _, value = rest.partition("=")
                self.environment[name] = self.within(value)
            elif keyword == "RUN":
                self.run(rest)

    def copy(self, source: str, to: Path) -> None:
        """A file, or what Git knows of a folder, as the ignore file leaves it."""
        asked = ["git", "ls-files", "-z", source]
        listed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            inner = to / Path(name).relative_to(source) if (ROOT / source).is_dir() else to / name
            inner.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, inner, follow_symlinks=False)

    def run(self, command: str) -> None:
        """A shell's command, with this Python in the place of the image's."""
        told = self.within(re.sub(r"^python\b", sys.executable, command))
        subprocess.run(["sh", "-ec", told], cwd=self.at, env=self.environment, check=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no Git checkout, so nobody can tell what belongs to it")
    made = Built(tmp_path_factory.mktemp("image"))
    for stage in read_stages(ROOT / "deploy" / "Containerfile"):
        made.do(stage)
    return made


def test_what_the_steps_make_takes_an_alert_as_the_image_starts_it(built: Built) -> None:
    image = read_stages(ROOT / "deploy" / "Containerfile")[-1]
    (entry,), (command,) = image.of("ENTRYPOINT"), image.of("CMD")
    port, cwd = free_port(), built.at
    environment = {**built.environment, **SANDBOX_IDS, **SECRETS, "PORT": str(port)}
    with running(" ".join([*words(entry), *words(command)]), cwd, environment) as web:
        assert takes_an_alert(web, port, cwd).json()["decisions"][0]["run"] == "api.out.1"
        assert httpx.get(f"http://127.0.0.1:{port}/console").status_code in (200, 302, 303)


def test_the_image_holds_the_sandbox_and_none_of_what_was_needed_to_install(built: Built) -> None:
    python = built.root / "opt" / "runbookd" / "bin" / "python"
    asked = "import service.sandbox.app, importlib.util as u; print(u.find_spec('pip'))"
    found = subprocess.run(
        [python, "-c", asked],
        cwd=built.at,
        env=built.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert found.stdout.strip() == "None"
