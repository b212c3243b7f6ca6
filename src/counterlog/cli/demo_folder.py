"""The folder that `counterlog demo` writes: marked as ours at once, never written over anything else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from counterlog.cli.output import guard_output, plain
from counterlog.errors import InputError

MADE_BY = "counterlog demo"
#: Everything that the demo writes.
WRITES = ("store", "fit", "report.html", "graph.svg", "summary.json")


def guard(out: Path, force: bool) -> bool:
    """Whether an earlier demo, finished or not, made the folder; refuses anything else that is there.

    Raises
    ------
    InputError
        ``out`` exists, is not empty and not ours, and ``force`` is not set; or it is a file.
    """
    if _is_ours(out):
        return True
    if out.is_dir() and not any(out.iterdir()):
        return False
    guard_output(out, force=force)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; --out needs a folder")
    return False


def begin(out: Path, ours: bool) -> None:
    """Make the folder, marked as ours before anything else is in it, so that a demo that was stopped can be run again.

    Raises
    ------
    StoreError
        A foreign folder holds something called ``store`` that is no store of batches.
    """
    from counterlog.synth import open_store

    if not ours:
        open_store(out / "store", create=True)  # writes nothing yet
    for name in WRITES if ours else ():
        path = out / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    write_summary(out, {"made_by": MADE_BY, "finished": False})


def write_summary(out: Path, summary: dict[str, Any]) -> None:
    """Write ``summary.json``."""
    text = json.dumps(plain(summary), indent=2, ensure_ascii=False, allow_nan=False)
    (out / "summary.json").write_text(text + "\n", encoding="utf-8")


def _is_ours(out: Path) -> bool:
    try:
        found = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("made_by") == MADE_BY
