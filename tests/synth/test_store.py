"""The store: what goes in comes out, version by version, and what does not fit is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterlog.errors import InputError, StoreError, UnknownNameError
from counterlog.synth import open_store
from counterlog.synth.blocks import BLOCK, DataHasher, blocks, data_hash, stored_schema
from counterlog.synth.store import Store

from .writers import SCHEMA, append, card_of, rows_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store", create=True)


def test_batches_come_back_by_name_and_by_version(store: Store) -> None:
    names = []
    for seed in range(3):
        card = card_of(seed)
        names.append(card["batch"])
        assert store.append(rows_of(names[-1], seed), SCHEMA, card) == seed + 1
    history = store.history()
    assert [entry["batch"] for entry in history] == names
    assert [entry["version"] for entry in history] == [1, 2, 3]
    assert all(entry["rows"] == 1000 and entry["parents"] == [] for entry in history)
    assert history[1]["card"] == store.card(names[1])
    for seed, name in enumerate(names):
        assert store.read(batch=name).equals(pa.Table.from_batches(rows_of(name, seed)).combine_chunks())
    assert store.read().num_rows == store.count() == 3000
    assert store.read(version=2)["batch"].unique().to_pylist() == names[:2]
    assert store.read(version=0).num_rows == 0
    assert store.read(version=0).schema == store.schema()
    assert all(entry["ok"] for entry in store.verify())


def test_other_delta_readers_see_the_same_rows(store: Store) -> None:
    from deltalake import DeltaTable

    for seed in range(2):
        card = card_of(seed)
        store.append(rows_of(card["batch"], seed), SCHEMA, card)
    table = DeltaTable(store.path).to_pyarrow_table()
    assert table.sort_by([("batch", "ascending"), ("propensity", "ascending")]).equals(
        store.read().sort_by([("batch", "ascending"), ("propensity", "ascending")]).combine_chunks()
    )
    newest = DeltaTable(store.path).history()[0]
    assert json.loads(newest["userMetadata"]) == store.history()[-1]["card"]


def test_cards_stand_beside_the_table_and_come_back_when_lost(store: Store) -> None:
    cards = [card_of(seed) for seed in range(2)]
    for seed, card in enumerate(cards):
        store.append(rows_of(card["batch"], seed), SCHEMA, card)
    copies = [store.path / "_cards" / f"{card['batch']}.json" for card in cards]
    latest = store.path / "card.json"
    texts = [path.read_bytes() for path in (*copies, latest)]
    assert json.loads(texts[2]) == store.card(cards[1]["batch"])
    for path in (*copies, latest):
        path.unlink()
    (store.path / "_cards").rmdir()
    open_store(store.path)
    assert [path.read_bytes() for path in (*copies, latest)] == texts
    latest.write_text("{}")
    open_store(store.path)
    assert latest.read_bytes() == texts[2]


def test_the_same_batch_again_changes_nothing(store: Store) -> None:
    card = card_of(1)
    assert store.append(rows_of(card["batch"], 1), SCHEMA, card) == 1
    before = sorted(store.path.rglob("*"))
    assert store.append(rows_of(card["batch"], 1, chunk=77), SCHEMA, card_of(1)) == 1
    assert sorted(store.path.rglob("*")) == before
    with pytest.raises(StoreError, match=r"already \(version 1\) with other data"):
        store.append(rows_of(card["batch"], 2), SCHEMA, card)
    assert sorted(store.path.rglob("*")) == before


def test_a_complete_card_must_describe_the_data(store: Store, tmp_path: Path) -> None:
    card = card_of(1)
    store.append(rows_of(card["batch"], 1), SCHEMA, card)
    complete = store.card(card["batch"])
    other = open_store(tmp_path / "other", create=True)
    with pytest.raises(StoreError, match="data_hash"):
        other.append(rows_of(card["batch"], 2), SCHEMA, complete)
    assert not other.path.exists()
    assert other.append(rows_of(card["batch"], 1), SCHEMA, complete) == 1
    assert other.card(card["batch"]) == complete


def test_chunks_and_dictionaries_do_not_change_a_byte(tmp_path: Path) -> None:
    card = card_of(3)
    table = pa.Table.from_batches(rows_of(card["batch"], 3, rows=2 * BLOCK + 5000))
    cut = {
        "whole": table.combine_chunks().to_batches(),
        "small": table.to_batches(max_chunksize=10_001),
        "dictionaries": pa.table(
            {
                n: table[n].combine_chunks().dictionary_encode() if n != "propensity" else table[n]
                for n in table.schema.names
            }
        ).to_batches(max_chunksize=50_000),
    }
    seen = set()
    for name, chunks in cut.items():
        store = open_store(tmp_path / name, create=True)
        store.append(iter(chunks), chunks[0].schema, card)
        (file,) = store.path.glob("*.parquet")
        seen.add((file.read_bytes(), store.card(card["batch"])["data_hash"]))
        assert store.read().equals(table.combine_chunks())
    assert len(seen) == 1


def test_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    files = []
    for hash_seed in ("0", "4242"):
        path = tmp_path / hash_seed
        code = f"from writers import append; append({str(path)!r}, 5)"
        subprocess.run(
            [sys.executable, "-c", code], check=True, cwd=Path(__file__).parent, env={"PYTHONHASHSEED": hash_seed}
        )
        (file,) = path.glob("*.parquet")
        files.append((file.read_bytes(), file.name[:16]))
    assert files[0] == files[1]


def test_memory_is_bounded_by_the_block(store: Store) -> None:
    card = card_of(1)
    base = next(rows_of(card["batch"], 1, rows=20_000, chunk=20_000))
    one = base.nbytes
    pa.default_memory_pool().release_unused()
    peak = 0

    def chunks():
        nonlocal peak
        for _ in range(300):
            peak = max(peak, pa.total_allocated_bytes() - start)
            yield pa.RecordBatch.from_arrays([pa.concat_arrays([c]) for c in base.columns], schema=base.schema)

    start = pa.total_allocated_bytes()
    store.append(chunks(), SCHEMA, card)
    start = pa.total_allocated_bytes()
    for _chunk in store.scan():
        peak = max(peak, pa.total_allocated_bytes() - start)
    assert store.count() == 6_000_000
    assert peak < 4 * (BLOCK / 20_000) * one < 0.1 * 300 * one


@pytest.mark.parametrize("name", ["a b", "c#d", "q?x", "é", "100%", "a+b[1]*", "-x"])
def test_folders_with_odd_names(tmp_path: Path, name: str) -> None:
    batch, _ = append(str(tmp_path / name), 1)
    store = open_store(tmp_path / name)
    assert [entry["batch"] for entry in store.history()] == [batch]
    assert store.read().num_rows == 1000


def test_a_percent_encoded_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="%20"):
        open_store(tmp_path / "a%20b", create=True)


def test_what_is_not_a_store_is_refused(tmp_path: Path) -> None:
    from deltalake import write_deltalake

    with pytest.raises(StoreError, match="there is no store"):
        open_store(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="empty"):
        open_store(tmp_path / "empty")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="is a file"):
        open_store(tmp_path / "file", create=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("x")
    with pytest.raises(StoreError, match=r"holds thesis\.txt"):
        open_store(tmp_path / "other", create=True)
    write_deltalake(tmp_path / "foreign", pa.table({"x": [1]}))
    with pytest.raises(StoreError, match="not a counterlog store"):
        open_store(tmp_path / "foreign", create=True)
    assert (tmp_path / "other" / "thesis.txt").read_text() == "x"
    assert len(list((tmp_path / "other").iterdir())) == 1


def test_opening_creates_nothing_before_the_first_batch(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a" / "b", create=True)
    assert store.history() == []
    with pytest.raises(StoreError, match="no batch yet"):
        store.read()
    assert not (tmp_path / "a").exists()


def test_a_damaged_log_is_one_clear_error(store: Store) -> None:
    append(str(store.path), 1)
    (store.path / "_delta_log" / f"{0:020d}.json").write_text("{nonsense")
    with pytest.raises(StoreError, match="cannot be read"):
        open_store(store.path)


def test_unknown_names_are_answered_with_the_nearest(store: Store) -> None:
    batch, _ = append(str(store.path), 1)
    with pytest.raises(UnknownNameError, match=f"did you mean '{batch}'"):
        store.scan(batch=batch[:-1] + "z")
    with pytest.raises(UnknownNameError, match="no version '7'; known: 0, 1"):
        store.read(version=7)
    with pytest.raises(UnknownNameError, match="at version 0"):
        store.read(batch=batch, version=0)
    with pytest.raises(UnknownNameError):
        store.card("nope")


def test_columns_must_be_those_of_the_store(store: Store) -> None:
    append(str(store.path), 1)
    card = card_of(2)
    table = pa.Table.from_batches(rows_of(card["batch"], 2))
    changed = table.drop_columns(["rung", "rating"]).append_column("rating", table["rating"].cast(pa.float64()))
    changed = changed.append_column("device", table["source"])
    with pytest.raises(StoreError) as refused:
        store.append(changed.to_batches(), changed.schema, card)
    for part in ("missing: rung", "not in the store: device", "'rating' is double here and int8 there"):
        assert part in str(refused.value)
    shuffled = table.select(sorted(table.schema.names))
    store.append(shuffled.to_batches(), shuffled.schema, card)
    assert store.read(batch=card["batch"]).equals(table.combine_chunks())


def test_the_batch_column_must_say_what_the_card_says(store: Store) -> None:
    card = card_of(1)
    with pytest.raises(StoreError, match="must hold"):
        store.append(rows_of("another", 1), SCHEMA, card)
    with pytest.raises(StoreError, match="text column 'batch'"):
        store.append([], pa.schema([("user", pa.string())]), card)
    assert not store.path.exists()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a\\b", ".hidden", "x\n", "é", "-x", "x" * 101, 7, None])
def test_a_name_can_never_leave_the_store(store: Store, name: object) -> None:
    card = card_of(1) | {"batch": name}
    with pytest.raises(StoreError, match="cannot name a batch"):
        store.append(rows_of("x", 1), SCHEMA, card)
    assert not store.path.exists()


def test_an_error_in_the_rows_leaves_nothing(store: Store, tmp_path: Path) -> None:
    card = card_of(1)

    def breaks():
        yield from rows_of(card["batch"], 1)
        raise RuntimeError("the model said no")

    with pytest.raises(RuntimeError, match="said no"):
        store.append(breaks(), SCHEMA, card)
    assert list(tmp_path.iterdir()) == []
    append(str(store.path), 2)
    before = sorted(store.path.rglob("*"))
    with pytest.raises(RuntimeError, match="said no"):
        store.append(breaks(), SCHEMA, card)
    assert sorted(store.path.rglob("*")) == before


def test_changed_data_are_found(store: Store) -> None:
    batch, _ = append(str(store.path), 1)
    other, _ = append(str(store.path), 2)
    (file,) = store.path.glob(f"{batch}-*.parquet")
    table = pq.read_table(file)
    pq.write_table(table.set_column(1, "item", pa.array(np.arange(1000))), file)
    found = {entry["batch"]: entry for entry in store.verify()}
    assert found[other]["ok"]
    assert not found[batch]["ok"]
    assert "hash" in found[batch]["message"]
    file.unlink()
    assert "cannot be read" in next(e for e in store.verify() if e["batch"] == batch)["message"]
    with pytest.raises(StoreError, match="cannot be read"):
        store.read()


def test_an_empty_batch(store: Store) -> None:
    card = card_of(1)
    assert store.append([], SCHEMA, card) == 1
    assert store.read().num_rows == 0
    assert store.history()[0]["rows"] == 0
    assert store.verify()[0]["ok"]


def test_the_table_is_append_only_for_others_too(store: Store) -> None:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    append(str(store.path), 1)
    with pytest.raises(DeltaError, match=r"(?i)append"):
        DeltaTable(store.path).delete("item = 3")
    assert store.count() == 1000


def test_types_that_a_table_cannot_keep_are_brought_to_those_it_can(store: Store) -> None:
    given = pa.table(
        {
            "small": pa.array([1, None, 255], pa.uint8()),
            "half": pa.array(np.array([0.5, 1, 2], np.float16)),
            "large": pa.array(["a", "", None], pa.large_string()),
            "when": pa.array([0, 1, None], pa.timestamp("ms", "Europe/Berlin")),
            "naive": pa.array([0, 1, None], pa.timestamp("s")),
            "day": pa.array([0, 1, None], pa.date32()),
            "flag": pa.array([True, None, False]),
            "raw": pa.array([b"\x00", None, b""]),
            "batch": pa.array(["b"] * 3).dictionary_encode(),
        }
    )
    store.append(given.to_batches(), given.schema, card_of(1) | {"batch": "b"})
    back = store.read()
    assert back.schema == stored_schema(given.schema) == store.schema()
    assert back["when"].cast(pa.int64()).to_pylist() == [0, 1000, None]
    assert back["small"].to_pylist() == [1, None, 255]
    assert back["large"].to_pylist() == ["a", "", None]
    assert store.verify()[0]["ok"]
    assert data_hash(back) == data_hash(given)


def test_types_that_have_no_place_are_named() -> None:
    with pytest.raises(StoreError, match="column 'tags' has the type list"):
        stored_schema(pa.schema([("tags", pa.list_(pa.string()))]))
    with pytest.raises(StoreError, match="more than one column called 'x'"):
        stored_schema(pa.schema([("x", pa.int8()), ("x", pa.int8())]))
    chunk = pa.record_batch({"when": pa.array([1], pa.timestamp("ns"))})
    with pytest.raises(StoreError, match="'when' of chunk 0 does not fit"):
        list(blocks([chunk], stored_schema(chunk.schema)))
    with pytest.raises(StoreError, match="chunk 0 has the columns a; the batch declares b"):
        list(blocks([pa.record_batch({"a": [1]})], pa.schema([("b", pa.int64())])))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.text(max_size=4)), st.integers(-9, 9), st.one_of(st.none(), st.floats()))
    ),
    st.lists(st.integers(0, 30), max_size=6),
    st.booleans(),
)
def test_the_hash_knows_content_and_nothing_else(rows: list, cuts: list[int], encoded: bool) -> None:
    schema = pa.schema([("t", pa.string()), ("i", pa.int16()), ("f", pa.float64())])
    table = pa.table([list(column) for column in zip(*rows, strict=True)] or [[], [], []], schema=schema)
    pieces, start = [], 0
    for size in cuts:
        pieces.append(table.slice(start, size))
        start += size
    cut = pa.concat_tables([*pieces, table.slice(start)])
    if encoded:
        cut = cut.set_column(0, "t", cut["t"].dictionary_encode())
    assert data_hash(cut) == data_hash(table)
    if rows:
        assert data_hash(table.slice(1)) != data_hash(table)
        changed = pa.array([str(rows[0][0]) + "x", *table["t"].to_pylist()[1:]], pa.string())
        assert data_hash(table.set_column(0, "t", changed)) != data_hash(table)


def test_the_hash_tells_apart_what_looks_alike() -> None:
    alike = [
        pa.table({"x": pa.array(["ab", "c"])}),
        pa.table({"x": pa.array(["a", "bc"])}),
        pa.table({"x": pa.array([None, "abc"])}),
        pa.table({"x": pa.array(["", "abc"])}),
        pa.table({"y": pa.array(["", "abc"])}),
        pa.table({"x": pa.array([0, 0], pa.int32())}),
        pa.table({"x": pa.array([0], pa.int64())}),
        pa.table({"x": pa.array([0, None], pa.int32())}),
        pa.table({"x": pa.array([0.0, 0.0], pa.float32())}),
        pa.table({"x": pa.array([-0.0, 0.0], pa.float32())}),
        pa.table({"x": pa.array(["a", "a"])}),
        pa.table({"x": pa.array(["a", "a", "a"])}),
    ]
    assert len({data_hash(table) for table in alike}) == len(alike)


def test_the_hash_of_a_long_table_is_that_of_its_parts() -> None:
    table = pa.Table.from_batches(rows_of("x", 0, rows=BLOCK + 1000, chunk=BLOCK))
    hasher = DataHasher(table.schema)
    for chunk in table.to_batches(max_chunksize=5000):
        hasher.update(chunk)
    assert hasher.rows == BLOCK + 1000
    assert hasher.hexdigest() == data_hash(table)


def test_reading_a_store_does_not_import_torch(store: Store) -> None:
    append(str(store.path), 1)
    code = (
        "import sys; from counterlog.synth import open_store; import counterlog.synth.export;"
        f"assert open_store({str(store.path)!r}).verify()[0]['ok']; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_card_that_is_none_is_refused_before_any_work(store: Store) -> None:
    with pytest.raises(InputError, match="'seed'"):
        store.append(rows_of("x", 1), SCHEMA, {k: v for k, v in card_of(1).items() if k != "seed"})
    assert not store.path.exists()
