"""The store when things go wrong: many writers at once, killed writers, a full disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from counterlog.errors import StoreError
from counterlog.synth import deltalog, open_store

from .writers import SCHEMA, append, card_of, rows_of

SCRIPT = Path(__file__).with_name("writers.py")


def run(mode: str, path: Path, first: int, second: int) -> dict:
    done = subprocess.run(
        [sys.executable, SCRIPT, mode, path, str(first), str(second)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("appends", [5, pytest.param(25, marks=pytest.mark.slow)])
def test_no_append_is_lost_among_eight_writers(tmp_path: Path, appends: int) -> None:
    done = run("together", tmp_path / "store", 8, appends)
    assert done["statuses"] == [0] * 8
    store = open_store(tmp_path / "store")
    history = store.history()
    assert [entry["version"] for entry in history] == list(range(1, 8 * appends + 1))
    assert {(entry["batch"], entry["version"]) for entry in history} == {tuple(e) for e in done["acknowledged"]}
    assert all(entry["ok"] for entry in store.verify())
    assert len(list((store.path / "_cards").iterdir())) == 8 * appends
    assert json.loads((store.path / "card.json").read_text()) == history[-1]["card"]
    assert not list(store.path.glob(".*"))


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_a_killed_writer_loses_no_acknowledged_batch_and_shows_no_half_one(tmp_path: Path, kills: int) -> None:
    done = run("killed", tmp_path / "store", kills, 0)
    assert done["acknowledged"], "every writer was killed before its first batch: the moments are badly spread"
    store = open_store(tmp_path / "store")
    history = store.history()
    assert {tuple(entry) for entry in done["acknowledged"]} <= {(e["batch"], e["version"]) for e in history}
    assert all(entry["ok"] for entry in store.verify())
    assert all(entry["rows"] == 2000 for entry in history)
    assert store.read().num_rows == 2000 * len(history)
    files = {path.name for path in store.path.glob("*.parquet")}
    assert store.vacuum() == []  # too young: their writer might live
    orphans = store.vacuum(hours=0)
    assert set(orphans) == files - {path.name for path in store.path.glob("*.parquet")}
    assert len(files) - len(orphans) == len(history)
    assert all(entry["ok"] for entry in store.verify())
    _, version = append(str(store.path), 10**6)
    assert version == history[-1]["version"] + 1


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_a_writer_killed_while_it_makes_the_store_is_no_obstacle(tmp_path: Path, kills: int) -> None:
    done = run("killed", tmp_path / "store", kills, 1)
    for path, acknowledged in done["stores"]:
        store = open_store(path, create=True)
        history = store.history()
        assert {tuple(entry) for entry in acknowledged} <= {(e["batch"], e["version"]) for e in history}
        assert all(entry["ok"] for entry in store.verify())
        batch, version = append(path, 10**6)
        assert version == len(history) + 1
        assert open_store(path).read(batch=batch).num_rows == 1000


_LIMITED = """
import resource, sys
from writers import SCHEMA, card_of, rows_of
from counterlog.errors import StoreError
from counterlog.synth import open_store

rows, text, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
card = card_of(9, text="x" * text)
try:
    open_store(path, create=True).append(rows_of(card["batch"], 9, rows), SCHEMA, card)
except StoreError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.parametrize(("rows", "text"), [(50_000, 0), (100, 100_000)], ids=["in the data", "in the commit"])
@pytest.mark.parametrize("filled", [False, True], ids=["new store", "old store"])
def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path: Path, rows: int, text: int, filled: bool) -> None:
    path = tmp_path / "store"
    if filled:
        append(str(path), 1)
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(rows), str(text), path], cwd=SCRIPT.parent, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert "larger than this process may write" in done.stdout
    found = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    if filled or rows == 50_000:
        assert found == before
    assert [e["batch"] for e in open_store(path, create=True).history()] == [card_of(1)["batch"]] * filled
    _, version = append(str(path), 2)
    assert version == 1 + filled


def test_no_space_is_said_in_plain_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(deltalog, "sync", full)
    card = card_of(1)
    with pytest.raises(StoreError, match="no space left on the disk"):
        open_store(tmp_path / "store", create=True).append(rows_of(card["batch"], 1), SCHEMA, card)
    assert list(tmp_path.iterdir()) == []


