"""The files under deploy/ say what runbookd understands, and what a platform understands."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.catalogue.app_platform.target import PRICES
from service.environment import SECRETS
from service.settings import load_settings, setting_names
from tests import programs
from tests.containerfile import read_stages, words

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BUILD, IMAGE = read_stages(DEPLOY / "Containerfile")
BASE_MB = 135
"""What python:3.11-slim-bookworm takes, unpacked: Debian's slim base has about 75 MB, and Python
with its libraries about 55 MB. The rest is a margin."""
LARGEST_MB = 400
UNITS = ("runbookd-web.service", "runbookd-worker.service")
MOST_EXPOSED = 20
"""Of systemd's 100, in its own words "OK"; a service without any protection has 96."""


# ---- The image ----


def test_the_image_runs_as_nobody_in_particular_and_holds_no_secret() -> None:
    (user,) = IMAGE.of("USER")
    number, _, group = user.partition(":")
    assert int(number) > 0
    assert int(group) > 0
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    assert [name for name in SECRETS if name in text] == []
    assert {keyword for stage in (BUILD, IMAGE) for keyword, _ in stage.steps} <= {
        *("WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "ENTRYPOINT", "CMD")
    }


def test_the_image_starts_what_the_procfile_starts() -> None:
    (entry,), (command,) = IMAGE.of("ENTRYPOINT"), IMAGE.of("CMD")
    web = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text("utf-8").splitlines())[
        "web"
    ]
    assert [*words(entry), *words(command)] == web.split()


