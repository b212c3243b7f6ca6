"""The guide's Python blocks run as they stand."""

from __future__ import annotations

import re
from pathlib import Path


def test_the_guide_runs(root: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (root / "docs" / "guide" / "audit.md").read_text("utf-8")
    scope: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "docs/guide/audit.md", "exec"), scope)
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_the_guide_names_every_finding(root: Path) -> None:
    text = (root / "docs" / "guide" / "audit.md").read_text("utf-8")
    for file in (root / "src" / "counterlog" / "auditing").glob("*.py"):
        for name in re.findall(r'^\s+name="(\w+)",$', file.read_text("utf-8"), re.MULTILINE):
            assert f"`{name}`" in text, name
