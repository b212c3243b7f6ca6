"""Saved logs: the same again, checked by hash, never half written, never over something else."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from counterlog.errors import InputError, StoreError
from counterlog.logs import from_frame, load_log, open_log, save_log


def small(**more):
    table = pa.table(
        {
            "user": ["a", "b", "é"],
            "item": [3, 1, 2],
            "ts": [1, 2, 3],
            "y": [1.0, None, None],
            "e": [1, 1, 0],
            "c": ["p", None, "q"],
        }
    )
    users = pa.table({"user": ["a", "b", "new"], "missing": [1.0, 2.0, None], "id": ["k", "k", "l"]})
    return from_frame(
        table,
        users=users,
        timestamp="ts",
        exposure="e",
        outcome="y",
        outcome_kind="rating",
        context=("c",),
        name="small",
        licence="mine",
        **more,
    )


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    log = small()
    path = save_log(log, tmp_path / "a" / "log")
    again = open_log(path)
    assert again.hash == log.hash
    assert again.table.equals(log.table)
    assert (again.roles, again.name, again.licence, again.notes) == (log.roles, log.name, log.licence, log.notes)
    assert again.users.hash == log.users.hash
    assert again.user_features.names == log.user_features.names
    assert again.user_features.values.tolist() == log.user_features.values.tolist()
    assert again.user_features.missing.tolist() == log.user_features.missing.tolist()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["log"]


def test_it_replaces_a_log_only_by_force_and_other_things_never(tmp_path: Path) -> None:
    target = tmp_path / "log"
    save_log(small(), target)
    with pytest.raises(StoreError, match="holds a saved log"):
        save_log(small(), target)
    save_log(small(), target, force=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log"]
    mine = tmp_path / "mine"
    mine.mkdir()
    save_log(small(), mine)  # an empty folder is fine
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("do not delete")
    for force in (False, True):
        with pytest.raises(StoreError, match="is no saved log"):
            save_log(small(), other, force=force)
    assert (other / "thesis.txt").exists()


def test_a_failure_leaves_the_old_log_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = save_log(small(), tmp_path / "log")
    before = open_log(target).hash

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        save_log(small(), target, force=True)
    assert open_log(target).hash == before
    assert [p.name for p in tmp_path.iterdir()] == ["log"]


def test_damage_is_noticed(tmp_path: Path) -> None:
    target = save_log(small(), tmp_path / "log")
    table = pq.read_table(target / "events.parquet")
    pq.write_table(table.set_column(1, "item", pa.array([3, 1, 1])), target / "events.parquet")
    with pytest.raises(StoreError, match="its hash differs"):
        load_log(target)
    (target / "events.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreError, match="is damaged"):
        load_log(target)


def test_manifests_of_others(tmp_path: Path) -> None:
    target = save_log(small(), tmp_path / "log")
    manifest = json.loads((target / "log.json").read_text("utf-8"))
    (target / "log.json").write_text(json.dumps({**manifest, "version": 99}), "utf-8")
    with pytest.raises(StoreError, match="newer counterlog"):
        load_log(target)
    (target / "log.json").write_text(json.dumps({k: v for k, v in manifest.items() if k != "roles"}), "utf-8")
    with pytest.raises(StoreError, match="damaged"):
        load_log(target)
    (target / "log.json").write_text("[]", "utf-8")
    with pytest.raises(StoreError, match="no saved log"):
        load_log(target)


def test_a_saved_log_takes_no_roles(tmp_path: Path) -> None:
    target = save_log(small(), tmp_path / "log")
    with pytest.raises(InputError, match="knows its own columns; leave out outcome"):
        open_log(target, outcome="y")
