"""Batches as files for other tools, and the two commands that read a store."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import csv

from counterlog.errors import InputError, StoreError, UnknownNameError
from counterlog.synth import open_store
from counterlog.synth.blocks import BLOCK, data_hash
from counterlog.synth.export import export
from counterlog.synth.store import Store

from .writers import SCHEMA, append, card_of, rows_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    for seed in range(2):
        append(str(tmp_path / "store"), seed)
    return open_store(tmp_path / "store")


def read_back(path: Path, schema: pa.Schema) -> pa.Table:
    types = {field.name: field.type for field in schema}
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=True, quoted_strings_can_be_null=False)
    table = csv.read_csv(path, convert_options=options, parse_options=csv.ParseOptions(newlines_in_values=True))
    return table.cast(schema).combine_chunks()


def test_csv_and_parquet_hold_the_rows_of_the_store(store: Store, tmp_path: Path) -> None:
    done = export(store, tmp_path / "all.csv")
    assert done == {"out": str(tmp_path / "all.csv"), "to": "csv", "rows": 2000, "batch": None, "version": 2}
    assert read_back(tmp_path / "all.csv", store.schema()).equals(store.read().combine_chunks())
    export(store, tmp_path / "all.parquet", "parquet")
    assert pq.read_table(tmp_path / "all.parquet").combine_chunks().equals(store.read().combine_chunks())


def test_one_batch_or_one_version(store: Store, tmp_path: Path) -> None:
    first, second = (entry["batch"] for entry in store.history())
    assert export(store, tmp_path / "a.csv", batch=second)["rows"] == 1000
    assert set(read_back(tmp_path / "a.csv", store.schema())["batch"].to_pylist()) == {second}
    assert export(store, tmp_path / "b.csv", version=1)["version"] == 1
    assert set(read_back(tmp_path / "b.csv", store.schema())["batch"].to_pylist()) == {first}
    with pytest.raises(UnknownNameError, match="no batch"):
        export(store, tmp_path / "c.csv", batch="sim-0")
    with pytest.raises(UnknownNameError, match="no version '5'"):
        export(store, tmp_path / "c.csv", version=5)
    assert not (tmp_path / "c.csv").exists()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=6)),
            st.integers(-(2**63), 2**63 - 1),
            st.one_of(st.none(), st.floats()),
            st.one_of(st.none(), st.floats(width=32)),
            st.one_of(st.none(), st.integers(0, 4_102_444_800_000_000)),
            st.one_of(st.none(), st.booleans()),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_csv_is_exact(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    tmp_path = tmp_path_factory.mktemp("exact")
    types = [pa.string(), pa.int64(), pa.float64(), pa.float32(), pa.timestamp("us", "UTC"), pa.bool_()]
    names = ["text", "whole", "real", "single", "when", "flag"]
    columns = [pa.array(list(c), t) for c, t in zip(zip(*rows, strict=True), types, strict=True)]
    table = pa.table([*columns, pa.array(["b"] * len(rows))], names=[*names, "batch"])
    store = open_store(tmp_path / "store", create=True)
    store.append(table.to_batches(), table.schema, card_of(1) | {"batch": "b"})
    export(store, tmp_path / "out.csv")
    back = read_back(tmp_path / "out.csv", table.schema)
    real = [None if x is None or math.isnan(x) else x for x in back["real"].to_pylist()]
    assert real == [None if x is None or math.isnan(x) else x for x in table["real"].to_pylist()]
    numbered = [name for name in table.schema.names if name not in ("real", "single")]
    assert back.select(numbered).equals(table.select(numbered))
    if not any(x is not None and math.isnan(x) for row in rows for x in row[2:4]):
        assert data_hash(back) == data_hash(table)


def test_formulas_are_guarded_for_people_only(tmp_path: Path) -> None:
    cells = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "＝1", "fine", "a=b", "", None, "'=1"]
    table = pa.table({"user": cells, "=gain": [-1.5] * len(cells), "batch": ["b"] * len(cells)})
    store = open_store(tmp_path / "store", create=True)
    store.append(table.to_batches(), table.schema, card_of(1) | {"batch": "b"})
    export(store, tmp_path / "exact.csv")
    assert read_back(tmp_path / "exact.csv", table.schema).equals(table.combine_chunks())
    export(store, tmp_path / "people.csv", people=True)
    schema = pa.schema([("user", pa.string()), ("'=gain", pa.float64()), ("batch", pa.string())])
    back = read_back(tmp_path / "people.csv", schema)
    assert back["user"].to_pylist() == [*(f"'{c}" for c in cells[:7]), *cells[7:]]
    assert back["'=gain"].to_pylist() == [-1.5] * len(cells)  # a number is no formula
    with pytest.raises(InputError, match="for CSV"):
        export(store, tmp_path / "x.parquet", "parquet", people=True)


def test_nothing_is_overwritten_and_nothing_half_written(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("mine")
    with pytest.raises(InputError, match="--force"):
        export(store, out)
    real = Store.scan

    def breaks(self: Store, batch: str | None = None, version: int | None = None) -> Any:
        yield next(real(self, batch, version))
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "scan", breaks)
        with pytest.raises(StoreError, match="no space left"):
            export(store, out, force=True)
    assert out.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.csv", "store"]
    export(store, out, force=True)
    assert out.read_text().startswith('"user","item"')


def test_a_place_that_cannot_be_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        export(store, tmp_path / "no" / "out.csv")
    with pytest.raises(InputError, match="is a folder"):
        export(store, tmp_path, force=True)
    with pytest.raises(InputError, match="inside the store"):
        export(store, store.path / "out.csv")
    with pytest.raises(UnknownNameError, match="known: csv, parquet"):
        export(store, tmp_path / "out", "recbole")


def test_memory_and_progress_go_block_by_block(tmp_path: Path) -> None:
    card = card_of(1)
    rows = 8 * BLOCK
    store = open_store(tmp_path / "store", create=True)
    base = next(rows_of(card["batch"], 1, rows=BLOCK, chunk=BLOCK))
    store.append((base for _ in range(8)), SCHEMA, card)
    whole = 8 * base.nbytes
    del base
    start, seen, peak = pa.total_allocated_bytes(), [], 0

    def progress(done: int, total: int) -> None:
        nonlocal peak
        peak = max(peak, pa.total_allocated_bytes() - start)
        seen.append((done, total))

    export(store, tmp_path / "out.csv", progress=progress)
    assert seen == [(BLOCK * (k + 1), rows) for k in range(8)]
    assert peak < 0.6 * whole


def test_history_of_the_command_line(store: Store, run_cli: Callable[..., Any]) -> None:
    found = run_cli("history", store.path, "--json", expect=0).json()
    listed = [{k: e[k] for k in ("batch", "version", "rows", "created", "parents")} for e in store.history()]
    assert found["batches"] == listed
    shown = run_cli("history", store.path, expect=0).stdout
    assert all(entry["batch"] in shown for entry in listed)
    narrow = run_cli("history", store.path, expect=0, env={"COLUMNS": "60"}).stdout
    assert all(entry["batch"] in narrow for entry in listed)
    card = run_cli("history", store.path, "--card", listed[0]["batch"], expect=0).json()
    assert card == store.card(listed[0]["batch"])
    wrong = run_cli("history", store.path, "--card", listed[0]["batch"] + "0", "--json", expect=2)
    assert "did you mean" in wrong.error()["message"]
    assert wrong.stdout == ""
    assert "there is no store" in run_cli("history", "nowhere", expect=2).stderr


def test_export_of_the_command_line(store: Store, run_cli: Callable[..., Any], tmp_path: Path) -> None:
    first = store.history()[0]["batch"]
    args = ("export", store.path, "--to", "csv", "--out", "o.csv")
    done = run_cli(*args, "--batch", first, "--json", expect=0).json()
    assert done["rows"] == 1000
    assert read_back(tmp_path / "o.csv", store.schema()).equals(store.read(first).combine_chunks())
    assert "--force" in run_cli(*args, expect=2).stderr
    assert "2,000 rows" in run_cli(*args, "--force", "--for-people", expect=0).stdout
    refused = run_cli("export", store.path, "--to", "recbole", "--out", "r", "--json", expect=2)
    assert json.loads(refused.stderr)["error"]["code"] == "unknown_name"
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("name", ["history", "export"])
def test_help_shows_an_example(name: str, run_cli: Callable[..., Any]) -> None:
    assert f"counterlog {name} synthetic" in run_cli(name, "--help", expect=0).stdout
