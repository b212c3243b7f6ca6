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


def test_counterfactuals(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = blocks(root, "counterfactuals", monkeypatch)
    rows, had, anyway = scope["rows"], scope["had"], scope["unreminded"]
    told = float(rows["click_counterfactual_mean"][had].mean())
    assert abs(told - float(anyway[had].mean())) < 0.05  # what became of these very clicks in the world that we made
    assert float(rows["click_counterfactual_bound_low"][had].mean()) < told - 0.1
    same = (rows["reminder"] == 0) & (rows["exposure"] == 1)
    assert (rows["click"] == rows["click_counterfactual"])[same].all()
    due = scope["due"]
    low, high = due.necessity.interval
    assert low < 1 - float(anyway[had].mean()) < high
    assert due.sufficiency.rows == int(((rows["reminder"] == 0) & (rows["click"] == 0)).sum())


def test_sensitivity(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = blocks(root, "sensitivity", monkeypatch)
    found = scope["found"]
    assert 1 / 1.5 < found.strength < 1.5
    assert not found.opposed
    assert "unseen cause" in scope["answer"].card.sensitivity
    assert scope["refutation"].verdict == "PASS"
