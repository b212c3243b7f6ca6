"""make and the notebook runner: clear refusals, and notebooks that hold no outputs."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest


@pytest.fixture(scope="module")
def runner(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_notebooks", root / "notebooks" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("argument", "words"),
    [("CANDIDATES=no-such-python", "Install one"), ("PYTHON=no-such-python", "does not run")],
)
def test_make_setup_says_which_python_it_needs(root: Path, tmp_path: Path, argument: str, words: str) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(root / name, tmp_path)
    done = subprocess.run(["make", "setup", argument], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Python 3.11 or newer" in done.stderr
    assert words in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_make_explains_itself(root: Path) -> None:
    done = subprocess.run(["make"], cwd=root, capture_output=True, text=True, check=True)
    for target in ("setup", "demo", "test", "test-slow", "lint", "notebooks", "bench"):
        assert f"make {target} " in done.stdout


def test_torch_is_held_below_the_first_release_without_a_small_cpu_wheel(root: Path) -> None:
    assert "torch>=2.6,<2.14" in (root / "constraints.txt").read_text().splitlines()


def test_notebooks_are_stored_without_outputs(root: Path, runner: ModuleType) -> None:
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        assert runner.stored_outputs(nbformat.read(path, as_version=4)) == [], path.name


def test_a_notebook_with_outputs_is_refused_before_it_runs(runner: ModuleType, tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", execution_count=1)])
    nbformat.write(notebook, tmp_path / "kept.ipynb")
    assert "outputs" in runner.run(tmp_path / "kept.ipynb")


def test_a_notebook_that_fails_is_reported_and_left_as_it_was(root: Path, tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    nbformat.write(notebook, tmp_path / "bad.ipynb")
    before = (tmp_path / "bad.ipynb").read_bytes()
    command = [sys.executable, str(root / "notebooks" / "run.py"), str(tmp_path / "bad.ipynb")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "FAIL  bad.ipynb" in done.stdout
    assert "ZeroDivisionError" in done.stderr
    assert (tmp_path / "bad.ipynb").read_bytes() == before
