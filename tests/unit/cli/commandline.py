"""The command line called in this process, as a shell would call it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import structlog

from service.cli import main
from service.settings import setting_names

SANDBOX_IDS = {
    "API_APP_ID": "app-quizmentor",
    "DROPLET_ID": "101",
    "SUPABASE_PROJECT_REF": "quizmentorquizmentor",
}


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


class CommandLine:
    """Runs commands with no settings but those it is given."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._patch = patch
        self._capture = capture

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> Said:
        for name in setting_names():
            self._patch.delenv(name, raising=False)
            self._patch.delenv(f"{name}_FILE", raising=False)
        for name, value in (env or {}).items():
            self._patch.setenv(name, value)
        self._patch.setattr(sys, "argv", ["runbookd", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        structlog.reset_defaults()  # a shell's command ends with its process
        out, err = self._capture.readouterr()
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0, out, err)
