"""Fixtures for every test: the shared data beside the repository, and the real executable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True)
class Run:
    """A finished run of the executable."""

    status: int
    stdout: str
    stderr: str

    def json(self) -> dict[str, Any]:
        """The one strict JSON object on stdout."""
        found = json.loads(self.stdout, parse_constant=_refuse_constant)
        assert isinstance(found, dict), self.stdout
        return found

    def error(self) -> dict[str, Any]:
        """The JSON error, the last line on stderr."""
        return json.loads(self.stderr.strip().splitlines()[-1])["error"]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ../shared with data sets and cases: skipped without it, but a failure where CI promises it."""
    if not SHARED.is_dir():
        message = f"needs the data in {SHARED}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return SHARED


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def executable() -> list[str]:
    """The command that starts counterlog: the installed script, or the module where there is none."""
    script = Path(sys.executable).with_name("counterlog")
    return [str(script)] if script.exists() else [sys.executable, "-m", "counterlog"]


@pytest.fixture
def run_cli(executable: list[str], tmp_path: Path) -> Callable[..., Run]:
    """``run_cli("check", "log.csv", "--json", cwd=folder)`` runs the real executable, by default in ``tmp_path``."""

    def run(
        *args: str | os.PathLike[str],
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        seconds: float = 240,
        expect: int | None = None,
    ) -> Run:
        done = subprocess.run(
            [*executable, *map(str, args)],
            cwd=cwd or tmp_path,
            env={**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200", **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
        )
        if expect is not None:
            assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Run(done.returncode, done.stdout, done.stderr)

    return run
