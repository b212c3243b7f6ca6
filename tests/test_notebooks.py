"""The notebooks run in their short form, in the runner that `make notebooks` uses; none holds an output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = ("01_tour", "02_audit_exposure_bias", "03_counterfactual_data", "04_write_your_own_scm")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_holds_no_outputs_and_tells_a_story(root: Path, name: str) -> None:
    notebook = nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds.count("markdown") >= 7
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None
    assert any("COUNTERLOG_FAST" in cell.source for cell in notebook.cells)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs_in_its_short_form(root: Path, tmp_path: Path, name: str) -> None:
    path = root / "notebooks" / f"{name}.ipynb"
    before = path.read_bytes()
    command = [sys.executable, str(root / "notebooks" / "run.py"), str(path)]
    env = {**os.environ, "COUNTERLOG_FAST": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert f"ok  {name}.ipynb" in done.stdout
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == []
