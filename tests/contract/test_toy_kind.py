"""A new kind of target and a new guard touch the files that CONTRIBUTING.md names, and no other.

A copy of the project gets both. There the catalogue's own tests and the import contract hold, and
an alert is followed from its rule to the changed target.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEW = ROOT / "tests" / "toy" / "files"
COPIED = ("service", "tests", "docs", "rules", "README.md", "pyproject.toml")
PORT = """\
    "toy": Port(
        "TOY_TOKEN",
        lambda vs: HttpBalloons(token=vs.secret("TOY_TOKEN"), base_url=vs.address("toy", ENDPOINT)),
    ),
"""
LINES = {
    "service/catalogue/registry.py": (
        ("    supabase.KIND,\n", "    toy.KIND,\n"),
        ("    supabase,\n", "    toy,\n"),
    ),
    "service/bootstrap/vendors.py": (
        (
            '    "supabase": Port("SUPABASE_ACCESS_TOKEN", lambda vs: vs.supabase),\n',
            PORT,
        ),
        (
            "from service.providers.supabase import SupabaseCompute\n",
            "from service.providers.toy import ENDPOINT, HttpBalloons\n",
        ),
    ),
    "service/settings.py": (
        (
            '    supabase_token: SecretStr = Field(SecretStr(""), alias="SUPABASE_ACCESS_TOKEN")\n',
            '    toy_token: SecretStr = Field(SecretStr(""), alias="TOY_TOKEN")\n',
        ),
    ),
    "README.md": (("`DIGITALOCEAN_TOKEN`, ", "`TOY_TOKEN`, "),),
}
"""By file: after which text which text is put. Of a new kind, these are all the lines that are not
in files of its own; README.md's is the row of the setting."""
GUARD = {
    "service/domain/decisions/guards.py": (
        ("    Guard(LOCKED, _unlocked),\n", '    Guard("toy_guard", _toy),\n'),
    ),
    "docs/rules.md": (
        ("| `settling` | worker | changed a moment ago |\n", "| `toy_guard` | worker | a toy |\n"),
    ),
}
"""Of a new guard: its row, beside its function, and its row in the documentation."""
TOY_GUARD = """def _toy(prospect: Prospect) -> Check:
    return Check("toy_guard", passed=True, saw=f"nobody sleeps on {prospect.target}")


"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the toy kind and the toy guard."""
    made = tmp_path_factory.mktemp("toy") / "project"
    made.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, made / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, made / name)
    for source in files_below(NEW):
        (made / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(NEW / source, made / source)
    for name, lines in {**LINES, **GUARD}.items():
        put(made / name, lines)
    guards = made / "service/domain/decisions/guards.py"
    text = guards.read_text(encoding="utf-8")
    before, rows = text.split("PROSPECT_GUARDS: ")
    guards.write_text(f"{before}{TOY_GUARD}PROSPECT_GUARDS: {rows}", encoding="utf-8")
    return made


def files_below(folder: Path) -> list[Path]:
    """The files of a tree, as paths within it."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if "__pycache__" not in path.parts)


def put(file: Path, lines: Sequence[tuple[str, str]]) -> None:
    """Put each text after the one that it belongs to."""
    text = file.read_text(encoding="utf-8")
    for after, new in lines:
        assert text.count(after) == 1, after
        text = text.replace(after, after + new)
    file.write_text(text, encoding="utf-8")


def run_in(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment on the copy."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_an_alert_about_the_new_kind_changes_its_target_and_asks_the_new_guard(
    copy: Path,
) -> None:
    ran = run_in(copy, "tests/toy/run.py", "docs/kinds/toy.md", str(copy / "toy.yml"))
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1]) == {
        "of": str(copy),
        "outcome": "succeeded",
        "reason": "balloon: size toy-small → toy-large",
        "look": "balloon 7 is toy-large",
        "checks": [
            "cancelled",
            "resolved",
            "paused",
            "person_lock",
            "settling",
            "locked",
            "toy_guard",
            "target",
        ],
    }


def test_the_tests_that_walk_the_catalogue_walk_the_new_kind_too(copy: Path) -> None:
    files = sorted((copy / "tests" / "unit").rglob("test_*.py"))
    walked = [str(path) for path in files if re.search(r"\bKINDS\b", path.read_text())]
    assert len(walked) >= len(("registry", "states", "price lists", "rules page"))
    settings = str(copy / "tests" / "unit" / "test_settings.py")
    ran = run_in(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *walked, settings)
    assert ran.returncode == 0, ran.stdout[-3000:]


def test_the_import_contract_holds_with_the_new_kind(copy: Path) -> None:
    ran = run_in(copy, "-c", "from importlinter.cli import lint_imports_command as go; go()")
    assert ran.returncode == 0, ran.stdout[-3000:]


def test_no_other_file_is_touched(copy: Path) -> None:
    """What the copy has beside its new files differs from the project in the files named above."""
    new = {str(path) for path in files_below(NEW)}
    changed = {
        str(path)
        for name in COPIED
        for path in ([Path(name)] if (copy / name).is_file() else below(copy, name))
        if str(path) not in new and (copy / path).read_bytes() != (ROOT / path).read_bytes()
    }
    assert changed == {*LINES, *GUARD}
    own = ("service/catalogue/toy/", "service/sandbox/toy/")
    others = {path for path in new if not path.startswith(own)}
    assert others == {
        "docs/actions/inflate.md",
        "docs/kinds/toy.md",
        "service/ports/toy.py",
        "service/providers/toy.py",
    }


def below(copy: Path, name: str) -> list[Path]:
    """The files of one of the copied folders, as paths within the copy."""
    return [Path(name) / path for path in files_below(copy / name)]
