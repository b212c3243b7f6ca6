"""The guides' Python blocks run as they stand."""

from __future__ import annotations

import linecache
import re
from pathlib import Path

import pytest


def blocks(root: Path, guide: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Run a guide's blocks in one scope, with their text where `inspect` finds it, as in a notebook."""
    text = (root / "docs" / "guide" / f"{guide}.md").read_text("utf-8")
    scope: dict[str, object] = {"__name__": guide}
    found = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    for number, block in enumerate(found):
        name = f"<{guide}.md block {number}>"
        monkeypatch.setitem(linecache.cache, name, (len(block), None, block.splitlines(True), name))
        exec(compile(block, name, "exec"), scope)
    return scope


def test_models(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = blocks(root, "models", monkeypatch)
    graph = scope["graph"]
    assert set(graph.predecessors("exposure")) - {"base", "strength"} == {"popularity", "preference", "attribute"}
    assert graph.graph["disagreements"] == []


def test_fitting(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = blocks(root, "fitting", monkeypatch)
    assert scope["again"].hash == scope["fit"].hash
    assert scope["data"].posterior["preference"].dims[:3] == ("chain", "draw", "user")


def test_questions(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = blocks(root, "questions", monkeypatch)
    answer = scope["answer"]
    truth = float((1 / (1 + 2.718281828 ** (0.8 - scope["hour"]))).mean())
    assert abs(answer.estimate - truth) < 0.05 < answer.naive - truth
    assert answer.card.adjust_for == ("hour",)
    assert set(scope["groups"]["group"]) == {"phone", "desk"}
    assert scope["through"].estimate > scope["direct"].estimate
    assert {"mean", "propensity"} <= set(scope["table"].column_names)
