"""What `counterlog models copy NAME` gives is a file that runs: on the model's own log, written to a file and read back
with the options that a user would give.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from counterlog import fit, load_model, open_log, zoo
from counterlog.cli.models import copy_model
from counterlog.inference.cells import bind
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


@pytest.mark.parametrize(
    ("name", "suffix"), [*((name, ".csv") for name in zoo.names()), ("preference_drift", ".parquet")]
)
def test_a_copy_fits_its_own_log_from_a_file(name: str, suffix: str, tmp_path: Path) -> None:
    """A CSV is the harder file: it has no types."""
    original = zoo.load(name).world(30, 20, 2).log
    path = written(original, tmp_path / f"log{suffix}")
    copy_model(name, to=tmp_path / f"{name}.py")
    mine, log = load_model(str(tmp_path / f"{name}.py")), open_log(path, **roles(original))
    assert mine.file == (tmp_path / f"{name}.py").resolve()
    assert (log.rows, log.roles.outcome_kind) == (original.rows, original.roles.outcome_kind)
    learnt = fit(mine, log, steps=10)
    assert learnt.scm.source_hash == zoo.load(name).source_hash
    assert np.isfinite(learnt.losses).all()
    ours = bind(zoo.load(name), original).columns
    for column, values in learnt.cells.columns.items():  # as they were, in the order of this log's own users
        assert sorted(values.tolist()) == sorted(ours[column].tolist())


def test_by_the_executable(tmp_path: Path, run_cli: Callable[..., Any]) -> None:
    name = "preference_drift"
    original = zoo.load(name).world(20, 15, 2).log
    written(original, tmp_path / "log.csv")
    run_cli("models", "copy", name, expect=0)
    options = ["--out", "fit", "--steps", "20", "--draws", "0", "--json"]
    done = run_cli("fit", f"{name}.py", "log.csv", *flags(original), *options, expect=0).json()
    assert (done["model"], done["events"]) == (name, 300)
