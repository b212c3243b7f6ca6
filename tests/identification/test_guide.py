"""The guide's Python blocks run as they stand and show what the text says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.query.test_guides import blocks


def test_identification(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = blocks(root, "identification", monkeypatch)
    assert scope["yes"].identified
    assert "preview" in scope["yes"].estimand
    assert "taste" not in scope["yes"].uses
    assert "taste" in scope["no"].because
    assert "a column that shows preview" in scope["no"].would_need
    found = {frozenset((test.a, test.b)): test.rejected for test in scope["tests"]}
    assert found[frozenset(("hour", "device"))] is True
    assert len(scope["quiet"]) == 2
    assert not any(test.rejected for test in scope["quiet"])
