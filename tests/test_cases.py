"""The shared cases of every command that exists, through the real executable."""

import importlib.util
import shlex
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from counterlog.cli.app import COMMANDS

SHARED = Path(__file__).resolve().parents[2] / "shared"
CASES = sorted(file.parent for file in SHARED.glob("cases/*/case.toml"))
SECONDS = 240


@pytest.fixture(scope="module")
def runner(shared: Path) -> ModuleType:
    """The shared runner, so that a case means here what it means to everyone else."""
    spec = importlib.util.spec_from_file_location("run_cases", shared / "cases" / "run_cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_cases(runner: ModuleType) -> None:
    assert CASES, f"no cases in {SHARED}"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_case(runner: ModuleType, executable: list[str], case: Path) -> None:
    command = shlex.split(tomllib.loads((case / "case.toml").read_text(encoding="utf-8"))["command"])[0]
    if command not in COMMANDS:
        pytest.skip(f"this release has no command {command!r}")
    assert runner.run_case(case, executable, SECONDS) == []