def test_the_image_is_made_of_files_that_are_there_and_not_left_out() -> None:
    copied = [word for each in BUILD.of("COPY") for word in each.split()[:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    ignored = (DEPLOY / "Containerfile.dockerignore").read_text("utf-8").splitlines()
    assert set(copied) == {line[1:] for line in ignored if line.startswith("!")}


def test_both_stages_have_a_python_that_runbookd_runs_on() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'requires-python = ">=3.11,<3.14"' in project
    assert BUILD.base == IMAGE.base
    found = re.fullmatch(r"python:3\.(\d+)-slim-bookworm", IMAGE.base)
    assert found is not None
    assert 11 <= int(found[1]) < 14


def test_the_image_stays_below_400_mb_by_what_its_libraries_take_here() -> None:
    taken = {each.name: size_of(each) for each in installed()}
    own = sum(path.stat().st_size for path in (ROOT / "service").rglob("*") if path.is_file())
    total_mb = BASE_MB + (sum(taken.values()) + own) / 1_000_000
    largest = sorted(taken.items(), key=lambda each: -each[1])[:5]
    assert len(taken) > 50, "too few libraries were found to say anything"
    assert total_mb < LARGEST_MB, f"{total_mb:.0f} MB; the largest libraries: {largest}"


def installed() -> list[Distribution]:
    """The libraries of requirements.txt that are installed here: all but those of other systems."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = [line.split("==")[0].split("[")[0] for line in lines if "==" in line]
    found = []
    for name in names:
        try:
            found.append(distribution(name))
        except PackageNotFoundError:
            continue
    return found


def size_of(library: Distribution) -> int:
    """Bytes on the disk, with the bytecode that Python adds."""
    files = [Path(str(library.locate_file(each))) for each in library.files or ()]
    return sum(path.stat().st_size for path in files if path.is_file())


# ---- compose ----


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))
    return found


def test_compose_starts_web_and_worker_of_one_image_with_nothing_that_they_do_not_need() -> None:
    services = compose()["services"]
    assert services.keys() == {"web", "worker", "postgres", "redis"}
    for name in ("web", "worker"):
        each = services[name]
        assert (each["read_only"], each["cap_drop"]) == (True, ["ALL"])
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert each["build"] == {"context": "..", "dockerfile": "deploy/Containerfile"}
        assert set(each["environment"]) <= set(setting_names())
        assert each["depends_on"].keys() <= services.keys()
        # A worker that ends itself has to come back, whatever its status.
        assert each["restart"] == "always"
    assert services["web"]["command"] == ["web", "--all-interfaces"]
    assert services["worker"]["command"] == ["worker"]
    assert services["web"]["ports"] == ["127.0.0.1:8080:8080"], "TLS stands in front of it"


def test_compose_gives_addresses_that_the_settings_take() -> None:
    given = {
        name: re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}", "not-real", value)
        for name, value in compose()["services"]["worker"]["environment"].items()
    }
    settings = load_settings(given)
    assert (
        settings.effective_database_url == "postgresql://runbookd:not-real@postgres:5432/runbookd"
    )
    assert settings.redis_url == "redis://redis:6379/0"


def test_the_example_of_settings_names_settings_and_holds_no_secret() -> None:
    lines = (DEPLOY / "runbookd.env.example").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert given.keys() <= set(setting_names())
    assert [name for name in given if name in SECRETS and given[name]] == []


def test_the_example_of_settings_has_a_line_for_each_place_where_things_are_kept() -> None:
    lines = (DEPLOY / "runbookd.env.example").read_text(encoding="utf-8").splitlines()
    assert {"DATABASE_URL=", "REDIS_URL="} <= set(lines)


# ---- systemd ----


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with a program that is there in the place of ours."""
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text(encoding="utf-8").replace("/opt/runbookd/bin/runbookd", "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    return tmp_path


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = programs.require("systemd-analyze", "systemd")
    return subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def test_systemd_understands_every_line_of_the_units(units: Path) -> None:
    found = analyze(units, "verify", *(f"./{unit.name}" for unit in units.iterdir()))
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_the_units_little_exposed(units: Path, unit: str) -> None:
    asked = ("security", "--offline=yes", f"--threshold={MOST_EXPOSED}", f"./{unit}")
    found = analyze(units, *asked)
    assert found.returncode == 0, found.stdout[-300:]


@pytest.mark.parametrize("unit", UNITS)
def test_the_units_come_back_whatever_their_status_and_have_30_seconds_to_end(unit: str) -> None:
    text = (DEPLOY / "systemd" / unit).read_text(encoding="utf-8")
    for line in ("Restart=always", "StartLimitIntervalSec=0", "TimeoutStopSec=30"):
        assert f"\n{line}\n" in text
    target = (DEPLOY / "systemd" / "runbookd.target").read_text(encoding="utf-8")
    assert unit in target


# ---- App Platform ----

COMPONENT = frozenset(
    {"name", "github", "dockerfile_path", "run_command", "instance_count", "instance_size_slug"}
)
KEYS = {
    "services": COMPONENT | {"http_port", "health_check"},
    "workers": COMPONENT,
    "databases": frozenset({"name", "engine", "version", "production", "cluster_name"}),
    "envs": frozenset({"key", "scope", "type", "value"}),
    "alerts": frozenset({"rule"}),
}
"""What the vendor's reference of app specs documents, as far as we use it."""


def spec() -> dict[str, Any]:
    text = (DEPLOY / "app-platform.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_the_app_spec_has_the_vendors_keys_and_sizes() -> None:
    found = spec()
    assert found.keys() == KEYS.keys() | {"name", "region"}
    for part, keys in KEYS.items():
        assert [each for each in found[part] if not each.keys() <= keys] == []
    components = [*found["services"], *found["workers"]]
    assert {each["instance_size_slug"] for each in components} <= PRICES.documented.keys()
    names = [each["name"] for part in ("services", "workers", "databases") for each in found[part]]
    # The vendor's own pattern of names.
    assert [each for each in names if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}[a-z0-9]", each)] == []
    assert {each["dockerfile_path"] for each in components} == {"deploy/Containerfile"}


def test_the_app_spec_gives_settings_and_marks_every_secret() -> None:
    envs = spec()["envs"]
    assert {each["key"] for each in envs} <= set(setting_names())
    secrets = {each["key"] for each in envs if each.get("type") == "SECRET"}
    assert secrets == {each["key"] for each in envs if each["key"] in SECRETS}
    assert {each["value"] for each in envs if each.get("type") == "SECRET"} == {"FILL-IN"}
    (service,) = spec()["services"]
    ports = {each["value"] for each in envs if each["key"] == "PORT"}
    assert ports == {str(service["http_port"])}


def test_the_platform_keeps_web_in_service_while_the_database_is_away() -> None:
    """Web is not ready then, and it is what pages by itself: alerts must still reach it."""
    (service,) = spec()["services"]
    assert service["health_check"]["http_path"] == "/healthz"


def test_the_guide_makes_the_database_that_the_app_spec_names() -> None:
    (database,) = spec()["databases"]
    guide = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    named = f"{database['cluster_name']} --engine pg --version {database['version']}"
    assert f"doctl databases create {named} --region {spec()['region']}1" in guide


# ---- The wheel ----


def test_the_wheel_holds_every_file_of_the_service(tmp_path: Path) -> None:
    """Templates, static files, migrations, scripts of Redis, the sandbox, the rule packs."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "service", "rules", "pyproject.toml", "requirements.in"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no Git checkout, so nobody can tell what belongs to it")
    names = [name for name in listed.stdout.split("\0") if name]
    source = tmp_path / "source"
    for name in [*names, "README.md", "LICENSE"]:
        to = source / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, to, follow_symlinks=False)
    held = wheel_of(source, tmp_path)
    assert [name for name in names if name.startswith("service/") and name not in held] == []
    assert {
        f"service/rulebook/packs/{path.name}" for path in (ROOT / "rules").glob("*.yml")
    } <= held


def wheel_of(source: Path, folder: Path) -> set[str]:
    """What a wheel holds that is built from there, without the network."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir"]
    subprocess.run([*pip, *build, str(folder), "."], cwd=source, check=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())