def test_a_card_copy_that_fails_does_not_fail_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from counterlog.synth import cards

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(cards, "_replace", full)
        batch, version = append(str(tmp_path / "store"), 1)
    assert version == 1
    assert "No space left" in caplog.text
    assert not (tmp_path / "store" / "card.json").exists()
    open_store(tmp_path / "store")
    assert json.loads((tmp_path / "store" / "card.json").read_text())["batch"] == batch


def _meanwhile(batch: str, seed: int, other: Callable[[], object]) -> Iterator[pa.RecordBatch]:
    """Rows in whose midst somebody else does something to the store."""
    rows = list(rows_of(batch, seed))
    yield rows[0]
    other()
    yield from rows[1:]


@pytest.mark.parametrize("filled", [False, True], ids=["new store", "old store"])
def test_another_writer_in_the_midst_of_ours(tmp_path: Path, filled: bool) -> None:
    path = str(tmp_path / "store")
    if filled:
        append(path, 0)
    mine, same = card_of(1), card_of(2)
    store = open_store(path, create=True)
    chunks = _meanwhile(mine["batch"], 1, lambda: append(path, 3))
    assert store.append(chunks, SCHEMA, mine) == 2 + filled
    # The same batch, quicker: one of the two stays, and both writers learn its version.
    chunks = _meanwhile(same["batch"], 2, lambda: append(path, 2))
    assert store.append(chunks, SCHEMA, same) == 3 + filled
    assert len(store.history()) == len(list(store.path.glob("*.parquet"))) == 3 + filled
    assert all(entry["ok"] for entry in store.verify())


def test_the_same_name_with_other_data_in_the_midst_of_ours(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", create=True)
    card = card_of(1)
    chunks = _meanwhile(card["batch"], 2, lambda: append(str(store.path), 1))
    with pytest.raises(StoreError, match="with other data"):
        store.append(chunks, SCHEMA, card)
    assert len(store.history()) == len(list(store.path.glob("*.parquet"))) == 1
    assert store.verify()[0]["ok"]


def test_a_store_with_other_columns_made_in_the_midst_of_ours(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", create=True)
    card, other = card_of(1), card_of(2)
    table = pa.Table.from_batches(rows_of(other["batch"], 2)).drop_columns(["rung"])
    chunks = _meanwhile(card["batch"], 1, lambda: store.append(table.to_batches(), table.schema, other))
    with pytest.raises(StoreError, match="not in the store: rung"):
        store.append(chunks, SCHEMA, card)
    assert store.read().combine_chunks().equals(table.combine_chunks())
    assert len(list(store.path.glob("*.parquet"))) == 1


def test_conflicts_without_end_become_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deltalake import DeltaTable
    from deltalake.exceptions import CommitFailedError

    append(str(tmp_path / "store"), 1)

    def conflict(*_: object, **__: object) -> None:
        raise CommitFailedError("Transaction failed, attempted to write version 2 already exists")

    monkeypatch.setattr(DeltaTable, "create_write_transaction", conflict)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with pytest.raises(StoreError, match="cannot commit batch"):
        append(str(tmp_path / "store"), 2)
    store = open_store(tmp_path / "store")
    assert len(store.history()) == len(list(store.path.glob("*.parquet"))) == 1


def test_a_commit_that_only_seemed_to_fail_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deltalake import DeltaTable

    append(str(tmp_path / "store"), 1)
    real = DeltaTable.create_write_transaction

    def late(self: DeltaTable, *given: object, **named: object) -> None:
        real(self, *given, **named)
        raise RuntimeError("the answer got lost")

    monkeypatch.setattr(DeltaTable, "create_write_transaction", late)
    assert append(str(tmp_path / "store"), 2)[1] == 2
    assert len(open_store(tmp_path / "store").history()) == 2


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    with pytest.raises(StoreError, match="permission denied; choose a folder"):
        append(str(tmp_path / "store"), 1)


def test_many_versions_are_summed_up_and_none_is_forgotten(tmp_path: Path) -> None:
    for seed in range(52):
        append(str(tmp_path / "store"), seed, 5)
    store = open_store(tmp_path / "store")
    assert (store.path / "_delta_log" / "_last_checkpoint").exists()
    assert len(store.history()) == 52
    assert store.count() == 260
    assert append(str(store.path), 7, 5)[1] == 8
