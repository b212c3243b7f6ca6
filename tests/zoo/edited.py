"""What a user does: copy a model's file, edit it, load it. Here to take out the part that a claim is about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from counterlog import load_model, zoo
from counterlog.model import SCM


def edited(name: str, folder: Path, changes: Mapping[str, str]) -> SCM:
    """A copy of a zoo model with some of its text replaced; every text must stand in the file exactly once."""
    text = zoo.path(name).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}.py"
        text = text.replace(old, new)
    file = folder / f"{name}.py"
    file.write_text(text, encoding="utf-8")
    return load_model(f"{file}:{name}")
