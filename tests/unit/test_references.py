"""What the documentation and the docstrings refer to exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
PACKAGES = sorted(path.name for path in (ROOT / "service").iterdir() if path.is_dir())
IN_CODE = re.compile(r"`(service(?:\.\w+)+)`")
IN_PAGES = re.compile(rf"`((?:(?:{'|'.join(PACKAGES)}|service|tests|benchmarks)/)[\w/]+\.py)")


def exists(name: str) -> bool:
    """Whether a dotted name is a package, a module, or something that a module defines."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        module = path.with_suffix(".py")
        if module.is_file() or path.is_dir():
            inside = parts[length:]
            source = module if module.is_file() else path / "__init__.py"
            return not inside or inside[0] in source.read_text(encoding="utf-8")
    return False


def test_every_name_in_a_docstring_leads_somewhere() -> None:
    named = {
        (str(file.relative_to(ROOT)), name)
        for file in (ROOT / "service").rglob("*.py")
        for name in IN_CODE.findall(file.read_text(encoding="utf-8"))
    }
    assert len(named) > 50
    assert [each for each in sorted(named) if not exists(each[1])] == []


def test_every_file_that_a_page_names_is_there() -> None:
    named = {
        (page.name, name)
        for page in PAGES
        for name in IN_PAGES.findall(page.read_text(encoding="utf-8"))
    }
    assert len(named) > 50
    lost = [
        each
        for each in sorted(named)
        if not any((base / each[1]).is_file() for base in (ROOT, ROOT / "service"))
    ]
    assert lost == []
