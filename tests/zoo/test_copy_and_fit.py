"""What `counterlog models copy NAME` gives is a file that runs: on the model's own log, written to a file and read back
with the options that a user would give.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from counterlog import effect, fit, fix, load_model, open_log, zoo
from counterlog.cli.models import copy_model
from counterlog.logs import InteractionLog


def written(log: InteractionLog, path: Path) -> Path:
    """The log's table as CSV or Parquet, by the suffix."""
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(log.table, path)
    else:
        pq.write_table(log.table, path)
    return path


def roles(log: InteractionLog) -> dict[str, Any]:
    """The role options that name the log's columns: those that differ from what is assumed anyway."""
    named = ("exposure", "position", "outcome", "outcome_kind", "context")
    return {name: value for name in named if (value := getattr(log.roles, name))}


def flags(log: InteractionLog) -> list[str]:
    """The same for a command line."""
    text = {name: value if isinstance(value, str) else ",".join(value) for name, value in roles(log).items()}
    return [part for name, value in text.items() for part in (f"--{name.replace('_', '-')}", value)]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", zoo.names())
def test_a_copy_fits_its_own_log_from_a_file(name: str, suffix: str, tmp_path: Path) -> None:
    original = zoo.load(name).world(30, 20, 2).log
    path = written(original, tmp_path / f"log{suffix}")
    copy_model(name, to=tmp_path / f"{name}.py")
    mine, log = load_model(str(tmp_path / f"{name}.py")), open_log(path, **roles(original))
    assert mine.file == (tmp_path / f"{name}.py").resolve()
    assert (log.rows, log.roles.outcome_kind) == (original.rows, original.roles.outcome_kind)
    learnt = fit(mine, log, steps=15)
    assert learnt.scm.source_hash == zoo.load(name).source_hash
    answer = effect(learnt, mine.outcome, fix(**{mine.exposure: 1}), draws=10)
    assert math.isfinite(answer.estimate)
    assert answer.naive is not None


@pytest.mark.parametrize("name", ["confounded_context", "preference_drift"])
def test_by_the_executable(name: str, tmp_path: Path, run_cli: Callable[..., Any]) -> None:
    original = zoo.load(name).world(20, 15, 2).log
    log = ["log.csv", *flags(original)]
    written(original, tmp_path / "log.csv")
    run_cli("models", "copy", name, expect=0)
    asked = ["--effect-of", "exposure", "--on", "click", "--json", "--log"]
    assert run_cli("identify", f"{name}.py", *asked, *log, expect=0).json()["identified"]
    options = ["--out", "fit", "--steps", "20", "--draws", "0", "--json"]
    done = run_cli("fit", f"{name}.py", *log, *options, expect=0).json()
    assert (done["model"], done["events"]) == (name, 300)
    told = run_cli("effect", "fit", "--on", "click", "--do", "exposure=1", "--json", expect=0).json()
    assert told["card"]["identified"]
