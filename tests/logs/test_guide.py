"""The guide's Python blocks run as they stand."""

from __future__ import annotations

import re
from pathlib import Path


def test_the_guide_runs(root: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (root / "docs" / "guide" / "logs.md").read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    scope: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/guide/logs.md", "exec"), scope)
    assert scope["found"].ok  # type: ignore[attr-defined]
    assert scope["numbers"].density == 4 / 9  # type: ignore[attr-defined]
